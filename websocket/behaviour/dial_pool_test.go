package behaviour_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/stream/memnet"
	"weir/websocket"

	"golang.org/x/net/http2"
)

// A server over TLS that answers extended CONNECT by HTTP_1_1_REQUIRED is asked over HTTP/1.1
// (RFC 9113, 7), where HTTP1 was not excluded.
func TestDialHTTP11Required(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for version, want := range map[websocket.HTTPVersion]int{websocket.HTTPAuto: 1, websocket.HTTP2: 0} {
			s := newScene(t)
			s.d.HTTP = version
			cfg := &tls.Config{Certificates: []tls.Certificate{testCert()}, NextProtos: []string{"h2", "http/1.1"}}
			plain := memnet.Listen()
			srv := &http.Server{Handler: websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
				return new(actor), nil
			})}
			go srv.Serve(plain) // ends with srv
			go func() {         // ends with the listener
				for {
					nc, err := s.ln.Accept()
					if err != nil {
						return
					}
					go requires11(nc, cfg, plain) // ends with the connection
				}
			}()
			c, resp, err := s.d.Dial(background, "wss://weir.test/", nil)
			switch {
			case want == 0 && (err == nil || !strings.Contains(err.Error(), "HTTP_1_1_REQUIRED")):
				t.Errorf("HTTP/2 alone: %v", err)
			case want != 0 && err != nil:
				t.Error(err)
			case want != 0:
				if resp.ProtoMajor != want {
					t.Errorf("it is over %s", resp.Proto)
				}
				c.Close(1000, "")
			}
			s.d.Close()
			s.ln.Close()
			srv.Close()
			time.Sleep(time.Minute)
		}
	})
}

// requires11 is one connection of such a server.
func requires11(nc net.Conn, cfg *tls.Config, plain *memnet.Listener) {
	tc := tls.Server(nc, cfg)
	defer tc.Close()
	if tc.Handshake() != nil {
		return
	}
	if tc.ConnectionState().NegotiatedProtocol != "h2" {
		far, err := plain.Dial(background)
		if err != nil {
			return
		}
		go func() { // ends with the connection
			io.Copy(far, tc)
			far.Close()
		}()
		io.Copy(tc, far)
		return
	}
	p := h2test.New(tc, h2test.Options{Server: true, Settings: []http2.Setting{{ID: 8, Val: 1}}})
	defer p.Close()
	for f, err := p.Next(); err == nil; f, err = p.Next() {
		if f.Type == http2.FrameHeaders {
			p.Send(fmt.Sprintf("RST_STREAM %d HTTP_1_1_REQUIRED", f.Stream))
		}
	}
}

// A server that did not offer HTTP/2 is asked for it again after 5 minutes.
func TestDialPlainForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		echo := websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return new(actor), nil
		})
		first := &http.Server{Handler: echo, Protocols: new(http.Protocols), TLSConfig: &tls.Config{Certificates: []tls.Certificate{testCert()}}}
		first.Protocols.SetHTTP1(true)
		go first.ServeTLS(s.ln, "", "") // ends with first
		over := func() int {
			c, resp, err := s.d.Dial(background, "wss://weir.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(1000, "")
			return resp.ProtoMajor
		}
		if got := over(); got != 1 {
			t.Errorf("at first it is over HTTP/%d", got)
		}
		first.Close()
		s.ln = memnet.Listen()
		stop := s.echoServer(nil, true)
		defer stop()
		time.Sleep(4 * time.Minute)
		if got := over(); got != 1 {
			t.Errorf("before 5 minutes it is over HTTP/%d", got)
		}
		time.Sleep(time.Minute)
		if got := over(); got != 2 {
			t.Errorf("after 5 minutes it is over HTTP/%d", got)
		}
		s.d.Close()
		time.Sleep(time.Minute)
	})
}

// Who waited for one connection is told of its failure, each with its own URL and the whole answer.
func TestDialFailsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := 0
		d := &websocket.Dialer{HTTP: websocket.HTTP2, Timeout: time.Minute,
			Proxy: func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.test") },
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				answers++
				go func() {
					http.ReadRequest(bufio.NewReader(far))
					time.Sleep(100 * time.Millisecond) // fake: the others wait meanwhile
					io.WriteString(far, "HTTP/1.1 407 Who\r\nX: y\r\nContent-Length: 12\r\n\r\nwho are you?")
					far.Close()
				}()
				return near, nil
			}}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				to := fmt.Sprintf("ws://weir.test/%d", i)
				_, resp, err := d.Dial(background, to, nil)
				e, ok := errors.AsType[*websocket.DialError](err)
				if !ok || e.URL != to || resp == nil || resp != e.Response {
					t.Errorf("%s: %v, %v", to, err, resp)
					return
				}
				resp.Header.Set("X", to) // it is theirs
				if body, err := io.ReadAll(resp.Body); string(body) != "who are you?" || err != nil {
					t.Errorf("%s: the proxy says %q, %v", to, body, err)
				}
			})
		}
		all.Wait()
		if answers != 1 {
			t.Errorf("%d connections were tried", answers)
		}
	})
}

