package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/h1"
	"weir/h2"
	"weir/internal/pool"
	"weir/stream"
)

// HTTPVersion is which version of HTTP a Dialer uses.
type HTTPVersion uint8

// The versions.
const (
	HTTPAuto HTTPVersion = iota // over TLS what ALPN says, and HTTP/1.1 where HTTP/2 does not offer extended CONNECT; in cleartext HTTP/1.1. With Dialer.HTTP3 also HTTP/3 where the server has named it
	HTTP1                       // HTTP/1.1
	HTTP2                       // HTTP/2: over TLS by ALPN, in cleartext with prior knowledge
	HTTP3                       // HTTP/3: by Dialer.HTTP3, for wss and https, and through no proxy
)

// DefaultDialTimeout is Dialer.Timeout when none is given.
const DefaultDialTimeout = 30 * time.Second

// Dialer opens WebSockets, and keeps the HTTP/2 connections it opens them on. The zero value is
// ready; it may be used from any goroutine, and must not be copied or changed after first use.
//
// As many WebSockets share a connection as the server allows (MAX_CONCURRENT_STREAMS), then there
// is a second. One connection at a time is opened to a server, or more where one would not have
// room for all who wait. Where it takes longer than 250 ms and somebody else waits for it, another
// is begun beside it, up to five at a time; then the oldest whose Dial has given up makes way. Who
// waits has the next connection with room, a new one or one on which a WebSocket has ended.
//
// A connection on which nothing has come for 500 ms is asked by PING before a WebSocket is opened
// on it, and while one is being opened. Without an answer within 750 ms it is opened on another
// connection, and 15 s after the PING (HTTP2.PingTimeout) the silent one is lost with its
// WebSockets. A connection without WebSockets is closed after 90 s (HTTP2.IdleTimeout), or by
// CloseIdle or Close.
//
// A request that the server says it has not looked at (RFC 9113, 8.7) is made five times at most,
// with pauses, and once where the server says what is wrong. A server that turned out not to speak
// HTTP/2, or not to offer extended CONNECT over it, is dialled with HTTP/1.1 for 5 minutes.
//
// With HTTP3 a server that has named HTTP/3 by Alt-Svc (RFC 7838) is dialled over it, and 300 ms
// later, or when that fails, over TCP besides: what has a connection first is used. HTTP/3 that
// does not work where TCP does is left alone for 5 minutes, then 10, and so on. Where a connection
// over it falls silent before the WebSocket is open, that is opened over TCP.
type Dialer struct {
	HTTP    HTTPVersion     // 0: HTTPAuto
	Timeout time.Duration   // for everything until the WebSocket is open; 0: 30 s; negative: none
	TLS     *tls.Config     // nil: the default
	HTTP2   h2.ClientConfig // of the connections of HTTP/2
	HTTP3   HTTP3Dialer     // opens those of HTTP/3; nil: there are none. An *h3.Dialer is one

	// DialContext opens connections, to servers and proxies; nil: a net.Dialer does.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Proxy names the proxy, by http, https, socks5 or socks5h; nil: none. The request that it is
	// asked about has an http or https URL, so http.ProxyFromEnvironment looks at HTTP_PROXY for ws
	// and at HTTPS_PROXY for wss.
	Proxy func(*http.Request) (*url.URL, error)

	// DialTLSContext opens connections to servers of wss and https that no proxy stands before, as
	// that of http.Transport: DialContext and TLS are not used for them. The connection has shaken
	// hands, or is a *tls.Conn. What ALPN chose is read of its method ConnectionState; without one
	// HTTPAuto is HTTP/1.1 and HTTP2 is taken for granted.
	DialTLSContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Jar has the cookies that a handshake sends besides those of DialOptions.Header, and is told
	// those of the server's answer, be it a WebSocket or a refusal; nil: none. It is asked about an
	// http or https URL, with the host of DialOptions.Host, as that of an http.Client. A Transport
	// asks no Jar of its Dialer: the http.Client before it has one.
	Jar http.CookieJar

	single bool // connections end with their only WebSocket

	mu     sync.Mutex
	hosts  map[hostKey]*host
	sweep  int // when there are so many, those that are not used are looked for
	closed bool
	dials  map[*context.CancelCauseFunc]struct{} // connections for HTTP/1.1 that are being opened
}

