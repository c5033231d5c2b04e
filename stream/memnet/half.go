package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// half is one direction: what one end writes and the other reads.
type half struct {
	mu    sync.Mutex
	moved sync.Cond // anything below changed
	limit int
	buf   []byte

	fin        bool // the writer has ended its side
	reset      bool // the writer has given up: what was buffered is gone
	writerGone bool // the writer's end is closed
	readerGone bool // the reader's end is closed

	readBy, writeBy deadline
}

type deadline struct {
	timer   *time.Timer
	turn    int // counts settings, so that a timer that fires late changes nothing
	expired bool
}

func newHalf(limit int) *half {
	h := &half{limit: limit}
	h.moved.L = &h.mu
	return h
}

func (h *half) read(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.readerGone:
			return 0, net.ErrClosed
		case h.readBy.expired:
			return 0, os.ErrDeadlineExceeded
		case h.reset:
			return 0, syscall.ECONNRESET
		case len(b) == 0:
			return 0, nil
		case len(h.buf) > 0:
			n := copy(b, h.buf)
			h.buf = h.buf[:copy(h.buf, h.buf[n:])]
			h.moved.Broadcast()
			return n, nil
		case h.fin:
			return 0, io.EOF
		}
		h.moved.Wait()
	}
}

func (h *half) write(b []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.writerGone:
			return n, net.ErrClosed
		case h.writeBy.expired:
			return n, os.ErrDeadlineExceeded
		case h.fin, h.readerGone:
			return n, syscall.EPIPE
		case len(b) == 0:
			return n, nil
		}
		if room := min(len(b), h.limit-len(h.buf)); room > 0 {
			h.buf = append(h.buf, b[:room]...)
			b = b[room:]
			n += room
			h.moved.Broadcast()
			continue
		}
		h.moved.Wait()
	}
}

// endWrite is CloseWrite.
func (h *half) endWrite() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writerGone {
		return net.ErrClosed
	}
	h.fin = true
	h.moved.Broadcast()
	return nil
}

// leave is the writer's end closed.
func (h *half) leave(reset bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writerGone, h.fin = true, true
	if reset {
		h.reset, h.buf = true, nil
	}
	h.writeBy.stop()
	h.moved.Broadcast()
}

// endRead is the reader's end closed. unread: octets were left.
func (h *half) endRead() (unread bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readerGone {
		return false, net.ErrClosed
	}
	unread = len(h.buf) > 0
	h.readerGone, h.buf = true, nil
	h.readBy.stop()
	h.moved.Broadcast()
	return unread, nil
}

// setDeadline sets d, one of h's.
func (h *half) setDeadline(d *deadline, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.stop()
	wait := time.Until(t)
	d.expired = !t.IsZero() && wait <= 0
	if !t.IsZero() && wait > 0 {
		turn := d.turn
		d.timer = time.AfterFunc(wait, func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			if d.turn == turn {
				d.expired = true
				h.moved.Broadcast()
			}
		})
	}
	h.moved.Broadcast()
}

func (d *deadline) stop() {
	d.turn++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
