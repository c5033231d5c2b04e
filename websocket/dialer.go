package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"weir/h1"
	"weir/h2"
	"weir/stream"
)

// HTTPVersion is which version of HTTP a Dialer uses.
type HTTPVersion uint8

// The versions.
const (
	HTTPAuto HTTPVersion = iota // over TLS what ALPN says, and HTTP/1.1 where HTTP/2 does not offer extended CONNECT; in cleartext HTTP/1.1
	HTTP1                       // HTTP/1.1
	HTTP2                       // HTTP/2: over TLS by ALPN, in cleartext with prior knowledge
)

// DefaultDialTimeout is Dialer.Timeout when none is given.
const DefaultDialTimeout = 30 * time.Second

// Dialer opens WebSockets, and keeps the HTTP/2 connections it opens them on: as many WebSockets share one as the server
// allows (MAX_CONCURRENT_STREAMS), then there is a second. A server that turned out not to speak HTTP/2, or not to offer
// extended CONNECT over it, is dialled with HTTP/1.1 from then on. The zero value is ready; it may be used from any
// goroutine, and must not be copied or changed after first use.
type Dialer struct {
	HTTP        HTTPVersion
	Timeout     time.Duration // for everything until the WebSocket is open; 0: 30 s; negative: none
	TLS         *tls.Config   // nil: the default
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	Proxy       func(*http.Request) (*url.URL, error) // http, https, socks5 or socks5h; nil: none; http.ProxyFromEnvironment does as curl
	HTTP2       h2.ClientConfig

	single bool // connections end with their only WebSocket

	mu    sync.Mutex
	hosts map[hostKey]*host
}

// hostKey is what connections may be shared for.
type hostKey struct{ scheme, addr, proxy string }

// host is what a Dialer knows of a server.
type host struct {
	dialing chan struct{} // holds a token while nobody opens a connection

	mu      sync.Mutex
	clients []*h2.Client
	plain   bool // no HTTP/2 here, or none with extended CONNECT
}

func (d *Dialer) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if t := or(d.Timeout, DefaultDialTimeout, 0); t > 0 {
		return context.WithTimeout(ctx, t)
	}
	return context.WithCancel(ctx)
}

// CloseIdle ends the connections that carry no WebSocket.
func (d *Dialer) CloseIdle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.hosts {
		h.mu.Lock()
		for _, c := range h.clients {
			if c.Streams() == 0 {
				c.Leave()
			}
		}
		h.mu.Unlock()
	}
}

// host is the entry of a server.
func (d *Dialer) host(k hostKey) *host {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.hosts[k]
	if h == nil {
		h = &host{dialing: make(chan struct{}, 1)}
		h.dialing <- struct{}{}
		if d.hosts == nil {
			d.hosts = map[hostKey]*host{}
		}
		d.hosts[k] = h
	}
	return h
}

// open opens a stream for a handshake, over whatever HTTP it takes.
func (d *Dialer) open(ctx context.Context, hs *clientHandshake) (stream.Stream, *http.Response, error) {
	proxy, err := d.proxyFor(hs)
	if err != nil {
		return nil, nil, err
	}
	addr := net.JoinHostPort(hs.url.Hostname(), portOf(hs.url))
	k := hostKey{scheme: hs.url.Scheme, addr: addr}
	if proxy != nil {
		k.proxy = proxy.String()
	}
	to := target{url: hs.url, addr: addr, proxy: proxy}
	h := d.host(k)
	if d.HTTP == HTTP1 || d.HTTP == HTTPAuto && (hs.url.Scheme == "http" || h.isPlain()) {
		return d.open1(ctx, hs, to, nil)
	}
	st, resp, err := d.open2(ctx, hs, to, h)
	if d.HTTP == HTTPAuto && errors.Is(err, h2.ErrNoExtendedConnect) {
		return d.open1(ctx, hs, to, nil)
	}
	return st, resp, err
}

// open1 opens a stream over HTTP/1.1: on nc, or on a new connection.
func (d *Dialer) open1(ctx context.Context, hs *clientHandshake, to target, nc net.Conn) (stream.Stream, *http.Response, error) {
	if nc == nil {
		var err error
		if nc, err = d.connect(ctx, to, []string{"http/1.1"}); err != nil {
			return nil, nil, err
		}
	}
	st, resp, err := h1.Request(ctx, nc, hs.request(ctx, 1))
	if err == nil && st == nil {
		err = errRefused
	}
	return st, resp, err
}

