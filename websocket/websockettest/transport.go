package websockettest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"weir/h1"
	"weir/h2"
	"weir/stream"
	"weir/stream/memnet"
	"weir/websocket"
)

// Transport is what the WebSockets of a test run over. Values compare with ==.
type Transport struct{ t *transport }

type transport struct {
	name  stream.Transport
	start func(srv *http.Server, ws *websocket.Server) (Client, error)
}

// The transports that come with the package. All of them are in memory.
var (
	// Pipe is a stream without HTTP below it. A handshake is a call of the http.Handler, with the
	// request as HTTP/1.1 has it; what is sent is a copy from one end to the other.
	Pipe = Transport{&transport{stream.Mem, startPipe}}
	// H1 is HTTP/1.1 in cleartext.
	H1 = Transport{&transport{stream.H1, startH1}}
	// H1TLS is HTTP/1.1 over TLS.
	H1TLS = Transport{&transport{stream.H1TLS, startH1TLS}}
	// H2C is HTTP/2 in cleartext, with prior knowledge.
	H2C = Transport{&transport{stream.H2C, startH2C}}
	// H2 is HTTP/2 over TLS.
	H2 = Transport{&transport{stream.H2, startH2}}
)

// All are the transports that come with the package: Pipe, H1, H1TLS, H2C and H2.
func All() []Transport { return append([]Transport{Pipe}, OverHTTP()...) }

// OverHTTP are those of All that have HTTP below them: all but Pipe.
func OverHTTP() []Transport { return []Transport{H1, H1TLS, H2C, H2} }

// NewTransport makes a transport of one's own, for tests alone. name is what Session.Info says of
// its streams, and with it the version of HTTP that requests have the form of. start serves srv, of
// which websocket.ConfigureServer has made ws, and gives a Client of it.
func NewTransport(name stream.Transport,
	start func(srv *http.Server, ws *websocket.Server) (Client, error)) Transport {
	return Transport{&transport{name, start}}
}

// Client opens streams on one server, as *h2.Client does. One that has a method Lose() is told by
// it when its network is lost.
type Client interface {
	// Open asks for a WebSocket: by a GET with Upgrade where the version of HTTP is 1.1, and by
	// extended CONNECT with r.Header[":protocol"] above it. A response that opens nothing comes
	// without a stream.
	Open(ctx context.Context, r *http.Request) (stream.Stream, *http.Response, error)
	// Close ends the server and every stream.
	Close() error
}

// String is the name that subtests have: pipe, h1, h1tls, h2c, h2.
func (tr Transport) String() string {
	if tr.t == nil {
		return "no transport"
	}
	return string(tr.t.name)
}

// Each runs body as a subtest of t over each of the transports, All if none are named. Each subtest
// is a bubble of testing/synctest of its own: its clock stands still while anything moves, and
// jumps to the next timer when nothing does.
func Each(t *testing.T, body func(t *testing.T, tr Transport), transports ...Transport) {
	t.Helper()
	if len(transports) == 0 {
		transports = All()
	}
	for _, tr := range transports {
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { body(t, tr) })
		})
	}
}

// network is a server on a network in memory, and the way there.
type network struct {
	ln    *memnet.Listener
	proto string // of ALPN; empty: in cleartext

	mu    sync.Mutex
	links []*link
}

func serveOn(srv *http.Server, proto string) *network {
	n := &network{ln: memnet.Listen(), proto: proto}
	if proto == "" {
		go srv.Serve(n.ln) // ends when the listener is closed
	} else {
		go srv.ServeTLS(n.ln, "", "") // ends when the listener is closed
	}
	return n
}

