package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"weir/h2"
	"weir/stream"
)

// upstream is the server of a bridge. All streams are on one connection as long as the server allows as many, then there
// is another.
type upstream struct {
	url *url.URL // scheme http or https, and a host
	tls *tls.Config
	log *slog.Logger

	token   chan struct{} // holds a token while nobody uses what follows
	clients []*h2.Client
	left    bool // nothing new is opened
}

// upstreamTries is how often a request that the server has not looked at is made again (RFC 9113, 8.7).
const upstreamTries = 5

var errLeft = errors.New("the bridge is shutting down")

// newUpstream reads the URL of a server.
func newUpstream(given string, cfg *tls.Config, log *slog.Logger) (upstream, error) {
	bad := func(msg string) (upstream, error) { return upstream{}, fmt.Errorf("URL %q: %s", given, msg) }
	u, err := url.Parse(given)
	if err != nil {
		return upstream{}, err
	}
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "http"
	case "wss", "https":
		u.Scheme = "https"
	default:
		return bad("http, https, ws or wss")
	}
	if u.Hostname() == "" {
		return bad("it names no host")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return bad("a server's, without a path: that of each WebSocket is its own")
	}
	up := upstream{url: &url.URL{Scheme: u.Scheme, Host: u.Host}, tls: cfg, log: log, token: make(chan struct{}, 1)}
	up.token <- struct{}{}
	return up, nil
}

// open opens a stream by r.
func (up *upstream) open(ctx context.Context, r *http.Request) (stream.Stream, *http.Response, error) {
	for n := 0; ; n++ {
		c, err := up.client(ctx)
		if err != nil {
			return nil, nil, err
		}
		st, res, err := c.Open(ctx, r)
		switch {
		case errors.Is(err, h2.ErrNoRoom): // somebody was faster
			n--
		case err == nil || n >= upstreamTries || ctx.Err() != nil || !h2.Unprocessed(err):
			return st, res, err
		}
	}
}

// client gives a connection that takes another stream. One goroutine at a time looks for it, so that those that come
// while a connection is being opened find room on it.
func (up *upstream) client(ctx context.Context) (*h2.Client, error) {
	select {
	case <-up.token:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { up.token <- struct{}{} }()
	if up.left {
		return nil, errLeft
	}
	kept := up.clients[:0]
	var found *h2.Client
	for _, c := range up.clients {
		if c.Leaving() {
			continue
		}
		kept = append(kept, c)
		if found == nil && c.Room() > 0 {
			found = c
		}
	}
	clear(up.clients[len(kept):])
	up.clients = kept
	if found != nil {
		return found, nil
	}
	nc, err := up.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := h2.NewClient(nc, clientConfig(up.log))
	if offered, err := c.ExtendedConnect(ctx); err != nil || !offered {
		c.Close()
		if err == nil {
			err = h2.ErrNoExtendedConnect
		}
		return nil, err
	}
	up.clients = append(up.clients, c)
	up.log.Debug("connected", "to", nc.RemoteAddr(), "connections", len(up.clients))
	return c, nil
}

func (up *upstream) dial(ctx context.Context) (net.Conn, error) {
	port := up.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[up.url.Scheme]
	}
	addr := net.JoinHostPort(up.url.Hostname(), port)
	if up.url.Scheme == "http" {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	cfg := up.tls.Clone()
	cfg.NextProtos = []string{"h2"}
	nc, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if nc.(*tls.Conn).ConnectionState().NegotiatedProtocol != "h2" {
		nc.Close()
		return nil, errors.New("the server does not speak HTTP/2 (RFC 9113, 3.2)")
	}
	return nc, nil
}

// leave lets each connection end with its last stream, and gives them.
func (up *upstream) leave() []*h2.Client {
	<-up.token
	defer func() { up.token <- struct{}{} }()
	up.left = true
	for _, c := range up.clients {
		c.Leave()
	}
	return up.clients
}
