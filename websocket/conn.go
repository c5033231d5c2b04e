package websocket

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"weir/upgrade"
)

// Conn is a WebSocket for people who would rather block than be called back. It runs on the same
// session as a Handler.
//
// One goroutine may read at a time, any number may write. Pings and the peer's close frame are
// answered whether anybody reads or not, as long as the messages that are not read fit
// Options.Window; each counts 64 octets besides its own. Then the peer waits, and IdleTimeout
// stands still, for the peer cannot be heard.
//
// Once the WebSocket has ended all methods give the same *CloseError, Read and Reader behind what
// was received by then.
type Conn struct {
	s *Session

	reading chan struct{} // holds a token while nobody reads
	writing chan struct{} // holds a token while nobody writes a data message

	ended  chan struct{} // closed when err is there
	closed atomic.Bool   // by Close or CloseNow
	limit  atomic.Int64  // of SetReadLimit; 0: that of the options; negative: none

	mu       sync.Mutex
	parts    []part        // received, not read
	current  bool          // the first of parts belongs to a message that has begun to be read
	messages uint64        // read
	arrived  chan struct{} // closed when parts or err change, if somebody waits
	err      *CloseError   // the session has ended
	early    *CloseError   // err, for those who ask while a hook holds Terminate up
	refused  *CloseError   // what reading gives since Read met a message that is too large
	held     int           // octets of parts, and what keeping them costs
	window   int
	paused   bool // the peer waits for a reader
	pongs    map[string]chan struct{}
	onPing   func(payload []byte) // nil: nobody is told
	onPong   func(payload []byte)
	writer   *MessageWriter // the open one
}

// Accept answers the opening handshake of r, and gives the WebSocket. o may be nil. An error has
// answered the request: a *upgrade.HandshakeError as it says; stream.ErrAnswered had its answer
// before, or was taken over, and nothing comes of it. After Accept the handler may return: the
// WebSocket lives on, w and r do not. Accept may run on another goroutine while the handler waits.
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

// IsWebSocket says that r asks for a WebSocket, over any version of HTTP: then it is for Accept or
// Handle, which answer it with the WebSocket or with what is wrong with the handshake. A handler
// that serves a page at the same path looks here.
func IsWebSocket(r *http.Request) bool { return upgrade.Asks(r, "websocket") }

func newConn() *Conn {
	c := &Conn{reading: make(chan struct{}, 1), writing: make(chan struct{}, 1), ended: make(chan struct{})}
	c.reading <- struct{}{}
	c.writing <- struct{}{}
	return c
}

// protocolOf is Protocol, and tells c its session.
func protocolOf(c *Conn) protocol { return protocol{conn: c} }

func handlerOf(c *Conn) *connHandler { return (*connHandler)(c) }

// Session is the session behind c: its request, subprotocol, statistics and so on.
func (c *Conn) Session() *Session { return c.s }

// Subprotocol is the subprotocol that was chosen, "" if none.
func (c *Conn) Subprotocol() string { return c.s.Subprotocol() }

// Context is cancelled when the stream ends.
func (c *Conn) Context() context.Context { return c.s.Context() }

// do is Session.do, with the error that the end of the WebSocket has for all methods.
func (c *Conn) do(ctx context.Context, cmds Commands) error { return c.endOf(c.s.do(ctx, cmds)) }

// endOf makes the *CloseError of errOver. It is there, or about to be: Terminate waits for no peer.
// But it waits for a hook, which may be what has called this method.
func (c *Conn) endOf(err error) error {
	if err != errOver {
		return err
	}
	select {
	case <-c.ended:
		return c.err
	default:
	}
	if e := c.endInHook(); e != nil {
		return e
	}
	<-c.ended
	return c.err
}

// endInHook is what a WebSocket that is over says while a hook runs: nobody may wait for Terminate,
// which comes behind it. nil: no hook runs. What has not been looked at yet may be a close frame of
// the peer; Terminate will know.
func (c *Conn) endInHook() *CloseError {
	c.s.turn.Lock()
	defer c.s.turn.Unlock()
	switch {
	case !c.s.calling:
		return nil
	case !c.s.m.ended:
		return &CloseError{Reason{Kind: ReasonError, Name: NameClosed}}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.early == nil {
		c.early = &CloseError{*c.s.m.reason}
	}
	return c.early
}

// over is the *CloseError of a WebSocket that has ended, nil while it has not.
func (c *Conn) over() error {
	select {
	case <-c.ended:
		return c.err
	default:
	}
	if isCancelled(&c.s.ctx) {
		return c.endOf(errOver)
	}
	return nil
}

// Ping sends a ping and waits for its pong. Somebody must read meanwhile if messages come that do
// not fit the window.
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
	if err := c.do(ctx, Commands{Ping(token)}); err != nil {
		return err
	}
	select {
	case <-pong:
		return nil
	case <-ctx.Done():
		if err := c.over(); err != nil {
			return err
		}
		return ctx.Err()
	case <-c.ended:
		return c.err
	}
}

// Close sends a close frame behind what was written, and waits for the end of the stream: at most
// 5 s, the time a peer has for its own end. What is waited for elsewhere, a Write that has found no
// room or an open Writer, ends with a *CloseError. Code 0 without text is the empty close frame. A
// WebSocket that has ended gives a *CloseError, at once. Any other error says that code or text
// cannot be sent (RFC 6455, 5.5 and 7.4): nothing was sent, and the WebSocket goes on.
func (c *Conn) Close(code CloseCode, text string) error {
	if err := c.SendClose(code, text); err != nil {
		return err
	}
	<-c.Context().Done() // the session ends it after 5 s
	return nil
}

// SendClose is Close that does not wait: the WebSocket has ended when it returns, and the stream
// ends by itself, within 5 s. What was received before can still be read; what the peer sends from
// then on is dropped.
func (c *Conn) SendClose(code CloseCode, text string) error {
	cmd := Close(code, text)
	if err := cmd.check(); err != nil {
		return err
	}
	c.closed.Store(true)
	return c.endOf(c.s.doNow(Commands{cmd}))
}

// CloseNow gives the WebSocket up without a close frame: RST_STREAM(CANCEL), or a TCP reset. One
// that the peer has closed, or a fault of the peer's has ended, is left to end by itself, within 5
// s: the close frame that says so may still be on its way, and a deferred CloseNow must not eat it.
func (c *Conn) CloseNow() {
	c.closed.Store(true)
	c.mu.Lock()
	e := c.err
	c.mu.Unlock()
	if e == nil || e.Reason.Kind == ReasonStop {
		c.s.Cut()
	}
}

// SetIdleTimeout changes Options.IdleTimeout; the time starts anew. Negative: none; 0: the default,
// which is none for a client.
func (c *Conn) SetIdleTimeout(d time.Duration) error {
	if d == 0 {
		d = DefaultIdleTimeout
		if c.s.m.role.client {
			d = -1
		}
	}
	return c.endOf(c.s.doNow(Commands{SetOptions(Changes{IdleTimeout: d})}))
}
