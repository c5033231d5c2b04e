package main

import (
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"weir/websocket"
)

// maxCount bounds what a query may ask for in milliseconds, messages or octets, so that no product
// of them overflows.
const maxCount = 1 << 40

// query reads the parameters of a request and remembers the first that was no good.
type query struct {
	url.Values
	err error
}

// number is the parameter's value, or def where it is absent.
func (q *query) number(name string, def, low, high int64) int64 {
	if !q.Has(name) {
		return def
	}
	n, err := strconv.ParseInt(q.Get(name), 10, 64)
	if err != nil || n < low || n > high {
		q.fail("%s=%s: a number from %d to %d", name, q.Get(name), low, high)
		return def
	}
	return n
}

// millis is the parameter as a duration.
func (q *query) millis(name string, def time.Duration) time.Duration {
	return time.Duration(q.number(name, def.Milliseconds(), 0, maxCount/1000)) * time.Millisecond
}

// frameType is the parameter type=text|binary.
func (q *query) frameType() websocket.FrameType {
	switch q.Get("type") {
	case "", "text":
	case "binary":
		return websocket.BinaryFrame
	default:
		q.fail("type=%s: text or binary", q.Get("type"))
	}
	return websocket.TextFrame
}

func (q *query) fail(format string, args ...any) {
	if q.err == nil {
		q.err = fmt.Errorf(format, args...)
	}
}

// options are the flags' options, with what the query overrides.
func (c *config) options(q *query, log *slog.Logger) *websocket.Options {
	o := &websocket.Options{
		IdleTimeout:    c.idleTimeout,
		MaxFrameSize:   c.maxFrameSize,
		NoValidateUTF8: c.noValidateUTF8,
		Window:         c.window,
		Subprotocols:   c.subprotocols,
		Origins:        c.origins,
		OnlyOrigins:    true,
		Logger:         log,
		Compress:       q.number("compress", 0, 0, 1) == 1 || c.compress && !q.Has("compress"),
		Deflate:        c.deflate,
		Backlog:        roomBacklog,
	}
	if len(o.Origins) == 0 {
		o.Origins = []string{"*"}
	}
	size := q.number("max_frame_size", o.MaxFrameSize, 0, maxCount)
	o.MaxFrameSize = zeroIsNone(c.frameSize(size))
	o.IdleTimeout = zeroIsNone(q.millis("idle_timeout", o.IdleTimeout))
	o.Window = int(q.number("window", int64(o.Window), 1, 1<<31-1))
	if q.Has("validate_utf8") {
		o.NoValidateUTF8 = q.number("validate_utf8", 1, 0, 1) == 0
	}
	return o
}

// maxAsked bounds the messages that a peer may have taken, by a query or a script, where the flags
// have a limit. The octets of a message are counted inflated: a thousand of them may be one on the
// wire.
const maxAsked = 16 << 20

// frameSize is the limit that a session gets that wants n, or none for 0.
func (c *config) frameSize(n int64) int64 {
	if c.maxFrameSize == 0 {
		return n
	}
	most := max(c.maxFrameSize, maxAsked)
	if n == 0 {
		return most
	}
	return min(n, most)
}

// zeroIsNone turns the command line's way to say "none" into that of websocket.Options.
func zeroIsNone[T int64 | time.Duration](v T) T {
	if v == 0 {
		return -1
	}
	return v
}