// connect opens a connection.
func (n *network) connect(ctx context.Context) (*link, error) {
	nc, err := n.ln.Dial(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: nc.(*memnet.Conn), over: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links = append(n.links, l)
	return l, nil
}

// dial opens a connection, and shakes hands.
func (n *network) dial(ctx context.Context) (net.Conn, error) {
	l, err := n.connect(ctx)
	if err != nil || n.proto == "" {
		return l, err
	}
	tc := tls.Client(l, clientTLS(n.proto))
	if err := tc.HandshakeContext(ctx); err != nil {
		l.Close()
		return nil, err
	}
	return tc, nil
}

// Lose loses every connection.
func (n *network) Lose() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.lose()
	}
}

// Close ends every connection, with what is on its way.
func (n *network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.cut()
	}
	return n.ln.Close()
}

// link is a client's connection. One that is lost takes what is written and gives nothing.
type link struct {
	*memnet.Conn
	mu     sync.Mutex
	lost   bool
	closed bool
	over   chan struct{} // closed with the link
}

func (l *link) isLost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

func (l *link) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = true
}

func (l *link) Read(b []byte) (int, error) {
	n, err := 0, error(nil)
	if !l.isLost() {
		n, err = l.Conn.Read(b)
	}
	if l.isLost() {
		<-l.over
		return 0, net.ErrClosed
	}
	return n, err
}

func (l *link) Write(b []byte) (int, error) {
	if l.isLost() {
		return len(b), nil
	}
	return l.Conn.Write(b)
}

// CloseWrite ends our side, unless nobody would hear of it.
func (l *link) CloseWrite() error {
	if l.isLost() {
		return nil
	}
	return l.Conn.CloseWrite()
}

// Close closes the connection. The server hears nothing of it over a network that is lost.
func (l *link) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.over)
	}
	lost := l.lost
	l.mu.Unlock()
	if lost {
		return nil
	}
	return l.Conn.Close()
}

// cut closes the connection at both ends, as a client that is killed does.
func (l *link) cut() {
	_ = l.Conn.SetLinger(0) // cannot fail
	_ = l.Close()           // and this not in a way that matters: it may be closed
	_ = l.Conn.Close()
}

// last is the connection that was opened last.
func (n *network) last() *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.links[len(n.links)-1]
}

// loseFrom loses the connections that come from an address.
func (n *network) loseFrom(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		if l.LocalAddr().String() == addr {
			l.lose()
		}
	}
}

// h1Client has a connection for each WebSocket.
type h1Client struct{ *network }

func startH1(srv *http.Server, _ *websocket.Server) (Client, error) {
	return h1Client{serveOn(srv, "")}, nil
}
func startH1TLS(srv *http.Server, _ *websocket.Server) (Client, error) {
	return h1Client{serveOn(srv, "http/1.1")}, nil
}

func (c h1Client) Open(ctx context.Context, r *http.Request) (stream.Stream, *http.Response, error) {
	nc, err := c.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	return h1.Request(ctx, nc, r)
}

// h2Client has one connection for all WebSockets, which the first opens.
type h2Client struct {
	*network
	client *h2.Client
}

func startH2C(srv *http.Server, _ *websocket.Server) (Client, error) {
	return &h2Client{network: serveOn(srv, "")}, nil
}
func startH2(srv *http.Server, _ *websocket.Server) (Client, error) {
	return &h2Client{network: serveOn(srv, "h2")}, nil
}

func (c *h2Client) Open(ctx context.Context, r *http.Request) (stream.Stream, *http.Response, error) {
	if c.client == nil || c.client.Leaving() {
		nc, err := c.dial(ctx)
		if err != nil {
			return nil, nil, err
		}
		c.client = h2.NewClient(nc, &h2.ClientConfig{WriteTimeout: -1})
	}
	return c.client.Open(ctx, r)
}

func (c *h2Client) Close() error {
	if c.client == nil {
		return c.network.Close()
	}
	err := errors.Join(c.client.Close(), c.network.Close())
	<-c.client.Done()
	return err
}

// h1 and the client's TLS look for these.
var (
	_ interface{ CloseWrite() error } = (*link)(nil)
	_ io.ReadWriteCloser              = (*link)(nil)
)
