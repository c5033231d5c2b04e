package behaviour_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream/memnet"
	"weir/websocket"
)

// Through an HTTP proxy, and through one that refuses.
func TestDialProxy(t *testing.T) {
	each(t, overTCP, func(h *house) {
		h.handler = new(actor)
		for _, allow := range []bool{true, false} {
			proxy := memnet.Listen()
			h.close = append(h.close, func() { proxy.Close() })
			asked := make(chan string, 1)
			go func() { // ends with the tunnel
				nc, err := proxy.Accept()
				if err != nil {
					return
				}
				defer nc.Close()
				br := bufio.NewReader(nc)
				r, _ := http.ReadRequest(br)
				asked <- r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
				if !allow {
					io.WriteString(nc, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 12\r\n\r\nwho are you?")
					return
				}
				io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\n")
				up, _ := h.ln.Dial(background)
				go func() { io.Copy(up, br); up.Close() }() // ends with the client
				io.Copy(nc, up)
			}()
			d := h.dialer()
			d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://u:p@proxy.test:3128") }
			d.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) {
				if addr != "proxy.test:3128" {
					h.Errorf("dialled %s", addr)
				}
				return proxy.Dial(ctx)
			}
			c, resp, err := d.Dial(background, h.url("/"), nil)
			port := map[bool]string{false: "80", true: "443"}[h.tls()]
			if got := <-asked; got != "CONNECT weir.test:"+port+" Basic dTpw" {
				h.Fatal(got)
			}
			if !allow {
				if _, ok := errors.AsType[*websocket.DialError](err); !ok || resp == nil || resp.StatusCode != 407 {
					h.Fatal(err, resp)
				}
				if body, err := io.ReadAll(resp.Body); string(body) != "who are you?" || err != nil {
					h.Fatal(string(body), err)
				}
				continue
			}
			if err != nil {
				h.Fatal(err)
			}
			c.Write(background, websocket.TextFrame, []byte("through"))
			if _, got, err := c.Read(background); string(got) != "through" {
				h.Fatal(string(got), err)
			}
			c.Close(1000, "")
		}
	})
}

// Through a SOCKS5 proxy (RFC 1928).
func TestDialSocks(t *testing.T) {
	each(t, []string{"h1", "h2"}, func(h *house) {
		h.handler = new(actor)
		proxy := memnet.Listen()
		h.close = append(h.close, func() { proxy.Close() })
		go func() { // ends with the tunnel
			nc, err := proxy.Accept()
			if err != nil {
				return
			}
			defer nc.Close()
			b := make([]byte, 300)
			io.ReadFull(nc, b[:2])                         // version, number of methods
			io.ReadFull(nc, b[:b[1]])                      // methods
			nc.Write([]byte{5, 0})                         // none needed
			io.ReadFull(nc, b[:5])                         // version, connect, 0, name, length
			io.ReadFull(nc, b[5:5+int(b[4])+2])            // name, port
			nc.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}) // done
			up, _ := h.ln.Dial(background)
			go func() { io.Copy(up, nc); up.Close() }() // ends with the client
			io.Copy(nc, up)
		}()
		d := h.dialer()
		d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("socks5://proxy.test:1080") }
		d.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return proxy.Dial(ctx) }
		c, _, err := d.Dial(background, h.url("/"), nil)
		if err != nil {
			h.Fatal(err)
		}
		c.Write(background, websocket.TextFrame, []byte("through"))
		if _, got, err := c.Read(background); string(got) != "through" {
			h.Fatal(string(got), err)
		}
		c.Close(1000, "")
	})
}

// deadlineConn is a net.Conn whose SetDeadline panics.
type deadlineConn struct {
	net.Conn
	closed atomic.Bool
}

func (c *deadlineConn) SetDeadline(time.Time) error { panic("SetDeadline") }

func (c *deadlineConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// A context that ends while a SOCKS5 proxy is silent ends the Dial, and the connection with it,
// though that is a user's and panics.
func TestDialSocksSilent(t *testing.T) {
	gone := errors.New("gone home")
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		dial := s.d.DialContext
		var own *deadlineConn
		s.d.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := dial(ctx, network, addr)
			own = &deadlineConn{Conn: nc}
			return own, err
		}
		s.d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("socks5://proxy.test") }
		s.says("\x05\x00")
		ctx, cancel := context.WithCancelCause(background)
		time.AfterFunc(time.Second, func() { cancel(gone) })
		start := time.Now()
		_, _, err := s.d.Dial(ctx, "ws://weir.test/", nil)
		if took := time.Since(start); took != time.Second {
			t.Errorf("after %v", took)
		}
		if !errors.Is(err, gone) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if de, ok := errors.AsType[*websocket.DialError](err); !ok || de.Proxy != "proxy.test:1080" {
			t.Errorf("%#v", err)
		}
		if !own.closed.Load() {
			t.Error("the connection is open")
		}
		s.ln.Close()
	})
}

// An httptrace.ClientTrace is told of the connection.
func TestDialTrace(t *testing.T) {
	each(t, []string{"h1tls", "h2"}, func(h *house) {
		h.handler = new(actor)
		var told []string
		ctx := httptrace.WithClientTrace(background, &httptrace.ClientTrace{
			TLSHandshakeStart: func() { told = append(told, "tls") },
			TLSHandshakeDone:  func(tls.ConnectionState, error) { told = append(told, "done") },
			GotConn:           func(httptrace.GotConnInfo) { told = append(told, "conn") },
		})
		c, _, err := h.dialer().Dial(ctx, h.url("/"), nil)
		if err != nil {
			h.Fatal(err)
		}
		if got := strings.Join(told, " "); got != "tls done conn" {
			h.Fatal(got)
		}
		c.Close(1000, "")
	})
}