// hostKey is what connections may be shared for.
type hostKey struct{ scheme, addr, proxy string }

// host is what a Dialer knows of a server.
type host struct {
	pool  *pool.Pool // over TCP
	http3 http3
	users atomic.Int32 // Dials at work with it; counted up under Dialer.mu

	mu    sync.Mutex
	plain time.Time // until then HTTPAuto is HTTP/1.1: no HTTP/2 here, or none with extended CONNECT
}

// ErrDialerClosed is what Dial gives after Dialer.Close.
var ErrDialerClosed = errors.New("the Dialer is closed")

func (d *Dialer) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if t := or(d.Timeout, DefaultDialTimeout, 0); t > 0 {
		return context.WithTimeout(ctx, t)
	}
	return context.WithCancel(ctx)
}

// CloseIdle ends the connections that carry no WebSocket. Others end by themselves when they have
// carried none for HTTP2.IdleTimeout, 90 s by default.
func (d *Dialer) CloseIdle() {
	for _, h := range d.known() {
		for _, p := range h.pools() {
			p.CloseIdle()
		}
	}
}

// Close lets each connection end with its last WebSocket. Dials that wait for a connection, and
// those to come, give ErrDialerClosed. It may be called more than once.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.closed = true
	for cancel := range d.dials {
		(*cancel)(ErrDialerClosed)
	}
	d.mu.Unlock()
	for _, h := range d.known() {
		for _, p := range h.pools() {
			p.Leave(ErrDialerClosed)
		}
	}
	return nil
}

// untilClosed is ctx, and ends with Close, too; stop is to be called.
func (d *Dialer) untilClosed(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		cancel(ErrDialerClosed)
	}
	id := &cancel
	if d.dials == nil {
		d.dials = map[*context.CancelCauseFunc]struct{}{}
	}
	d.dials[id] = struct{}{}
	return ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.dials, id)
		cancel(nil)
	}
}

func (d *Dialer) known() []*host {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.hosts))
}

// host is the entry of a server, until its user is counted down. What is not used any more is
// forgotten meanwhile.
func (d *Dialer) host(k hostKey, to target) (*host, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, ErrDialerClosed
	}
	if h := d.hosts[k]; h != nil {
		h.users.Add(1)
		return h, nil
	}
	if len(d.hosts) >= d.sweep {
		all := len(d.hosts) > maxAlternatives
		now := time.Now()
		maps.DeleteFunc(d.hosts, func(_ hostKey, h *host) bool {
			return h.unused() && (all || !h.http3.knows(now))
		})
		d.sweep = max(2*len(d.hosts), 16)
	}
	if d.hosts == nil {
		d.hosts = map[hostKey]*host{}
	}
	h := &host{pool: pool.New(func(ctx context.Context) (net.Conn, error) {
		nc, err := d.connect(ctx, to, d.protocols())
		if err == nil && !d.speaksHTTP2(to, nc) {
			return nil, &pool.PlainError{Conn: nc}
		}
		return nc, err
	}, &d.HTTP2)}
	h.users.Add(1)
	d.hosts[k] = h
	return h, nil
}

// protocols is what ALPN offers where HTTP/2 is wanted.
func (d *Dialer) protocols() []string {
	if d.HTTP == HTTPAuto {
		return []string{"h2", "http/1.1"}
	}
	return []string{"h2"}
}

