package conform

import (
	"context"
	"errors"
	"fmt"
	"io"

	"weir/stream"
)

// ErrNotSpoken says that there is a server, and that it does not speak the version of HTTP that it
// was asked to, or opens no WebSocket over it.
var ErrNotSpoken = errors.New("not spoken here")

// preface is what a client of HTTP/2 begins with, and an empty SETTINGS frame (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// Probe says whether the server can be reached, and speaks the version of HTTP that it will be
// spoken to in: that is what ALPN gives, or in cleartext, for HTTP/2, that its first frame is
// SETTINGS. The error wraps ErrNotSpoken if that alone is wrong.
func (t *Target) Probe(ctx context.Context) error {
	c, err := t.Dial(ctx)
	switch {
	case err != nil && t.TLS != nil && t.other().reached(ctx):
		return fmt.Errorf("%w: %w", ErrNotSpoken, err)
	case err != nil:
		return err
	}
	defer c.Close()
	if t.Transport != stream.H2C {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if _, err := io.WriteString(c, preface); err != nil {
		return fmt.Errorf("%w: HTTP/2: %w", ErrNotSpoken, err)
	}
	var head [9]byte // of a frame: its type is the fourth octet (RFC 9113, 4.1)
	if _, err := io.ReadFull(c, head[:]); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("%w: HTTP/2: no frame came: %w", ErrNotSpoken, err)
	}
	if head[3] != 4 {
		return fmt.Errorf("%w: HTTP/2: the answer begins with %q and not with SETTINGS (RFC 9113, 3.4)", ErrNotSpoken, head[:])
	}
	return nil
}

// other is the same server in the other version of HTTP over TLS.
func (t *Target) other() *Target {
	o := *t
	o.Transport = stream.H2
	if t.HTTP2() {
		o.Transport = stream.H1TLS
	}
	return &o
}

func (t *Target) reached(ctx context.Context) bool {
	c, err := t.Dial(ctx)
	if err == nil {
		c.Close()
	}
	return err == nil
}
