package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/interop/conform"
)

// Probe opens a WebSocket and closes it: an error says that there is none at the target's path, or
// none over its version of HTTP (conform.ErrNotSpoken). An answer that opens one and is not as it
// has to be is no error: cases say more of it.
func Probe(ctx context.Context, t *conform.Target) error {
	c, err := Dial(ctx, t, Request{})
	refused, answered := errors.AsType[*RefusedError](err)
	switch {
	case answered && refused.opened(t):
		return nil
	case answered:
		return fmt.Errorf("no WebSocket here: %w", err)
	case err != nil:
		return err
	}
	defer c.Close()
	_ = c.Send(Frame{Fin: true, Op: Close, Payload: []byte{3, 232}}) // the end of the connection comes as an event
	for {
		if e, ok := c.Next(ctx, time.Second); !ok || e.Kind != Arrived || e.Frame.Op == Close {
			return nil
		}
	}
}

// opened says whether the status of a refused answer was the one that opens a WebSocket.
func (e *RefusedError) opened(t *conform.Target) bool {
	if t.HTTP2() {
		return e.Status >= 200 && e.Status <= 299
	}
	return e.Status == 101
}
