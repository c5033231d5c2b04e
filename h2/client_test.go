package h2_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/stream"
	"weir/stream/memnet"
	"weir/stream/streamtest"
)

// extended is an extended CONNECT.
func extended(path string, fields ...string) *http.Request {
	r := &http.Request{Method: "CONNECT", URL: &url.URL{Scheme: "http", Host: "example.test"}, Header: http.Header{":protocol": {"echo"}}}
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
	for i := 0; i < len(fields); i += 2 {
		r.Header[fields[i]] = append(r.Header[fields[i]], fields[i+1])
	}
	return r
}

// client is a client of the site, closed with the test.
func (s *site) client(cfg *h2.ClientConfig) *h2.Client {
	s.t.Helper()
	cl := h2.NewClient(s.conn(), cfg)
	s.t.Cleanup(func() {
		cl.Close()
		<-cl.Done()
	})
	return cl
}

func open(t *testing.T, cl *h2.Client, path string) (*fakeSink, *http.Response) {
	t.Helper()
	st, res, err := cl.Open(t.Context(), extended(path))
	if err != nil || st == nil {
		t.Fatalf("Open(%s): %v, %v", path, res, err)
	}
	sink := newSink(st, false)
	st.Attach(sink, stream.Limits{})
	return sink, res
}

// send sends text.
func (f *fakeSink) send(t *testing.T, text string) {
	t.Helper()
	if _, err := f.st.Send([][]byte{[]byte(text)}, false); err != nil {
		t.Fatal(err)
	}
}

func TestClientEcho(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		var traced lockedBuffer
		cl := s.client(&h2.ClientConfig{Trace: slog.New(slog.NewTextHandler(&traced, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if ok, err := cl.ExtendedConnect(s.t.Context()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if n := cl.Room(); n != 250 {
			t.Errorf("room for %d", n)
		}
		sink, res := open(s.t, cl, "/echo/a?b=c")
		if res.StatusCode != 200 || res.Status != "200 OK" || res.Proto != "HTTP/2.0" || res.Header.Get("X-Path") != "/echo/a" || res.Request.URL.RawQuery != "b=c" {
			t.Errorf("response %+v", res)
		}
		if n := cl.Streams(); n != 1 {
			t.Errorf("%d streams", n)
		}
		info := sink.st.Info()
		if info.Transport != stream.H2C || info.ID != 1 || info.Own || info.TLS != nil || info.Remote == nil || info.Local == nil {
			t.Errorf("info %+v", info)
		}
		sink.send(t, "hello")
		synctest.Wait()
		if got := sink.text(); got != "hello" {
			t.Errorf("got %q", got)
		}
		sink.st.Release(5)
		sink.st.Send(nil, true)
		<-sink.closed
		if sink.err != nil || !sink.fin || cl.Streams() != 0 {
			t.Errorf("Closed(%v), fin %v, %d streams", sink.err, sink.fin, cl.Streams())
		}
		synctest.Wait()
		for _, want := range []string{"dir=out type=SETTINGS", "dir=out type=HEADERS", "dir=in type=HEADERS", ":protocol: echo"} {
			if !strings.Contains(traced.String(), want) {
				t.Errorf("no %q in the trace:\n%s", want, traced.String())
			}
		}
	})
}

// TestClientRequest: what is sent is what was asked for, and nothing else (RFC 8441, 4).
func TestClientRequest(t *testing.T) {
	var got *http.Request
	h := func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.WriteHeader(418)
	}
	bubble(t, nil, h, func(s *site) {
		cl := s.client(nil)
		r := extended("/a b?q=1", "Sec-WebSocket-Version", "13", "X-Two", "1", "X-Two", "2", "Cookie", "a=b", "Te", "trailers")
		r.Host = "bücher.test:81"
		r.Header["Host"] = []string{"other.test"}
		if st, res, err := cl.Open(s.t.Context(), r); st != nil || err != nil || res.StatusCode != 418 {
			t.Fatal(st, res, err)
		}
		want := http.Header{":protocol": {"echo"}, "Sec-Websocket-Version": {"13"}, "X-Two": {"1", "2"}, "Cookie": {"a=b"}, "Te": {"trailers"}}
		if fmt.Sprint(got.Header) != fmt.Sprint(want) || got.Method != "CONNECT" || got.Host != "xn--bcher-kva.test:81" || got.RequestURI != "/a%20b?q=1" {
			t.Errorf("the server got %s %s of %s, %v", got.Method, got.RequestURI, got.Host, got.Header)
		}
	})
}

// TestClientRequestRefused: requests that are not sent.
func TestClientRequestRefused(t *testing.T) {
	cases := map[string]func(r *http.Request){
		"8441-4/method":              func(r *http.Request) { r.Method = "GET" },
		"8441-4/no_protocol":         func(r *http.Request) { delete(r.Header, ":protocol") },
		"8441-4/two_protocols":       func(r *http.Request) { r.Header[":protocol"] = []string{"a", "b"} },
		"8441-4/protocol_no_token":   func(r *http.Request) { r.Header[":protocol"] = []string{"a b"} },
		"8441-4/no_scheme":           func(r *http.Request) { r.URL.Scheme = "" },
		"9113-8.3.1/no_host":         func(r *http.Request) { r.URL.Host = "" },
		"9113-8.3.1/user_in_host":    func(r *http.Request) { r.Host = "me@there" },
		"9113-8.3.1/path":            func(r *http.Request) { r.URL.Opaque = "*" },
		"9113-8.3/pseudo_field":      func(r *http.Request) { r.Header[":path"] = []string{"/"} },
		"9113-8.2.1/name":            func(r *http.Request) { r.Header["A b"] = []string{"c"} },
		"9113-8.2.1/value":           func(r *http.Request) { r.Header["A"] = []string{"b\r\nc: d"} },
		"9113-8.2.2/connection":      func(r *http.Request) { r.Header["Connection"] = []string{"Upgrade"} },
		"9113-8.2.2/upgrade":         func(r *http.Request) { r.Header["Upgrade"] = []string{"websocket"} },
		"9113-8.2.2/te":              func(r *http.Request) { r.Header["Te"] = []string{"gzip"} },
		"9113-8.5/content-length":    func(r *http.Request) { r.Header["Content-Length"] = []string{"0"} },
		"9113-8.5/body":              func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("x")) },
		"9113-6.5.2/header_too_long": func(r *http.Request) { r.Header["A"] = []string{strings.Repeat("b", 2000)} },
	}
	h := func(http.ResponseWriter, *http.Request) { panic("a request came") }
	bubble(t, &h2.Config{MaxHeaderListSize: 2000}, h, func(s *site) {
		cl := s.client(nil)
		for name, change := range cases {
			r := extended("/")
			change(r)
			if st, res, err := cl.Open(s.t.Context(), r); st != nil || res != nil || err == nil || h2.Unprocessed(err) {
				t.Errorf("%s: %v, %v, %v", name, st, res, err)
			}
		}
		synctest.Wait()
		if n := s.h2.Stats().StreamsTotal; n != 0 {
			t.Errorf("%d streams were opened", n)
		}
	})
}

