package websocket_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/stream"
	"weir/stream/memnet"
	"weir/websocket"
)

// The suite runs one body over every transport, in fake time over an in-memory network: a real http.Server with
// ConfigureServer, and a raw client. The mode pipe has no HTTP: the session runs on one end of stream.Pipe.
var modes = []string{"pipe", "h1", "h1tls", "h2c", "h2"}

var only = flag.String("mode", "", "run the suite in this mode alone")

// overHTTP are the modes that have a handshake.
var overHTTP = modes[1:]

// wire is the client's end: octets, an end (io.EOF), a reset (any other error).
type wire interface {
	io.ReadWriter
	CloseWrite() error
	SetReadDeadline(time.Time) error
}

// house is one server, and what a test needs of it.
type house struct {
	*testing.T
	mode string
	ln   *memnet.Listener
	srv  *http.Server
	ws   *websocket.Server
	log  *lockedBuilder // the server's ErrorLog

	// What the next request to / gets.
	handler websocket.Handler
	opts    *websocket.Options
	mux     *http.ServeMux

	shared *h2test.Peer // the connection of h2 modes
	close  []func()
}

// each runs body once for each of the modes, in a bubble of its own.
func each(t *testing.T, modes []string, body func(h *house)) {
	t.Helper()
	eachWith(t, modes, func(*http.Server) {}, body)
}

// eachWith is each for a server that prepare has changed before it was configured.
func eachWith(t *testing.T, modes []string, prepare func(*http.Server), body func(h *house)) {
	for _, m := range modes {
		if *only != "" && *only != m {
			continue
		}
		t.Run(m, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { run(t, m, prepare, body) }) })
	}
}

func run(t *testing.T, mode string, prepare func(*http.Server), body func(h *house)) {
	h := &house{T: t, mode: mode, mux: http.NewServeMux(), log: new(lockedBuilder)}
	if mode != "pipe" {
		h.serve(prepare)
	}
	body(h)
	for _, f := range h.close {
		f()
	}
	if h.ws != nil {
		ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
		defer stop()
		_ = h.ws.Shutdown(ctx)
		h.srv.Close()
	}
	synctest.Wait()
}

func (h *house) serve(prepare func(*http.Server)) {
	h.mux.Handle("/", websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return h.handler, h.opts
	}))
	h.mux.Handle("/fields", websocket.Handle(func(w http.ResponseWriter, _ *http.Request) (websocket.Handler, *websocket.Options) {
		w.Header().Set("X-Init", "set")
		return h.handler, h.opts
	}))
	h.mux.HandleFunc("/plain", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "plain") })
	h.srv = &http.Server{Handler: h.mux, ErrorLog: log.New(h.log, "", 0)}
	prepare(h.srv)
	ws, err := websocket.ConfigureServer(h.srv, nil)
	if err != nil {
		h.Fatal(err)
	}
	h.ws = ws
	h.ln = memnet.Listen()
	h.close = append(h.close, func() { h.ln.Close() })
	if h.tls() {
		h.srv.TLSConfig.Certificates = []tls.Certificate{testCert()}
		go h.srv.ServeTLS(h.ln, "", "") // ends when the listener is closed
		return
	}
	go h.srv.Serve(h.ln) // ends when the listener is closed
}

func (h *house) tls() bool   { return h.mode == "h1tls" || h.mode == "h2" }
func (h *house) http2() bool { return h.mode == "h2" || h.mode == "h2c" }

// dial opens a connection to the server.
func (h *house) dial() net.Conn {
	h.Helper()
	nc, err := h.ln.Dial(context.Background())
	if err != nil {
		h.Fatal(err)
	}
	if h.tls() {
		proto := "http/1.1"
		if h.http2() {
			proto = "h2"
		}
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}, ServerName: "weir.test"})
		if err := tc.Handshake(); err != nil {
			h.Fatal(err)
		}
		nc = tc
	}
	h.close = append(h.close, func() { nc.Close() })
	return nc
}

// peer is the one HTTP/2 connection of this house.
func (h *house) peer() *h2test.Peer {
	h.Helper()
	if h.shared == nil {
		p, err := h2test.Dial(h.dial())
		if err != nil {
			h.Fatal(err)
		}
		h.shared = p
	}
	return h.shared
}

