package websocket

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"net/url"

	"weir/internal/reach"
)

// target is where a connection goes.
type target struct {
	url   *url.URL
	addr  string
	proxy *url.URL // its host is in ASCII; nil: none
}

// addrOf is host:port of a URL whose host is in ASCII, as it is dialled.
func addrOf(u *url.URL) string { return net.JoinHostPort(u.Hostname(), portOf(u)) }

// connect opens a connection, through the proxy if there is one, with TLS if the URL wants it.
func (d *Dialer) connect(ctx context.Context, to target, protos []string) (net.Conn, error) {
	nc, err := d.secured(ctx, to, protos)
	if err != nil {
		return nil, err
	}
	opened := false
	defer closeUnless(nc, &opened)
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: nc})
	}
	opened = true
	return nc, nil
}

// closeUnless is deferred where a connection is opened: nc is closed unless it has come to its new
// owner. So it is when a hook panics, or calls runtime.Goexit.
func closeUnless(nc net.Conn, opened *bool) {
	if !*opened {
		nc.Close()
	}
}

func (d *Dialer) secured(ctx context.Context, to target, protos []string) (net.Conn, error) {
	secure := to.url.Scheme == "https"
	if secure && to.proxy == nil && d.DialTLSContext != nil {
		return d.userTLS(ctx, to.addr)
	}
	nc, err := d.reach(ctx, to)
	if err != nil || !secure {
		return nc, err
	}
	opened := false
	defer closeUnless(nc, &opened)
	trace := httptrace.ContextClientTrace(ctx)
	if nc, err = d.handshake(ctx, nc, to.url, protos, trace); err != nil {
		return nil, stageError(ctx, "no TLS with the server", nil, err)
	}
	opened = true
	return nc, nil
}

// userTLS is a connection of DialTLSContext.
func (d *Dialer) userTLS(ctx context.Context, addr string) (net.Conn, error) {
	nc, err := d.DialTLSContext(ctx, "tcp", addr)
	if err != nil {
		return nil, stageError(ctx, "no TLS with the server", nil, err)
	}
	opened := false
	defer closeUnless(nc, &opened)
	if tc, ok := nc.(*tls.Conn); ok {
		if err := tc.HandshakeContext(ctx); err != nil {
			return nil, stageError(ctx, "no TLS with the server", nil, reach.TLSError(err))
		}
	}
	opened = true
	return nc, nil
}

// alpnOf is what ALPN chose; false: nothing is known of TLS.
func alpnOf(nc net.Conn) (string, bool) {
	if c, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
		return c.ConnectionState().NegotiatedProtocol, true
	}
	return "", false
}

// speaksHTTP2 says that a connection is for HTTP/2: in cleartext by prior knowledge.
func (d *Dialer) speaksHTTP2(to target, nc net.Conn) bool {
	if to.url.Scheme != "https" {
		return true
	}
	alpn, known := alpnOf(nc)
	return alpn == "h2" || !known && d.HTTP == HTTP2
}

// handshake shakes hands with the host of u. On an error nc has been closed.
func (d *Dialer) handshake(ctx context.Context, nc net.Conn, u *url.URL, protos []string,
	trace *httptrace.ClientTrace) (net.Conn, error) {
	opened := false
	defer closeUnless(nc, &opened)
	cfg := new(tls.Config)
	if d.TLS != nil {
		cfg = d.TLS.Clone()
	}
	cfg.ServerName = cmp.Or(cfg.ServerName, reach.Unzoned(u.Hostname()))
	cfg.NextProtos = protos
	if trace != nil && trace.TLSHandshakeStart != nil {
		trace.TLSHandshakeStart()
	}
	tc := tls.Client(nc, cfg)
	err := tc.HandshakeContext(ctx)
	if trace != nil && trace.TLSHandshakeDone != nil {
		trace.TLSHandshakeDone(tc.ConnectionState(), err)
	}
	if err != nil {
		return nil, reach.TLSError(err)
	}
	opened = true
	return tc, nil
}

// stageError says what a dial has not got, and because of whom: proxy is nil where it is the
// server's fault. Where ctx has ended that is the reason.
func stageError(ctx context.Context, what string, proxy *url.URL, err error) error {
	if ended := reach.Ended(ctx); ended != nil && !errors.Is(err, ended) {
		err = ended
	}
	e := &DialError{Msg: what, Err: err}
	if proxy != nil {
		e.Proxy = addrOf(proxy)
		e.Msg += " " + e.Proxy
	}
	return e
}
