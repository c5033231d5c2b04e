package h3

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"weir/stream"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// lingerTime is how long a connection that leaves, and has nothing to do any more, waits for its
// client to close it: what was sent last may have to be sent again.
const lingerTime = time.Second

// youngTime is how old a tunnel is at most whose reset counts for Config.MaxPeerResets.
const youngTime = time.Second

// conn is one connection. mu is taken last: behind tunnel.mu, and with Server.mu by Stats alone.
type conn struct {
	srv     *Server // a client's serves nothing: it has the buffers and the counts
	client  *Client // nil: it is a server's
	qc      *quic.Conn
	tr      *quic.Transport
	h3      *http3.Server // of this connection alone, so that it has a GOAWAY of its own
	remote  string
	slots   chan struct{} // one for each handler that runs
	ignored rate
	resets  rate

	mu         sync.Mutex
	tls        *tls.ConnectionState // one for all requests
	list       *tunnel              // those that are open
	tunnels    int
	requests   int         // that are no tunnels
	queued     int         // requests that wait for a handler
	leaving    bool        // GOAWAY
	dead       bool        // the connection is lost, or closed
	fault      error       // why we have closed it; nil: something else did
	renewTimer *time.Timer // see renewIdle
	renewing   bool        // it runs
	idle       *time.Timer // runs while it has nothing to do; nil: not yet
}

// connContext has the values of http.Server.BaseContext before those of a connection.
type connContext struct {
	context.Context
	base context.Context
}