// A server that a Dial is at work with is not forgotten, though it has no connection just now: what
// the Dial opens is shared, and Close finds it.
func TestDialRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns atomic.Int32
		d := &websocket.Dialer{HTTP: websocket.HTTP2}
		d.DialContext = func(_ context.Context, _, addr string) (net.Conn, error) {
			if addr != "weir.test:80" {
				return nil, io.ErrUnexpectedEOF
			}
			near, far := memnet.Pair(0)
			p := h2test.New(far, h2test.Options{Server: true, Settings: []http2.Setting{{ID: 8, Val: 1}}})
			if conns.Add(1) == 1 {
				p.Send("GOAWAY 0 NO_ERROR") // so it is tried again, after a pause
			}
			go func() { // ends with the connection
				defer p.Close()
				for f, err := p.Next(); err == nil; f, err = p.Next() {
					if f.Type == http2.FrameHeaders {
						p.Send(fmt.Sprintf("HEADERS %d :status=200", f.Stream))
					}
				}
			}()
			return near, nil
		}
		opened := make(chan *websocket.Conn, 2)
		open := func() {
			c, _, err := d.Dial(background, "ws://weir.test/", nil)
			if err != nil {
				t.Error(err)
			}
			opened <- c
		}
		go open() // ends with its Dial
		time.Sleep(5 * time.Millisecond)
		for i := range 100 {
			_, _, err := d.Dial(background, fmt.Sprintf("ws://host-%d.test/", i), nil)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
		}
		if conns.Load() != 1 {
			t.Fatalf("%d connections before the pause is over", conns.Load())
		}
		first := <-opened
		open()
		if conns.Load() != 2 {
			t.Errorf("%d connections", conns.Load())
		}
		first.CloseNow()
		(<-opened).CloseNow()
		d.Close()
		time.Sleep(time.Second)
	})
}

// After Close connections end with their last WebSocket, and nothing is dialled.
func TestDialerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.d.HTTP = websocket.HTTP2
		stop := s.echoServer(nil, false)
		defer stop()
		c, _, err := s.d.Dial(background, "ws://weir.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.d.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, url := range []string{"ws://weir.test/", "ws://other.test/"} {
			if _, _, err := s.d.Dial(background, url, nil); !errors.Is(err, websocket.ErrDialerClosed) {
				t.Errorf("%s: %v", url, err)
			}
		}
		if err := c.Write(background, websocket.TextFrame, []byte("still")); err != nil {
			t.Error(err)
		}
		if _, got, err := c.Read(background); string(got) != "still" {
			t.Errorf("%q, %v", got, err)
		}
		c.Close(1000, "")
		if n := s.conns.Load(); n != 1 {
			t.Errorf("%d connections were dialled", n)
		}
	})
}

// What a server sent before it reset the stream has arrived, the close frame too: proxies send both
// together when a WebSocket ends at once.
func TestDialClosedBeforeReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.d.HTTP = websocket.HTTP2
		go func() { // ends with the listener
			for {
				nc, err := s.ln.Accept()
				if err != nil {
					return
				}
				p := h2test.New(nc, h2test.Options{Server: true, Settings: []http2.Setting{{ID: 8, Val: 1}}})
				defer p.Close()
				for f, err := p.Next(); err == nil; f, err = p.Next() {
					if f.Type == http2.FrameHeaders {
						id := fmt.Sprint(f.Stream)
						p.Send("HEADERS "+id+" :status=200", `DATA `+id+` "\x81\x02hi"`, `DATA `+id+` "\x88\x02\x11\x31"`, "RST_STREAM "+id+" CANCEL")
					}
				}
			}
		}()
		for range 20 {
			c, _, err := s.d.Dial(background, "ws://weir.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, msg, err := c.Read(background); string(msg) != "hi" {
				t.Errorf("%q, %v", msg, err)
			}
			_, _, err = c.Read(background)
			if ce, ok := errors.AsType[*websocket.CloseError](err); !ok || ce.Reason.Kind != websocket.ReasonRemote || ce.Reason.Code != 4401 {
				t.Errorf("the end is %v", err)
			}
		}
		s.d.Close()
		s.ln.Close()
		time.Sleep(time.Minute)
	})
}

// Close ends the dials that wait for a connection, over HTTP/1.1 as over HTTP/2.
func TestDialerCloseWhileDialling(t *testing.T) {
	for _, version := range []websocket.HTTPVersion{websocket.HTTP1, websocket.HTTP2} {
		synctest.Test(t, func(t *testing.T) {
			d := &websocket.Dialer{HTTP: version, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			errs := make(chan error)
			for range 3 {
				go func() { // ends with Close
					_, _, err := d.Dial(background, "ws://weir.test/", nil)
					errs <- err
				}()
			}
			synctest.Wait()
			d.Close()
			for range 3 {
				if err := <-errs; !errors.Is(err, websocket.ErrDialerClosed) {
					t.Errorf("HTTP %v: %v", version, err)
				}
			}
		})
	}
}
