package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"weir/internal/reach"
)

// Client is the client's side of one HTTP/2 connection. It opens streams by extended CONNECT (RFC
// 8441) and makes no other requests. Its methods may be called from any goroutine.
//
// A connection has one goroutine, which reads, and others only while there is something to write or
// to tell. A stream without traffic has neither a goroutine nor a buffer.
type Client struct {
	c    *conn
	cfg  Config
	left error // a *ConnError of the server's GOAWAY, or net.ErrClosed for ours; under conn.mu

	reserved int           // streams that Opens to come will open; under conn.mu
	heard    chan struct{} // closed when octets come; nil: nobody waits for them; under conn.mu

	lookout lookout

	ready chan struct{} // closed with the server's first SETTINGS
	over  chan struct{} // closed when it is known why the connection ends
	done  chan struct{} // closed when the connection has ended
	ended atomic.Pointer[error]
}

// Errors of Open and of the methods that wait for the server's SETTINGS.
var (
	// ErrNoExtendedConnect: the server does not offer it (RFC 8441, 3).
	ErrNoExtendedConnect = errors.New("h2: the server does not offer extended CONNECT (RFC 8441, 3)")
	// ErrNoRoom: as many streams are open as the server allows, or as ClientConfig does.
	ErrNoRoom = errors.New("h2: no room for another stream (RFC 9113, 5.1.2)")
	// ErrLeaving: the connection has ended, or ends with its last stream: after GOAWAY, Leave or
	// Close.
	ErrLeaving = errors.New("h2: the connection takes no new streams (RFC 9113, 6.8)")
)

// NewClient starts the client's side of HTTP/2 on nc, which it owns: the preface and SETTINGS leave
// at once. TLS has to have shaken hands and agreed on h2. A cfg of nil is the zero ClientConfig.
func NewClient(nc net.Conn, cfg *ClientConfig) *Client {
	if cfg == nil {
		cfg = new(ClientConfig)
	}
	cl := &Client{cfg: cfg.config()}
	cl.ready, cl.over, cl.done = make(chan struct{}), make(chan struct{}), make(chan struct{})
	c := &conn{client: cl, cfg: &cl.cfg, log: cl.cfg.Logger, nc: nc}
	if cfg.Logger != nil {
		c.errorLog = slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelError)
	}
	if t, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := t.ConnectionState()
		c.tls = &state
	}
	if a := nc.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	c.crew.lookout = &cl.lookout
	c.core = newCore(cfg.core(cl.cfg), true, cl.cfg.tracer(), time.Now())
	c.shell()
	cl.c = c
	go cl.run() // ends with the connection
	return cl
}

// run reads until the connection has ended.
func (cl *Client) run() {
	c := cl.c
	defer close(cl.done)
	defer c.logged()
	defer c.io.Close()
	c.mu.Lock()
	if c.tls != nil && !secure(c.tls, false) {
		c.core.fail(InadequateSecurity, "RFC 9113, 9.2", "TLS below what HTTP/2 asks for")
	}
	c.after(false)
	c.mu.Unlock()
	defer func() { // a turn may end this goroutine (runtime.Goexit)
		c.mu.Lock()
		defer c.mu.Unlock()
		err := c.core.err
		cl.ended.Store(&err)
	}()
	c.read()
}

// Ready waits for the server's first SETTINGS. If the connection ends before, it says why.
func (cl *Client) Ready(ctx context.Context) error {
	select {
	case <-cl.ready:
		return nil
	default:
	}
	select {
	case <-cl.ready:
		return nil
	case <-cl.over:
		select {
		case <-cl.ready: // they came, and the end behind them
			return nil
		default:
			return unanswered("no SETTINGS of the server", cl.why())
		}
	case <-ctx.Done():
		return fmt.Errorf("h2: no SETTINGS of the server: %w", reach.Ended(ctx))
	}
}

// why is why the connection is over, before its socket has been closed too.
func (cl *Client) why() error {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.c.core.err
}

// ExtendedConnect waits for the server's first SETTINGS, and says whether those so far offer
// extended CONNECT (RFC 8441, 3). A later SETTINGS may add the offer, and cannot take it back.
func (cl *Client) ExtendedConnect(ctx context.Context) (bool, error) {
	if err := cl.Ready(ctx); err != nil {
		return false, err
	}
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.c.core.peer.connect, nil
}

// Room is how many more streams may be opened now, beside those that are reserved: 0 before the
// server's first SETTINGS, when the connection is full, and when it takes no new streams.
func (cl *Client) Room() int {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.room()
}

// Reserve keeps room for one stream until the next Open, or until Release. False: there is none.
func (cl *Client) Reserve() bool {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	if cl.room() == 0 {
		return false
	}
	cl.reserved++
	return true
}

