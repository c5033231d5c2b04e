package websocket

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Write sends p as one text or binary message. It waits for room while much is queued, and for a Writer that is open.
// An error of ctx says that nothing was sent.
func (c *Conn) Write(ctx context.Context, t FrameType, p []byte) error {
	if t != TextFrame && t != BinaryFrame {
		return fmt.Errorf("websocket: %s is no message type", t)
	}
	if err := acquire(ctx, c.writing); err != nil {
		return err
	}
	defer free(c.writing)
	return c.s.do(ctx, Commands{{kind: cmdFrame, op: t, data: p}})
}

// fragmentSize is how much a Writer gathers for one frame.
const fragmentSize = 4 << 10

// MessageWriter sends one message as it is written, in fragments, uncompressed.
type MessageWriter struct {
	c    *Conn
	ctx  context.Context
	op   FrameType
	buf  []byte
	done bool
}

// Writer begins a text or binary message. Other messages wait until it is closed; ctx bounds the writes, too.
func (c *Conn) Writer(ctx context.Context, t FrameType) (*MessageWriter, error) {
	if t != TextFrame && t != BinaryFrame {
		return nil, fmt.Errorf("websocket: %s is no message type", t)
	}
	if err := acquire(ctx, c.writing); err != nil {
		return nil, err
	}
	return &MessageWriter{c: c, ctx: ctx, op: t}, nil
}

func (w *MessageWriter) Write(p []byte) (int, error) {
	if w.done {
		return 0, io.ErrClosedPipe
	}
	w.buf = append(w.buf, p...)
	if len(w.buf) < fragmentSize {
		return len(p), nil
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush sends what was written as a fragment.
func (w *MessageWriter) Flush() error {
	if w.done {
		return io.ErrClosedPipe
	}
	return w.fragment(false)
}

// Close ends the message.
func (w *MessageWriter) Close() error {
	if w.done {
		return io.ErrClosedPipe
	}
	w.done = true
	defer free(w.c.writing)
	return w.fragment(true)
}

func (w *MessageWriter) fragment(fin bool) error {
	err := w.c.s.do(w.ctx, Commands{{kind: cmdFragment, op: w.op, flag: fin, data: w.buf}})
	if err != nil && w.ctx.Err() != nil {
		w.c.CloseNow() // half a message cannot be taken back
	}
	w.op = continuation
	w.buf = w.buf[:0]
	return err
}

// ReadJSON reads a message as JSON into v.
func (c *Conn) ReadJSON(ctx context.Context, v any) error {
	_, msg, err := c.Read(ctx)
	if err != nil {
		return err
	}
	return json.Unmarshal(msg, v)
}

// WriteJSON sends v as JSON, in one text message.
func (c *Conn) WriteJSON(ctx context.Context, v any) error {
	msg, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.Write(ctx, TextFrame, msg)
}