// TestClientMany: many streams on one connection, opened at once, up to the server's number; a
// stream that is not read stalls none of them, and idle ones cost no goroutine.
func TestClientMany(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		cl := s.client(nil)
		if err := cl.Ready(s.t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := runtime.NumGoroutine()
		sinks := make([]*fakeSink, 250)
		var wg sync.WaitGroup
		for i := range sinks {
			wg.Go(func() {
				st, _, err := cl.Open(s.t.Context(), extended(fmt.Sprintf("/echo/%d", i)))
				if err != nil {
					t.Errorf("stream %d: %v", i, err)
					return
				}
				sinks[i] = newSink(st, false)
				st.Attach(sinks[i], stream.Limits{})
			})
		}
		wg.Wait()
		synctest.Wait()
		if t.Failed() {
			return
		}
		if n := runtime.NumGoroutine(); n > before+len(sinks)/5 { // other tests' may be among them
			t.Errorf("%d goroutines for idle streams", n-before)
		}
		if _, _, err := cl.Open(s.t.Context(), extended("/")); err != h2.ErrNoRoom || cl.Room() != 0 || !h2.Unprocessed(err) {
			t.Errorf("over the server's number: %v, room for %d", err, cl.Room())
		}
		big := strings.Repeat("x", 65535)
		for i, sink := range sinks { // nothing is released: every window is used up, 16 times the connection's
			sink.send(t, fmt.Sprint(i)+big[len(fmt.Sprint(i)):])
			sink.send(t, "over")
		}
		time.Sleep(time.Second) // what a turn has left to others leaves at the next look
		synctest.Wait()
		for i, sink := range sinks {
			if got := sink.text(); len(got) != len(big) || !strings.HasPrefix(got, fmt.Sprint(i)) {
				t.Fatalf("stream %d got %d octets", i, len(got))
			}
		}
		sinks[7].st.Release(65535)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := sinks[7].text(); got[len(big):] != "over" {
			t.Errorf("behind the window: %q", got[len(big):])
		}
		cl.Close()
		for _, sink := range sinks {
			<-sink.closed
			if !errors.Is(sink.err, net.ErrClosed) {
				t.Errorf("Closed(%v)", sink.err)
			}
		}
		<-cl.Done()
		if cl.Err() != net.ErrClosed || !cl.Leaving() {
			t.Error(cl.Err(), cl.Leaving())
		}
		if _, _, err := cl.Open(s.t.Context(), extended("/")); !errors.Is(err, h2.ErrLeaving) || !errors.Is(err, net.ErrClosed) || !h2.Unprocessed(err) {
			t.Errorf("Open after Close: %v", err)
		}
	})
}

