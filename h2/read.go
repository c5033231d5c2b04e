package h2

import (
	"net"
	"sync"
	"syscall"
)

const (
	smallRead = 4 << 10  // what a reader holds that has to wait with a buffer
	largeRead = 64 << 10 // what is read at once
	fairShare = 128 << 10
	fairRead  = 16 << 10 // what a read is worth besides its octets
	shrink    = 16       // reads in a row that a small buffer would have done for, before it is one again
)

var largeReads = sync.Pool{New: func() any { return new([largeRead]byte) }}

// source is where a connection reads. What it gives is good until the next read.
type source struct {
	nc    net.Conn
	raw   syscall.RawConn // nil: nc is TLS, or anything else that is not a plain socket
	call  func(fd uintptr) bool
	large *[largeRead]byte // a pool's
	small []byte
	few   int // small reads in a row
	n     int
	err   error
	fair  int // of fairShare, since it last waited
}

// read waits until something is there. On a plain socket it waits without a buffer.
func (s *source) read() ([]byte, error) {
	if s.raw != nil {
		s.n, s.err = 0, nil
		if err := s.raw.Read(s.call); err != nil {
			return nil, err
		}
		if s.large == nil {
			return nil, s.err
		}
		s.fair += s.n + fairRead
		return s.large[:s.n], s.err
	}
	if s.few >= shrink {
		s.release()
	}
	if s.large == nil {
		if s.small == nil {
			s.small = make([]byte, smallRead)
		}
		n, err := s.nc.Read(s.small)
		if n == len(s.small) {
			s.large, s.few = largeReads.Get().(*[largeRead]byte), 0
		}
		return s.small[:n], err
	}
	n, err := s.nc.Read(s.large[:])
	if s.few++; n > len(s.small) {
		s.few = 0
	}
	return s.large[:n], err
}

// yields says that the reader has had its share: one whose peer always has more to say does not wait, and others do, for the
// processor. Reads that the scheduler knows of are its business.
func (s *source) yields() bool {
	if s.fair < fairShare {
		return false
	}
	s.fair = 0
	return true
}

// done ends the loan of what read gave.
func (s *source) done() {
	if s.raw != nil {
		s.release()
	}
}

func (s *source) release() {
	if s.large != nil {
		largeReads.Put(s.large)
		s.large = nil
	}
}
