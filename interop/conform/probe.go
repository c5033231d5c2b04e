package conform

import (
	"context"
	"errors"
	"fmt"
	"io"

	"weir/stream"
)

// ErrNotSpoken says that there is a server, and that it does not speak the version of HTTP that it was asked to.
var ErrNotSpoken = errors.New("not spoken here")

// preface is what a client of HTTP/2 begins with, and an empty SETTINGS frame (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// Probe says whether the server can be reached, and speaks HTTP/2 where that is what it will be spoken to: its first frame is
// SETTINGS then. The error wraps ErrNotSpoken if that alone is what is wrong.
func (t *Target) Probe(ctx context.Context) error {
	c, err := t.Dial(ctx)
	if err != nil {
		if t.TLS != nil && t.HTTP2() {
			return t.probeTLS(ctx, err)
		}
		return err
	}
	defer c.Close()
	if !t.HTTP2() {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if _, err := io.WriteString(c, preface); err != nil {
		return fmt.Errorf("%w: HTTP/2: %w", ErrNotSpoken, err)
	}
	var head [9]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("%w: HTTP/2: no frame came: %w", ErrNotSpoken, err)
	}
	if head[3] != 4 || string(head[:4]) == "HTTP" {
		return fmt.Errorf("%w: HTTP/2: the first frame is not SETTINGS (RFC 9113, 3.4), it begins with %q", ErrNotSpoken, head[:])
	}
	return nil
}

// probeTLS tells a server without h2 from one that cannot be reached: over TLS the former refuses h2, and takes a client
// that does not ask for it.
func (t *Target) probeTLS(ctx context.Context, refusal error) error {
	plain := *t
	plain.Transport = stream.H1TLS
	c, err := plain.Dial(ctx)
	if err != nil {
		return refusal
	}
	c.Close()
	return fmt.Errorf("%w: %w", ErrNotSpoken, refusal)
}
