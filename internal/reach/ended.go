package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Ended says why ctx has ended, and is nil while it has not. errors.Is finds its cause as well as
// context.Canceled or context.DeadlineExceeded.
func Ended(ctx context.Context) error {
	if by, ok := ctx.Deadline(); ok && time.Until(by) <= 0 {
		<-ctx.Done() // a socket's deadline may fire a moment before that of its ctx
	}
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		return fmt.Errorf("%w: %w", err, cause)
	} else if cause != err {
		return cause
	}
	return err
}

// Within calls f, which reads and writes nc. When ctx ends, all that f does to nc fails from then
// on, and the error is that of Ended. f sets a deadline by Expect, so that it does not undo this.
func Within(ctx context.Context, nc net.Conn, f func() error) error {
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		defer func() {
			if recover() != nil { // nc is a user's
				nc.Close()
			}
		}()
		_ = nc.SetDeadline(long) // of a dead connection: its error comes from what is under way
	})
	defer stop() // f may not return
	err := f()
	if !stop() {
		<-cut
		return Ended(ctx)
	}
	return err
}

// long ago.
var long = time.Unix(1, 0)

// Expect bounds the reads of an f of Within: what is read has to come by then.
func Expect(ctx context.Context, nc net.Conn, by time.Time) error {
	if ctx.Err() != nil {
		return nil
	}
	err := nc.SetReadDeadline(by)
	if ctx.Err() != nil { // it ended meanwhile, and this deadline came behind its own
		_ = nc.SetReadDeadline(long)
	}
	return err
}
