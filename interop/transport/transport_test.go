// Package transport holds websocket.Transport with a client of another make. It is apart from
// package websocket because go.sum of a program has the modules that the tests of its imports need.
package transport

//lint:file-ignore SA1019 the module lives on under another path; it is a peer here, whatever its name

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	nhooyr "nhooyr.io/websocket"

	"weir/stream"
	"weir/stream/memnet"
	"weir/upgrade"
	"weir/websocket"
)

// backend is a server in memory, and a Transport to it.
type backend struct {
	url  string
	t    *websocket.Transport
	over chan stream.Transport // of each WebSocket
	stop func()
}

// backends are what a Transport may find.
var backends = map[stream.Transport]websocket.HTTPVersion{
	stream.H1: websocket.HTTPAuto, stream.H1TLS: websocket.HTTP1, stream.H2C: websocket.HTTP2, stream.H2: websocket.HTTPAuto,
}

func newBackend(t *testing.T, over stream.Transport) *backend {
	t.Helper()
	ln := memnet.Listen()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return ln.Dial(ctx) }
	insecure := &tls.Config{InsecureSkipVerify: true}
	d := &websocket.Dialer{HTTP: backends[over], TLS: insecure, DialContext: dial}
	b := &backend{t: &websocket.Transport{Dialer: d}, over: make(chan stream.Transport, 10)}
	echo := websocket.Handle(func(_ http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if string(f.Payload) == "close" {
				return append(out, websocket.Close(4001, "as asked"))
			}
			return append(out, f.Reply())
		}), &websocket.Options{Compress: true, MaxFrameSize: 2 << 20, Subprotocols: []string{"chat"}}
	})
	mux := http.NewServeMux()
	mux.HandleFunc("/no", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Why", "because")
		http.Error(w, "not you", http.StatusForbidden)
	})
	mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	mux.HandleFunc("/paused", func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Accept: " + upgrade.AcceptKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n")
		rw.Flush()
		time.Sleep(45 * time.Second)
		n, _ := io.Copy(io.Discard, rw)
		fmt.Fprint(c, n)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.ProtoMajor == 1 && r.TLS == nil:
			b.over <- stream.H1
		case r.ProtoMajor == 1:
			b.over <- stream.H1TLS
		case r.TLS == nil:
			b.over <- stream.H2C
		default:
			b.over <- stream.H2
		}
		if user, password, _ := r.BasicAuth(); user != "" {
			w.Header().Set("X-User", user+"/"+password)
		}
		echo.ServeHTTP(w, r)
	})
	srv := &http.Server{Handler: mux}
	if _, err := websocket.ConfigureServer(srv, nil); err != nil {
		t.Fatal(err)
	}
	srv.TLSConfig.Certificates = []tls.Certificate{testCert()}
	b.url = "http://weir.test"
	if over == stream.H1TLS || over == stream.H2 {
		b.url = "https://weir.test"
		go srv.ServeTLS(ln, "", "") // ends with srv
	} else {
		go srv.Serve(ln) // likewise
	}
	b.t.Base = &http.Transport{DialContext: dial, TLSClientConfig: insecure.Clone()}
	b.stop = func() {
		b.t.CloseIdleConnections()
		d.Close()
		srv.Close()
		time.Sleep(time.Minute)
	}
	return b
}

// testCert is the certificate of package httptest.
var testCert = sync.OnceValue(func() tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0]
})

// TestMain makes what must not be made inside a bubble.
func TestMain(m *testing.M) {
	testCert()
	textproto.CanonicalMIMEHeaderKey("x") // its cache is built under a sync.Once
	os.Exit(m.Run())
}

// converses is all that a client of another make expects.
func converses(t *testing.T, client *http.Client, base string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, res, err := nhooyr.Dial(ctx, base+"/echo", &nhooyr.DialOptions{HTTPClient: client, Subprotocols: []string{"chat"},
		CompressionMode: nhooyr.CompressionContextTakeover})
	if err != nil {
		t.Error(err)
		return
	}
	if res.StatusCode != 101 || c.Subprotocol() != "chat" || res.Header.Get("Sec-WebSocket-Extensions") == "" {
		t.Errorf("the answer is %s with %v", res.Status, res.Header)
	}
	c.SetReadLimit(2 << 20)
	for _, msg := range [][]byte{[]byte("hello"), {}, bytes.Repeat([]byte("0123456789abcdef"), 1<<16)} {
		sent := make(chan error, 1)
		go func() { sent <- c.Write(ctx, nhooyr.MessageBinary, msg) }() // ends when the server has read it
		if _, got, err := c.Read(ctx); err != nil || !bytes.Equal(got, msg) {
			t.Errorf("%d octets for %d, %v", len(got), len(msg), err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	pinged := make(chan error, 1)
	go func() { pinged <- c.Ping(ctx) }() // ends with the pong, which Read takes
	time.Sleep(time.Millisecond)
	if err := c.Write(ctx, nhooyr.MessageText, []byte("close")); err != nil {
		t.Error(err)
	}
	_, _, err = c.Read(ctx)
	if ce, ok := errors.AsType[nhooyr.CloseError](err); !ok || ce.Code != 4001 || ce.Reason != "as asked" {
		t.Errorf("the end is %v", err)
	}
	if err := <-pinged; err != nil {
		t.Error(err)
	}
}

// A client on net/http speaks over whatever HTTP the Dialer finds.
func TestTransport(t *testing.T) {
	for over := range backends {
		t.Run(string(over), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackend(t, over)
				defer b.stop()
				client := &http.Client{Transport: b.t}
				converses(t, client, b.url)
				if got := <-b.over; got != over {
					t.Errorf("it was over %s", got)
				}
			})
		})
	}
}

