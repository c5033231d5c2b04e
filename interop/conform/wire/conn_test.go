package wire_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"weir/h2"
	"weir/interop/conform"
	"weir/interop/conform/wire"
	"weir/stream"
)

// serve runs a handler on every transport, and gives a test each as a target.
func serve(t *testing.T, h http.Handler, each func(t *testing.T, target *conform.Target)) {
	for _, tr := range []stream.Transport{stream.H1, stream.H1TLS, stream.H2C, stream.H2} {
		t.Run(string(tr), func(t *testing.T) {
			s := httptest.NewUnstartedServer(h)
			s.EnableHTTP2 = true
			s.Config.Protocols = new(http.Protocols)
			s.Config.Protocols.SetHTTP1(true)
			s.Config.Protocols.SetHTTP2(true)
			s.Config.Protocols.SetUnencryptedHTTP2(true)
			if _, err := h2.ConfigureServer(s.Config, nil); err != nil {
				t.Fatal(err)
			}
			if tr == stream.H1TLS || tr == stream.H2 {
				s.StartTLS()
			} else {
				s.Start()
			}
			defer s.Close()
			target, err := conform.NewTarget(s.URL+"/x?y=1", tr.HTTPVersion(), &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			each(t, target)
		})
	}
}

// accepting runs f on what each request opens.
func accepting(a wire.Answer, f func(c *wire.Conn)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := wire.Accept(context.Background(), w, r, a)
		if err != nil {
			return
		}
		defer c.Close()
		f(c)
	})
}

const patience = 5 * time.Minute

