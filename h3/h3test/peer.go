package h3test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/quic"
)

// patience is how long a Peer waits for what has to come.
const patience = time.Minute

// Options change what a Peer does.
type Options struct {
	TLS      *tls.Config        // nil: any certificate will do; without NextProtos "h3" is offered
	QUIC     func(*quic.Config) // changes the transport's parameters: windows, timeouts
	Settings []uint64           // of the peer's SETTINGS: setting and value in turn
	Bare     bool               // open no control stream: nothing is sent but what is asked for
	Host     string             // :authority; "example.test" if empty
}

// Peer is the client of one HTTP/3 connection. Its methods may be called from any goroutine.
type Peer struct {
	opts     Options
	endpoint *quic.Endpoint
	conn     *quic.Conn

	mu       sync.Mutex
	changed  sync.Cond         // anything below changed
	settings map[uint64]uint64 // the server's, nil until they came
	goAways  []uint64          // what the server's GOAWAYs said, in order
	err      error             // why the connection has ended
	control  *quic.Stream      // ours

	requests chan *Tunnel // of a server: what the client has opened
}

// Dial makes a connection to server. Its packets go through pc, which the Peer owns. Dial returns
// once the handshake is done.
func Dial(ctx context.Context, pc net.PacketConn, server net.Addr, o Options) (*Peer, error) {
	if o.Host == "" {
		o.Host = "example.test"
	}
	t := &tls.Config{InsecureSkipVerify: true}
	if o.TLS != nil {
		t = o.TLS.Clone()
	}
	if t.NextProtos == nil {
		t.NextProtos = []string{"h3"}
	}
	if t.ServerName == "" {
		t.ServerName = "localhost"
	}
	t.MinVersion = tls.VersionTLS13
	cfg := &quic.Config{TLSConfig: t}
	if o.QUIC != nil {
		o.QUIC(cfg)
	}
	e, err := quic.NewEndpoint(pc, nil)
	if err != nil {
		pc.Close()
		return nil, err
	}
	c, err := e.Dial(ctx, "udp", server.String(), cfg)
	if err != nil {
		closeEndpoint(e)
		return nil, err
	}
	p := &Peer{opts: o, endpoint: e, conn: c}
	p.changed.L = &p.mu
	go p.accept() // ends with the connection
	go p.watch()  // ends with the connection
	if !o.Bare {
		var b []byte
		b = AppendVarint(b, StreamControl)
		if err := p.Control(AppendSettings(b, o.Settings...)); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

// closeEndpoint closes at once: nobody waits for the server to acknowledge it.
func closeEndpoint(e *quic.Endpoint) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = e.Close(ctx) // it says that ctx has ended
}

// watch notes why the connection ends.
func (p *Peer) watch() {
	err := p.conn.Wait(context.Background())
	if err == nil {
		err = errors.New("h3test: closed with the transport's NO_ERROR")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	p.changed.Broadcast()
}

// accept reads the server's unidirectional streams.
func (p *Peer) accept() {
	if p.requests != nil {
		defer close(p.requests)
	}
	for {
		s, err := p.conn.AcceptStream(context.Background())
		if err != nil {
			return
		}
		if p.requests != nil && !s.IsReadOnly() {
			p.requests <- newTunnel(p, s)
			continue
		}
		go p.uni(s) // ends with the stream, at the latest with the connection
	}
}

func (p *Peer) uni(s *quic.Stream) {
	kind, err := varint(s)
	if err == nil && kind != StreamControl {
		_, _ = io.Copy(io.Discard, s) // its end is nobody's concern
		return
	}
	for err == nil {
		err = p.controlFrame(s)
	}
}

func (p *Peer) controlFrame(s *quic.Stream) error {
	kind, length, err := frameHead(s)
	if err != nil {
		return err
	}
	b, err := framePayload(s, length)
	if err != nil {
		return err
	}
	r := bytes.NewReader(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch kind {
	case FrameSettings:
		p.settings = map[uint64]uint64{}
		for r.Len() > 0 {
			id, err1 := varint(r)
			v, err2 := varint(r)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			p.settings[id] = v
		}
	case FrameGoAway:
		id, err := varint(r)
		if err != nil {
			return err
		}
		p.goAways = append(p.goAways, id)
	}
	p.changed.Broadcast()
	return nil
}

// wait returns once ok, the connection ended, or d passed; the caller holds mu.
func (p *Peer) wait(d time.Duration, ok func() bool) error {
	late := false
	t := time.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		late = true
		p.changed.Broadcast()
	})
	defer t.Stop()
	for !ok() {
		if p.err != nil {
			return p.err
		}
		if late {
			return os.ErrDeadlineExceeded
		}
		p.changed.Wait()
	}
	return nil
}

// Settings are the server's, for which it waits at most a minute.
func (p *Peer) Settings() (map[uint64]uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.wait(patience, func() bool { return p.settings != nil })
	return p.settings, err
}

// GoAways are the stream IDs of the server's GOAWAYs, once there are n of them; it waits at most a
// minute.
func (p *Peer) GoAways(n int) ([]uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.wait(patience, func() bool { return len(p.goAways) >= n })
	return p.goAways, err
}

// Control sends octets on our control stream, which it opens if there is none yet: the first one
// then begins with the stream's type.
func (p *Peer) Control(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.control == nil {
		s, err := p.newUni()
		if err != nil {
			return err
		}
		p.control = s
	}
	return write(p.control, b)
}

// EndControl ends our control stream, with a reset if code is not 0.
func (p *Peer) EndControl(code Code) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if code == 0 {
		return p.control.CloseWrite()
	}
	return p.control.Reset(uint64(code))
}

