package h3

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
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/h3/h3test"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// testCert is httptest's certificate.
var testCert = sync.OnceValue(func() tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0]
})

func TestMain(m *testing.M) {
	testCert() // not inside a bubble
	http.CanonicalHeaderKey("x")
	os.Exit(m.Run())
}

// site is a server, the network it is on, and what a test needs of both.
type site struct {
	*testing.T
	hs     *http.Server
	srv    *Server
	addr   net.Addr
	log    *lockedBuffer
	served chan error
	socket func() net.PacketConn // for one more client
	ends   []func()
	cut    func() // in a bubble: nothing passes any more

	network *h3test.Network // in a bubble
}

// options change a site before it serves.
type options struct {
	cfg     Config
	prepare func(*http.Server)
	socket  func(net.PacketConn) net.PacketConn // the server's
}

// bubble runs body in fake time, over a network in memory with a latency of 1 ms each way.
func bubble(t *testing.T, o *options, h http.HandlerFunc, body func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, end := inBubble(t, o, h)
		defer end()
		body(s)
	})
}

// inBubble is for who is in a bubble already.
func inBubble(t *testing.T, o *options, h http.HandlerFunc) (s *site, end func()) {
	t.Helper()
	network := h3test.NewNetwork(1, h3test.Link{Delay: time.Millisecond})
	var clients []*h3test.PacketConn
	next := func() net.PacketConn {
		c := network.Listen()
		clients = append(clients, c)
		return c
	}
	s = start(t, o, h, next(), next)
	s.cut = func() { // the path to all clients is dead
		for _, c := range clients[1:] {
			c.Cut(true)
		}
	}
	s.network = network
	return s, func() {
		s.end()
		time.Sleep(time.Minute) // what QUIC does behind the end
		synctest.Wait()
	}
}

// loopback runs body on the real clock, over UDP.
func loopback(t *testing.T, o *options, h http.HandlerFunc, body func(s *site)) {
	t.Helper()
	s := start(t, o, h, udp(t), func() net.PacketConn { return udp(t) })
	defer s.end()
	body(s)
}

func udp(t *testing.T) net.PacketConn {
	t.Helper()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

func start(t *testing.T, o *options, h http.HandlerFunc, pc net.PacketConn, socket func() net.PacketConn) *site {
	t.Helper()
	if o == nil {
		o = new(options)
	}
	s := &site{T: t, addr: pc.LocalAddr(), log: new(lockedBuffer), served: make(chan error, 1), socket: socket}
	s.hs = &http.Server{Handler: h, ErrorLog: log.New(s.log, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{testCert()}}}
	if o.prepare != nil {
		o.prepare(s.hs)
	}
	srv, err := ConfigureServer(s.hs, &o.cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.srv = srv
	if o.socket != nil {
		pc = o.socket(pc)
	}
	go func() { s.served <- srv.Serve(pc) }() // ends with Close
	return s
}

func (s *site) end() {
	for i := range s.ends {
		s.ends[len(s.ends)-1-i]()
	}
	s.srv.Close()
	if err := <-s.served; !errors.Is(err, http.ErrServerClosed) {
		s.Errorf("Serve: %v", err)
	}
}

// peer is a client that says any frame.
type peer struct {
	*testing.T
	qc  *quic.Conn
	tr  *quic.Transport
	ctl *quic.SendStream
}

// clientTLS is what clients of tests use.
func clientTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}, ServerName: "weir.test"}
}

func (s *site) dial() *peer { return s.dialWith(&quic.Config{MaxIdleTimeout: time.Hour}) }

func (s *site) dialWith(c *quic.Config) *peer {
	s.Helper()
	p, err := s.tryDial(c)
	if err != nil {
		s.Fatal(err)
	}
	return p
}

func (s *site) tryDial(c *quic.Config) (*peer, error) {
	pc := s.socket()
	tr := &quic.Transport{Conn: pc}
	s.ends = append(s.ends, func() { tr.Close(); pc.Close() })
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	qc, err := tr.Dial(ctx, s.addr, clientTLS(), c)
	if err != nil {
		return nil, err
	}
	s.ends = append(s.ends, func() { qc.CloseWithError(0x100, "") })
	p := &peer{T: s.T, qc: qc, tr: tr}
	if p.ctl, err = qc.OpenUniStream(); err != nil {
		return nil, err
	}
	p.ctl.Write([]byte{0, frameSettings, 0})
	return p, nil
}

