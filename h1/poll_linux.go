package h1

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// poller waits for many sockets at once, so that an idle one costs neither a goroutine nor a net.Conn, and what has become
// ready is handed out in batches.
//
// Its workers are goroutines that do what is to be done for one socket after the other, handlers included. One of them,
// at most, waits for sockets; the wait itself is in Go's own poller, of which the epoll is one descriptor. A worker that is
// held up by a handler holds up nobody for long: a look every millisecond starts others.
type poller struct {
	mu      sync.Mutex
	ep      *os.File
	raw     syscall.RawConn
	fd      int
	socks   []*tunnel // by descriptor
	n       int       // of them
	queue   []event   // to be done, from next on
	next    int
	idle    sync.Cond // parked workers wait here
	parked  int
	workers int
	waiting bool // a worker waits for sockets
	ending  bool // and shall not any more
	done    uint64
	seen    uint64 // done at the last look
	looking bool   // the timer runs
	eager   int    // looks to come during which somebody always waits for sockets
	timer   *time.Timer
	run     func() // work, made once
	events  [batch]syscall.EpollEvent
	got     int
	poll    func(fd uintptr) bool // take, made once
}

// event is something that became of a socket.
type event struct {
	t    *tunnel
	bits uint32
}

const (
	batch     = 128              // events taken at once
	share     = 4                // events that are worth another worker
	glance    = time.Millisecond // between two looks
	eagerness = 100              // looks
	pollEdge  = 1 << 31          // EPOLLET, which package syscall has as a negative number
	pollBits  = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | pollEdge
	pollEnds  = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
)

// shared is the poller of all connections, as Go's own is. It is made with the first.
var shared struct {
	once sync.Once
	p    *poller
}

func thePoller() *poller {
	shared.once.Do(func() { shared.p = newPoller() })
	return shared.p
}

// newPoller gives nil where there is no epoll to be had.
func newPoller() *poller {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // so that package os gives it to Go's poller
		syscall.Close(fd)
		return nil
	}
	p := &poller{fd: fd, ep: os.NewFile(uintptr(fd), "epoll")}
	if p.raw, err = p.ep.SyscallConn(); err != nil {
		p.ep.Close()
		return nil
	}
	p.idle.L = &p.mu
	p.run, p.poll = p.work, p.take
	return p
}

// add makes the poller watch t's socket. The first event comes at once.
func (p *poller) add(fd int, t *tunnel) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for fd >= len(p.socks) {
		p.socks = append(p.socks, nil)
	}
	if p.socks[fd] != nil { // it was closed by somebody else
		p.n--
	}
	p.socks[fd] = t
	e := syscall.EpollEvent{Events: pollBits, Fd: int32(fd)}
	if err := syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, &e); err != nil {
		p.socks[fd] = nil
		return os.NewSyscallError("epoll_ctl", err)
	}
	if p.n++; !p.waiting && p.workers == p.parked {
		p.help(1)
	}
	return nil
}

// remove ends that; the descriptor is closed next. Somebody else may have closed it before, and it may be another's by now.
func (p *poller) remove(fd int, t *tunnel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socks[fd] != t {
		return
	}
	_ = syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_DEL, fd, nil) // it is there
	p.socks[fd] = nil
	if p.n--; p.n == 0 { // all workers go
		p.parked = 0
		p.idle.Broadcast()
		if p.waiting {
			p.ending = true
			_ = p.ep.SetReadDeadline(time.Unix(1, 0)) // an epoll has deadlines like any file of Go's poller
		}
	}
}

// push has t served: it is claimed (running) already.
func (p *poller) push(t *tunnel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, event{t: t})
	p.help(1)
}

// help has n more workers work, with mu held.
func (p *poller) help(n int) {
	for range n {
		if p.parked > 0 {
			p.parked--
			p.idle.Signal()
			continue
		}
		p.workers++
		go p.run() // ends when there is nothing to do and others wait
	}
}

// work is a worker. A handler may end its goroutine (runtime.Goexit): then another takes its place.
func (p *poller) work() {
	ended := false
	defer func() {
		if ended {
			return
		}
		p.mu.Lock()
		p.workers--
		p.help(1)
		p.mu.Unlock()
	}()
	p.mu.Lock()
	for {
		switch {
		case p.next < len(p.queue):
			e := p.queue[p.next]
			p.queue[p.next] = event{}
			if p.next++; p.next == len(p.queue) {
				p.queue, p.next = p.queue[:0], 0
			}
			p.done++
			if p.eager > 0 && !p.waiting {
				p.help(1)
			}
			p.mu.Unlock()
			e.t.happened(e.bits)
			p.mu.Lock()
		case !p.waiting && p.n > 0:
			p.await()
		case p.parked < runtime.GOMAXPROCS(0) && p.n > 0:
			p.parked++
			p.idle.Wait() // whoever signals has counted us out
		default:
			p.workers--
			ended = true
			p.mu.Unlock()
			return
		}
	}
}

// await waits for sockets, and queues what became of them. With mu held, which is given up meanwhile.
func (p *poller) await() {
	if p.ending {
		p.ending = false
		_ = p.ep.SetReadDeadline(time.Time{}) // as above
	}
	p.waiting, p.got = true, 0
	p.done++
	p.mu.Unlock()
	err := p.raw.Read(p.poll)
	p.mu.Lock()
	p.waiting = false
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		panic("h1: BUG: " + err.Error()) // nobody closes it
	}
	for i := range p.got {
		e := &p.events[i]
		if t := p.socks[e.Fd]; t != nil {
			p.queue = append(p.queue, event{t, e.Events})
		}
	}
	if n := min((len(p.queue)-p.next)/share, runtime.GOMAXPROCS(0)-(p.workers-p.parked)); n > 0 {
		p.help(n)
	}
	if !p.looking {
		p.looking, p.seen = true, p.done
		if p.timer == nil {
			p.timer = time.AfterFunc(glance, p.look)
		} else {
			p.timer.Reset(glance)
		}
	}
}

// take asks the epoll, and says whether something was there. The one who waits runs it.
func (p *poller) take(fd uintptr) bool {
	for {
		n, err := syscall.EpollWait(int(fd), p.events[:], 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			panic("h1: BUG: " + err.Error())
		}
		p.got = n
		return n > 0
	}
}

// look sees whether anything is done, on a goroutine of the timer's. If nothing is, all workers are in handlers.
func (p *poller) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := len(p.queue) - p.next
	p.eager = max(p.eager-1, 0)
	if p.waiting && left == 0 {
		p.looking = false
		return
	}
	if p.seen == p.done {
		p.eager = eagerness
		p.help(left + 1)
	}
	p.seen = p.done
	p.timer.Reset(glance)
}