// Both roles, each way, and every end.
func TestConn(t *testing.T) {
	h := accepting(wire.Answer{}, func(c *wire.Conn) {
		for {
			e, ok := c.Next(context.Background(), patience)
			if !ok || e.Kind != wire.Arrived {
				return
			}
			switch f := e.Frame; {
			case f.Op == wire.Text && string(f.Payload) == "reset":
				c.Reset()
				return
			case f.Op == wire.Text && string(f.Payload) == "part":
				_ = c.Write([]byte{0x82, 5, 1, 2})
				return
			case f.Op == wire.Close:
				_ = c.CloseWrite()
			case !f.Masked:
				return
			default:
				f.Masked = false
				_ = c.Send(f)
			}
		}
	})
	serve(t, h, func(t *testing.T, target *conform.Target) {
		open := func() *wire.Conn {
			c, err := wire.Dial(t.Context(), target, wire.Request{})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		next := func(c *wire.Conn) wire.Event {
			t.Helper()
			e, ok := c.Next(t.Context(), patience)
			if !ok {
				t.Fatal("nothing came")
			}
			return e
		}
		c := open()
		defer func() { c.Close() }()
		big := make([]byte, 3<<20)
		for i := range big {
			big[i] = byte(i * 7)
		}
		if err := c.Send(wire.Frame{Op: wire.Binary, RSV: 2, Payload: big}, wire.Frame{Fin: true, Op: 11, Payload: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if e := next(c); e.Kind != wire.Arrived || e.Frame.RSV != 2 || e.Frame.Fin || string(e.Frame.Payload) != string(big) {
			t.Errorf("the large frame came back as %v", e)
		}
		if e := next(c); e.String() != "opcode 11 frame, 1 octets" {
			t.Errorf("the small frame came back as %v", e)
		}
		for _, b := range []byte{0x88, 0x80, 1, 2, 3, 4} {
			if err := c.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		if e := next(c); e.Kind != wire.Ended || e.Rest != 0 {
			t.Errorf("the end came as %v", e)
		}
		c.Close()
		c = open()
		if err := c.Send(wire.Frame{Fin: true, Op: wire.Text, Payload: []byte("part")}); err != nil {
			t.Fatal(err)
		}
		if e := next(c); e.Kind != wire.Ended || e.Rest != 4 {
			t.Errorf("the end within a frame came as %v", e)
		}
		c.Close()
		c = open()
		if err := c.Send(wire.Frame{Fin: true, Op: wire.Text, Payload: []byte("reset")}); err != nil {
			t.Fatal(err)
		}
		if e := next(c); e.Kind != wire.Reset {
			t.Errorf("the reset came as %v", e)
		}
	})
}

// The end of the context drops the connection, and a peer that sends more than is taken is not read
// on.
func TestConnBounds(t *testing.T) {
	h := accepting(wire.Answer{}, func(c *wire.Conn) {
		for range 100 {
			if c.Send(wire.Frame{Fin: true, Op: wire.Binary, Payload: make([]byte, 1<<20)}) != nil {
				return
			}
		}
	})
	serve(t, h, func(t *testing.T, target *conform.Target) {
		ctx, cancel := context.WithCancel(t.Context())
		c, err := wire.Dial(ctx, target, wire.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := c.Next(ctx, patience); !ok || e.Kind != wire.Arrived {
			t.Fatalf("%v", e)
		}
		cancel()
		n := 0
		for {
			e, ok := c.Next(t.Context(), patience)
			if !ok {
				t.Fatal("the connection has not ended")
			}
			if e.Kind != wire.Arrived {
				break
			}
			n++
		}
		if n > 40 {
			t.Errorf("%d MiB were waiting", n)
		}
		c.Close()
	})
}

// TestProbe: a path that is no WebSocket is told from one that is, and from one whose answer is
// wrong, which cases look into.
func TestProbe(t *testing.T) {
	for _, test := range []struct {
		name string
		h    http.Handler
		want map[bool]string // over HTTP/2
	}{
		{"a WebSocket", accepting(wire.Answer{}, func(c *wire.Conn) { c.Next(context.Background(), patience) }), map[bool]string{}},
		{"none", http.NotFoundHandler(), map[bool]string{false: "no WebSocket here: answered 404 Not Found", true: "no WebSocket here: answered 404"}},
		{"an ordinary answer", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), map[bool]string{false: "no WebSocket here: answered 200 OK", true: "no WebSocket here: answered 501"}},
		{"a wrong answer", accepting(wire.Answer{Subprotocol: "b"}, func(*wire.Conn) {}), map[bool]string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			serve(t, test.h, func(t *testing.T, target *conform.Target) {
				got := ""
				if err := wire.Probe(t.Context(), target); err != nil {
					got = err.Error()
				}
				if got != test.want[target.HTTP2()] {
					t.Errorf("%q, want %q", got, test.want[target.HTTP2()])
				}
			})
		})
	}
	t.Run("no extended CONNECT", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.EnableHTTP2 = true
		s.StartTLS()
		defer s.Close()
		target, err := conform.NewTarget(s.URL, "2", &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.Probe(t.Context(), target); !errors.Is(err, conform.ErrNotSpoken) {
			t.Error(err)
		}
	})
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		h    http.Handler
		why  map[bool]string // over HTTP/2
	}{
		{"status", http.NotFoundHandler(), map[bool]string{false: "answered 404 Not Found", true: "answered 404"}},
		{"extension", accepting(wire.Answer{Extensions: "x-foo; a=1"}, func(*wire.Conn) {}), map[bool]string{
			false: `the answer names the extension "x-foo", which was not offered (RFC 6455, 4.1)`, true: `the answer names the extension "x-foo", which was not offered (RFC 6455, 4.1)`}},
		{"subprotocol", accepting(wire.Answer{Subprotocol: "b"}, func(*wire.Conn) {}), map[bool]string{
			false: `the answer names the subprotocol "b", which was not offered (RFC 6455, 4.1)`, true: `the answer names the subprotocol "b", which was not offered (RFC 6455, 4.1)`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			serve(t, test.h, func(t *testing.T, target *conform.Target) {
				_, err := wire.Dial(t.Context(), target, wire.Request{Extensions: "permessage-deflate", Subprotocols: []string{"a"}})
				re, ok := errors.AsType[*wire.RefusedError](err)
				if !ok || re.Why != test.why[target.HTTP2()] {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// TestRefusedVersion: a 101 that calls itself another HTTP is none, whatever its fields say
// (RFC 9112, 2.3).
func TestRefusedVersion(t *testing.T) {
	for _, proto := range []string{"HTTP/1.0", "HTTP/2.0", "HTTP/3.0"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { // ends with its connection
			nc, err := l.Accept()
			if err != nil {
				return
			}
			defer nc.Close()
			r, err := http.ReadRequest(bufio.NewReader(nc))
			if err != nil {
				return
			}
			fmt.Fprintf(nc, "%s 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", proto, wire.Accepted(r.Header.Get("Sec-WebSocket-Key")))
		}()
		target, err := conform.NewTarget("ws://"+l.Addr().String(), "1.1", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = wire.Dial(t.Context(), target, wire.Request{})
		if re, ok := errors.AsType[*wire.RefusedError](err); !ok || re.Why != "101 from "+proto+" on a connection of HTTP/1.1 (RFC 9112, 2.3)" {
			t.Errorf("%s: %v", proto, err)
		}
		l.Close()
	}
}
