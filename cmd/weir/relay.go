package main

import (
	"errors"
	"sync"

	"weir/stream"
)

// relayLow is how many octets may wait for one side of a relay before the other side gets no more credit. With the window
// it bounds what a relay holds.
const relayLow = 32 << 10

// relay passes the octets of two streams on to each other as they are, and their ends: END_STREAM and a FIN are the same,
// RST_STREAM(CANCEL) and a TCP reset are. Credit goes back to a sender once what it sent has left, so that each side is
// read as fast as the other reads. b has to be a stream whose Send never blocks on a socket while the goroutine that reads
// a has other streams to serve.
func relay(a, b stream.Stream, window int) {
	x, y := &relayEnd{st: a}, &relayEnd{st: b}
	x.other, y.other = y, x
	l := stream.Limits{Window: window, Low: relayLow, WriteTimeout: -1} // a peer may pause for as long as it likes
	a.Attach(x, l)
	b.Attach(y, l)
	if queued, err := b.Send(nil, false); err != nil || queued <= relayLow {
		x.release() // of what a sent before b was there to tell Drained
	}
}

// relayEnd is the sink of one of the two.
type relayEnd struct {
	st    stream.Stream
	other *relayEnd

	mu   sync.Mutex
	owed int // octets received and not released: the other side's queue is long
}

// Data passes octets on.
func (e *relayEnd) Data(b []byte, fin bool) {
	e.mu.Lock()
	e.owed += len(b)
	e.mu.Unlock()
	if len(b) == 0 && !fin {
		return
	}
	// Where more than relayLow waits, Drained follows, if it has not come already. An error: the other side has ended, and
	// what Closed says of it ends this one too.
	if queued, err := e.other.st.Send([][]byte{b}, fin); err != nil || queued <= relayLow {
		e.release()
	}
}

// release gives the sender its credit back.
func (e *relayEnd) release() {
	e.mu.Lock()
	n := e.owed
	e.owed = 0
	e.mu.Unlock()
	if n > 0 {
		e.st.Release(n)
	}
}

// Drained lets the other side go on.
func (e *relayEnd) Drained() { e.other.release() }

// Closed gives the other side up if this one was cut. One that the peer gave up quietly, since all had been said, ends
// the other behind what still waits.
func (e *relayEnd) Closed(err error) {
	if err == nil {
		return
	}
	code := stream.Cancel
	if reset, ok := errors.AsType[*stream.ResetError](err); ok && reset.Code == stream.NoError {
		code = stream.NoError
	}
	e.other.st.Reset(code)
}
