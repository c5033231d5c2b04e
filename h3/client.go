package h3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"weir/internal/reach"
	"weir/stream"

	"github.com/quic-go/quic-go"
)

// Client is the client's side of one HTTP/3 connection. It opens streams by extended CONNECT (RFC
// 9220) and makes no other requests. Its methods may be called from any goroutine.
type Client struct {
	c   *conn
	ctl *quic.SendStream

	ready chan struct{} // closed with the server's SETTINGS
	done  chan struct{} // closed when the connection has ended and its streams know

	// Under conn.mu.
	peer     settings
	greeted  bool
	qpack    [2]bool        // the server has opened its encoder's stream, its decoder's
	control  bool           // the server has opened its control stream
	spare    []*quic.Stream // opened for Reserve, the first to be used first; nothing was sent on them
	reserved int            // Opens to come
	calls    map[quic.StreamID]*call
	left     error       // why no new streams are opened
	emptied  time.Time   // when the last stream ended; zero: there was none, or is one
	idle     *time.Timer // looks whether it has been empty for long
	alive    alive
}

// Errors of Open.
var (
	// ErrNoExtendedConnect: the server does not offer it.
	ErrNoExtendedConnect error = &openError{"h3: the server does not offer extended CONNECT (RFC 9220, 3)", stream.ErrNotOffered}
	// ErrNoRoom: as many streams are open as the server allows, or as ClientConfig does.
	ErrNoRoom error = &openError{"h3: no room for another stream (RFC 9000, 4.6)",
		stream.ErrUnprocessed}
	// ErrLeaving: the connection has ended, or ends with its last stream: after GOAWAY, Leave or
	// Close.
	ErrLeaving error = &openError{"h3: the connection takes no new streams (RFC 9114, 5.2)",
		stream.ErrUnprocessed}
)

// openError is an error that says what to do next.
type openError struct {
	text string
	is   error
}

func (e *openError) Error() string { return e.text }
func (e *openError) Unwrap() error { return e.is }

// errGoAway is why a connection leaves that the server asked to.
var errGoAway = &ConnError{Code: NoError, Text: "GOAWAY", Remote: true}

var _ stream.Mux = (*Client)(nil)

// NewClient starts the client's side of HTTP/3 on qc, which it owns: the control stream and
// SETTINGS leave at once. qc was dialled with ALPN "h3" and ClientConfig.QUIC. A cfg of nil is the
// zero ClientConfig.
func NewClient(qc *quic.Conn, cfg *ClientConfig) *Client {
	if cfg == nil {
		cfg = new(ClientConfig)
	}
	return newClient(qc, cfg.side())
}

// newClient is NewClient; side may be shared.
func newClient(qc *quic.Conn, side *Server) *Client {
	cl := &Client{ready: make(chan struct{}), done: make(chan struct{}),
		calls: map[quic.StreamID]*call{}}
	state := qc.ConnectionState().TLS
	c := &conn{srv: side, client: cl, qc: qc, remote: qc.RemoteAddr().String(), tls: &state}
	c.ignored.most, c.resets.most = side.cfg.MaxIgnored, side.cfg.MaxPeerResets
	cl.c = c
	cl.alive.heard = time.Now()
	cl.emptied = cl.alive.heard
	if t := side.cfg.IdleTimeout; t > 0 {
		cl.idle = time.AfterFunc(t, cl.looks)
	}
	context.AfterFunc(qc.Context(), cl.ended)
	cl.greet()
	go cl.accept() // ends with the connection
	settle := time.AfterFunc(side.cfg.HandshakeTimeout, cl.silent)
	context.AfterFunc(qc.Context(), func() { settle.Stop() })
	return cl
}