// TestClientDrain: the server's GOAWAY lets streams go on, and the connection ends with the last
// (RFC 9113, 6.8).
func TestClientDrain(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		cl := s.client(nil)
		sink, _ := open(s.t, cl, "/echo")
		s.h2.GoAway()
		synctest.Wait()
		if _, _, err := cl.Open(s.t.Context(), extended("/")); !errors.Is(err, h2.ErrLeaving) || cl.Room() != 0 || !cl.Leaving() {
			t.Errorf("Open after GOAWAY: %v, room for %d", err, cl.Room())
		}
		sink.send(t, "still")
		synctest.Wait()
		if sink.text() != "still" {
			t.Errorf("got %q", sink.text())
		}
		select {
		case <-cl.Done():
			t.Error("ended with a stream open")
		default:
		}
		sink.st.Send(nil, true)
		<-sink.closed
		<-cl.Done()
		if ce, ok := errors.AsType[*h2.ConnError](cl.Err()); sink.err != nil || !ok || !ce.Remote || ce.Code != h2.NoError {
			t.Errorf("Closed(%v), Err %v", sink.err, cl.Err())
		}
	})
}

// TestClientLeave ends the connection with its last stream, from our side.
func TestClientLeave(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		cl := s.client(nil)
		sink, _ := open(s.t, cl, "/echo")
		cl.Leave()
		sink.send(t, "still")
		synctest.Wait()
		if sink.text() != "still" || cl.Room() != 0 {
			t.Errorf("got %q, room for %d", sink.text(), cl.Room())
		}
		sink.st.Send(nil, true)
		<-sink.closed
		<-cl.Done()
		if sink.err != nil || cl.Err() != net.ErrClosed {
			t.Errorf("Closed(%v), Err %v", sink.err, cl.Err())
		}
		idle := s.client(nil)
		if err := idle.Ready(s.t.Context()); err != nil {
			t.Fatal(err)
		}
		idle.Leave()
		<-idle.Done()
	})
}

// TestClientServerDies: every stream is told, and Done is closed.
func TestClientServerDies(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		cl := s.client(nil)
		sink, _ := open(s.t, cl, "/echo")
		s.hs.Close() // resets what net/http knows
		s.h2.Close()
		began := time.Now()
		<-sink.closed
		<-cl.Done()
		if d := time.Since(began); d > 2*time.Second || sink.err == nil || cl.Err() == nil {
			t.Errorf("after %v: Closed(%v), Err %v", d, sink.err, cl.Err())
		}
	})
}

// oldTLS is a connection that says that its TLS is 1.1.
type oldTLS struct{ net.Conn }

func (oldTLS) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{Version: tls.VersionTLS11}
}

// RFC 9113, 9.2.
func TestClientInadequateSecurity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pair(0)
		defer b.Close()
		cl := h2.NewClient(oldTLS{a}, nil)
		<-cl.Done()
		if ce, ok := errors.AsType[*h2.ConnError](cl.Err()); !ok || ce.Code != h2.InadequateSecurity {
			t.Error(cl.Err())
		}
		if err := cl.Ready(context.Background()); err != cl.Err() {
			t.Error(err)
		}
	})
}

// pair is a server of its own and a client of it, with one stream between them: the client's end
// and the server's. Over loopback if l is a socket's listener. Their initial windows are as small
// as can be: HTTP/2 never shrinks them for stream.Limits.
func pair(t *testing.T, l net.Listener, dial func() (net.Conn, error), secret *tls.Certificate) (client, server stream.Stream) {
	t.Helper()
	streams := make(chan stream.Stream, 1)
	hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st, err := w.(stream.Opener).OpenStream(nil)
		if err != nil {
			t.Error(err)
			return
		}
		st.Send(nil, false)
		streams <- st
	})}
	srv, err := h2.ConfigureServer(hs, &h2.Config{InitialWindow: 1})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { // ends with Close
		defer close(served)
		if secret != nil {
			hs.TLSConfig.Certificates = []tls.Certificate{*secret}
			hs.TLSConfig.SessionTicketsDisabled = true
			hs.ServeTLS(l, "", "")
		} else {
			hs.Serve(l)
		}
	}()
	nc, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	if secret != nil {
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err := tc.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		nc = tc
	}
	cl := h2.NewClient(nc, &h2.ClientConfig{InitialWindow: 1})
	client, _, err = cl.Open(t.Context(), extended("/"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cl.Close()
		<-cl.Done()
		srv.Close()
		hs.Close()
		<-served
	})
	return client, <-streams
}

// TestStreams is the contract of stream.Stream, for both ends.
func TestStreams(t *testing.T) {
	cert := certificate(t)
	for name, secret := range map[string]*tls.Certificate{"h2c": nil, "h2": &cert} {
		inMemory := func(t *testing.T) (client, server stream.Stream) {
			l := memnet.Listen()
			return pair(t, l, func() (net.Conn, error) { return l.Dial(t.Context()) }, secret)
		}
		overLoopback := func(t *testing.T) (client, server stream.Stream) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			return pair(t, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }, secret)
		}
		t.Run(name+"/client", func(t *testing.T) { streamtest.RunFake(t, inMemory) })
		t.Run(name+"/server", func(t *testing.T) {
			streamtest.RunFake(t, func(t *testing.T) (a, b stream.Stream) {
				b, a = inMemory(t)
				return a, b
			})
		})
		t.Run(name+"/loopback", func(t *testing.T) { streamtest.Run(t, overLoopback) })
	}
}