// errRefused stands behind an answer that opened no stream.
var errRefused = errors.New("the handshake was refused")

// tries is how often a request that a server has not looked at is sent again.
const tries = 5

// open2 opens a stream on a connection that has room, or on a new one.
func (d *Dialer) open2(ctx context.Context, hs *clientHandshake, to target, h *host) (stream.Stream, *http.Response, error) {
	for n := 0; ; n++ {
		c, nc, err := d.client(ctx, to, h)
		if err != nil {
			return nil, nil, err
		}
		if nc != nil { // ALPN said HTTP/1.1
			return d.open1(ctx, hs, to, nc)
		}
		st, resp, err := c.Open(ctx, hs.request(ctx, 2))
		switch {
		case err == nil && st == nil:
			err = errRefused
		case errors.Is(err, h2.ErrNoExtendedConnect):
			c.Leave()
		case errors.Is(err, h2.ErrNoRoom): // somebody was faster
			n--
			continue
		case err != nil && n < tries && ctx.Err() == nil && h2.Unprocessed(err):
			continue
		}
		if d.single {
			c.Leave()
		}
		return st, resp, err
	}
}

// client gives a connection that has room. Only one goroutine opens a new one for a server at a time: others may find
// room on it. nc is a connection over which the server wants HTTP/1.1.
func (d *Dialer) client(ctx context.Context, to target, h *host) (c *h2.Client, nc net.Conn, err error) {
	if c := h.room(); c != nil {
		return c, nil, nil
	}
	if err := acquire(ctx, h.dialing); err != nil {
		return nil, nil, err
	}
	defer free(h.dialing)
	if c := h.room(); c != nil {
		return c, nil, nil
	}
	if d.HTTP == HTTPAuto && h.isPlain() { // somebody has found out meanwhile
		return nil, nil, h2.ErrNoExtendedConnect
	}
	protos := []string{"h2"}
	if d.HTTP == HTTPAuto {
		protos = append(protos, "http/1.1")
	}
	if nc, err = d.connect(ctx, to, protos); err != nil {
		return nil, nil, err
	}
	if tc, ok := nc.(*tls.Conn); ok && tc.ConnectionState().NegotiatedProtocol != "h2" {
		h.setPlain()
		if d.HTTP == HTTPAuto {
			return nil, nc, nil
		}
		nc.Close()
		return nil, nil, errors.New("the server does not speak HTTP/2 (RFC 9113, 3.2)")
	}
	c = h2.NewClient(nc, &d.HTTP2)
	offered, err := c.ExtendedConnect(ctx)
	switch {
	case err != nil:
	case !offered:
		h.setPlain()
		err = h2.ErrNoExtendedConnect
	case c.Room() == 0: // a server that allows no streams; another connection would not help
		err = h2.ErrNoRoom
	}
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients = append(h.clients, c)
	return c, nil, nil
}

// isPlain says that HTTPAuto is HTTP/1.1 here: dials need not wait for one another.
func (h *host) isPlain() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.plain
}

func (h *host) setPlain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.plain = true
}

// room is a connection that takes another stream; those that do not any more are forgotten.
func (h *host) room() *h2.Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found *h2.Client
	kept := h.clients[:0]
	for _, c := range h.clients {
		if c.Leaving() {
			continue
		}
		kept = append(kept, c)
		if found == nil && c.Room() > 0 {
			found = c
		}
	}
	clear(h.clients[len(kept):])
	h.clients = kept
	return found
}

// target is where a connection goes.
type target struct {
	url   *url.URL
	addr  string
	proxy *url.URL
}

// connect opens a connection, through the proxy if there is one, with TLS if the URL wants it.
func (d *Dialer) connect(ctx context.Context, to target, protos []string) (net.Conn, error) {
	nc, err := d.reach(ctx, to)
	if err != nil {
		return nil, err
	}
	trace := httptrace.ContextClientTrace(ctx)
	if to.url.Scheme == "https" {
		if nc, err = d.handshake(ctx, nc, to.url.Hostname(), protos, trace); err != nil {
			return nil, err
		}
	}
	if trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: nc})
	}
	return nc, nil
}

func (d *Dialer) handshake(ctx context.Context, nc net.Conn, name string, protos []string, trace *httptrace.ClientTrace) (net.Conn, error) {
	cfg := new(tls.Config)
	if d.TLS != nil {
		cfg = d.TLS.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = name
	}
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
		nc.Close()
		return nil, err
	}
	return tc, nil
}
