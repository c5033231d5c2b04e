package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"weir/h3"
	"weir/internal/pool"
	"weir/internal/reach"
	"weir/stream"
)

// upstream is the server of a bridge.
type upstream struct {
	*pool.Pool
	url *url.URL // scheme http or https, and a host
	tls *tls.Config
	log *slog.Logger
	h3  h3.Dialer // of HTTP/3
}

var errLeft = errors.New("the bridge is shutting down")

// newUpstream reads the URL of a server.
func newUpstream(given, version string, cfg *tls.Config, log *slog.Logger) (*upstream, error) {
	bad := func(msg string) (*upstream, error) {
		return nil, fmt.Errorf("URL %q: %s", reach.RedactURL(given), msg)
	}
	u, err := reach.ParseURL(given)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "http"
	case "wss", "https":
		u.Scheme = "https"
	default:
		return bad("http, https, ws or wss")
	}
	switch {
	case u.Hostname() == "":
		return bad("it names no host")
	case version != "2" && version != "3":
		return nil, fmt.Errorf("--http %q: 2 or 3", version)
	case version == "3" && u.Scheme == "http":
		return bad("--http 3 is over TLS alone (RFC 9114, 3.1)")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return bad("a server's, without a path: that of each WebSocket is its own")
	}
	host, err := reach.Host(u.Hostname())
	if err != nil {
		return nil, err
	}
	if port := u.Port(); port != "" || strings.Contains(host, ":") {
		host = strings.TrimSuffix(net.JoinHostPort(host, port), ":")
	}
	up := &upstream{url: &url.URL{Scheme: u.Scheme, Host: host}, tls: cfg, log: log}
	if version == "3" {
		up.h3.Config = h3.ClientConfig{IdleTimeout: -1, Logger: log}
		up.Pool = pool.NewMux(up.dial3)
		return up, nil
	}
	up.Pool = pool.New(up.dial, clientConfig(log))
	return up, nil
}

// dial3 opens a connection over HTTP/3.
func (up *upstream) dial3(ctx context.Context) (stream.Mux, error) {
	c, err := up.h3.DialMux(ctx, up.addr(), up.tls)
	if err == nil {
		up.log.Debug("connected", "to", up.addr(), "http", "3")
	}
	return c, err
}

// addr is the server's host and port.
func (up *upstream) addr() string {
	port := up.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[up.url.Scheme]
	}
	return net.JoinHostPort(up.url.Hostname(), port)
}

// dial opens a connection.
func (up *upstream) dial(ctx context.Context) (nc net.Conn, err error) {
	defer func() {
		if err == nil {
			up.log.Debug("connected", "to", nc.RemoteAddr())
		}
	}()
	addr := up.addr()
	if up.url.Scheme == "http" {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	cfg := up.tls.Clone()
	cfg.NextProtos = []string{"h2"}
	cfg.ServerName = reach.Unzoned(up.url.Hostname())
	nc, err = (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", addr)
	return nc, reach.TLSError(err)
}
