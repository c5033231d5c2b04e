package h1

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weir/stream"
)

// poller waits for many sockets at once, so that an idle one costs neither a goroutine nor a
// net.Conn, and what has become ready is handed out in batches.
//
// Its workers are goroutines that do what is to be done for one socket after the other, handlers
// included. One of them, at most, waits for sockets; the wait itself is in Go's own poller, of
// which the epoll is one descriptor. As long as one worker keeps up it stays alone, for every
// thread that is woken costs more than a message does: others are woken when it has had no rest for
// a while, and when a handler holds it up, which a look now and then finds out.
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
	called  int // workers on their way
	workers int
	waiting bool // a worker waits for sockets
	ending  bool // and shall not any more
	done    uint64
	seen    uint64    // done at the last look
	looking bool      // the timer runs
	eager   int       // looks to come during which somebody always waits for sockets
	rested  time.Time // when there was last nothing to do
	slept   bool      // so it is in this wait
	timer   *time.Timer
	run     func() // work, made once
	events  [batch]syscall.EpollEvent
	got     int
	poll    func(fd uintptr) bool // take, made once
}

// event is something that became of a socket, or a turn to be done.
type event struct {
	t    *tunnel
	bits uint32
	turn stream.Turner // in the place of t
}

const (
	batch     = 128                  // events taken at once
	unrest    = 2 * time.Millisecond // without a rest, after which others are woken
	share     = 4                    // events that are worth one
	glance    = 5 * time.Millisecond // between two looks
	eagerness = 200                  // looks
	crowd     = 512                  // events that may have been taken and stand in the queue
	pollEdge  = 1 << 31              // EPOLLET, which package syscall has as a negative number
	pollBits  = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | pollEdge
	pollEnds  = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
)

// shared is the poller of all connections, as Go's own is. It is made with the first of them.
var shared pollerOf

// pollerOf makes a poller when it is wanted first.
type pollerOf struct {
	made atomic.Pointer[poller]
	mu   sync.Mutex // held while one is made
}

// get gives nil where there is no epoll to be had. That may be so for a while only, as when the
// process has no descriptor left (EMFILE), so a failure is not kept: the next connection asks
// again.
func (o *pollerOf) get() *poller {
	if p := o.made.Load(); p != nil {
		return p
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.made.Load(); p != nil {
		return p
	}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	p := newPoller(fd)
	if p != nil {
		o.made.Store(p)
	}
	return p
}

func thePoller() *poller { return shared.get() }

// newPoller makes a poller of the epoll fd, which is its own from then on. It gives nil, and closes
// fd, if Go's poller does not watch fd: the kernel may have no memory for it, or no watch left
// (ENOMEM, ENOSPC).
func newPoller(fd int) *poller {
	if err := syscall.SetNonblock(fd, true); err != nil { // so that package os gives it to Go's poller
		syscall.Close(fd)
		return nil
	}
	p := &poller{fd: fd, ep: os.NewFile(uintptr(fd), "epoll")}
	raw, err := p.ep.SyscallConn()
	if err == nil {
		err = p.ep.SetReadDeadline(time.Time{}) // package os says nothing if Go's poller does not watch it
	}
	if err != nil {
		p.ep.Close()
		return nil
	}
	p.raw = raw
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
		p.forget(fd)
	}
	e := syscall.EpollEvent{Events: pollBits, Fd: int32(fd)}
	if err := syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, &e); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	p.socks[fd] = t // its first event is looked up with mu held
	if p.n++; !p.waiting && p.workers == p.parked {
		p.help(1)
	}
	return nil
}

// remove ends that; the descriptor is closed next. Somebody else may have closed it before, and it
// may be another's by now.
func (p *poller) remove(fd int, t *tunnel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socks[fd] != t {
		return
	}
	_ = syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_DEL, fd, nil) // it is there
	p.forget(fd)
}

// forget is for a descriptor that is not watched any more, with mu held.
func (p *poller) forget(fd int) {
	p.socks[fd] = nil
	if p.n--; p.n == 0 { // all workers go
		p.called += p.parked
		p.parked = 0
		p.idle.Broadcast()
		if p.waiting {
			p.ending = true
			_ = p.ep.SetReadDeadline(time.Unix(1, 0)) // an epoll has deadlines like any file of Go's poller
		}
	}
}