// greet opens the control stream (RFC 9114, 6.2.1).
func (cl *Client) greet() {
	ctl, err := cl.c.qc.OpenUniStream()
	if err != nil {
		if cl.c.qc.Context().Err() == nil {
			cl.c.fail(&ConnError{Code: GeneralProtocol, Rule: "RFC 9114, 6.2",
				Text: "the peer allows no control stream"})
		}
		return
	}
	n := uint64(cl.c.srv.cfg.MaxHeaderBytes)
	set := appendVarint(appendVarint(nil, settingMaxFieldSection), n)
	b := appendFrame([]byte{streamControl}, frameSettings, uint64(len(set)))
	if err := ctl.TryWriteAll(append(b, set...)); err != nil && cl.c.qc.Context().Err() == nil {
		cl.c.fail(&ConnError{Code: GeneralProtocol, Rule: "RFC 9114, 6.2",
			Text: "the peer allows no octets on the control stream"})
		return
	}
	cl.ctl = ctl
}

// silent gives a server up that has sent no SETTINGS.
func (cl *Client) silent() {
	select {
	case <-cl.ready:
	default:
		cl.c.fail(&ConnError{Code: MissingSettings, Rule: "RFC 9114, 6.2.1",
			Text: fmt.Sprintf("no SETTINGS within %v", cl.c.srv.cfg.HandshakeTimeout)})
	}
}

// ended is called when the connection has come to its end.
func (cl *Client) ended() {
	cl.c.lost()
	cl.c.mu.Lock()
	if cl.idle != nil {
		cl.idle.Stop()
	}
	cl.c.mu.Unlock()
	close(cl.done)
}

// Ready waits for the server's SETTINGS. If the connection ends before, it says why.
func (cl *Client) Ready(ctx context.Context) error {
	select {
	case <-cl.ready:
		return nil
	default:
	}
	select {
	case <-cl.ready:
		return nil
	case <-cl.done:
		return fmt.Errorf("h3: no SETTINGS of the server: %w", cl.Err())
	case <-ctx.Done():
		return fmt.Errorf("h3: no SETTINGS of the server: %w", reach.Ended(ctx))
	}
}

// ExtendedConnect waits for the server's SETTINGS, and says whether they offer extended CONNECT
// (RFC 9220, 3).
func (cl *Client) ExtendedConnect(ctx context.Context) (bool, error) {
	if err := cl.Ready(ctx); err != nil {
		return false, err
	}
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.peer.connect, nil
}

// Room is how many more streams may be opened, beside those that are reserved. QUIC says only
// whether there is room for another, so it is what ClientConfig leaves if there is.
func (cl *Client) Room() int {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	if !cl.room() {
		return 0
	}
	return cl.c.srv.cfg.MaxStreams - cl.busy()
}

