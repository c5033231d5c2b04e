package h3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/h3/h3test"
	"weir/stream"
	"weir/stream/streamtest"
)

// extended is an extended CONNECT.
func extended(path string, fields ...string) *http.Request {
	r := &http.Request{Method: "CONNECT", URL: &url.URL{Scheme: "https", Host: "weir.test"}, Header: http.Header{":protocol": {"echo"}}}
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
	for i := 0; i < len(fields); i += 2 {
		r.Header[fields[i]] = append(r.Header[fields[i]], fields[i+1])
	}
	return r
}

// dialer opens connections over the network of a site.
func (s *site) dialer(cfg ClientConfig) *Dialer {
	return &Dialer{Config: cfg, ListenPacket: func(context.Context, net.Addr) (net.PacketConn, error) { return s.socket(), nil }}
}

func (s *site) client(cfg ClientConfig) *Client {
	s.Helper()
	cl, err := s.dialer(cfg).Dial(context.Background(), s.addr.String(), clientTLS())
	if err != nil {
		s.Fatal(err)
	}
	s.ends = append(s.ends, func() {
		cl.Close()
		<-cl.Done()
	})
	return cl
}

// keeper keeps what it is told.
type keeper struct {
	st     stream.Stream
	mu     sync.Mutex
	got    []byte
	fin    bool
	err    error
	closed chan struct{}
}

func attach(st stream.Stream) *keeper {
	k := &keeper{st: st, closed: make(chan struct{})}
	st.Attach(k, stream.Limits{})
	return k
}

func (k *keeper) Data(b []byte, fin bool) {
	k.mu.Lock()
	k.got, k.fin = append(k.got, b...), fin
	k.mu.Unlock()
	k.st.Release(len(b))
}
func (k *keeper) Drained() {}
func (k *keeper) Closed(err error) {
	k.err = err
	close(k.closed)
}

func (k *keeper) text() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return string(k.got)
}

// echoes is a handler whose tunnels send back what comes.
func echoes(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/no" {
		w.Header().Set("X-Why", "no")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "go away")
		return
	}
	w.Header().Set("X-Path", r.URL.Path)
	st, err := w.(stream.Opener).OpenStream(w.Header())
	if err != nil {
		panic(err)
	}
	st.Attach(&echoSink{st}, stream.Limits{})
	_, _ = st.Send(nil, false)
}

type echoSink struct{ st stream.Stream }

func (e *echoSink) Data(b []byte, fin bool) {
	_, _ = e.st.Send([][]byte{b}, fin)
	e.st.Release(len(b))
}
func (e *echoSink) Drained()     {}
func (e *echoSink) Closed(error) {}

// TestClientContract: the client's streams are streams as all others.
func TestClientContract(t *testing.T) {
	pair := func(t *testing.T, p *pairs, cl *Client) (a, b stream.Stream) {
		t.Helper()
		st, _, err := cl.Open(context.Background(), extended("/"))
		if err != nil {
			t.Fatal(err)
		}
		return st, <-p.got
	}
	t.Run("loopback", func(t *testing.T) {
		p := newPairs()
		loopback(t, nil, p.handle, func(s *site) {
			cl := s.client(ClientConfig{})
			streamtest.Run(t, func(t *testing.T) (a, b stream.Stream) { return pair(t, p, cl) })
		})
	})
	t.Run("fake", func(t *testing.T) {
		streamtest.RunFake(t, func(t *testing.T) (a, b stream.Stream) {
			p := newPairs()
			s, end := inBubble(t, nil, p.handle)
			t.Cleanup(end)
			return pair(t, p, s.client(ClientConfig{}))
		})
	})
}

