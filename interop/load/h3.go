package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// What a client of tunnels says and hears over HTTP/3 (RFC 9114, 7.2, 8.1; RFC 9220, 3). The frame
// types DATA, HEADERS and SETTINGS have other numbers than those of HTTP/2, but for the first two.
const (
	h3Settings  = 0x4
	h3NoError   = 0x100
	h3Cancelled = 0x10c
)

// QUIC is what the connections of HTTP/3 sent, in packets. What the server sent again is not known
// here.
type QUIC struct {
	Sent, Received, Lost uint64
	LostOctets           uint64 // sent again
}

// h3Conns are the connections of HTTP/3. Each of their streams is a link of its own, over a
// net.Conn.
type h3Conns struct {
	mu    sync.Mutex
	conns map[int]*h3Conn
}

type h3Conn struct {
	once sync.Once
	qc   *quic.Conn
	tr   *quic.Transport
	err  error
}

// get gives a connection, which the first who asks opens.
func (h *h3Conns) get(ctx context.Context, c *Config, group int) (*quic.Conn, error) {
	h.mu.Lock()
	if h.conns == nil {
		h.conns = map[int]*h3Conn{}
	}
	n := h.conns[group]
	if n == nil {
		n = new(h3Conn)
		h.conns[group] = n
	}
	h.mu.Unlock()
	n.once.Do(func() { n.err = n.dial(ctx, c) })
	return n.qc, n.err
}

// dial opens a connection, and waits for the server's SETTINGS.
func (n *h3Conn) dial(ctx context.Context, c *Config) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	addr, err := net.ResolveUDPAddr("udp", c.address())
	if err != nil {
		return err
	}
	pc, err := net.ListenUDP("udp", nil)
	if err != nil {
		return err
	}
	t := &tls.Config{}
	if c.TLS != nil {
		t = c.TLS.Clone()
	}
	if t.ServerName == "" {
		t.ServerName = c.URL.Hostname()
	}
	t.NextProtos = []string{"h3"}
	n.tr = &quic.Transport{Conn: pc}
	qc, err := n.tr.Dial(ctx, addr, t, &quic.Config{
		InitialStreamReceiveWindow: uint64(c.Window), MaxStreamReceiveWindow: uint64(c.Window),
		InitialConnectionReceiveWindow: connWindow, MaxConnectionReceiveWindow: connWindow, MaxIncomingStreams: -1,
	})
	if err != nil {
		n.tr.Close()
		pc.Close()
		return err
	}
	n.qc = qc
	control, err := qc.OpenUniStream()
	if err != nil {
		return err
	}
	if _, err := control.Write([]byte{0, h3Settings, 0}); err != nil {
		return err
	}
	for {
		rs, err := qc.AcceptUniStream(ctx)
		if err != nil {
			return err
		}
		offered, isControl, err := readSettings(rs)
		switch {
		case err != nil:
			return err
		case !isControl:
		case !offered:
			return &handshakeError{text: "no extended CONNECT on this server (RFC 9220, 3)"}
		default:
			go io.Copy(io.Discard, rs) // ends with the connection
			return nil
		}
	}
}

// readSettings reads the beginning of a server's stream.
func readSettings(rs *quic.ReceiveStream) (offered, isControl bool, err error) {
	r := quicvarint.NewReader(rs)
	kind, err := quicvarint.Read(r)
	if err != nil || kind != 0 {
		return false, false, err
	}
	kind, err = quicvarint.Read(r)
	if err != nil || kind != h3Settings {
		return false, true, errors.Join(err, errors.New("HTTP/3: no SETTINGS (RFC 9114, 6.2.1)"))
	}
	b, err := payload3(r, rs)
	for len(b) > 0 && err == nil {
		id, n, err1 := quicvarint.Parse(b)
		v, m, err2 := quicvarint.Parse(b[n:])
		err = errors.Join(err1, err2)
		b = b[n+m:]
		offered = offered || id == settingConnect && v == 1
	}
	return offered, true, err
}

// payload3 reads the length and the payload of a frame that is not DATA.
func payload3(r quicvarint.Reader, from io.Reader) ([]byte, error) {
	n, err := quicvarint.Read(r)
	if err != nil || n > maxHead {
		return nil, errors.Join(err, errors.New("HTTP/3: a frame that is too long"))
	}
	b := make([]byte, n)
	_, err = io.ReadFull(from, b)
	return b, err
}

