package websocket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"weir/h1"

	"golang.org/x/net/proxy"
)

// proxyFor asks Dialer.Proxy, with the request as HTTP has it.
func (d *Dialer) proxyFor(hs *clientHandshake) (*url.URL, error) {
	if d.Proxy == nil {
		return nil, nil
	}
	return d.Proxy(&http.Request{Method: http.MethodGet, URL: hs.url, Host: hs.host, Header: hs.head})
}

// reach opens a connection to the server, or through the proxy.
func (d *Dialer) reach(ctx context.Context, to target) (net.Conn, error) {
	switch {
	case to.proxy == nil:
		return d.dial(ctx, "tcp", to.addr)
	case to.proxy.Scheme == "http" || to.proxy.Scheme == "https":
		return d.tunnel(ctx, to)
	case to.proxy.Scheme == "socks5" || to.proxy.Scheme == "socks5h":
		return d.socks(ctx, to)
	}
	return nil, fmt.Errorf("proxy %s: unknown scheme", to.proxy.Redacted())
}

func (d *Dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.DialContext != nil {
		return d.DialContext(ctx, network, addr)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// tunnel asks an HTTP proxy for a tunnel (RFC 9110, 9.3.6).
func (d *Dialer) tunnel(ctx context.Context, to target) (net.Conn, error) {
	nc, err := d.dial(ctx, "tcp", net.JoinHostPort(to.proxy.Hostname(), portOf(to.proxy)))
	if err != nil {
		return nil, err
	}
	if to.proxy.Scheme == "https" {
		if nc, err = d.handshake(ctx, nc, to.proxy.Hostname(), []string{"http/1.1"}, nil); err != nil {
			return nil, err
		}
	}
	opened := false
	defer closeUnless(nc, &opened)
	stop := context.AfterFunc(ctx, func() {
		guard(func() { nc.SetDeadline(time.Unix(1, 0)) }, func(any) { nc.Close() })
	})
	defer stop()
	err = ask(nc, to)
	if !stop() && err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	opened = true
	return nc, nil
}

func ask(nc net.Conn, to target) error {
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: to.addr}, Host: to.addr, Header: http.Header{}}
	if u := to.proxy.User; u != nil {
		password, _ := u.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := r.Write(nc); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(octetwise{nc}, 64<<10)), r)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, h1.MaxAnswer)) // what there is of it
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return &DialError{Response: resp, Msg: "the proxy answered " + resp.Status}
	}
	return nil
}

// octetwise reads an octet at a time, so that what stands behind the proxy's answer is left: a server in cleartext HTTP/2
// may speak first (RFC 9113, 3.4).
type octetwise struct{ r io.Reader }

func (o octetwise) Read(b []byte) (int, error) { return o.r.Read(b[:min(len(b), 1)]) }

// socks goes through a SOCKS5 proxy (RFC 1928).
func (d *Dialer) socks(ctx context.Context, to target) (net.Conn, error) {
	var auth *proxy.Auth
	if u := to.proxy.User; u != nil {
		auth = &proxy.Auth{User: u.Username()}
		auth.Password, _ = u.Password()
	}
	f := &forward{d: d}
	opened := false
	defer func() {
		if f.nc != nil && !opened {
			f.nc.Close()
		}
	}()
	p, err := proxy.SOCKS5("tcp", net.JoinHostPort(to.proxy.Hostname(), portOf(to.proxy)), auth, f)
	if err != nil {
		return nil, err
	}
	nc, err := p.(proxy.ContextDialer).DialContext(ctx, "tcp", to.addr)
	opened = err == nil
	return nc, err
}

// forward is how the SOCKS5 client reaches its proxy.
type forward struct {
	d  *Dialer
	nc net.Conn // to the proxy; nil: there is none yet
}

func (f *forward) Dial(network, addr string) (net.Conn, error) {
	return f.DialContext(context.Background(), network, addr)
}

func (f *forward) DialContext(ctx context.Context, network, addr string) (nc net.Conn, err error) {
	f.nc, err = f.d.dial(ctx, network, addr)
	return f.nc, err
}