// Reserve keeps room for one stream until the next Open, or until Release. False: there is none.
func (cl *Client) Reserve() bool {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	if !cl.room() {
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
	return cl.c.tunnels + cl.c.requests
}

// Leaving says that the connection takes no new streams, or has ended.
func (cl *Client) Leaving() bool {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.leaves()
}

// Cause is why the connection takes no new streams: net.ErrClosed after Leave and Close, a
// *ConnError for the server's GOAWAY or a fault, QUIC's error. It is nil while it takes some.
func (cl *Client) Cause() error {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	if !cl.leaves() {
		return nil
	}
	return cl.cause()
}

// Leave ends the connection with its last stream, at once if there is none. Nothing new is opened.
func (cl *Client) Leave() {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	cl.leave(net.ErrClosed)
}

// Close gives every stream up and ends the connection. It does not wait; Done tells.
func (cl *Client) Close() error {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	cl.end(net.ErrClosed)
	return nil
}

// Done is closed when the connection has ended and its streams have been told.
func (cl *Client) Done() <-chan struct{} { return cl.done }

// Err is nil until the connection has ended, and then why: net.ErrClosed after Leave and Close, a
// *ConnError for a fault or for what the server says, or QUIC's error.
func (cl *Client) Err() error {
	select {
	case <-cl.c.qc.Context().Done():
		cl.c.mu.Lock()
		defer cl.c.mu.Unlock()
		return cl.cause()
	default:
		return nil
	}
}

// Conn is the connection of QUIC, for its counts and to move it to another path (RFC 9000, 9).
func (cl *Client) Conn() *quic.Conn { return cl.c.qc }

// What follows is called with conn.mu held.

func (cl *Client) leaves() bool {
	return cl.left != nil || cl.c.dead || cl.c.fault != nil || cl.c.qc.Context().Err() != nil
}

// cause is why no new streams are opened.
func (cl *Client) cause() error {
	switch ended := cl.c.qc.Context().Err() != nil; {
	case cl.c.fault != nil:
		return cl.c.fault
	case ended && cl.left == nil:
		return told(context.Cause(cl.c.qc.Context()))
	}
	return cl.left
}

// busy is how many streams are open, or will be.
func (cl *Client) busy() int { return cl.c.tunnels + cl.c.requests + cl.reserved }

// room sees to it that there is a stream to be used besides those that are reserved.
func (cl *Client) room() bool {
	if !cl.greeted || cl.leaves() || cl.busy() >= cl.c.srv.cfg.MaxStreams {
		return false
	}
	if len(cl.spare) > cl.reserved {
		return true
	}
	qs, err := cl.c.qc.OpenStream()
	if err != nil {
		return false
	}
	cl.spare = append(cl.spare, qs)
	return true
}

func (cl *Client) release() { cl.reserved = max(cl.reserved-1, 0) }

// leave takes no new streams from now on.
func (cl *Client) leave(why error) {
	if cl.left == nil {
		cl.left = why
	}
	cl.look()
}

// end closes the connection.
func (cl *Client) end(why error) {
	if cl.c.fault == nil {
		cl.c.fault = why
	}
	go cl.c.close(NoError, "") // ends when the packet has left
}

// empties is called when a stream has ended.
func (cl *Client) empties() {
	if cl.c.tunnels+cl.c.requests == 0 {
		cl.emptied = time.Now()
		cl.look()
	}
}

// looks is look, of the timer.
func (cl *Client) looks() {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	cl.look()
}

// look ends a connection that has been empty for long enough, or looks again.
func (cl *Client) look() {
	if cl.c.dead || cl.c.fault != nil || cl.busy() > 0 {
		return
	}
	wait := cl.c.srv.cfg.IdleTimeout
	if cl.left != nil {
		wait = cl.lastWords()
	} else if wait <= 0 {
		return
	}
	if left := wait - time.Since(cl.emptied); left > 0 {
		if cl.idle == nil {
			cl.idle = time.AfterFunc(left, cl.looks)
		} else {
			cl.idle.Reset(left)
		}
		return
	}
	if cl.left == nil {
		cl.left = net.ErrClosed
	}
	cl.end(cl.left)
}

// lastWords is how long what was sent last may take to arrive, a loss included: CONNECTION_CLOSE
// would take it back (RFC 9000, 10.2). It is three times the time of RFC 9002, 6.2.1.
func (cl *Client) lastWords() time.Duration {
	st := cl.c.qc.ConnectionStats()
	pto := st.SmoothedRTT + max(4*st.MeanDeviation, time.Millisecond) + 25*time.Millisecond
	return min(3*pto, lingerTime)
}

// goAway takes the server's GOAWAY: requests from id on are not processed (RFC 9114, 5.2).
func (cl *Client) goAway(id uint64) {
	cl.leave(errGoAway)
	for sid, x := range cl.calls {
		if uint64(sid) >= id {
			x.rejected = true
			x.qs.CancelRead(quic.StreamErrorCode(RequestCancelled))
			x.qs.CancelWrite(quic.StreamErrorCode(RequestCancelled))
		}
	}
}

// lostAs is an error of QUIC as a request's user gets it. No lock is held.
func (cl *Client) lostAs(err error) error {
	if !errors.Is(err, net.ErrClosed) {
		return err
	}
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	if cl.c.fault != nil {
		return cl.c.fault
	}
	return told(err)
}