// open opens a WebSocket on the connection of a group.
func (h *h3Conns) open(ctx context.Context, r *run, group int) (net.Conn, error) {
	c := r.cfg
	qc, err := h.get(ctx, c, group)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	qs, err := qc.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	s := &h3Stream{Stream: qs, qc: qc, r: quicvarint.NewReader(qs)}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if _, err = qs.Write(request3(c)); err == nil {
		err = s.answer(r)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// request3 is the opening handshake (RFC 9220, 3).
func request3(c *Config) []byte {
	var block bytes.Buffer
	e := qpack.NewEncoder(&block)
	field := func(name, value string) {
		_ = e.WriteField(qpack.HeaderField{Name: name, Value: value}) // a bytes.Buffer takes all
	}
	host := c.URL.Host
	if v := c.Header.Get("Host"); v != "" {
		host = v
	}
	field(":method", "CONNECT")
	field(":protocol", "websocket")
	field(":scheme", "https")
	field(":authority", host)
	field(":path", c.URL.RequestURI())
	field("sec-websocket-version", "13")
	if c.Compress {
		field("sec-websocket-extensions", offer(c))
	}
	for name, values := range c.Header {
		for _, v := range values {
			if name != "Host" {
				field(strings.ToLower(name), v)
			}
		}
	}
	b := quicvarint.Append([]byte{frameHeaders}, uint64(block.Len()))
	return append(b, block.Bytes()...)
}

// h3Stream is a WebSocket's stream: a net.Conn whose octets are those of DATA frames.
type h3Stream struct {
	*quic.Stream
	qc   *quic.Conn
	r    quicvarint.Reader
	left uint64 // of the DATA frame that is read
	out  []byte
}

// answer reads the response.
func (s *h3Stream) answer(r *run) error {
	for {
		kind, err := quicvarint.Read(s.r)
		if err != nil {
			return err
		}
		b, err := payload3(s.r, s.Stream)
		if err != nil {
			return err
		}
		if kind != frameHeaders {
			continue
		}
		status, agreed := "", ""
		for next := qpack.NewDecoder().Decode(b); ; {
			f, err := next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return fmt.Errorf("HTTP/3: fields that cannot be read (RFC 9204, 2.2): %w", err)
			}
			switch f.Name {
			case ":status":
				status = f.Value
			case "sec-websocket-extensions":
				agreed = f.Value
			}
		}
		switch {
		case len(status) == 3 && status[0] == '1':
			continue
		case status != "200":
			code := 0
			_, _ = fmt.Sscan(status, &code) // no number: not refused, but broken
			return &handshakeError{code, "refused: " + status}
		}
		return r.checkExtensions(agreed)
	}
}

// Read reads the payload of DATA; frames of other types are skipped.
func (s *h3Stream) Read(b []byte) (int, error) {
	for s.left == 0 {
		kind, err := quicvarint.Read(s.r)
		if err != nil {
			return 0, err
		}
		if kind == frameData {
			if s.left, err = quicvarint.Read(s.r); err != nil {
				return 0, err
			}
		} else if _, err := payload3(s.r, s.Stream); err != nil {
			return 0, err
		}
	}
	n, err := s.Stream.Read(b[:min(uint64(len(b)), s.left)])
	s.left -= uint64(n)
	return n, err
}

// Write writes a DATA frame.
func (s *h3Stream) Write(b []byte) (int, error) {
	s.out = append(quicvarint.Append(append(s.out[:0], frameData), uint64(len(b))), b...)
	if _, err := s.Stream.Write(s.out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close ends our side behind what was written, and asks for no more.
func (s *h3Stream) Close() error {
	s.CancelRead(h3Cancelled)
	s.CancelWrite(h3Cancelled)
	return nil
}

// LocalAddr is the connection's.
func (s *h3Stream) LocalAddr() net.Addr { return s.qc.LocalAddr() }

// RemoteAddr is the connection's.
func (s *h3Stream) RemoteAddr() net.Addr { return s.qc.RemoteAddr() }

// close ends the connections, and counts what they sent.
func (h *h3Conns) close() (q QUIC) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.conns {
		if n.qc == nil {
			continue
		}
		st := n.qc.ConnectionStats()
		q.Sent += st.PacketsSent
		q.Received += st.PacketsReceived
		q.Lost += st.PacketsLost
		q.LostOctets += st.BytesLost
		_ = n.qc.CloseWithError(h3NoError, "") // it never fails
		n.tr.Close()
		n.tr.Conn.Close()
	}
	return q
}