// Release gives up what Reserve kept.
func (cl *Client) Release() {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	cl.release()
}

// Streams is how many streams are open, those that wait for their response too.
func (cl *Client) Streams() int {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return len(cl.c.core.streams)
}

// Leaving says that the connection takes no new streams, or has ended.
func (cl *Client) Leaving() bool {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.c.core.leaves()
}

// Cause is why the connection takes no new streams: net.ErrClosed after Leave and Close, a
// *ConnError for the server's GOAWAY or a fault, the socket's error. It is nil while it takes some.
func (cl *Client) Cause() error {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.cause()
}

// Heard is when octets came last.
func (cl *Client) Heard() time.Time {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.c.core.keep.heard
}

// Asked is when a PING was sent since which nothing has come; the zero time: there is none.
func (cl *Client) Asked() time.Time {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.c.core.keep.asked
}

// Ping sends a PING (RFC 9113, 6.7), unless one is on its way, and does not wait. Without an octet
// for ClientConfig.PingTimeout after it the connection is lost.
func (cl *Client) Ping() {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	cl.ping()
}

// Probe is Ping, and waits until octets come, of whatever frame. An error is why the connection has
// ended, or the cause of ctx.
func (cl *Client) Probe(ctx context.Context) error {
	cl.c.mu.Lock()
	if cl.heard == nil {
		cl.heard = make(chan struct{})
	}
	heard := cl.heard
	cl.ping()
	cl.c.mu.Unlock()
	select {
	case <-heard:
		return nil
	case <-cl.done:
		return cl.Err()
	case <-ctx.Done():
		return fmt.Errorf("h2: no answer to PING: %w", context.Cause(ctx))
	}
}

// Leave ends the connection with its last stream, at once if there is none. Nothing new is opened.
func (cl *Client) Leave() {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	if cl.left == nil {
		cl.left = net.ErrClosed
	}
	cl.c.core.leaveNow()
	cl.c.after(false)
}

// Close gives every stream up and ends the connection. It does not wait; Done tells.
func (cl *Client) Close() error {
	cl.c.cut(net.ErrClosed)
	return nil
}

// Done is closed when the connection has ended and its streams have been given up.
func (cl *Client) Done() <-chan struct{} { return cl.done }

// Err is nil until Done, and then why the connection ended: net.ErrClosed after Leave and Close, a
// *ConnError for a fault or for the server's GOAWAY, or the socket's error.
func (cl *Client) Err() error {
	if err := cl.ended.Load(); err != nil {
		return *err
	}
	return nil
}

// Unprocessed says that the server has not looked at the request of an Open that gave err: it may
// be made again on another connection, whatever it is (RFC 9113, 8.7).
func Unprocessed(err error) bool {
	if se, ok := errors.AsType[*StreamError](err); ok {
		return se.Remote && se.Code == RefusedStream
	}
	return errors.Is(err, ErrNoRoom) || errors.Is(err, ErrLeaving)
}

// What follows is called by conn, with conn.mu held.

func (cl *Client) room() int { return max(cl.c.core.room()-cl.reserved, 0) }

func (cl *Client) release() { cl.reserved = max(cl.reserved-1, 0) }

func (cl *Client) ping() {
	cl.c.core.probe(time.Now())
	cl.c.after(false)
}

// hears tells those who wait for octets that some have come.
func (cl *Client) hears() {
	if cl.heard != nil {
		close(cl.heard)
		cl.heard = nil
	}
}

// cause is why no new streams are opened, or nil.
func (cl *Client) cause() error {
	switch core := cl.c.core; {
	case core.err != nil:
		return core.err
	case !core.leaves():
		return nil
	case cl.left != nil:
		return cl.left
	}
	return net.ErrClosed // the idle time is over, or the stream ids are
}

// fails says that the core has ended the connection.
func (cl *Client) fails() {
	select {
	case <-cl.over:
	default:
		close(cl.over)
	}
}

// greeted takes the server's first SETTINGS.
func (cl *Client) greeted() { close(cl.ready) }

// asked takes the server's GOAWAY; err is nil for NO_ERROR.
func (cl *Client) asked(err error) {
	if err == nil {
		if cl.left != nil { // it follows us, or says so once more
			return
		}
		err = &ConnError{Code: NoError, Msg: "GOAWAY", Remote: true}
	}
	if have, ok := cl.left.(*ConnError); !ok || have.Code == NoError {
		cl.left = err
	}
}

// lost says why the connection is over when err is what the socket says: a GOAWAY, or our own
// going, explains it better.
func (cl *Client) lost(err error) error {
	left, ok := cl.left.(*ConnError)
	switch over := cl.c.core.over(); {
	case ok && (over || left.Code != NoError):
		return left
	case over:
		return net.ErrClosed
	}
	return err
}
