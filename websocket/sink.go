package websocket

import (
	"time"

	"weir/stream"
)

// sink is a Session as its stream knows it. Users of a Session, and handlers that embed one, do not
// see these methods.
type sink Session

var (
	_ stream.Sink   = (*sink)(nil)
	_ stream.Filler = (*sink)(nil)
	_ stream.Turner = (*sink)(nil)
)

// Data implements stream.Sink.
func (k *sink) Data(b []byte, fin bool) { (*Session)(k).data(b, fin) }

// Drained implements stream.Sink.
func (k *sink) Drained() { (*Session)(k).queueDrained() }

// Closed implements stream.Sink.
func (k *sink) Closed(err error) { (*Session)(k).streamClosed(err) }

// Fill implements stream.Filler.
func (k *sink) Fill() []byte { return (*Session)(k).fill() }

// Turn implements stream.Turner.
func (k *sink) Turn(now time.Time) (again bool) { return (*Session)(k).turnFor(now) }
