package h3_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"testing"
	"time"

	"weir/h3"
	"weir/h3/h3test"
	"weir/wsframe"

	"github.com/quic-go/quic-go"
)

// TestGoAway: GOAWAY has the id of the next stream. WebSockets that are open go on, later requests
// are rejected for good to be made elsewhere (RFC 9114, 5.2), no new connection is accepted, and
// each connection ends behind its last WebSocket.
func TestGoAway(t *testing.T) {
	attack(t, nil, func(x *target) {
		p := x.peer()
		x.alive(p)
		tun := x.socket(p)
		idle := x.peer()
		x.alive(idle)
		x.srv.GoAway()
		if ids, err := p.GoAways(1); err != nil || len(ids) != 1 || ids[0] != uint64(tun.ID())+4 {
			t.Errorf("GOAWAY %v, %v; the last stream is %d", ids, err, tun.ID())
		}
		late, err := p.Begin("/ws", "sec-websocket-version", "13")
		if err != nil {
			t.Fatal(err)
		}
		x.wantReset(late, h3test.RequestRejected)
		x.wantClosed(idle, h3test.NoError)
		begin := time.Now()
		if _, _, err := x.dial(); err == nil || time.Since(begin) > time.Second {
			t.Errorf("a new connection after %v: %v", time.Since(begin), err)
		}
		time.Sleep(30 * time.Second)
		x.echoes(tun, "goes on")
		goodbye := clientFrame(wsframe.Close, wsframe.AppendClose(nil, 1000, ""))
		if _, err := tun.Write(goodbye); err != nil {
			t.Error(err)
		}
		if err := tun.CloseWrite(); err != nil {
			t.Error(err)
		}
		x.wantClosed(p, h3test.NoError)
		x.wantEnds("remote")
	})
}

// TestStreamLimit: a client has Config.MaxStreams requests open at once, and the next one as soon
// as one has ended.
func TestStreamLimit(t *testing.T) {
	attack(t, &h3.Config{MaxStreams: 5}, func(x *target) {
		p := x.peer()
		var all []*h3test.Tunnel
		for range 5 {
			all = append(all, x.socket(p))
		}
		opened := make(chan *h3test.Tunnel)
		go func() { // ends when a stream is allowed
			tun, err := p.WebSocket("/ws")
			if err != nil {
				t.Error(err)
			}
			opened <- tun
		}()
		time.Sleep(10 * time.Second)
		select {
		case <-opened:
			t.Error("a sixth stream is allowed")
		default:
		}
		all[2].Cancel(h3test.RequestCancelled)
		x.echoes(<-opened, "the next")
		x.echoes(all[0], "alive")
	})
}

// TestOtherTokens: a token that nobody serves is 501 (RFC 9220, 3), whichever it is. None of them
// switches anything.
func TestOtherTokens(t *testing.T) {
	attack(t, nil, func(x *target) {
		p := x.peer()
		for _, token := range []string{"h2c", "connect-udp", "connect-ip", "webtransport", "x"} {
			tun, err := p.Connect("/ws", ":protocol", token)
			if err != nil || tun.Status != 501 {
				t.Errorf("%s: status %d, %v", token, tun.Status, err)
			}
		}
		tun, err := p.Open(":method", "CONNECT", ":authority", "a:80")
		if err == nil {
			err = tun.Answer(10 * time.Second)
		}
		if err != nil || tun.Status != 501 {
			t.Errorf("plain CONNECT: status %d, %v", tun.Status, err)
		}
		for i, fields := range [][]string{
			{"sec-websocket-version", "12"}, {},
			{"sec-websocket-version", "13", "sec-websocket-version", "13"},
		} {
			tun, err := p.Connect("/ws", fields...)
			if err != nil || tun.Status != 400 && tun.Status != 426 {
				t.Errorf("version %d: status %d, %v (RFC 6455, 4.4)", i, tun.Status, err)
			}
		}
		x.alive(p)
	})
}

// TestConnectFields: what has no meaning on an extended CONNECT does not keep it from opening.
func TestConnectFields(t *testing.T) {
	attack(t, nil, func(x *target) {
		p := x.peer()
		for _, fields := range [][]string{
			{"content-length", "0"}, {"content-length", "3"}, {"expect", "100-continue"}, {"te", "trailers"},
			{"priority", "u=0, i"}, {"cookie", "a=b", "cookie", "c=d"}, {"host", "example.test"},
			{"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}, {"origin", "https://example.test"},
		} {
			tun, err := p.WebSocket("/ws", fields...)
			if err != nil || tun.Status != 200 {
				t.Errorf("%q: status %d, %v", fields, tun.Status, err)
				continue
			}
			for _, name := range []string{"content-length", "transfer-encoding", "connection", "upgrade",
				"sec-websocket-accept"} {
				if v := tun.Field(name); v != "" {
					t.Errorf("%q: the 200 has %s: %s", fields, name, v)
				}
			}
			x.echoes(tun, "longer than what the length says")
		}
	})
}

// TestFramesCut: a tunnel's octets are the same however frames of HTTP/3 cut them: header octets
// one by one, lengths in their longest form, empty frames, a WebSocket frame in many.
func TestFramesCut(t *testing.T) {
	long := func(b []byte) []byte { // type and length in eight octets each
		out := []byte{0xc0, 0, 0, 0, 0, 0, 0, 0}
		n := uint64(len(b))
		for shift := 56; shift >= 0; shift -= 8 {
			out = append(out, byte(n>>shift))
		}
		out[8] |= 0xc0
		return append(out, b...)
	}
	data := func(b []byte) []byte { return h3test.AppendFrame(nil, h3test.FrameData, b) }
	whole := clientFrame(wsframe.Text, []byte("hello"))
	each := func(b []byte) (out []byte) {
		for i := range b {
			out = append(out, data(b[i:i+1])...)
		}
		return out
	}
	for name, b := range map[string][]byte{
		"whole": data(whole), "long": long(whole), "each": each(whole),
		"empty": bytes.Join([][]byte{data(nil), data(whole[:3]), long(nil), data(nil),
			data(whole[3:])}, nil),
		"grease": bytes.Join([][]byte{h3test.AppendFrame(nil, 0x1f*7+0x21, []byte("x")), data(whole[:1]),
			h3test.AppendFrame(nil, 0x1f*9+0x21, nil), data(whole[1:])}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, nil, func(x *target) {
				p := x.peer()
				for _, step := range []int{1, 2, 3, 7, len(b)} {
					tun := x.socket(p)
					if err := tun.SetDeadline(time.Now().Add(time.Minute)); err != nil {
						t.Fatal(err)
					}
					for rest := b; len(rest) > 0; rest = rest[min(step, len(rest)):] {
						if err := tun.Raw(rest[:min(step, len(rest))]); err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Millisecond)
					}
					if got, _, err := serverFrame(tun); string(got) != "hello" || err != nil {
						t.Errorf("by %d: %q, %v", step, got, err)
					}
				}
			})
		})
	}
}