func TestClientEcho(t *testing.T) {
	bubble(t, nil, echoes, func(s *site) {
		cl := s.client(ClientConfig{})
		if ok, err := cl.ExtendedConnect(context.Background()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if n := cl.Room(); n != 250 {
			t.Errorf("room for %d", n)
		}
		st, res, err := cl.Open(context.Background(), extended("/echo/a?b=c"))
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != 200 || res.Status != "200 OK" || res.Proto != "HTTP/3.0" || res.ProtoMajor != 3 ||
			res.Header.Get("X-Path") != "/echo/a" || res.Request.URL.RawQuery != "b=c" || res.TLS == nil {
			t.Errorf("response %+v", res)
		}
		if info := st.Info(); info.Transport != stream.H3 || info.ID != 0 || !info.Own || info.TLS == nil || info.Remote.String() != s.addr.String() {
			t.Errorf("info %+v", info)
		}
		if cl.Streams() != 1 || cl.Room() != 249 {
			t.Errorf("%d streams, room for %d", cl.Streams(), cl.Room())
		}
		k := attach(st)
		_, _ = st.Send([][]byte{[]byte("hello")}, true)
		<-k.closed
		if k.text() != "hello" || !k.fin || k.err != nil {
			t.Errorf("%q, fin %v, Closed(%v)", k.text(), k.fin, k.err)
		}
		if cl.Streams() != 0 {
			t.Errorf("%d streams", cl.Streams())
		}
	})
}

// TestClientRefused: an answer that opens nothing has its body.
func TestClientRefused(t *testing.T) {
	bubble(t, nil, echoes, func(s *site) {
		cl := s.client(ClientConfig{})
		var at []string
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
			WroteHeaders:         func() { at = append(at, "headers") },
			WroteRequest:         func(httptrace.WroteRequestInfo) { at = append(at, "request") },
			GotFirstResponseByte: func() { at = append(at, "first") },
			Got1xxResponse:       func(int, textproto.MIMEHeader) error { at = append(at, "1xx"); return nil },
		})
		st, res, err := cl.Open(ctx, extended("/no"))
		if st != nil || err != nil || res.StatusCode != 403 || res.Header.Get("X-Why") != "no" {
			t.Fatal(st, res, err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != "go away" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		if got := strings.Join(at, " "); got != "headers request first" {
			t.Error(got)
		}
		if cl.Streams() != 0 {
			t.Errorf("%d streams", cl.Streams())
		}
	})
}

// TestClientRequest: what cannot be sent is an error, and costs no stream (RFC 9220, 3).
func TestClientRequest(t *testing.T) {
	bubble(t, nil, echoes, func(s *site) {
		cl := s.client(ClientConfig{})
		for name, change := range map[string]func(*http.Request){
			"method":         func(r *http.Request) { r.Method = "GET" },
			"protocol":       func(r *http.Request) { delete(r.Header, ":protocol") },
			"content":        func(r *http.Request) { r.ContentLength = 1 },
			"scheme":         func(r *http.Request) { r.URL.Scheme = "" },
			"host":           func(r *http.Request) { r.Host = "a@b" },
			"connection":     func(r *http.Request) { r.Header.Set("Upgrade", "websocket") },
			"field value":    func(r *http.Request) { r.Header.Set("X", "a\nb") },
			"field name":     func(r *http.Request) { r.Header["x y"] = []string{"a"} },
			"pseudo":         func(r *http.Request) { r.Header[":path"] = []string{"/"} },
			"path":           func(r *http.Request) { r.URL.Opaque = "x" },
			"content-length": func(r *http.Request) { r.Header.Set("Content-Length", "0") },
			"too large":      func(r *http.Request) { r.Header.Set("X", strings.Repeat("x", 70_000)) },
		} {
			r := extended("/")
			change(r)
			if st, res, err := cl.Open(context.Background(), r); err == nil || st != nil || res != nil || !strings.Contains(err.Error(), "(RFC 9") {
				t.Errorf("%s: %v, %v, %v", name, st, res, err)
			}
		}
		if cl.Streams() != 0 || cl.Room() != 250 {
			t.Errorf("%d streams, room for %d", cl.Streams(), cl.Room())
		}
	})
}

// TestClientRoom: RFC 9000, 4.6. As many streams as the server allows, and one more when one has
// ended. Reserve keeps its place.
func TestClientRoom(t *testing.T) {
	bubble(t, &options{cfg: Config{MaxStreams: 3}}, echoes, func(s *site) {
		cl := s.client(ClientConfig{})
		var last *keeper
		if _, err := cl.ExtendedConnect(context.Background()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if !cl.Reserve() {
				t.Fatal("no room")
			}
		}
		if cl.Reserve() || cl.Room() != 0 {
			t.Error("room for a fourth")
		}
		for range 3 {
			st, _, err := cl.Open(context.Background(), extended("/"))
			if err != nil {
				t.Fatal(err)
			}
			last = attach(st)
		}
		if _, _, err := cl.Open(context.Background(), extended("/")); !errors.Is(err, ErrNoRoom) || !errors.Is(err, stream.ErrUnprocessed) {
			t.Error(err)
		}
		_, _ = last.st.Send(nil, true)
		<-last.closed
		settle()
		if cl.Room() == 0 {
			t.Fatal("no room behind an end")
		}
		if _, _, err := cl.Open(context.Background(), extended("/")); err != nil {
			t.Error(err)
		}
	})
	bubble(t, nil, echoes, func(s *site) {
		cl := s.client(ClientConfig{MaxStreams: 1})
		if _, _, err := cl.Open(context.Background(), extended("/")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := cl.Open(context.Background(), extended("/")); !errors.Is(err, ErrNoRoom) || cl.Room() != 0 || cl.Reserve() {
			t.Error(err)
		}
	})
}

// TestClientLeaves: a connection that leaves ends behind its last stream, and an empty one when it
// has been idle for long.
func TestClientLeaves(t *testing.T) {
	bubble(t, nil, echoes, func(s *site) {
		cl := s.client(ClientConfig{})
		st, _, err := cl.Open(context.Background(), extended("/"))
		if err != nil {
			t.Fatal(err)
		}
		k := attach(st)
		cl.Leave()
		if _, _, err := cl.Open(context.Background(), extended("/")); !errors.Is(err, ErrLeaving) || !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		_, _ = st.Send([][]byte{[]byte("still here")}, true)
		<-k.closed
		if k.text() != "still here" || k.err != nil {
			t.Errorf("%q, %v", k.text(), k.err)
		}
		<-cl.Done()
		if err := cl.Err(); !errors.Is(err, net.ErrClosed) || s.srv.Conns() != 0 {
			settle()
			if s.srv.Conns() != 0 {
				t.Error(err, s.srv.Conns())
			}
		}
	})
	bubble(t, &options{cfg: Config{IdleTimeout: -1}}, echoes, func(s *site) {
		cl := s.client(ClientConfig{IdleTimeout: time.Hour})
		begun := time.Now()
		<-cl.Done()
		if d := time.Since(begun); d < time.Hour || d > time.Hour+time.Minute {
			t.Errorf("idle for %v", d)
		}
	})
}

// TestClientGoAway: RFC 9114, 5.2. Streams go on, and the connection ends behind the last.
func TestClientGoAway(t *testing.T) {
	bubble(t, nil, echoes, func(s *site) {
		cl := s.client(ClientConfig{})
		st, _, err := cl.Open(context.Background(), extended("/"))
		if err != nil {
			t.Fatal(err)
		}
		k := attach(st)
		s.srv.GoAway()
		settle()
		if !cl.Leaving() || cl.Room() != 0 || cl.Reserve() {
			t.Error("it takes new streams")
		}
		if ce, ok := errors.AsType[*ConnError](cl.Cause()); !ok || !ce.Remote || ce.Code != NoError {
			t.Error(cl.Cause())
		}
		if _, _, err := cl.Open(context.Background(), extended("/")); !errors.Is(err, ErrLeaving) {
			t.Error(err)
		}
		_, _ = st.Send([][]byte{[]byte("x")}, true)
		<-k.closed
		if k.err != nil || k.text() != "x" {
			t.Error(k.err)
		}
		<-cl.Done()
	})
}

// TestClientCancelled: who gives up gets the cause, and the server a reset.
func TestClientCancelled(t *testing.T) {
	var ends chan error
	slow := func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ends <- r.Context().Err()
	}
	bubble(t, nil, slow, func(s *site) {
		ends = make(chan error, 1) // in the bubble
		cl := s.client(ClientConfig{})
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Second, func() { cancel(why) })
		if st, res, err := cl.Open(ctx, extended("/")); st != nil || res != nil || !errors.Is(err, why) || !errors.Is(err, context.Canceled) {
			t.Error(st, res, err)
		}
		<-ends
		if cl.Streams() != 0 || cl.Leaving() {
			t.Errorf("%d streams, leaving %v", cl.Streams(), cl.Leaving())
		}
	})
}