// Whatever opens no WebSocket is answered as it is: a refusal, and a request that wants none.
func TestTransportOthers(t *testing.T) {
	for over := range backends {
		t.Run(string(over), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackend(t, over)
				defer b.stop()
				client := &http.Client{Transport: b.t}
				_, res, err := nhooyr.Dial(t.Context(), b.url+"/no", &nhooyr.DialOptions{HTTPClient: client})
				if err == nil || res == nil || res.StatusCode != 403 || res.Header.Get("X-Why") != "because" {
					t.Fatalf("%v, %v", res, err)
				}
				if body, err := io.ReadAll(res.Body); string(body) != "not you\n" || err != nil {
					t.Errorf("%q, %v", body, err)
				}
				res, err = client.Get(b.url + "/plain")
				if err != nil {
					t.Fatal(err)
				}
				if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(body) != "HTTP/1.1" {
					t.Errorf("%s, %q", res.Status, body)
				}
				res.Body.Close()
			})
		})
	}
}

// The Body of a 101 is a net.Conn with CloseWrite; the response is HTTP/1.1's, and the URL's name
// and password are sent.
func TestTransportBody(t *testing.T) {
	for over := range backends {
		t.Run(string(over), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackend(t, over)
				defer b.stop()
				ctx, cancel := context.WithCancel(t.Context())
				r, err := http.NewRequestWithContext(ctx, "GET", b.url+"/echo", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.URL.User = url.UserPassword("me", "secret")
				r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
					"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
				res, err := b.t.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				cancel() // the opening is over
				h := res.Header
				if res.StatusCode != 101 || res.Proto != "HTTP/1.1" || h.Get("Connection") != "Upgrade" || h.Get("Upgrade") != "websocket" ||
					h.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || h.Get("X-User") != "me/secret" || res.Request != r ||
					(res.TLS != nil) != (over == stream.H2 || over == stream.H1TLS) {
					t.Errorf("%+v", res)
				}
				nc, ok := res.Body.(net.Conn)
				if !ok {
					t.Fatalf("the body is a %T", res.Body)
				}
				nc.Write([]byte("\x82\x81\x00\x00\x00\x00x\x88\x82\x00\x00\x00\x00\x03\xe8"))
				if err := nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
					t.Error(err)
				}
				if got, err := io.ReadAll(nc); string(got) != "\x82\x01x\x88\x02\x03\xe8" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
				if err := nc.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestTransportWaits: what is written to the Body waits for a server that does not read, as long as
// it takes, as over http.Transport: who writes knows how long that may be.
func TestTransportWaits(t *testing.T) {
	for over := range backends {
		t.Run(string(over), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackend(t, over)
				defer b.stop()
				r, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/paused", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
					"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
				res, err := b.t.RoundTrip(r)
				if err != nil || res.StatusCode != 101 {
					t.Fatal(res, err)
				}
				nc := res.Body.(net.Conn)
				defer nc.Close()
				if n, err := nc.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
					t.Fatalf("%d octets are written: %v", n, err)
				}
				nc.(interface{ CloseWrite() error }).CloseWrite()
				if got, err := io.ReadAll(nc); string(got) != "1048576" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
		})
	}
}

// An httputil.ReverseProxy with a Transport passes WebSockets on to whatever HTTP its server
// speaks.
func TestTransportReverseProxy(t *testing.T) {
	for over := range backends {
		t.Run(string(over), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackend(t, over)
				defer b.stop()
				to, err := url.Parse(b.url)
				if err != nil {
					t.Fatal(err)
				}
				ln := memnet.Listen()
				front := &http.Server{Handler: &httputil.ReverseProxy{Transport: b.t, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}}
				go front.Serve(ln) // ends with Close
				defer front.Close()
				base := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return ln.Dial(ctx) }}
				defer base.CloseIdleConnections()
				converses(t, &http.Client{Transport: base}, "http://front.test")
				if got := <-b.over; got != over {
					t.Errorf("it was over %s", got)
				}
			})
		})
	}
}