// Uni opens a unidirectional stream, and sends octets on it: its type first.
func (p *Peer) Uni(b []byte) (*quic.Stream, error) {
	s, err := p.newUni()
	if err != nil {
		return nil, err
	}
	return s, write(s, b)
}

func (p *Peer) newUni() (*quic.Stream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := p.conn.NewSendOnlyStream(ctx)
	if err == nil {
		s.SetWriteContext(context.Background())
	}
	return s, err
}

// write writes and flushes.
func write(s *quic.Stream, b []byte) error {
	if _, err := s.Write(b); err != nil {
		return err
	}
	return s.Flush()
}

// Wait waits until the connection has ended, at most for d. A *quic.ConnectionCloseError has the
// code that the server gave, see CloseCode.
func (p *Peer) Wait(d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.wait(d, func() bool { return p.err != nil }); err != nil {
		return err
	}
	return p.err
}

// Err is why the connection has ended, nil while it has not.
func (p *Peer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// CloseCode is the code of HTTP/3 that err has: the server closed the connection with it, or reset
// the stream.
func CloseCode(err error) (Code, bool) {
	if ce, ok := errors.AsType[*quic.ConnectionCloseError](err); ok {
		return Code(ce.Code), true
	}
	if se, ok := errors.AsType[quic.StreamError](err); ok {
		return Code(se), true
	}
	return 0, false
}

// Conn is the connection of QUIC.
func (p *Peer) Conn() *quic.Conn { return p.conn }

// Abort closes the connection with a code.
func (p *Peer) Abort(code Code) {
	p.conn.Abort(&quic.ConnectionCloseError{Code: uint64(code)})
}

// Close closes the connection with H3_NO_ERROR, and then its PacketConn.
func (p *Peer) Close() error {
	p.Abort(NoError)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return p.endpoint.Close(ctx)
}

// Connect opens an extended CONNECT and waits at most a minute for the answer, whatever its status.
// fields are names and values in turn, added to :method, :protocol websocket, :scheme, :authority
// and :path. One of these names replaces the value, and as its value "-" leaves the field out.
func (p *Peer) Connect(path string, fields ...string) (*Tunnel, error) {
	t, err := p.Begin(path, fields...)
	if err != nil {
		return nil, err
	}
	return t, t.Answer(patience)
}

// Begin is Connect without the wait.
func (p *Peer) Begin(path string, fields ...string) (*Tunnel, error) {
	head := []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https",
		":authority", p.opts.Host, ":path", path}
	return p.Open(request(head, fields)...)
}

// WebSocket is Connect with what a WebSocket's handshake has besides.
func (p *Peer) WebSocket(path string, fields ...string) (*Tunnel, error) {
	return p.Connect(path, append([]string{"sec-websocket-version", "13"}, fields...)...)
}

// request is head with fields, see Connect.
func request(head, fields []string) []string {
	var more []string
next:
	for i := 0; i+1 < len(fields); i += 2 {
		for j := 0; j < len(head) && strings.HasPrefix(fields[i], ":"); j += 2 {
			if head[j] == fields[i] {
				head[j+1] = fields[i+1]
				continue next
			}
		}
		more = append(more, fields[i], fields[i+1])
	}
	var all []string
	for j := 0; j < len(head); j += 2 {
		if head[j+1] != "-" {
			all = append(all, head[j], head[j+1])
		}
	}
	return append(all, more...)
}

// Get makes an ordinary request and waits for its whole answer.
func (p *Peer) Get(path string, fields ...string) (status int, body []byte, err error) {
	head := []string{":method", "GET", ":scheme", "https", ":authority", p.opts.Host, ":path", path}
	t, err := p.Open(request(head, fields)...)
	if err != nil {
		return 0, nil, err
	}
	if err := t.CloseWrite(); err != nil {
		return 0, nil, err
	}
	if err := t.Answer(patience); err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(t)
	return t.Status, body, err
}

// Open opens a stream with exactly these fields, and does not wait for the answer.
func (p *Peer) Open(fields ...string) (*Tunnel, error) {
	t, err := p.Stream()
	if err != nil {
		return nil, err
	}
	return t, t.Headers(fields...)
}

// Stream opens a stream on which nothing is said yet: the server knows of it with the first octet.
// It waits at most a minute until the server allows one more.
func (p *Peer) Stream() (*Tunnel, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := p.conn.NewStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("h3test: no new stream: %w", err)
	}
	return newTunnel(p, s), nil
}