// mover is a client of quic-go, which can change its path: what golang.org/x/net/quic cannot.
type mover struct {
	qc *quic.Conn
	s  *quic.Stream
	in *bufio.Reader
}

func (x *target) mover() (m *mover, tr *quic.Transport) {
	x.Helper()
	transport := func() *quic.Transport {
		pc := x.n.Listen()
		tr := &quic.Transport{Conn: pc}
		x.Cleanup(func() {
			tr.Close()
			pc.Close()
		})
		return tr
	}
	conf := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}, ServerName: "localhost"}
	qc, err := transport().Dial(x.Context(), x.addr, conf, &quic.Config{})
	if err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() { qc.CloseWithError(0x100, "") })
	control, err := qc.OpenUniStream()
	if err == nil {
		_, err = control.Write(h3test.AppendSettings([]byte{h3test.StreamControl}))
	}
	if err != nil {
		x.Fatal(err)
	}
	m = &mover{qc: qc}
	if m.s, err = qc.OpenStream(); err != nil {
		x.Fatal(err)
	}
	m.s.SetDeadline(time.Now().Add(10 * time.Minute))
	m.in = bufio.NewReader(m.s)
	section := h3test.AppendSection(nil, h3test.Fields(":method", "CONNECT", ":protocol", "websocket",
		":scheme", "https", ":authority", "a", ":path", "/ws", "sec-websocket-version", "13")...)
	m.s.Write(h3test.AppendFrame(nil, h3test.FrameHeaders, section))
	kind, payload, err := m.frame()
	if fs, e := h3test.ParseSection(payload); err != nil || e != nil || kind != h3test.FrameHeaders ||
		fs[0] != (h3test.Field{Name: ":status", Value: "200"}) {
		x.Fatalf("frame %d with %v, %v, %v", kind, fs, err, e)
	}
	return m, transport()
}

// frame reads one whose type and length have short forms.
func (m *mover) frame() (kind uint64, payload []byte, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(m.in, head); err != nil {
		return 0, nil, err
	}
	n := int(head[1])
	if n >= 64 {
		b, err := m.in.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		n = (n&63)<<8 | int(b)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(m.in, payload)
	return uint64(head[0]), payload, err
}

func (m *mover) echoes(x *target, text string) {
	x.Helper()
	m.s.Write(h3test.AppendFrame(nil, h3test.FrameData, clientFrame(wsframe.Text, []byte(text))))
	kind, got, err := m.frame()
	if err != nil || kind != h3test.FrameData || string(got[2:]) != text {
		x.Errorf("%q came back as %d %q, %v", text, kind, got, err)
	}
}

// TestMigration: a client that moves to another path (RFC 9000, 9) keeps its WebSocket.
func TestMigration(t *testing.T) {
	attack(t, nil, func(x *target) {
		m, other := x.mover()
		m.echoes(x, "before")
		path, err := m.qc.AddPath(other)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(x.Context(), 10*time.Second)
		defer cancel()
		if err := path.Probe(ctx); err != nil {
			t.Fatal(err)
		}
		m.echoes(x, "probed")
		if err := path.Switch(); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			m.echoes(x, "on the new path")
		}
		if st := x.srv.Stats(); st.Conns != 1 || st.ConnsTotal != 1 || st.Tunnels != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// TestNoEarlyData: nothing is taken as 0-RTT, which anybody could send again (RFC 8446, 8).
func TestNoEarlyData(t *testing.T) {
	attack(t, nil, func(x *target) {
		conf := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}, ServerName: "localhost",
			ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for i := range 2 {
			pc := x.n.Listen()
			tr := &quic.Transport{Conn: pc}
			qc, err := tr.DialEarly(x.Context(), x.addr, conf, &quic.Config{Allow0RTT: true})
			if err != nil {
				t.Fatal(err)
			}
			<-qc.HandshakeComplete()
			time.Sleep(time.Second) // the session ticket comes
			if st := qc.ConnectionState(); st.Used0RTT || st.TLS.DidResume != (i == 1) {
				t.Errorf("connection %d: 0-RTT %v, resumed %v", i, st.Used0RTT, st.TLS.DidResume)
			}
			qc.CloseWithError(0x100, "")
			tr.Close()
			pc.Close()
		}
	})
}
