package peers

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	weir "weir/websocket"
)

// endSocket is the socket of a library's client.
type endSocket struct {
	ctx  context.Context
	e    end
	lose func()
}

func (w endSocket) echo(text bool, size int) string {
	p := pattern(size)
	if err := w.e.send(w.ctx, text, p); err != nil {
		return err.Error()
	}
	if err := expect(w.ctx, w.e, text, p); err != nil {
		return err.Error()
	}
	return ""
}

func (w endSocket) close(code int, text string) (int, string) {
	if err := w.e.close(w.ctx, code, text); err != nil {
		return -1, err.Error()
	}
	return code, text // the library has seen the answer
}

func (w endSocket) closing() (int, string) {
	_, _, err := w.e.receive(w.ctx)
	code, text := w.e.closed(err)
	if code < 0 {
		text = fmt.Sprint(err)
	}
	return code, text
}

func (w endSocket) cut() { w.lose() }

// losing is a dialer whose connections can be lost, all at once.
type losing struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (l *losing) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		l.mu.Lock()
		l.conns = append(l.conns, c)
		l.mu.Unlock()
	}
	return c, err
}

func (l *losing) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// openCoder opens a WebSocket by coder's client over a Transport.
func openCoder(t *testing.T, url string) socket {
	t.Helper()
	var tcp losing
	d := &weir.Dialer{HTTP: weir.HTTP2, TLS: &tls.Config{InsecureSkipVerify: true}, DialContext: tcp.dial}
	t.Cleanup(d.CloseIdle)
	client := &http.Client{Transport: &weir.Transport{Dialer: d, Base: unasked{}}}
	ctx := bounded(t)
	e, _, err := dialCoder(ctx, client, url, setup{})
	if err != nil {
		t.Fatal(err)
	}
	return endSocket{ctx, e, tcp.lose}
}

// openGorilla opens a WebSocket by gorilla's client, over HTTP/1.1.
func openGorilla(t *testing.T, addr, path string) socket {
	t.Helper()
	var tcp losing
	ctx := bounded(t)
	d := gorilla.Dialer{NetDialContext: tcp.dial}
	c, _, err := d.DialContext(ctx, "ws://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return endSocket{ctx, newGorillaEnd(c), tcp.lose}
}

// TestTransportWeir: coder's client over a Transport to weir, which says that it was HTTP/2.
func TestTransportWeir(t *testing.T) {
	for transport, scheme := range map[string]string{"h2c": "ws", "h2": "wss"} {
		t.Run(transport, func(t *testing.T) {
			s := serve(t, "--max-frame-size", "0")
			addr := s.http
			if scheme == "wss" {
				addr = s.https
			}
			carries(t, s, transport, func(path string) socket { return openCoder(t, scheme+"://"+addr+path) })
		})
	}
}

// front is a server of weir's, in cleartext, that is a ReverseProxy with a Transport.
func front(t *testing.T, backend string, version weir.HTTPVersion) (addr string) {
	t.Helper()
	to, err := url.Parse(backend)
	if err != nil {
		t.Fatal(err)
	}
	d := &weir.Dialer{HTTP: version, TLS: &tls.Config{InsecureSkipVerify: true}}
	var said bytes.Buffer
	s := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Transport: &weir.Transport{Dialer: d, Base: unasked{}},
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorLog:  log.New(io.Discard, "", 0),
	})
	s.Config.ErrorLog = log.New(locked{new(sync.Mutex), &said}, "", 0)
	if _, err := weir.ConfigureServer(s.Config, nil); err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		wantNobody(t, "(*ReverseProxy)", "switchProtocolCopier")
		d.CloseIdle()
		s.CloseClientConnections()
		s.Close()
		if said.Len() > 0 {
			t.Errorf("the proxy's server says %s", said.Bytes())
		}
	})
	return strings.TrimPrefix(s.URL, "http://")
}

