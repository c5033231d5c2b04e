package websocket

import (
	"context"
	"io"
)

// part is a piece of a message, as it arrived.
type part struct {
	kind   FrameType
	octets []byte
	last   bool
}

// connHandler is the handler of a Conn's session, apart from its methods for users.
type connHandler Conn

// Handle sees control frames alone: messages come as parts.
func (h *connHandler) Handle(f Frame, out Commands) Commands {
	if hook := h.control(f); hook != nil {
		hook(f.Payload)
	}
	return out
}

// control takes a ping or a pong, and gives the user's hook for it, to be called without a lock.
func (h *connHandler) control(f Frame) (hook func([]byte)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.Type == PingFrame {
		return h.onPing
	}
	if pong := h.pongs[string(f.Payload)]; pong != nil {
		close(pong)
		delete(h.pongs, string(f.Payload))
	}
	return h.onPong
}

// partCost is what a part counts besides its octets: empty messages are not free.
const partCost = 64

// fullPart is how many octets of one message are gathered in one part, if they come in pieces.
const fullPart = 4 << 10

// part keeps a piece of a message until it is read; its octets are lent. full: so much is not read
// that the peer has to wait.
func (h *connHandler) part(p part, window int) (full bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held += len(p.octets)
	if n := len(h.parts); n > 0 && !h.parts[n-1].last && len(h.parts[n-1].octets)+len(p.octets) <= fullPart {
		before := &h.parts[n-1]
		before.octets, before.last = append(before.octets, p.octets...), p.last
	} else {
		p.octets = append([]byte(nil), p.octets...)
		h.parts = append(h.parts, p)
		h.held += partCost
	}
	h.window = window
	h.paused = h.held >= window
	(*Conn)(h).wake()
	return h.paused
}

// Terminate ends reading behind what was received.
func (h *connHandler) Terminate(r Reason, _ *PartialRequest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err = h.early; h.err == nil || h.err.Reason.Sent != r.Sent {
		h.err = &CloseError{Reason: r}
	}
	close(h.ended)
	if h.writer != nil {
		h.writer.stop()
	}
	(*Conn)(h).wake()
}

// wake wakes the reader; mu is held.
func (c *Conn) wake() {
	if c.arrived != nil {
		close(c.arrived)
		c.arrived = nil
	}
}

// next waits for the next part, and leaves it where it is. The caller reads.
func (c *Conn) next(ctx context.Context) (part, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.parts) == 0 {
		if err := c.noMore(); err != nil {
			return part{}, err
		}
		if c.arrived == nil {
			c.arrived = make(chan struct{})
		}
		if err := c.await(ctx, c.arrived); err != nil && len(c.parts) == 0 && c.noMore() == nil {
			return part{}, err
		}
	}
	return c.parts[0], nil
}

// await waits for arrived, or until ctx ends, and gives its error. mu is held, but not meanwhile:
// the methods of ctx are a user's code.
func (c *Conn) await(ctx context.Context, arrived <-chan struct{}) error {
	c.mu.Unlock()
	defer c.mu.Lock()
	select {
	case <-arrived:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// noMore is what reading gives behind what was received; nil: there may come more. mu is held.
func (c *Conn) noMore() error {
	switch {
	case c.refused != nil:
		return c.refused
	case c.err != nil:
		return c.err
	}
	return nil
}

// took says that n octets of the first part have been read; the part goes with its last. last: so
// did the message. When half of the window is free again, the peer goes on.
func (c *Conn) took(n int) (last bool) {
	c.mu.Lock()
	p := &c.parts[0]
	c.current = true
	p.octets = p.octets[n:]
	c.held -= n
	if len(p.octets) == 0 {
		if last = p.last; last {
			c.current = false
			c.messages++
		}
		c.held -= partCost
		*p = part{}
		if c.parts = c.parts[1:]; len(c.parts) == 0 {
			c.parts = nil
		}
	}
	resume := c.paused && c.held <= c.window/2
	if resume {
		c.paused = false
	}
	c.mu.Unlock()
	if resume {
		c.s.mail.Lock().resume = true
		c.s.start(c.s.mail.Unlock())
	}
	return last
}

// acquireReading waits until nobody else reads.
func (c *Conn) acquireReading(ctx context.Context) error {
	err := acquire(ctx, c.reading)
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if over := c.noMore(); over != nil && len(c.parts) == 0 {
		return over
	}
	return err
}

// acquire takes the token of a channel; free gives it back. ctx may be a deadline that is moved:
// then it has not ended though Done was closed.
func acquire(ctx context.Context, token chan struct{}) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		select {
		case <-token:
			return nil
		case <-ctx.Done():
		}
	}
}

