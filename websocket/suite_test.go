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
	"os"
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

// The suite runs one body over every transport, in fake time over an in-memory network: a real
// http.Server with ConfigureServer, and a raw client. The mode pipe has no HTTP: the session runs
// on one end of stream.Pipe.
var (
	all       = []string{"pipe", "h1", "h1tls", "h2c", "h2", "h3"}
	overHTTP  = all[1:] // the modes that have a handshake
	overTCP   = all[1:5]
	overHTTP1 = all[1:3]
	overHTTP2 = all[3:5]
	overHTTP3 = all[5:]
	overMuxed = all[3:] // the modes in which WebSockets share a connection
)

// mode3 is what mode h3 is made of. It is nil here: a program that imports websocket would have QUIC
// in its go.sum, for tests count there. The tests of h3 run this suite with files more that set it:
// see h3/suite_test.go.
var mode3 *parts3

// parts3 is what a suite over HTTP/3 needs of it.
type parts3 struct {
	begin   func(h *house) // makes its network
	serve   func(h *house)
	connect func(h *house, path string, fields []string) (exchange, error)
	get     func(h *house, path string) (status int, body []byte, err error)
	lose    func(h *house)                      // the shared connection, from the client's side
	code    func(err error) (stream.Code, bool) // of a reset, as HTTP/2 has it
	cancel  func(w wire)                        // gives a stream up
	empty   func(w wire)                        // sends an empty DATA frame
	refuses func(h *house)                      // begins to drain, and looks what happens to the new
	left    func(h *house) int                  // connections, streams and handshakes
}

var only = flag.String("mode", "", "run the suite in this mode alone")

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
	fresh   bool   // that is an actor of its own: requests may come late, and several at a time
	offer   string // Sec-WebSocket-Extensions of the next open
	mux     *http.ServeMux

	wrap   func(*memnet.Conn) net.Conn // makes the server's end of the next connections; nil: they are as they are
	fault  chan error                  // what the server's end of the next connection fails with; nil: it does not
	shared *h2test.Peer                // the connection of h2 modes
	third  any                         // what mode h3 has of its own
	close  []func()
}

// lookAhead is what h1 reads besides the window where no socket can be watched, as here, to see a
// reset behind it.
const lookAhead = 4 << 10

// sockets is how many octets the sockets of a connection hold in one direction.
const sockets = 72 << 10

// setUp changes a server, and what ConfigureServer is told, before it is configured.
type setUp func(*http.Server, *websocket.Config)

// each runs body once for each of the modes, in a bubble of its own.
func each(t *testing.T, modes []string, body func(h *house)) {
	t.Helper()
	eachWith(t, modes, func(*http.Server, *websocket.Config) {}, body)
}

// eachWith is each for a server that prepare has changed before it was configured.
func eachWith(t *testing.T, modes []string, prepare setUp, body func(h *house)) {
	for _, m := range modes {
		if *only != "" && *only != m || m == "h3" && mode3 == nil {
			continue
		}
		t.Run(m, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { run(t, m, prepare, body) }) })
	}
}

func run(t *testing.T, mode string, prepare setUp, body func(h *house)) {
	h := &house{T: t, mode: mode, mux: http.NewServeMux(), log: new(lockedBuilder)}
	if h.http3() {
		mode3.begin(h) // before anything asks for the time
	}
	if mode != "pipe" {
		h.serve(prepare)
	}
	defer h.end()
	body(h)
}

// end closes the house, so that nothing is left in the bubble, also of a test that failed.
func (h *house) end() {
	for _, f := range h.close {
		f()
	}
	if h.ws != nil {
		ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
		defer stop()
		_ = h.ws.Shutdown(ctx)
		h.srv.Close()
	}
	time.Sleep(time.Second) // a Shutdown that the test began looks twice a second whether it is done
	synctest.Wait()
}

func (h *house) serve(prepare setUp) {
	h.mux.Handle("/", websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		if h.fresh {
			return new(actor), nil
		}
		return h.handler, h.opts
	}))
	h.mux.Handle("/fields", websocket.Handle(func(w http.ResponseWriter, _ *http.Request) (websocket.Handler, *websocket.Options) {
		w.Header().Set("X-Init", "set")
		return h.handler, h.opts
	}))
	h.mux.HandleFunc("/plain", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "plain") })
	h.srv = &http.Server{Handler: h.mux, ErrorLog: log.New(h.log, "", 0)}
	cfg := new(websocket.Config)
	prepare(h.srv, cfg)
	ws, err := websocket.ConfigureServer(h.srv, cfg)
	if err != nil {
		h.Fatal(err)
	}
	h.ws = ws
	if h.http3() {
		mode3.serve(h)
		return
	}
	h.ln = memnet.Listen()
	h.ln.Buffer = sockets
	h.close = append(h.close, func() { h.ln.Close() })
	if h.tls() {
		h.srv.TLSConfig.Certificates = []tls.Certificate{testCert()}
		go h.srv.ServeTLS(listener{h.ln, h}, "", "") // ends when the listener is closed
		return
	}
	go h.srv.Serve(listener{h.ln, h}) // ends when the listener is closed
}

func (h *house) tls() bool   { return h.mode == "h1tls" || h.mode == "h2" || h.mode == "h3" }
func (h *house) http2() bool { return h.mode == "h2" || h.mode == "h2c" }
func (h *house) http3() bool { return h.mode == "h3" }

// muxed says that WebSockets share a connection.
func (h *house) muxed() bool { return h.http2() || h.http3() }