// wantNobody waits until no goroutine is in a function of these names.
func wantNobody(t *testing.T, names ...string) {
	t.Helper()
	b := make([]byte, 1<<20)
	for end := time.Now().Add(mostWait); ; time.Sleep(20 * time.Millisecond) {
		stacks, left := string(b[:runtime.Stack(b, true)]), ""
		for _, name := range names {
			if strings.Contains(stacks, name) {
				left = name
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(end) {
			t.Errorf("a goroutine of %s is left behind", left)
			return
		}
	}
}

// proxyClients are the versions of HTTP that clients speak to the proxy.
var proxyClients = map[string]opener{"h1": openGorilla, "h2": openH2}

// proxyBackends are what the proxy speaks to the server behind it.
var proxyBackends = map[string]weir.HTTPVersion{
	"h1": weir.HTTP1, "h1tls": weir.HTTP1, "h2c": weir.HTTP2, "h2": weir.HTTPAuto,
}

// TestTransportReverseProxy: a ReverseProxy in a server of weir's passes WebSockets on from any
// version of HTTP to any, with messages, close codes and losses.
func TestTransportReverseProxy(t *testing.T) {
	for client, open := range proxyClients {
		for transport, version := range proxyBackends {
			t.Run(client+"_to_"+transport, func(t *testing.T) {
				if client == "h2" {
					needs(t, "node")
				}
				s := serve(t, "--max-frame-size", "0")
				backend := "http://" + s.http
				if strings.HasSuffix(transport, "tls") || transport == "h2" {
					backend = "https://" + s.https
				}
				addr := front(t, backend, version)
				carries(t, s, transport, func(path string) socket { return open(t, addr, path) })
			})
		}
	}
}

// TestTransportReverseProxyLosses: what becomes of the client when the server behind a ReverseProxy
// refuses, and when it vanishes.
func TestTransportReverseProxyLosses(t *testing.T) {
	for _, version := range []weir.HTTPVersion{weir.HTTP1, weir.HTTP2} {
		for _, client := range []weir.HTTPVersion{weir.HTTP1, weir.HTTP2} {
			t.Run(fmt.Sprintf("%v_to_%v", client, version), func(t *testing.T) {
				ctx := bounded(t)
				mux := http.NewServeMux()
				mux.HandleFunc("/no", func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("X-Why", "because")
					http.Error(w, "not you", http.StatusForbidden)
				})
				l := &foreign{heard: make(chan string, 1)}
				mux.Handle("/echo", gorillaTalk(l))
				s := httptest.NewUnstartedServer(mux)
				var tcp losing
				s.Listener = keeping{s.Listener, &tcp}
				if _, err := weir.ConfigureServer(s.Config, nil); err != nil {
					t.Fatal(err)
				}
				s.Start()
				t.Cleanup(func() {
					tcp.lose()
					s.Close()
				})
				addr := front(t, s.URL, version)
				d := &weir.Dialer{HTTP: client}
				t.Cleanup(func() { d.Close() })

				_, resp, err := d.Dial(ctx, "ws://"+addr+"/no", nil)
				if err == nil || resp == nil || resp.StatusCode != 403 || resp.Header.Get("X-Why") != "because" {
					t.Fatalf("%+v, %v", resp, err)
				}
				if b, _ := io.ReadAll(resp.Body); string(b) != "not you\n" {
					t.Errorf("the refusal says %q", b)
				}

				c, _, err := d.Dial(ctx, "ws://"+addr+"/echo", nil)
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				wantEcho(ctx, t, c, weir.TextFrame, []byte("hello"))
				if err := c.Ping(ctx); err != nil {
					t.Error(err)
				}
				tcp.lose()
				_, _, err = c.Read(ctx)
				if _, closed := weir.CloseStatus(err); closed || !errors.Is(err, weir.ErrEnded) {
					t.Errorf("a server that vanishes is told as %v", err)
				}

				if c, _, err = d.Dial(ctx, "ws://"+addr+"/echo", nil); err != nil { // it is there again
					t.Fatal(err)
				}
				wantEcho(ctx, t, c, weir.TextFrame, []byte("hello"))
				if err := c.Close(4000, "bye"); err != nil {
					t.Error(err)
				}
				l.wantHeard(ctx, t, "4000")
			})
		}
	}
}

// keeping is a listener whose connections can be lost.
type keeping struct {
	net.Listener
	l *losing
}

func (k keeping) Accept() (net.Conn, error) {
	c, err := k.Listener.Accept()
	if err == nil {
		k.l.mu.Lock()
		k.l.conns = append(k.l.conns, c)
		k.l.mu.Unlock()
	}
	return c, err
}
