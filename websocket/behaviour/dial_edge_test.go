package behaviour_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/stream/memnet"
	"weir/websocket"
)

// The SETTINGS of a server that offers extended CONNECT, and allows no stream at all or many.
const (
	settingsOfNone = "\x00\x00\x0c\x04\x00\x00\x00\x00\x00" + "\x00\x08\x00\x00\x00\x01" + "\x00\x03\x00\x00\x00\x00"
	settingsOfMany = "\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x08\x00\x00\x00\x01"
)

// says is a server that says one thing to everybody, before it has heard anything.
func (s *scene) says(what string) {
	go func() { // ends with the listener
		for {
			nc, err := s.ln.Accept()
			if err != nil {
				return
			}
			io.WriteString(nc, what)
			go io.Copy(io.Discard, nc) // ends with the connection
		}
	}()
}

// A server whose MAX_CONCURRENT_STREAMS is 0 is not asked again and again (RFC 9113, 5.1.2).
func TestDialNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.d.HTTP = websocket.HTTP2
		s.says(settingsOfNone)
		if _, _, err := s.d.Dial(background, "ws://weir.test/", nil); !errors.Is(err, h2.ErrNoRoom) || s.conns.Load() != 1 {
			t.Errorf("%v, over %d connections", err, s.conns.Load())
		}
		s.ln.Close()
		time.Sleep(time.Minute)
	})
}

// What a server says before it is spoken to (RFC 9113, 3.4) may come along with the proxy's answer.
func TestDialProxyServerFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.d.HTTP, s.d.Timeout = websocket.HTTP2, 5*time.Second
		s.d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.test") }
		s.says("HTTP/1.1 200 OK\r\n\r\n" + settingsOfMany)
		_, _, err := s.d.Dial(background, "ws://weir.test/", nil)
		if de, ok := errors.AsType[*websocket.DialError](err); !ok || !strings.HasPrefix(de.Err.Error(), "h2: no response: context deadline exceeded") {
			t.Errorf("%v; the SETTINGS should have arrived", err)
		}
		s.d.CloseIdle()
		s.ln.Close()
		time.Sleep(time.Minute)
	})
}

// A SOCKS5 proxy without a port is at 1080.
func TestDialSocksPort(t *testing.T) {
	refused := errors.New("refused")
	var asked string
	d := &websocket.Dialer{
		Proxy: func(*http.Request) (*url.URL, error) { return url.Parse("socks5://proxy.test") },
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			asked = addr
			return nil, refused
		},
	}
	if _, _, err := d.Dial(background, "ws://weir.test/", nil); !errors.Is(err, refused) || asked != "proxy.test:1080" {
		t.Errorf("%v, asked %q", err, asked)
	}
}

// Once a server is known to speak HTTP/1.1 alone, a dial that hangs holds up no other.
func TestDialPlainApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		srv := &http.Server{Protocols: new(http.Protocols), TLSConfig: &tls.Config{Certificates: []tls.Certificate{testCert()}},
			Handler: websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
				return new(actor), nil
			})}
		srv.Protocols.SetHTTP1(true)
		go srv.ServeTLS(s.ln, "", "") // ends with srv
		dial := func() error {
			c, _, err := s.d.Dial(background, "wss://weir.test/", nil)
			if err == nil {
				err = c.Close(1000, "")
			}
			return err
		}
		if err := dial(); err != nil {
			t.Fatal(err)
		}
		real, nowhere := s.d.DialContext, memnet.Listen()
		var n atomic.Int32
		s.d.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if n.Add(1) == 1 {
				return nowhere.Dial(ctx)
			}
			return real(ctx, network, addr)
		}
		hung := make(chan error, 1)
		go func() { hung <- dial() }() // ends with Dialer.Timeout
		synctest.Wait()
		start := time.Now()
		if err := dial(); err != nil || time.Since(start) != 0 {
			t.Errorf("%v, after %v", err, time.Since(start))
		}
		if err := <-hung; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		nowhere.Close()
		srv.Close()
		time.Sleep(time.Minute)
	})
}

// A client's Options.Group has its session, and Options.Context its values.
func TestDialGroup(t *testing.T) {
	each(t, []string{"h1", "h2"}, func(h *house) {
		a := new(actor)
		h.handler = a
		type key struct{}
		var g websocket.Group
		var o websocket.DialOptions
		o.Group, o.Context = &g, context.WithValue(background, key{}, "value")
		c, _, err := h.dialer().Dial(background, h.url("/"), &o)
		if err != nil {
			h.Fatal(err)
		}
		if got := c.Context().Value(key{}); got != "value" || g.Len() != 1 {
			h.Errorf("value %v, %d sessions", got, g.Len())
		}
		go g.Shutdown(background) // ends with the session
		c.Read(background)        // until it is over
		if r := h.wantReason(a, "remote"); r.Code != 1001 {
			h.Errorf("the server is told %+v", r)
		}
	})
}
