package h1

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"
	"weir/stream/memnet"
)

// serve runs h in net/http over a listener in memory, inside a bubble, and gives the client's end of a connection.
// Every write of the server is noted in writes.
func serve(t *testing.T, h http.HandlerFunc) (c net.Conn, writes *noting) {
	l := memnet.Listen()
	writes = &noting{Listener: l}
	srv := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() { // ends when the server is closed
		defer close(served)
		srv.Serve(writes)
	}()
	c, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		srv.Close()
		<-served
		time.Sleep(time.Second) // in fake time: net/http lingers half a second over a connection it closes early
	})
	return c, writes
}

type noting struct {
	net.Listener
	mu    sync.Mutex
	calls []string
}

func (n *noting) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return notingConn{c, n}, nil
}

func (n *noting) seen() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.calls...)
}

type notingConn struct {
	net.Conn
	n *noting
}

func (c notingConn) Write(b []byte) (int, error) {
	c.n.mu.Lock()
	c.n.calls = append(c.n.calls, string(b))
	c.n.mu.Unlock()
	return c.Conn.Write(b)
}

func (c notingConn) NetConn() net.Conn { return c.Conn }

// keeper is a sink that keeps what it is told.
type keeper struct {
	s    stream.Stream
	got  chan string
	ends chan error
}

func attach(s stream.Stream, l stream.Limits) *keeper {
	k := &keeper{s, make(chan string, 100), make(chan error, 1)}
	s.Attach(k, l)
	return k
}

func (k *keeper) Data(b []byte, fin bool) {
	k.s.Release(len(b))
	if fin {
		b = append(b, "<end>"...)
	}
	k.got <- string(b)
}
func (k *keeper) Drained()         {}
func (k *keeper) Closed(err error) { k.ends <- err }

const upgradeHead = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"

// opening hands what Open gives for each request to the test.
func opening(header http.Header, opened chan<- stream.Stream, errs chan<- error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := Open(wrapped{w}, r, header)
		if err != nil {
			errs <- err
			w.Header().Set("Connection", "close") // or net/http waits for the rest of the body
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		opened <- s
	}
}

// wrapped is what middleware does to w.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// RFC 9110, 7.8.
func TestOpen(t *testing.T) {
	header := http.Header{"Upgrade": {"echo"}, "Connection": {"Upgrade"}, "X-A": {"1", "2"}}
	body := strings.Repeat("b", MaxBody)
	for name, request := range map[string]string{
		"octets_behind_the_head": upgradeHead + "\r\nfirst",
		"a_body_is_dropped":      upgradeHead + "Content-Length: 4\r\n\r\nbodyfirst",
		"a_body_of_MaxBody":      upgradeHead + "Content-Length: 65536\r\n\r\n" + body + "first",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opened, errs := make(chan stream.Stream, 1), make(chan error, 1)
				c, writes := serve(t, opening(header, opened, errs))
				io.WriteString(c, request)
				var s stream.Stream
				select {
				case s = <-opened:
				case err := <-errs:
					t.Fatal(err)
				}
				if info := s.Info(); info.Transport != stream.H1 || !info.Own || info.ID != 0 || info.TLS != nil {
					t.Errorf("Info: %+v", info)
				}
				k := attach(s, stream.Limits{})
				got := <-k.got
				for len(got) < len("first") { // what the connection's buffer cut off comes by itself
					got += <-k.got
				}
				if got != "first" {
					t.Errorf("first octets: %q", got)
				}
				synctest.Wait()
				if w := writes.seen(); len(w) != 0 {
					t.Errorf("before the first Send left: %q", w)
				}
				s.Send([][]byte{[]byte("Hello, "), []byte("world")}, false)
				want := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-A: 1\r\nX-A: 2\r\n\r\nHello, world"
				if w := writes.seen(); len(w) != 1 || w[0] != want {
					t.Errorf("the answer left as %q", w)
				}
				io.WriteString(c, "more")
				if got := <-k.got; got != "more" {
					t.Errorf("next octets: %q", got)
				}
				c.Close()
				if err := <-k.ends; err == nil { // the client left octets unread
					t.Error("Closed(nil) after the peer's reset")
				}
			})
		})
	}
}

func TestOpenLargeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened, errs := make(chan stream.Stream, 1), make(chan error, 1)
		c, _ := serve(t, opening(nil, opened, errs))
		all := strings.Repeat("0123456789", 1000) // net/http has read 4096 octets of it, head and all
		io.WriteString(c, upgradeHead+"\r\n"+all)
		s := <-opened
		k := attach(s, stream.Limits{Window: 100})
		var got string
		for len(got) < len(all) {
			got += <-k.got
		}
		if got != all {
			t.Error("octets were lost or moved")
		}
		s.Send(nil, false) // lets the answer go
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Errorf("answer: %v, %v", res, err)
		}
		s.Reset(stream.Cancel)
		<-k.ends
	})
}

// A refused Open leaves the connection to net/http.
func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		header  http.Header
		request string
	}{
		"9110-5.5/CRLF_in_a_value":   {http.Header{"A": {"b\r\nX: y"}}, upgradeHead + "\r\n"},
		"9110-5.5/LF_in_a_value":     {http.Header{"A": {"b\nX: y"}}, upgradeHead + "\r\n"},
		"9110-5.5/NUL_in_a_value":    {http.Header{"A": {"b\x00"}}, upgradeHead + "\r\n"},
		"9110-5.1/CRLF_in_a_name":    {http.Header{"A\r\nB": {"b"}}, upgradeHead + "\r\n"},
		"9110-5.1/empty_name":        {http.Header{"": {"b"}}, upgradeHead + "\r\n"},
		"9110-7.8/body_over_MaxBody": {nil, upgradeHead + "Content-Length: 65537\r\n\r\n"},
		"9110-7.8/chunked_body":      {nil, upgradeHead + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opened, errs := make(chan stream.Stream, 1), make(chan error, 1)
				conn, _ := serve(t, opening(c.header, opened, errs))
				io.WriteString(conn, c.request)
				select {
				case <-opened:
					t.Fatal("opened")
				case <-errs:
				}
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || res.StatusCode != http.StatusBadRequest {
					t.Errorf("answer: %v, %v", res, err)
				}
			})
		})
	}
	t.Run("no_hijacker", func(t *testing.T) {
		_, err := Open(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), nil)
		if !errors.Is(err, http.ErrNotSupported) {
			t.Error(err)
		}
	})
}

// TestAnswerAlone: the answer leaves with a Send of nothing, with an end, and before the quiet form of Reset.
func TestAnswerAlone(t *testing.T) {
	for name, first := range map[string]func(s stream.Stream){
		"Send(nil, false)": func(s stream.Stream) { s.Send(nil, false) },
		"Send(nil, true)":  func(s stream.Stream) { s.Send(nil, true) },
		"Reset(NoError)":   func(s stream.Stream) { s.Reset(stream.NoError) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := memnet.Pair(0)
				s := newTunnel(a, stream.Info{}, []byte("HEAD"), nil)
				k := attach(s, stream.Limits{})
				first(s)
				got := make([]byte, 4)
				if _, err := io.ReadFull(b, got); err != nil || !bytes.Equal(got, []byte("HEAD")) {
					t.Errorf("read %q, %v", got, err)
				}
				s.Reset(stream.Cancel)
				b.Close()
				<-k.ends
			})
		})
	}
}

func TestOpenTLS(t *testing.T) {
	opened, errs := make(chan stream.Stream, 1), make(chan error, 1)
	srv := httptest.NewTLSServer(opening(nil, opened, errs))
	defer srv.Close()
	c, err := tls.Dial("tcp", srv.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, upgradeHead+"\r\nfirst")
	var s stream.Stream
	select {
	case s = <-opened:
	case err := <-errs:
		t.Fatal(err)
	}
	if info := s.Info(); info.Transport != stream.H1TLS || info.TLS == nil || info.TLS.Version == 0 {
		t.Errorf("Info: %+v", info)
	}
	k := attach(s, stream.Limits{})
	var got string
	for len(got) < len("first") {
		got += <-k.got
	}
	s.Send([][]byte{[]byte("bye")}, true)
	all, err := io.ReadAll(c)
	if got != "first" || err != nil || !strings.HasSuffix(string(all), "\r\n\r\nbye") {
		t.Errorf("told %q; the client read %q, %v", got, all, err)
	}
	c.CloseWrite()
	if got := <-k.got; got != "<end>" {
		t.Errorf("told %q", got)
	}
	if err := <-k.ends; err != nil {
		t.Errorf("Closed(%v)", err)
	}
}