// settle waits until nothing moves, Sends that wait a moment for a socket included.
func settle() {
	time.Sleep(10 * time.Millisecond)
	synctest.Wait()
}

// quiet waits until nothing moves. QUIC paces what it sends, and acknowledges with a delay.
func (h *house) quiet() {
	if h.http3() {
		time.Sleep(5 * time.Second)
	}
	synctest.Wait()
}

// What a client of mode h3 lets wait in one direction of a stream, and the window of the server's
// streams below a session's.
const (
	quicWrites = 16 << 10
	quicReads  = 64 << 10
	quicWindow = 64 << 10
)

// exchange is what a stream of a client got: a wire once it is open.
type exchange struct {
	wire
	status int
	field  func(name string) string
}

// connect makes an extended CONNECT for path, with more fields, on the shared connection.
func (h *house) connect(path string, fields ...string) (exchange, error) {
	h.Helper()
	fields = append([]string{"sec-websocket-version", "13"}, fields...)
	if h.http3() {
		return mode3.connect(h, path, fields)
	}
	t, err := h.peer().Connect(path, fields...)
	if err != nil {
		return exchange{}, err
	}
	return exchange{t, t.Status, t.Field}, nil
}

// get makes an ordinary request on the shared connection.
func (h *house) get(path string) (status int, err error) {
	h.Helper()
	if h.http3() {
		status, _, err = mode3.get(h, path)
		return status, err
	}
	r, err := h.peer().Get(path)
	if err != nil {
		return 0, err
	}
	return r.Status, nil
}

// lose closes the shared connection from the client's side.
func (h *house) lose() {
	h.Helper()
	if h.http3() {
		mode3.lose(h)
		return
	}
	h.peer().Close()
}

// resetCode is the code of a reset in err, as HTTP/2 has it.
func resetCode(err error) (stream.Code, bool) {
	if re, ok := errors.AsType[*h2test.ResetError](err); ok {
		return stream.Code(re.Code), true
	}
	if mode3 != nil {
		return mode3.code(err)
	}
	return 0, false
}

// dial opens a connection to the server.
func (h *house) dial() net.Conn {
	h.Helper()
	if h.http3() {
		h.Fatal("there is no TCP in this mode")
	}
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
	answer := ""
	switch {
	case h.mode == "pipe":
		a, b := stream.Pipe()
		so := &websocket.StreamOptions{Request: new(websocket.PartialRequest)}
		if o != nil {
			so.Options = *o
		}
		if h.offer != "" {
			so.Extensions = websocket.Negotiated(&so.Options, h.offer)
		}
		s, err := websocket.NewSession(a, handler, so)
		if err != nil {
			return nil, err
		}
		answer = s.Extensions()
		pw := newPipeWire(b)
		h.close = append(h.close, pw.reset)
		w = pw
	case h.muxed():
		t, err := h.connect("/", h.offered()...)
		if err != nil {
			return nil, err
		}
		if t.status != 200 {
			return nil, fmt.Errorf("status %d", t.status)
		}
		w, answer = t.wire, t.field("sec-websocket-extensions")
	default:
		nc := h.dial()
		resp, rest := h.upgrade(nc, strings.Join(append([]string{strings.TrimSuffix(upgradeRequest, "\r\n")}, h.offered()...), "")+"\r\n")
		if resp.StatusCode != 101 {
			return nil, fmt.Errorf("status %d", resp.StatusCode)
		}
		w, answer = &h1wire{Conn: nc, r: rest}, strings.Join(resp.Header["Sec-Websocket-Extensions"], ",")
	}
	return &client{house: h, wire: w, codec: newCodec(answer), answer: answer}, nil
}

// offered adds the offer to the fields of a request: names and values in turn, or lines.
func (h *house) offered(fields ...string) []string {
	switch {
	case h.offer == "":
		return fields
	case h.muxed():
		return append(fields, "sec-websocket-extensions", h.offer)
	}
	return append(fields, "Sec-WebSocket-Extensions: "+h.offer+"\r\n")
}

const upgradeRequest = "GET / HTTP/1.1\r\nHost: weir.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// upgrade sends a request as it is and reads the answer. What came behind the answer is in the
// reader.
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
	default:
		mode3.cancel(w)
	}
}

// listener gives the server connections that can be made to fail.
type listener struct {
	*memnet.Listener
	h *house
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if wrap := l.h.wrap; err == nil && wrap != nil {
		return wrap(c.(*memnet.Conn)), nil
	}
	if fault := l.h.fault; err == nil && fault != nil {
		return &failing{Conn: c.(*memnet.Conn), fault: fault}, nil
	}
	return c, err
}

// failing is a connection whose Read fails with what comes from fault.
type failing struct {
	*memnet.Conn
	fault chan error
}

func (f *failing) Read(b []byte) (int, error) {
	read := make(chan struct{})
	failed := make(chan error, 1)
	go func() { // ends with the Read
		select {
		case err := <-f.fault:
			failed <- err
			_ = f.SetReadDeadline(time.Unix(1, 0)) // cannot fail
		case <-read:
			failed <- nil
		}
	}()
	n, err := f.Conn.Read(b)
	close(read)
	if e := <-failed; e != nil {
		return n, e
	}
	return n, err
}

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
	code := m.Run()
	// Whatever was started has come to its end: only this goroutine is left of the module's.
	for deadline := time.Now().Add(2 * time.Minute); code == 0 && goroutines() > 1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			fmt.Fprintf(os.Stderr, "goroutines are left:\n%s", stacks())
			code = 1
		}
	}
	os.Exit(code)
}
