package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir/h2/h2test"
	"weir/h3/h3test"
	"weir/wsframe"
)

// lane is one way to reach the server.
type lane struct {
	*process
	transport string
	peer      *h2test.Peer // the connection of all WebSockets over HTTP/2
	peer3     *h3test.Peer // and over HTTP/3
}

// transports are all ways to the server.
var transports = []string{"h1", "h1tls", "h2c", "h2", "h3"}

// eachLane runs body over every transport, on one server.
func eachLane(t *testing.T, p *process, body func(t *testing.T, l *lane)) {
	t.Helper()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) { body(t, newLane(t, p, transport)) })
	}
}

func newLane(t *testing.T, p *process, transport string) *lane {
	t.Helper()
	l := &lane{process: p, transport: transport}
	switch {
	case l.http3():
		l.peer3 = l.connect3(t)
	case l.http2():
		l.peer = l.connect(t)
	}
	return l
}

func (l *lane) http3() bool { return l.transport == "h3" }

// streams says that a WebSocket is one stream of many on its connection.
func (l *lane) streams() bool { return l.http2() || l.http3() }

// connect3 opens an HTTP/3 connection.
func (l *lane) connect3(t *testing.T) *h3test.Peer {
	t.Helper()
	_, address, _ := strings.Cut(l.https, "://")
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	peer, err := h3test.Dial(testContext(t), pc, to, h3test.Options{Host: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	return peer
}

func (l *lane) http2() bool { return strings.HasPrefix(l.transport, "h2") }

// connect opens an HTTP/2 connection.
func (l *lane) connect(t *testing.T) *h2test.Peer {
	t.Helper()
	scheme := "http"
	if l.transport == "h2" {
		scheme = "https"
	}
	peer := h2test.New(l.dial(t), h2test.Options{Scheme: scheme})
	t.Cleanup(func() { peer.Close() })
	if _, err := peer.Settings(); err != nil {
		t.Fatal(err)
	}
	return peer
}

func (l *lane) dial(t *testing.T) net.Conn {
	t.Helper()
	if l.transport == "h1" || l.transport == "h2c" {
		return dialTCP(t, l.http)
	}
	proto := map[string]string{"h1tls": "http/1.1", "h2": "h2"}[l.transport]
	c := tls.Client(dialTCP(t, l.https), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}})
	if err := c.HandshakeContext(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

func dialTCP(t *testing.T, origin string) net.Conn {
	t.Helper()
	_, address, _ := strings.Cut(origin, "://")
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// raw is a WebSocket whose client says any octets.
type raw struct {
	t *testing.T
	octets
	buf    []byte        // received and not taken
	said   chan struct{} // closed when the client has said what it says; nil: it has
	header func(name string) string
}

// octets is what a transport gives: io.EOF at the server's end, another error at a reset.
type octets interface {
	io.ReadWriter
	CloseWrite() error
	SetReadDeadline(time.Time) error
	reset()
}

// open opens a WebSocket. fields are names and values in turn.
func (l *lane) open(t *testing.T, path string, fields ...string) *raw {
	t.Helper()
	r := &raw{t: t}
	switch {
	case l.http3():
		tunnel, err := l.peer3.WebSocket(path, lower(fields)...)
		if err != nil {
			t.Fatal(err)
		}
		if tunnel.Status != 200 {
			t.Fatalf("%s: status %d", path, tunnel.Status)
		}
		r.octets = h3octets{tunnel}
		r.header = func(name string) string { return tunnel.Field(strings.ToLower(name)) }
	case l.http2():
		tunnel, err := l.peer.Connect(path, append([]string{"sec-websocket-version", "13"}, lower(fields)...)...)
		if err != nil {
			t.Fatal(err)
		}
		if tunnel.Status != 200 {
			t.Fatalf("%s: status %d", path, tunnel.Status)
		}
		r.octets, r.header = h2octets{tunnel}, func(name string) string { return tunnel.Field(strings.ToLower(name)) }
	default:
		c := l.dial(t)
		res, in := upgradeOn(t, c, path, fields...)
		if res.StatusCode != 101 {
			t.Fatalf("%s: %s", path, res.Status)
		}
		r.octets, r.header = h1octets{c.(halfCloser), in}, res.Header.Get
	}
	if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return r
}

// upgradeOn makes the opening handshake of RFC 6455, 4.1 by hand.
func upgradeOn(t *testing.T, c net.Conn, path string, fields ...string) (*http.Response, *bufio.Reader) {
	t.Helper()
	head := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	for i := 0; i < len(fields); i += 2 {
		head += fields[i] + ": " + fields[i+1] + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res, in
}

func lower(fields []string) []string {
	out := append([]string(nil), fields...)
	for i := 0; i < len(out); i += 2 {
		out[i] = strings.ToLower(out[i])
	}
	return out
}

type halfCloser interface {
	net.Conn
	CloseWrite() error
}

type h1octets struct {
	halfCloser
	in *bufio.Reader
}

func (o h1octets) Read(b []byte) (int, error) { return o.in.Read(b) }

func (o h1octets) reset() {
	var c net.Conn = o.halfCloser
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

type h2octets struct{ *h2test.Tunnel }

func (o h2octets) reset() { o.Reset(http2.ErrCodeCancel) }

type h3octets struct{ *h3test.Tunnel }

func (o h3octets) reset() { o.Cancel(h3test.RequestCancelled) }

// say sends octets as they are. A server that has ended already takes none, which what comes back
// shows.
func (r *raw) say(frames ...[]byte) {
	r.Write(bytes.Join(frames, nil))
}

// frame takes the next frame; an error is that of the stream.
func (r *raw) frame() (h wsframe.Header, payload []byte, err error) {
	for {
		h, n := wsframe.ParseHeader(r.buf)
		if n > 0 && int64(len(r.buf)-n) >= h.Length {
			payload = r.buf[n : n+int(h.Length)]
			r.buf = r.buf[n+int(h.Length):]
			if h.Masked || n != h.Len() {
				r.t.Errorf("a frame of the server is masked, or its length not in the shortest form: %+v (RFC 6455, 5.1 and 5.2)", h)
			}
			return h, payload, nil
		}
		b := make([]byte, 32<<10)
		n, err := r.Read(b)
		r.buf = append(r.buf, b[:n]...)
		if err != nil && n == 0 {
			return h, nil, err
		}
	}
}

// next is the next frame in words, or "end" for END_STREAM or FIN, or "reset".
func (r *raw) next() string {
	r.t.Helper()
	h, p, err := r.frame()
	switch {
	case err == io.EOF && len(r.buf) == 0:
		return "end"
	case err == io.EOF:
		return fmt.Sprintf("end inside a frame: %x", r.buf)
	case err != nil:
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			r.t.Fatal("nothing more came")
		}
		return "reset"
	}
	return words(h, p)
}

// words tells a frame: text "hello", close 1000 "bye", close. Long payloads are told by their
// length.
func words(h wsframe.Header, p []byte) string {
	s := h.Op.String()
	if h.RSV1 {
		s += " compressed"
	}
	if !h.Fin {
		s += " unfinished"
	}
	if h.Op == wsframe.Close && len(p) >= 2 {
		return fmt.Sprintf("%s %d %q", s, int(p[0])<<8|int(p[1]), p[2:])
	}
	switch {
	case h.Op == wsframe.Close && len(p) == 0:
		return s
	case len(p) > 200:
		return fmt.Sprintf("%s of %d", s, len(p))
	}
	return fmt.Sprintf("%s %q", s, p)
}

// all is everything to the end, one line each. Behind a close frame the client ends its side, for
// the server's end may wait for that (BEHAVIOUR 4).
func (r *raw) all() string {
	r.t.Helper()
	var lines []string
	for {
		s := r.next()
		lines = append(lines, s)
		if strings.HasPrefix(s, "close") {
			if r.said != nil {
				<-r.said
			}
			r.CloseWrite() // it may have gone
		}
		if s == "reset" || strings.HasPrefix(s, "end") {
			return strings.Join(lines, "\n")
		}
	}
}

// want compares all that comes with lines, and then ends our side.
func (r *raw) want(lines ...string) {
	r.t.Helper()
	r.wantAll(lines...)
	r.CloseWrite() // it may have gone
}

func (r *raw) wantAll(lines ...string) {
	r.t.Helper()
	if got, want := r.all(), strings.Join(lines, "\n"); got != want {
		r.t.Errorf("the server sent\n%s\nwant\n%s", indent(got), indent(want))
	}
}

func (r *raw) wantNext(want string) {
	r.t.Helper()
	if got := r.next(); got != want {
		r.t.Fatalf("got %s, want %s", got, want)
	}
}

func indent(s string) string { return "\t" + strings.ReplaceAll(s, "\n", "\n\t") }

// masked is a client's frame.
func masked(h wsframe.Header, payload string) []byte {
	h.Masked, h.Key = true, [4]byte{0x37, 0xfa, 0x21, 0x3d}
	return wsframe.AppendFrame(nil, h, []byte(payload))
}

func text(s string) []byte        { return masked(wsframe.Header{Fin: true, Op: wsframe.Text}, s) }
func binaryFrame(s string) []byte { return masked(wsframe.Header{Fin: true, Op: wsframe.Binary}, s) }
func ping(s string) []byte        { return masked(wsframe.Header{Fin: true, Op: wsframe.Ping}, s) }
func pong(s string) []byte        { return masked(wsframe.Header{Fin: true, Op: wsframe.Pong}, s) }

// begin, more and last are the fragments of a message.
func begin(op wsframe.Opcode, s string) []byte { return masked(wsframe.Header{Op: op}, s) }
func more(s string) []byte                     { return masked(wsframe.Header{}, s) }
func last(s string) []byte                     { return masked(wsframe.Header{Fin: true}, s) }

// closing is a close frame with any code; 0: empty.
func closing(code int, s string) []byte {
	return masked(wsframe.Header{Fin: true, Op: wsframe.Close}, string(wsframe.AppendClose(nil, wsframe.CloseCode(code), s)))
}

func frames(fs ...[]byte) []byte { return bytes.Join(fs, nil) }
