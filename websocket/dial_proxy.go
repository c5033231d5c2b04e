package websocket

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"weir/h1"
	"weir/internal/reach"

	"golang.org/x/net/proxy"
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
	resp.Body = keep(resp.Body)
	blamed := addrOf(to.proxy)
	msg := fmt.Sprintf("the proxy %s answered %s", blamed, reach.Line(resp.Status))
	return nil, &DialError{Response: resp, Proxy: blamed, Msg: msg, Err: err}
}

// socks asks a SOCKS5 proxy for a connection (RFC 1928). Names are the proxy's to look up.
func (d *Dialer) socks(ctx context.Context, nc net.Conn, to target) (net.Conn, error) {
	var auth *proxy.Auth
	if u := to.proxy.User; u != nil {
		auth = &proxy.Auth{User: u.Username()}
		auth.Password, _ = u.Password()
	}
	c := &socksConn{Conn: nc}
	client, err := proxy.SOCKS5("tcp", addrOf(to.proxy), auth, c)
	if err == nil {
		// The client is not given ctx: it would set deadlines on a goroutine of its own when ctx
		// ends, and there a panic of a user's net.Conn would end the program.
		err = reach.Within(ctx, nc, func() error {
			_, err := client.Dial("tcp", sentAddr(to))
			return c.fault(err)
		})
	}
	if err != nil {
		return nil, stageError(ctx, "no connection of the proxy", to.proxy, err)
	}
	return nc, nil
}

// socksConn is a connection to a SOCKS5 proxy, and the proxy.ContextDialer by which the client gets
// it. It keeps the first two octets that came, for the client's errors do not say what they were.
type socksConn struct {
	net.Conn
	first []byte
}

// Dial gives the connection.
func (c *socksConn) Dial(string, string) (net.Conn, error) { return c, nil }

// DialContext gives the connection.
func (c *socksConn) DialContext(context.Context, string, string) (net.Conn, error) { return c, nil }

func (c *socksConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.first = append(c.first, b[:min(n, 2-len(c.first))]...)
	return n, err
}

// fault is an error of the client's, with what its text leaves out.
func (c *socksConn) fault(err error) error {
	switch {
	case err == nil:
		return nil
	case len(c.first) > 0 && c.first[0] != 5:
		return fmt.Errorf("it is no SOCKS5 proxy: it answered %q (RFC 1928, 3): %w", c.first, err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the proxy ended the connection: %w", err)
	}
	return err
}

// sentAddr is the server's host:port as a proxy is told.
func sentAddr(to target) string {
	return net.JoinHostPort(reach.Unzoned(to.url.Hostname()), portOf(to.url))
}

// keptBody is the body of an answer that many may get: each reads all of it.
type keptBody struct {
	octets, left []byte
	err          error // behind them
}

// keep keeps what b has, which is in memory already.
func keep(b io.Reader) *keptBody {
	octets, err := io.ReadAll(b)
	if err == nil {
		err = io.EOF
	}
	return &keptBody{octets: octets, left: octets, err: err}
}

// again is k from its beginning.
func (k *keptBody) again() *keptBody { return &keptBody{octets: k.octets, left: k.octets, err: k.err} }

func (k *keptBody) Read(b []byte) (int, error) {
	if len(k.left) == 0 {
		return 0, k.err
	}
	n := copy(b, k.left)
	k.left = k.left[n:]
	return n, nil
}

// Close has nothing to close.
func (k *keptBody) Close() error { return nil }
