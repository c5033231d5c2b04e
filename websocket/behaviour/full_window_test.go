package behaviour_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/stream/streamtest"
	"weir/upgrade"
	"weir/websocket"
)

// counting is a client's connection that counts what was written.
type counting struct {
	*net.TCPConn
	written *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// fullWindow is a server on real sockets, and a client that floods it.
type fullWindow struct {
	addr    string
	url     string
	tls     bool
	dialer  *websocket.Dialer
	conn    *net.TCPConn // the client's
	written atomic.Int64
	http2   bool
}

var fullWindowModes = []string{"h1", "h1tls", "h1_hook", "h1tls_hook", "h2c", "h2"}

func serveFullWindow(t *testing.T, mode string, h http.Handler) *fullWindow {
	srv := &http.Server{Handler: h}
	if mode == "h1_hook" || mode == "h1tls_hook" {
		srv.ConnState = func(net.Conn, http.ConnState) {}
	}
	return serveWindow(t, mode, srv)
}

func serveWindow(t *testing.T, mode string, srv *http.Server) *fullWindow {
	f := &fullWindow{http2: mode == "h2c" || mode == "h2"}
	if _, err := websocket.ConfigureServer(srv, nil); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.dialer = &websocket.Dialer{HTTP: websocket.HTTP1, TLS: &tls.Config{InsecureSkipVerify: true}}
	if f.http2 {
		f.dialer.HTTP = websocket.HTTP2
	}
	f.dialer.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		f.conn = c.(*net.TCPConn)
		return counting{f.conn, &f.written}, nil
	}
	f.addr = l.Addr().String()
	f.url = "ws://" + f.addr + "/"
	if f.tls = strings.HasPrefix(mode, "h1tls") || mode == "h2"; f.tls {
		f.url = "wss://" + f.addr + "/"
		srv.TLSConfig.Certificates = []tls.Certificate{testCert()}
		go srv.ServeTLS(l, "", "") // ends with Close
	} else {
		go srv.Serve(l) // ends with Close
	}
	t.Cleanup(func() {
		srv.Close()
		if f.conn != nil {
			f.conn.Close()
		}
	})
	return f
}

// flood sends more than the window takes, and on HTTP/1.1 more than would be read besides it.
func (f *fullWindow) flood(t *testing.T) {
	c, _, err := f.dialer.Dial(t.Context(), f.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the connection
		for c.Write(t.Context(), websocket.BinaryFrame, make([]byte, 10_000)) == nil {
		}
	}()
	most := int64(65_535) // HTTP/2: the stream's window, and frames of it
	if !f.http2 {
		most = 300_000
	}
	for f.written.Load() < most {
		time.Sleep(time.Millisecond)
	}
}

// reset is what the kernel does for a process that is killed.
func (f *fullWindow) reset(t *testing.T) {
	if err := f.conn.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	f.conn.Close()
}

// within fails a test that would wait for ever.
func within[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	return streamtest.Within(t, "it is told", c)
}

// TestFullSocketSeesReset (BEHAVIOUR 3): on real sockets, too, a reset is seen at once though the
// window is full and the kernel holds more, by all that wait without reading.
func TestFullSocketSeesReset(t *testing.T) {
	patient := &websocket.Options{IdleTimeout: -1, SendTimeout: -1}
	for _, mode := range fullWindowModes {
		t.Run(mode+"/handler", func(t *testing.T) {
			reasons := make(chan websocket.Reason, 1)
			f := serveFullWindow(t, mode, websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
				return &telling{true, reasons}, patient
			}))
			f.flood(t)
			f.reset(t)
			if r := within(t, reasons); r.String() != "error:closed" {
				t.Error(r)
			}
		})
		t.Run(mode+"/Conn", func(t *testing.T) {
			conns := make(chan *websocket.Conn, 1)
			f := serveFullWindow(t, mode, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c, err := websocket.Accept(w, r, patient); err == nil {
					conns <- c
				}
			}))
			f.flood(t)
			c := within(t, conns)
			f.reset(t)
			within(t, c.Context().Done())
		})
		t.Run(mode+"/Tunnel", func(t *testing.T) {
			ended := make(chan error, 1)
			f := serveFullWindow(t, mode, upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
				return &upgrade.Switch{Protocol: upgrade.Tunnel{Token: "websocket"}, Handler: upgrade.TunnelFunc(func(c net.Conn, _ *upgrade.PartialRequest) {
					var err error
					for b := make([]byte, 64<<10); err == nil; { // until it waits for room
						_, err = c.Write(b)
					}
					ended <- err
				})}, nil
			}))
			if !f.http2 {
				c, err := f.dialer.DialContext(t.Context(), "tcp", f.addr)
				if err != nil {
					t.Fatal(err)
				}
				if f.tls {
					c = tls.Client(c, f.dialer.TLS)
				}
				for _, b := range [][]byte{[]byte(upgradeRequest), make([]byte, 300_000)} {
					if _, err := c.Write(b); err != nil {
						t.Fatal(err)
					}
				}
			} else {
				f.flood(t)
			}
			f.reset(t)
			if err := within(t, ended); err == nil {
				t.Error("no error")
			}
		})
		t.Run(mode+"/client", func(t *testing.T) {
			f := serveFullWindow(t, mode, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(w, r, patient)
				if err != nil {
					return
				}
				for c.Context().Err() == nil {
					ctx, stop := context.WithTimeout(r.Context(), 100*time.Millisecond)
					if c.Write(ctx, websocket.BinaryFrame, make([]byte, 100_000)) != nil {
						c.CloseNow()
					}
					stop()
				}
			}))
			f.dialer.DialContext = nil // a plain connection
			c, _, err := f.dialer.Dial(t.Context(), f.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			within(t, c.Context().Done())
		})
	}
}