// head is a HEADERS frame of lines "name: value".
func head(lines ...string) []byte {
	var block bytes.Buffer
	e := qpack.NewEncoder(&block)
	for _, l := range lines {
		at := strings.Index(l[1:], ":") + 1
		e.WriteField(qpack.HeaderField{Name: l[:at], Value: strings.TrimPrefix(l[at+1:], " ")})
	}
	return append(appendFrame(nil, frameHeaders, uint64(block.Len())), block.Bytes()...)
}

// request is the head of an ordinary request.
func request(method, path string, lines ...string) []byte {
	return head(append([]string{":method: " + method, ":scheme: https", ":authority: weir.test", ":path: " + path}, lines...)...)
}

// connect is the head of an extended CONNECT for a WebSocket.
func connect(path string, lines ...string) []byte {
	return request("CONNECT", path, append([]string{":protocol: websocket", "sec-websocket-version: 13"}, lines...)...)
}

// data is a DATA frame.
func data(b string) []byte { return append(appendFrame(nil, frameData, uint64(len(b))), b...) }

// open sends octets on a new stream.
func (p *peer) open(b []byte) *rawStream {
	p.Helper()
	qs, err := p.qc.OpenStreamSync(p.qc.Context())
	if err != nil {
		p.Fatal(err)
	}
	if _, err := qs.Write(b); err != nil {
		p.Fatal(err)
	}
	return &rawStream{Stream: qs, r: quicvarint.NewReader(qs)}
}

// rawStream is a client's end of a stream.
type rawStream struct {
	*quic.Stream
	r    quicvarint.Reader
	left uint64 // of a DATA frame
}

// frame reads a frame.
func (s *rawStream) frame() (kind uint64, payload []byte, err error) {
	if kind, err = quicvarint.Read(s.r); err != nil {
		return 0, nil, err
	}
	n, err := quicvarint.Read(s.r)
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(s.Stream, payload)
	return kind, payload, err
}

// answer reads the fields of an answer.
func (s *rawStream) answer() (map[string]string, error) {
	kind, b, err := s.frame()
	if err != nil {
		return nil, err
	}
	if kind != frameHeaders {
		return nil, fmt.Errorf("frame of type %d", kind)
	}
	fs := map[string]string{}
	next := qpack.NewDecoder().Decode(b)
	for {
		f, err := next()
		if err == io.EOF {
			return fs, nil
		}
		if err != nil {
			return nil, err
		}
		if v, ok := fs[f.Name]; ok {
			f.Value = v + ", " + f.Value
		}
		fs[f.Name] = f.Value
	}
}

// fieldsOf is a field section, sorted.
func fieldsOf(t *testing.T, b []byte) string {
	t.Helper()
	var all []string
	next := qpack.NewDecoder().Decode(b)
	for {
		f, err := next()
		if err == io.EOF {
			slices.Sort(all)
			return strings.Join(all, ", ")
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Name+": "+f.Value)
	}
}

// Read reads the payload of DATA frames.
func (s *rawStream) Read(b []byte) (int, error) {
	for s.left == 0 {
		kind, err := quicvarint.Read(s.r)
		if err != nil {
			return 0, err
		}
		n, err := quicvarint.Read(s.r)
		if err != nil {
			return 0, err
		}
		if kind != frameData {
			return 0, fmt.Errorf("frame of type %d", kind)
		}
		s.left = n
	}
	n, err := s.Stream.Read(b[:min(uint64(len(b)), s.left)])
	s.left -= uint64(n)
	return n, err
}

// body reads all there is.
func (s *rawStream) body() (string, error) {
	b, err := io.ReadAll(s)
	return string(b), err
}

// get makes an ordinary request.
func (p *peer) get(path string, lines ...string) (map[string]string, string, error) {
	p.Helper()
	s := p.open(request("GET", path, lines...))
	s.Close()
	fs, err := s.answer()
	if err != nil {
		return nil, "", err
	}
	b, err := s.body()
	return fs, b, err
}

// readN reads n octets.
func readN(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(b)
}

// settle lets the network come to rest: acknowledgements wait up to 25 ms.
func settle() {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