// push has e done. A worker that works comes to it soon, or is found not to.
func (p *poller) push(e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, e)
	working := p.workers - p.parked
	if p.waiting {
		working--
	}
	switch {
	case working == 0:
		p.rested = time.Now()
		p.help(1)
	case p.eager > 0 && p.called == 0 && working < runtime.GOMAXPROCS(0):
		p.help(1)
	default:
		p.watch()
	}
}

// help has n more workers work, with mu held.
func (p *poller) help(n int) {
	for range n {
		p.called++
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
	p.called--
	for {
		switch {
		case p.next < len(p.queue):
			e := p.pop()
			if p.done++; p.done%batch == 0 {
				p.help(p.wanted(time.Now()))
			}
			if p.eager > 0 && !p.waiting && p.called == 0 {
				p.help(1)
			}
			p.mu.Unlock()
			if e.turn == nil {
				e.t.happened(e.bits)
			} else if e.turn.Turn(time.Now()) {
				p.push(e)
			}
			p.mu.Lock()
		case !p.waiting && p.n > 0:
			p.await()
		case p.parked < runtime.GOMAXPROCS(0) && p.n > 0:
			p.parked++
			p.idle.Wait() // whoever signals has counted us out
			p.called--
		default:
			p.workers--
			ended = true
			p.mu.Unlock()
			return
		}
	}
}

// pop takes the first of the queue, which has one. What was taken before it goes now and then: the
// queue may never be empty.
func (p *poller) pop() event {
	e := p.queue[p.next]
	p.queue[p.next] = event{}
	p.next++
	if left := len(p.queue) - p.next; p.next >= crowd && p.next >= left {
		if cap(p.queue) > 4*max(left, crowd) { // a message to many has left its room
			p.queue = append(make([]event, 0, 2*left), p.queue[p.next:]...)
		} else {
			clear(p.queue[copy(p.queue, p.queue[p.next:]):])
			p.queue = p.queue[:left]
		}
		p.next = 0
	} else if left == 0 {
		p.queue, p.next = p.queue[:0], 0
	}
	return e
}

// await waits for sockets, and queues what became of them. With mu held, which is given up
// meanwhile.
func (p *poller) await() {
	if p.ending {
		p.ending = false
		_ = p.ep.SetReadDeadline(time.Time{}) // as above
	}
	p.waiting, p.slept, p.got = true, false, 0
	p.done++
	p.mu.Unlock()
	err := p.raw.Read(p.poll)
	p.mu.Lock()
	p.waiting = false
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		panic("h1: BUG: " + err.Error()) // nobody closes it
	}
	now := time.Now()
	if p.slept {
		p.rested = now
	}
	for i := range p.got {
		e := &p.events[i]
		if t := p.socks[e.Fd]; t != nil {
			p.queue = append(p.queue, event{t: t, bits: e.Events})
		}
	}
	p.help(p.wanted(now))
	p.watch()
}

// watch has somebody look soon whether work is done.
func (p *poller) watch() {
	switch {
	case p.looking:
		return
	case p.timer == nil:
		p.timer = time.AfterFunc(glance, p.look)
	default:
		p.timer.Reset(glance)
	}
	p.looking, p.seen = true, p.done
}

// wanted is how many workers more are worth waking for what is queued at now: none, while one has
// rests.
func (p *poller) wanted(now time.Time) int {
	if now.Sub(p.rested) <= unrest {
		return 0
	}
	return max(0, min((len(p.queue)-p.next)/share, runtime.GOMAXPROCS(0)-(p.workers-p.parked)))
}

// take asks the epoll, and says whether something was there. The one who waits runs it.
func (p *poller) take(fd uintptr) bool {
	n, err := sysReady(int(fd), p.events[:])
	if err != nil {
		panic("h1: BUG: " + err.Error())
	}
	p.got, p.slept = n, p.slept || n == 0
	return n > 0
}

// look sees whether anything is done, on a goroutine of the timer's. If nothing is, all workers are
// in handlers.
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