func (c connContext) Value(key any) any {
	if v := c.base.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

// serve serves a connection to its end.
func (s *Server) serve(qc *quic.Conn, tr *quic.Transport, base context.Context) {
	if h, ok := qc.Context().Value(handshakeKey{}).(*handshake); ok {
		h.over()
	}
	c := &conn{srv: s, qc: qc, tr: tr, remote: qc.RemoteAddr().String(),
		slots: make(chan struct{}, s.cfg.MaxHandlers)}
	c.ignored.most, c.resets.most = s.cfg.MaxIgnored, s.cfg.MaxPeerResets
	c.h3 = &http3.Server{
		Handler: http.HandlerFunc(c.handle), MaxHeaderBytes: s.cfg.MaxHeaderBytes,
		Logger: slog.New(slog.DiscardHandler),
		ConnContext: func(ctx context.Context, _ *quic.Conn) context.Context {
			return connContext{ctx, base}
		},
	}
	s.mu.Lock()
	leaving := s.leaving
	if !leaving {
		s.counts.ConnsTotal++
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if leaving {
		c.close(NoError, "")
		return
	}
	c.mu.Lock()
	c.emptied()
	c.mu.Unlock()
	context.AfterFunc(qc.Context(), c.lost)
	err := c.h3.ServeQUICConn(qc)
	c.close(NoError, "") // where it was not served at all
	if err != nil {
		s.debug("h3: connection ends", "remote", c.remote, "err", err)
	}
}

// lost is called when the connection has come to its end.
func (c *conn) lost() {
	c.mu.Lock()
	c.dead = true
	c.busy()
	if c.renewTimer != nil {
		c.renewTimer.Stop()
	}
	var ts []*tunnel
	for t := c.list; t != nil; t = t.next {
		ts = append(ts, t)
	}
	c.mu.Unlock()
	err := c.lostBy(context.Cause(c.qc.Context()))
	for _, t := range ts {
		t.lost(err)
	}
	s := c.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if len(s.conns) == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// lostBy is an error of the connection as a stream's user gets it.
func (c *conn) lostBy(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != nil {
		return c.fault
	}
	return told(err)
}

// close ends the connection, and returns when the peer has been told once.
func (c *conn) close(code Code, text string) {
	_ = c.qc.CloseWithError(quic.ApplicationErrorCode(code), text) // it never fails
}

// fail ends the connection for a fault of the peer's. No lock is held.
func (c *conn) fail(fault *ConnError) {
	c.mu.Lock()
	if c.fault == nil {
		c.fault = fault
	}
	c.mu.Unlock()
	c.srv.debug("h3: connection ends for a fault", "remote", c.remote, "err", fault)
	c.close(fault.Code, fault.Text)
}

// exceed ends the connection for a limit. No lock is held.
func (c *conn) exceed(l Limit) {
	c.srv.count(func(st *Stats) { st.Limits[l]++ })
	c.srv.journal.say(func() {
		c.srv.log.Warn("h3: the peer ran into a limit", "remote", c.remote, "limit", l.String())
	})
	c.mu.Lock()
	if c.fault == nil {
		c.fault = &ConnError{Code: ExcessiveLoad, Rule: "RFC 9114, 10.5", Text: l.String()}
	}
	c.mu.Unlock()
	c.close(ExcessiveLoad, l.String())
}

// debug writes to Config.Logger.
func (s *Server) debug(msg string, args ...any) {
	s.journal.say(func() { s.log.Debug(msg, args...) })
}

// logf writes to http.Server.ErrorLog, as net/http does.
func (c *conn) logf(format string, args ...any) {
	c.srv.journal.say(func() {
		if l := c.srv.hs.ErrorLog; l != nil {
			l.Printf(format, args...)
			return
		}
		log.Printf(format, args...)
	})
}

// add puts a tunnel into the list. An error: the connection has gone.
func (c *conn) add(t *tunnel) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tunnels++
	c.requests-- // it was one
	t.next = c.list
	if c.list != nil {
		c.list.prev = t
	}
	c.list = t
	if c.dead {
		return net.ErrClosed
	}
	return nil
}

// remove takes t, which ended with err, out; t.mu is held.
func (c *conn) remove(t *tunnel, err error) {
	c.mu.Lock()
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		c.list = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
	c.tunnels--
	c.emptied()
	c.mu.Unlock()
	if re, ok := errors.AsType[*stream.ResetError](err); ok && re.Remote {
		go c.peerReset(time.Since(t.born) < youngTime) // ends at once; t.mu is held here
	}
}

// peerReset counts a request or a tunnel that the peer has reset.
func (c *conn) peerReset(early bool) {
	c.srv.count(func(st *Stats) { st.PeerResets++ })
	if early && !c.resets.take(1) {
		c.exceed(LimitPeerResets)
	}
}

// begins counts a request.
func (c *conn) begins(r *http.Request) {
	c.mu.Lock()
	c.requests++
	c.busy()
	if c.tls == nil {
		c.tls = r.TLS
	}
	r.TLS = c.tls
	c.mu.Unlock()
	c.srv.count(func(st *Stats) { st.StreamsTotal++ })
}

// ends says that a request has its answer, and has not become a tunnel.
func (c *conn) ends() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests--
	c.emptied()
}

// goAway sends GOAWAY, once.
func (c *conn) goAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving || c.dead {
		return
	}
	c.leaving = true
	go c.h3.Shutdown(context.Background()) // ends with the connection
	c.emptied()
}

// emptied has a connection that has nothing to do closed after IdleTimeout, or soon if it leaves;
// mu is held. A stream whose fields have not come whole is nothing to do, so streams that stay so
// do not hold their connection.
func (c *conn) emptied() {
	if c.client != nil {
		c.client.empties()
		return
	}
	if c.dead || c.tunnels > 0 || c.requests > 0 {
		return
	}
	wait := c.srv.cfg.IdleTimeout
	if c.leaving {
		wait = lingerTime
	}
	switch {
	case wait <= 0:
	case c.idle == nil:
		c.idle = time.AfterFunc(wait, c.idled)
	default:
		c.idle.Reset(wait)
	}
}

// idled ends a connection that still has nothing to do.
func (c *conn) idled() {
	c.mu.Lock()
	empty := c.tunnels == 0 && c.requests == 0
	c.mu.Unlock()
	if empty {
		c.close(NoError, "")
	}
}

// busy ends the wait for nothing to do; mu is held.
func (c *conn) busy() {
	if c.idle != nil {
		c.idle.Stop()
	}
}