// TestClientProbe: a server that is there answers in a round trip; one that is not is known to be
// silent, and lost within the time of the path.
func TestClientProbe(t *testing.T) {
	bubble(t, nil, echoes, func(s *site) {
		cl := s.client(ClientConfig{PathTimeout: 10 * time.Second})
		time.Sleep(time.Minute)
		begun := time.Now()
		if err := cl.Probe(context.Background()); err != nil || time.Since(begun) > 100*time.Millisecond {
			t.Error(err, time.Since(begun))
		}
		if !cl.Asked().IsZero() || time.Since(cl.Heard()) > 100*time.Millisecond {
			t.Error(cl.Asked(), cl.Heard())
		}
		st, _, err := cl.Open(context.Background(), extended("/"))
		if err != nil {
			t.Fatal(err)
		}
		k := attach(st)
		s.network.Set(h3test.Link{Loss: 1})
		settle()
		ctx, stop := context.WithTimeout(context.Background(), 750*time.Millisecond)
		defer stop()
		begun = time.Now()
		if err := cl.Probe(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if cl.Asked().IsZero() || time.Since(cl.Asked()) > time.Second {
			t.Error(cl.Asked())
		}
		<-k.closed
		if d := time.Since(begun); !errors.Is(k.err, net.ErrClosed) || d > 20*time.Second {
			t.Error(k.err, d)
		}
		<-cl.Done()
	})
}

// TestClientAddresses: a host with several addresses is dialled at the one that answers, and the
// error names every attempt.
func TestClientAddresses(t *testing.T) {
	loopback(t, nil, echoes, func(s *site) {
		_, port, _ := net.SplitHostPort(s.addr.String())
		d := new(Dialer)
		cl, err := d.Dial(context.Background(), "localhost:"+port, clientTLS())
		if err != nil {
			t.Fatal(err)
		}
		cl.Close()
		<-cl.Done()
		bad := &tls.Config{ServerName: "weir.test"}
		if _, err := d.Dial(context.Background(), s.addr.String(), bad); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("udp %v: ", s.addr)) {
			t.Error(err)
		}
	})
	bubble(t, nil, echoes, func(s *site) {
		ctx, stop := context.WithTimeout(context.Background(), 3*time.Second)
		defer stop()
		_, err := s.dialer(ClientConfig{}).Dial(ctx, "192.0.2.1:443", clientTLS())
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "udp 192.0.2.1:443: ") {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// TestClientEndWithoutCredit: the server's end needs no credit, and is told to who holds all of it
// back.
func TestClientEndWithoutCredit(t *testing.T) {
	const window = 1000
	full := func(w http.ResponseWriter, _ *http.Request) {
		st, err := w.(stream.Opener).OpenStream(nil)
		if err != nil {
			panic(err)
		}
		st.Attach(&echoSink{st}, stream.Limits{})
		_, _ = st.Send([][]byte{make([]byte, window)}, false)
		time.AfterFunc(50*time.Millisecond, func() { _, _ = st.Send(nil, true) })
	}
	bubble(t, nil, full, func(s *site) {
		st, _, err := s.client(ClientConfig{}).Open(context.Background(), extended("/"))
		if err != nil {
			t.Fatal(err)
		}
		k := &holding{closed: make(chan struct{})}
		st.Attach(k, stream.Limits{Window: window})
		settle()
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.n != window || !k.fin {
			t.Errorf("%d octets, fin %v", k.n, k.fin)
		}
	})
}

// holding is a sink that gives no credit back.
type holding struct {
	mu     sync.Mutex
	n      int
	fin    bool
	closed chan struct{}
}

func (k *holding) Data(b []byte, fin bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.n, k.fin = k.n+len(b), fin
}
func (k *holding) Drained()     {}
func (k *holding) Closed(error) { close(k.closed) }

// TestClientLastWords: what a stream said last arrives although its packet is lost, and the
// connection ends with the stream.
func TestClientLastWords(t *testing.T) {
	var got chan string
	keep := func(w http.ResponseWriter, _ *http.Request) {
		st, err := w.(stream.Opener).OpenStream(nil)
		if err != nil {
			panic(err)
		}
		k := attach(st)
		_, _ = st.Send(nil, true)
		go func() {
			<-k.closed
			got <- fmt.Sprint(k.text(), " ", k.err)
		}()
	}
	bubble(t, nil, keep, func(s *site) {
		got = make(chan string, 1)
		cl := s.client(ClientConfig{})
		st, _, err := cl.Open(context.Background(), extended("/"))
		if err != nil {
			t.Fatal(err)
		}
		k := attach(st)
		settle()
		cl.Leave()
		s.network.Set(h3test.Link{Loss: 1})
		_, _ = st.Send([][]byte{[]byte("bye")}, true)
		<-k.closed
		time.Sleep(20 * time.Millisecond)
		s.network.Set(h3test.Link{Delay: time.Millisecond})
		if text := <-got; text != "bye <nil>" {
			t.Error(text)
		}
		<-cl.Done()
	})
}