// open opens a stream for a handshake, over whatever HTTP it takes.
func (d *Dialer) open(ctx context.Context, hs *clientHandshake) (stream.Stream, *http.Response, error) {
	proxy, err := d.proxyFor(hs)
	if err != nil {
		return nil, nil, err
	}
	to := target{url: hs.url, addr: addrOf(hs.url), proxy: proxy}
	k := hostKey{scheme: hs.url.Scheme, addr: to.addr}
	if proxy != nil {
		k.proxy = proxy.String()
	}
	h, err := d.host(k, to)
	if err != nil {
		return nil, nil, err
	}
	defer h.users.Add(-1)
	switch {
	case d.HTTP == HTTP3:
		if err := d.check3(hs, proxy != nil); err != nil {
			return nil, nil, err
		}
		return d.open3(ctx, hs, to, h)
	case d.HTTP == HTTPAuto && d.check3(hs, proxy != nil) == nil:
		st, resp, err := d.fastest(ctx, hs, to, h)
		if resp != nil {
			h.http3.learn(hs.url.Hostname(), resp.Header)
		}
		return st, resp, err
	}
	if d.HTTP == HTTP1 || d.HTTP == HTTPAuto && (hs.url.Scheme == "http" || h.isPlain()) {
		return d.open1(ctx, hs, to, nil)
	}
	return d.open2(ctx, hs, to, h)
}

// open1 opens a stream over HTTP/1.1: on nc, or on a new connection.
func (d *Dialer) open1(ctx context.Context, hs *clientHandshake, to target, nc net.Conn) (stream.Stream, *http.Response, error) {
	if nc == nil {
		var err error
		if nc, err = d.connect1(ctx, to); err != nil {
			return nil, nil, err
		}
	}
	st, resp, err := h1.Request(ctx, nc, hs.request(ctx, 1))
	if err == nil && st == nil {
		err = errRefused
	}
	return st, resp, err
}

// connect1 opens a connection for HTTP/1.1.
func (d *Dialer) connect1(ctx context.Context, to target) (net.Conn, error) {
	connecting, stop := d.untilClosed(ctx)
	nc, err := d.connect(connecting, to, []string{"http/1.1"})
	if stop(); err != nil {
		return nil, err
	}
	if alpn, _ := alpnOf(nc); to.url.Scheme == "https" && alpn == "h2" { // of a DialTLSContext
		nc.Close()
		return nil, errors.New("ALPN chose h2, and HTTP/1.1 is wanted")
	}
	return nc, nil
}

// errRefused stands behind an answer that opened no stream.
var errRefused = errors.New("the handshake was refused")

// open2 opens a stream over HTTP/2, or over HTTP/1.1 where HTTPAuto finds that it has to be.
func (d *Dialer) open2(ctx context.Context, hs *clientHandshake, to target, h *host) (stream.Stream, *http.Response, error) {
	if d.single {
		defer h.pool.Leave(net.ErrClosed)
	}
	st, resp, err := h.pool.Open(ctx, hs.request(ctx, 2))
	auto := d.HTTP == HTTPAuto
	if plain, ok := errors.AsType[*pool.PlainError](err); ok {
		h.setPlain()
		switch {
		case auto:
			return d.open1(ctx, hs, to, plain.Conn)
		case plain.Conn != nil:
			plain.Conn.Close()
		}
		return nil, nil, err
	}
	if errors.Is(err, h2.ErrNoExtendedConnect) {
		h.setPlain()
		if auto {
			return d.open1(ctx, hs, to, nil)
		}
	}
	if se, ok := errors.AsType[*h2.StreamError](err); ok && auto && se.Remote && se.Code == h2.HTTP11Required {
		return d.open1(ctx, hs, to, nil) // RFC 9113, 7
	}
	if err == nil && st == nil {
		err = errRefused
	}
	return st, resp, err
}

// plainTime is how long HTTPAuto uses HTTP/1.1 for a server that did not offer WebSockets over
// HTTP/2, before it asks again.
const plainTime = 5 * time.Minute

// isPlain says that HTTPAuto is HTTP/1.1 here: dials need not wait for one another.
func (h *host) isPlain() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Before(h.plain)
}

func (h *host) setPlain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.plain = time.Now().Add(plainTime)
}

// unused says that nothing is known of a server that matters.
func (h *host) unused() bool {
	if h.users.Load() > 0 || h.isPlain() {
		return false
	}
	for _, p := range h.pools() {
		if !p.Unused() {
			return false
		}
	}
	return true
}