func free(token chan struct{}) { token <- struct{}{} }

// Read reads a message whole. One over Options.MaxFrameSize, or what SetReadLimit said, ends the
// WebSocket with 1009, and reading with it. If ctx ends before the message is there, what has
// arrived of it is read by the next Read.
func (c *Conn) Read(ctx context.Context) (FrameType, []byte, error) {
	if err := c.acquireReading(ctx); err != nil {
		return 0, nil, err
	}
	defer free(c.reading)
	if err := c.discard(ctx); err != nil {
		return 0, nil, err
	}
	var limit int64
	msg := []byte{}
	var kind FrameType
	for {
		p, err := c.next(ctx)
		if err != nil {
			c.unread(msg, kind)
			return 0, nil, err
		}
		if kind == 0 { // it begins: SetReadLimit may have been called while it was waited for
			kind, limit = p.kind, c.readLimit()
		}
		if limit > 0 && int64(len(msg)+len(p.octets)) > limit {
			return 0, nil, c.refuse()
		}
		msg = append(msg, p.octets...)
		if c.took(len(p.octets)) {
			return kind, msg, nil
		}
	}
}

// unread puts back the beginning of a message whose end has not come, unless it never will.
func (c *Conn) unread(msg []byte, kind FrameType) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current && c.noMore() == nil {
		c.parts = append([]part{{kind: kind, octets: msg}}, c.parts...)
		c.held += len(msg) + partCost
	}
	c.current = false
}

// refuse ends a WebSocket whose message is larger than Read takes. What was received is dropped: it
// is over for reading, however the WebSocket has ended meanwhile.
func (c *Conn) refuse() error {
	_ = c.s.outside(context.Background(), false, func() { c.s.m.fail(tooBig) }) // it may have ended already
	<-c.ended
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parts, c.held, c.current = nil, 0, false
	if c.refused = c.err; c.err.Reason.Name != NameBadSize {
		c.refused = &CloseError{Reason{Kind: ReasonError, Name: NameBadSize, Err: tooBig}}
	}
	return c.refused
}

// Reader waits for the next message, and reads it as it arrives, compressed or not, with no limit
// to its size: neither MaxFrameSize nor what it inflates to binds it. (It may have 128 Ki
// fragments, as any.) What is left of the message before it is dropped. ctx bounds the reads, too.
// Only one Reader or Read may be under way; a Reader is done at io.EOF, an error, or the next call
// of Reader or Read.
func (c *Conn) Reader(ctx context.Context) (FrameType, io.Reader, error) {
	if err := c.acquireReading(ctx); err != nil {
		return 0, nil, err
	}
	defer free(c.reading)
	if err := c.discard(ctx); err != nil {
		return 0, nil, err
	}
	p, err := c.next(ctx)
	if err != nil {
		return 0, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = true
	return p.kind, &messageReader{c: c, ctx: ctx, message: c.messages}, nil
}

// discard drops what is left of a message that was begun.
func (c *Conn) discard(ctx context.Context) error {
	for {
		c.mu.Lock()
		current := c.current
		c.mu.Unlock()
		if !current {
			return nil
		}
		p, err := c.next(ctx)
		if err != nil {
			return err
		}
		c.took(len(p.octets))
	}
}

// messageReader reads one message.
type messageReader struct {
	c       *Conn
	ctx     context.Context
	message uint64
	done    bool
}

func (r *messageReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if err := r.c.acquireReading(r.ctx); err != nil {
		return 0, err
	}
	defer free(r.c.reading)
	for {
		if r.done || r.over() {
			return 0, io.EOF
		}
		p, err := r.c.next(r.ctx)
		if err != nil {
			return 0, err
		}
		n := copy(b, p.octets)
		r.done = r.c.took(n)
		if n > 0 {
			return n, nil
		}
	}
}

// over says that the message was dropped for a later one.
func (r *messageReader) over() bool {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	return r.message != r.c.messages
}
