package websocket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// ErrWriterOpen says that a message cannot begin, for a Writer is open that nobody has written to
// or closed for as long as Options.SendTimeout. It may have been forgotten; the WebSocket lives,
// and Close and CloseNow end it.
var ErrWriterOpen = errors.New("websocket: another message is open: its Writer was not closed")

// Write sends p as one text or binary message. It waits for room while much is queued, and for a
// Writer that is open, see ErrWriterOpen. An error of ctx says that nothing was sent.
func (c *Conn) Write(ctx context.Context, t FrameType, p []byte) error {
	if t != TextFrame && t != BinaryFrame {
		return fmt.Errorf("websocket: %s is no message type", t)
	}
	if err := c.acquireWriting(ctx); err != nil {
		return err
	}
	defer free(c.writing)
	return c.do(ctx, Commands{{kind: CommandFrame, op: t, data: p}})
}

// acquireWriting waits until no other message is being written, or the WebSocket has ended. A
// Writer that nobody uses is waited for as long as SendTimeout, and not for ever: it may be one
// that was left at an error.
func (c *Conn) acquireWriting(ctx context.Context) error {
	if err := c.over(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-c.writing:
		return nil
	default:
	}
	var look <-chan time.Time
	patience := or(c.s.m.opt.SendTimeout, DefaultSendTimeout, 0)
	if patience > 0 {
		t := time.NewTicker(patience)
		defer t.Stop()
		look = t.C
	}
	for {
		select {
		case <-c.writing:
			return nil
		case <-c.ended:
			return c.err
		case <-ctx.Done():
			if err := ctx.Err(); err != nil { // else it is a deadline that was moved
				return err
			}
		case <-look:
			if c.unused() >= patience {
				return ErrWriterOpen
			}
		}
	}
}

// unused is for how long nobody has used the Writer that is open; 0: none is.
func (c *Conn) unused() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writer == nil {
		return 0
	}
	since := instant(c.writer.since.Load())
	if since == 0 {
		return 0
	}
	return time.Since(since.time())
}

// fragmentSize is how much a Writer gathers for one frame.
const fragmentSize = 4 << 10

// MessageWriter sends one message as it is written, in fragments, uncompressed. One goroutine at a
// time uses it.
//
// It is to be closed, for other messages wait until it is. It is done without that once a method of
// it has failed, or its ctx has ended: a message of which nothing was sent is dropped then, and one
// of which a part was sent is the end of the WebSocket (CloseNow), as half a message cannot be
// taken back.
type MessageWriter struct {
	c     *Conn
	ctx   context.Context
	stop  func() bool  // no more looks at ctx
	since atomic.Int64 // since which instant nobody has used it; 0: it is in use

	mu  sync.Mutex // for the end of ctx
	op  FrameType  // of the next fragment
	buf []byte
	err error // it is done
}

// Writer begins a text or binary message. Other messages wait until it is closed; ctx bounds the
// writes, too. While another Writer is open it waits as Write does.
func (c *Conn) Writer(ctx context.Context, t FrameType) (*MessageWriter, error) {
	if t != TextFrame && t != BinaryFrame {
		return nil, fmt.Errorf("websocket: %s is no message type", t)
	}
	if err := c.acquireWriting(ctx); err != nil {
		return nil, err
	}
	w := &MessageWriter{c: c, ctx: ctx, op: t}
	w.since.Store(int64(instantOf(time.Now())))
	w.mu.Lock() // until stop is there
	defer w.mu.Unlock()
	if w.stop = neverStarted; ctx.Done() != nil {
		w.stop = context.AfterFunc(ctx, w.abandon)
	}
	c.mu.Lock()
	c.writer = w
	c.mu.Unlock()
	return w, nil
}

func neverStarted() bool { return true }

// Write gathers p, and sends what has become much as a fragment.
func (w *MessageWriter) Write(p []byte) (int, error) {
	w.use()
	defer w.unuse()
	if err := w.fault(); err != nil {
		return 0, err
	}
	w.buf = append(w.buf, p...)
	if len(w.buf) < fragmentSize {
		return len(p), nil
	}
	if err := w.fragment(false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush sends what was written as a fragment.
func (w *MessageWriter) Flush() error {
	w.use()
	defer w.unuse()
	if err := w.fault(); err != nil {
		return err
	}
	return w.fragment(false)
}

// Close ends the message.
func (w *MessageWriter) Close() error {
	w.use()
	defer w.unuse()
	if err := w.fault(); err != nil {
		return err
	}
	if err := w.fragment(true); err != nil {
		return err
	}
	w.end(io.ErrClosedPipe)
	return nil
}

// use takes the Writer, until unuse.
func (w *MessageWriter) use() {
	w.mu.Lock()
	w.since.Store(0)
}

func (w *MessageWriter) unuse() {
	w.since.Store(int64(instantOf(time.Now())))
	w.mu.Unlock()
}

// fault says why no more can be written: an end of the WebSocket before all else. mu is held.
func (w *MessageWriter) fault() error {
	if over := w.c.over(); over != nil {
		w.end(over)
		return over
	}
	return w.err
}

// end makes the Writer done with, and lets other messages pass. mu is held.
func (w *MessageWriter) end(err error) {
	if w.err != nil {
		return
	}
	w.err, w.buf = err, nil
	w.stop()
	w.c.mu.Lock()
	w.c.writer = nil
	w.c.mu.Unlock()
	free(w.c.writing)
}

// abandon ends the Writer with ctx, though nobody uses it.
func (w *MessageWriter) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.giveUp(w.ctx.Err())
	}
}

// giveUp ends a message that will not be whole. mu is held.
func (w *MessageWriter) giveUp(err error) {
	if w.op == ContinuationFrame && w.c.over() == nil {
		w.c.CloseNow()
	}
	w.end(err)
}

func (w *MessageWriter) fragment(fin bool) error {
	if err := w.c.do(w.ctx, Commands{{kind: commandFragment, op: w.op, flag: fin, data: w.buf}}); err != nil {
		w.giveUp(err)
		return err
	}
	w.op = ContinuationFrame
	w.buf = w.buf[:0]
	return nil
}

// ReadJSON reads a message as JSON into v. One that is no JSON, or does not fit v, gives the error
// of json.Unmarshal and leaves the WebSocket open: the next read has the next message. What a
// message means is between the two programs, and nothing is wrong with the WebSocket; who has no
// use for a peer that errs calls Close(1007, "").
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
