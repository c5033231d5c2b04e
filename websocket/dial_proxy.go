package websocket

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"weir/h1"
	"weir/internal/reach"
)

// proxyFor asks Dialer.Proxy, with the request as HTTP has it.
func (d *Dialer) proxyFor(hs *clientHandshake) (*url.URL, error) {
	if d.Proxy == nil {
		return nil, nil
	}
	r := &http.Request{Method: http.MethodGet, URL: hs.url, Host: hs.host, Header: hs.head}
	given, err := d.Proxy(r)
	if err != nil {
		return nil, &DialError{Msg: "no proxy is known", Err: reach.Redacted(err)}
	}
	if given == nil {
		return nil, nil
	}
	u := *given
	if u.Host, err = asciiHost(given); err != nil || u.Hostname() == "" {
		return nil, &DialError{Msg: "proxy " + given.Redacted() + ": no host", Err: err}
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return &u, nil
	}
	return nil, &DialError{Msg: "proxy " + given.Redacted() + ": unknown scheme"}
}

// asciiHost is u.Host with its host as it is dialled.
func asciiHost(u *url.URL) (string, error) {
	host, err := reach.Host(u.Hostname())
	switch port := u.Port(); {
	case err != nil:
		return "", err
	case port != "":
		return net.JoinHostPort(host, port), nil
	case u.Host != "" && u.Host[0] == '[':
		return "[" + host + "]", nil
	}
	return host, nil
}

// reach opens a connection to the server, or through the proxy.
func (d *Dialer) reach(ctx context.Context, to target) (net.Conn, error) {
	if to.proxy == nil {
		nc, err := d.dial(ctx, "tcp", to.addr)
		if err != nil {
			return nil, stageError(ctx, "no connection", nil, err)
		}
		return nc, nil
	}
	nc, err := d.dial(ctx, "tcp", addrOf(to.proxy))
	if err != nil {
		return nil, stageError(ctx, "no connection to the proxy", to.proxy, err)
	}
	opened := false
	defer closeUnless(nc, &opened)
	switch to.proxy.Scheme {
	case "socks5", "socks5h":
		nc, err = d.socks(ctx, nc, to)
	case "https":
		if nc, err = d.handshake(ctx, nc, to.proxy, []string{"http/1.1"}, nil); err != nil {
			return nil, stageError(ctx, "no TLS with the proxy", to.proxy, err)
		}
		nc, err = d.tunnel(ctx, through{nc}, to)
	default:
		nc, err = d.tunnel(ctx, nc, to)
	}
	opened = err == nil
	return nc, err
}

func (d *Dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.DialContext != nil {
		return d.DialContext(ctx, network, addr)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// through is a connection inside a proxy's TLS. That is not the server's, and says nothing of how
// the server is reached: its ConnectionState is hidden.
type through struct{ net.Conn }

// CloseWrite is that of a *tls.Conn.
func (t through) CloseWrite() error { return t.Conn.(*tls.Conn).CloseWrite() }

// tunnel asks an HTTP proxy for a tunnel (RFC 9110, 9.3.6).
func (d *Dialer) tunnel(ctx context.Context, nc net.Conn, to target) (net.Conn, error) {
	addr := sentAddr(to)
	r := &http.Request{Method: http.MethodConnect, URL: new(url.URL), Host: addr}
	r.Header = http.Header{}
	if u := to.proxy.User; u != nil {
		password, _ := u.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	resp, err := h1.Connect(ctx, nc, r)
	switch {
	case err == nil:
		return nc, nil
	case resp == nil:
		return nil, stageError(ctx, "no tunnel of the proxy", to.proxy, err)
	}
	if resp.StatusCode/100 != 2 {
		err = nil // the status says it
	}
	proxy := addrOf(to.proxy)
	msg := fmt.Sprintf("the proxy %s answered %s", proxy, reach.Line(resp.Status))
	return nil, &DialError{Response: resp, Proxy: proxy, Msg: msg, Err: err}
}

// sentAddr is the server's host:port as a proxy is told.
func sentAddr(to target) string {
	return net.JoinHostPort(reach.Unzoned(to.url.Hostname()), portOf(to.url))
}
