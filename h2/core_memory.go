package h2

import (
	"strconv"

	"weir/stream"
)

// What a connection holds for its streams is counted in core.held: octets that wait to be sent,
// with the room of their buffers, and octets that were received and are not consumed, with the room
// of theirs, which the shell knows. Each stream has bounds of its own: its window, and what its
// handler or its session writes ahead. This is the bound of their sum, where a peer opens many
// streams and reads none.

// memoryError ends a stream that held most of a connection that holds too much. It unwraps to a
// *stream.ResetError.
type memoryError struct {
	id   uint32
	held int // octets, of the stream
}

func (e *memoryError) Error() string {
	return "h2: stream " + strconv.FormatUint(uint64(e.id), 10) + ": " + strconv.Itoa(e.held) +
		" octets wait on it, and the connection holds more than MaxMemory"
}

func (e *memoryError) Unwrap() error { return &stream.ResetError{Code: stream.Cancel} }

// resized counts a queue whose buffer had room for before octets.
func (c *core) resized(s *coreStream, before int) {
	c.held += cap(s.buf) - before
	c.queues += cap(s.buf) - before
}

// receive is credit.Receive, and counts.
func (c *core) receive(s *coreStream, n int) error {
	err := s.credit.Receive(n)
	if err == nil {
		c.held += n
	}
	return err
}

// free is credit.Release of n octets at most, and counts. It says how many they were.
func (c *core) free(s *coreStream, n int) int {
	n = max(min(n, s.credit.Held()), 0)
	s.credit.Release(n)
	c.held -= n
	return n
}

// shed gives streams up, the one that holds most first, until the connection holds no more than it
// may.
func (c *core) shed() {
	for c.cfg.memory > 0 && c.held > c.cfg.memory && c.err == nil {
		var most *coreStream
		for s := c.oldest; s != nil; s = s.younger {
			if most == nil || s.holds() > most.holds() {
				most = s
			}
		}
		if most == nil || most.holds() == 0 {
			return
		}
		c.counts.hit(LimitMemory)
		c.writeReset(most.id, Cancel)
		c.close(most, goneByUs, &memoryError{most.id, most.holds()})
	}
}

// holds is what a stream has a part in core.held with.
func (s *coreStream) holds() int { return cap(s.buf) + s.credit.Held() }
