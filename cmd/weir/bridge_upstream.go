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

	"weir/internal/pool"
	"weir/internal/reach"
)

// upstream is the server of a bridge.
type upstream struct {
	*pool.Pool
	url *url.URL // scheme http or https, and a host
	tls *tls.Config
	log *slog.Logger
}

var errLeft = errors.New("the bridge is shutting down")

// newUpstream reads the URL of a server.
func newUpstream(given string, cfg *tls.Config, log *slog.Logger) (*upstream, error) {
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
	if u.Hostname() == "" {
		return bad("it names no host")
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
	up.Pool = pool.New(up.dial, clientConfig(log))
	return up, nil
}

// dial opens a connection.
func (up *upstream) dial(ctx context.Context) (nc net.Conn, err error) {
	defer func() {
		if err == nil {
			up.log.Debug("connected", "to", nc.RemoteAddr())
		}
	}()
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
	cfg.ServerName = reach.Unzoned(up.url.Hostname())
	nc, err = (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", addr)
	return nc, reach.TLSError(err)
}
