package wire

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"weir/h2/h2test"
	"weir/stream"
)

// Kind says what arrived.
type Kind byte

// The kinds. All but Arrived are the last event of a connection.
const (
	Arrived Kind = iota // a frame
	Ended               // the peer has ended its side: FIN, a TLS close_notify, END_STREAM
	Reset               // the peer has given the stream up: a TCP reset, RST_STREAM
	Lost                // the connection is gone or cannot be read on: what is under the stream ended, or a frame is too large
)

func (k Kind) String() string {
	switch k {
	case Arrived:
		return "frame"
	case Ended:
		return "end"
	case Reset:
		return "reset"
	}
	return "loss"
}

// Event is something that arrived.
type Event struct {
	Kind  Kind
	At    time.Time
	Frame Frame // Arrived; its payload is the receiver's
	Rest  int   // at the end: octets of a frame that is not whole
	Err   error // Reset and Lost: what was seen; a *h2test.ResetError has the code of RST_STREAM
}

func (e Event) String() string {
	switch {
	case e.Kind == Arrived:
		return e.Frame.String()
	case e.Err != nil:
		return fmt.Sprintf("%v: %v", e.Kind, e.Err)
	case e.Rest > 0:
		return fmt.Sprintf("end within a frame, after %d octets of it", e.Rest)
	}
	return e.Kind.String()
}

// ending makes the last event of what a read gave.
func ending(err error, rest int) Event {
	e := Event{Kind: Lost, At: time.Now(), Rest: rest, Err: err}
	_, rst := errors.AsType[*h2test.ResetError](err)
	own, owned := errors.AsType[*stream.ResetError](err)
	switch {
	case errors.Is(err, errLost):
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Kind, e.Err = Ended, nil
	case rst, owned && own.Remote, errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		e.Kind = Reset
	}
	return e
}

// errLost stands behind the end of an HTTP/2 connection whose stream had not ended.
var errLost = errors.New("the HTTP/2 connection ended, and the stream had not")
