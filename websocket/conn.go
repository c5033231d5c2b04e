package websocket

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	"weir/upgrade"
)

// Conn is a WebSocket for people who would rather block than be called back. It runs on the same session as a Handler.
//
// One goroutine may read at a time, any number may write. Pings and the peer's close frame are answered whether anybody
// reads or not, as long as the messages that are not read fit Options.Window; then the peer waits.
type Conn struct {
	s *Session

	reading chan struct{} // holds a token while nobody reads
	writing chan struct{} // holds a token while nobody writes a data message

	mu       sync.Mutex
	parts    []part        // received, not read
	current  bool          // the first of parts belongs to a message that has begun to be read
	messages uint64        // read
	arrived  chan struct{} // closed when parts or err change, if somebody waits
	err      error         // the session has ended
	held     int           // octets of parts
	window   int
	paused   bool // the peer waits for a reader
	pongs    map[string]chan struct{}
}

// Accept answers the opening handshake of r, and gives the WebSocket. o may be nil. An error has answered the request:
// a *upgrade.HandshakeError as it says; stream.ErrAnswered had its answer before, or was taken over, and nothing comes of
// it. After Accept the handler may return: the WebSocket lives on, w and r do not. Accept may run on another goroutine
// while the handler waits.
func Accept(w http.ResponseWriter, r *http.Request, o *Options) (*Conn, error) {
	c := newConn()
	watched := upgrade.Watch(w)
	if err := protocolOf(c).Upgrade(watched, r, handlerOf(c), o); err != nil {
		if !watched.Answered() {
			upgrade.RefuseRequest(w, r, err)
		}
		return nil, err
	}
	return c, nil
}

func newConn() *Conn {
	c := &Conn{reading: make(chan struct{}, 1), writing: make(chan struct{}, 1)}
	c.reading <- struct{}{}
	c.writing <- struct{}{}
	return c
}

// protocolOf is Protocol, and tells c its session.
func protocolOf(c *Conn) protocol { return protocol{began: func(s *Session) { c.s = s }} }

func handlerOf(c *Conn) *connHandler { return (*connHandler)(c) }

// Session is the session behind c: its request, subprotocol, statistics and so on.
func (c *Conn) Session() *Session { return c.s }

// Subprotocol is the subprotocol that was chosen, "" if none.
func (c *Conn) Subprotocol() string { return c.s.Subprotocol() }

// Context is cancelled when the stream ends.
func (c *Conn) Context() context.Context { return c.s.Context() }

// Ping sends a ping and waits for its pong. Somebody must read meanwhile if messages come that do not fit the window.
func (c *Conn) Ping(ctx context.Context) error {
	token := rand.Text()
	pong := make(chan struct{})
	c.mu.Lock()
	if c.pongs == nil {
		c.pongs = map[string]chan struct{}{}
	}
	c.pongs[token] = pong
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.pongs, token)
	}()
	if err := c.s.do(ctx, Commands{Ping(token)}); err != nil {
		return err
	}
	select {
	case <-pong:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.Context().Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err == nil {
			return ErrEnded
		}
		return c.err
	}
}

// Close sends a close frame behind what was written, and waits for the end of the stream: at most 5 s, the time a peer
// has for its own end. Code 0 without text is the empty close frame. A WebSocket that has ended gives a *CloseError.
func (c *Conn) Close(code CloseCode, text string) error {
	cmd := Close(code, text)
	if err := cmd.check(); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), lingerTime)
	defer stop()
	if err := c.s.do(ctx, Commands{cmd}); err != nil {
		if ctx.Err() != nil {
			c.CloseNow()
		}
		return err
	}
	<-c.Context().Done() // the session ends it after 5 s
	return nil
}

// CloseNow gives the WebSocket up without a close frame: RST_STREAM(CANCEL), or a TCP reset. One that the peer has closed,
// or a fault of the peer's has ended, is left to end by itself, within 5 s: the close frame that says so may still be on its way, and
// a deferred CloseNow must not eat it.
func (c *Conn) CloseNow() {
	c.mu.Lock()
	e, _ := errors.AsType[*CloseError](c.err)
	c.mu.Unlock()
	if e == nil || e.Reason.Kind == upgrade.Stop {
		c.s.Cut()
	}
}

// SetIdleTimeout changes Options.IdleTimeout; the time starts anew. Negative: none; 0: the default, which is none for a
// client.
func (c *Conn) SetIdleTimeout(d time.Duration) error {
	if d == 0 {
		d = DefaultIdleTimeout
		if c.s.m.role.client {
			d = -1
		}
	}
	return c.s.do(context.Background(), Commands{SetOptions(Changes{IdleTimeout: d})})
}