// open opens a WebSocket for handler.
func (h *house) open(handler websocket.Handler, o *websocket.Options) *client {
	h.Helper()
	c, err := h.tryOpen(handler, o)
	if err != nil {
		h.Fatal(err)
	}
	return c
}

func (h *house) tryOpen(handler websocket.Handler, o *websocket.Options) (*client, error) {
	h.Helper()
	h.handler, h.opts = handler, o
	var w wire
	switch {
	case h.mode == "pipe":
		a, b := stream.Pipe()
		websocket.Open(a, handler, o, &websocket.PartialRequest{})
		pw := newPipeWire(b)
		h.close = append(h.close, pw.reset)
		w = pw
	case h.http2():
		t, err := h.peer().Connect("/", "sec-websocket-version", "13")
		if err != nil {
			return nil, err
		}
		if t.Status != 200 {
			return nil, fmt.Errorf("status %d", t.Status)
		}
		w = t
	default:
		nc := h.dial()
		resp, rest := h.upgrade(nc, upgradeRequest)
		if resp.StatusCode != 101 {
			return nil, fmt.Errorf("status %d", resp.StatusCode)
		}
		w = &h1wire{Conn: nc, r: rest}
	}
	return &client{house: h, wire: w}, nil
}

const upgradeRequest = "GET / HTTP/1.1\r\nHost: weir.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// upgrade sends a request as it is and reads the answer. What came behind the answer is in the reader.
func (h *house) upgrade(nc net.Conn, request string) (*http.Response, *bufio.Reader) {
	h.Helper()
	if _, err := io.WriteString(nc, request); err != nil {
		h.Fatal(err)
	}
	nc.SetReadDeadline(time.Now().Add(time.Hour))
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		h.Fatal(err)
	}
	return resp, r
}

// h1wire is a connection after its 101.
type h1wire struct {
	net.Conn
	r *bufio.Reader
}

func (w *h1wire) Read(b []byte) (int, error) { return w.r.Read(b) }

func (w *h1wire) CloseWrite() error { return w.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// reset gives the connection up as a killed client does.
func (w *h1wire) reset() {
	nc := w.Conn
	if tc, ok := nc.(*tls.Conn); ok {
		nc = tc.NetConn()
	}
	nc.(*memnet.Conn).SetLinger(0)
	nc.Close()
}

// reset gives the stream up: RST_STREAM(CANCEL), or a TCP reset.
func (c *client) reset() {
	switch w := c.wire.(type) {
	case *h1wire:
		w.reset()
	case *h2test.Tunnel:
		w.Reset(8)
	case *pipeWire:
		w.reset()
	}
}

// pipeWire makes a wire of the client's end of a pipe.
type pipeWire struct {
	st       stream.Stream
	mu       sync.Mutex
	changed  *sync.Cond
	in       []byte
	fin      bool
	err      error
	over     bool
	deadline time.Time
}

func newPipeWire(st stream.Stream) *pipeWire {
	w := &pipeWire{st: st}
	w.changed = sync.NewCond(&w.mu)
	st.Attach(w, stream.Limits{Window: 1 << 30})
	return w
}

func (w *pipeWire) Data(b []byte, fin bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = append(w.in, b...)
	w.fin = fin
	w.st.Release(len(b))
	w.changed.Broadcast()
}

func (w *pipeWire) Drained() {}

func (w *pipeWire) Closed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err, w.over = err, true
	w.changed.Broadcast()
}

func (w *pipeWire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	time.AfterFunc(time.Until(t), w.changed.Broadcast)
	return nil
}

func (w *pipeWire) Read(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.in) == 0 {
		switch {
		case w.fin:
			return 0, io.EOF
		case w.over && w.err != nil:
			return 0, w.err
		case w.over:
			return 0, io.EOF
		case !w.deadline.IsZero() && !time.Now().Before(w.deadline):
			return 0, errors.New("read deadline")
		}
		w.changed.Wait()
	}
	n := copy(b, w.in)
	w.in = w.in[n:]
	return n, nil
}

func (w *pipeWire) Write(b []byte) (int, error) {
	_, err := w.st.Send([][]byte{b}, false)
	return len(b), err
}

func (w *pipeWire) CloseWrite() error { _, err := w.st.Send(nil, true); return err }
func (w *pipeWire) reset()            { w.st.Reset(stream.Cancel) }

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// testCert is httptest's certificate.
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
	m.Run()
}
