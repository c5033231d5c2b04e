package h3

import (
	"net/http"
	"testing"

	"weir/stream"
	"weir/stream/streamtest"

	"github.com/quic-go/quic-go"
)

// pairs opens streams: the server's tunnel, and a client's, which is the same code behind the
// answer.
type pairs struct {
	*site
	got chan stream.Stream
	c   *conn
	p   *peer
}

func newPairs() *pairs { return &pairs{got: make(chan stream.Stream, 1)} }

func (p *pairs) handle(w http.ResponseWriter, _ *http.Request) {
	st, err := w.(stream.Opener).OpenStream(nil)
	if err != nil {
		panic(err)
	}
	_, _ = st.Send(nil, false) // the 200 leaves
	p.got <- st
}

func (p *pairs) open(t *testing.T) (a, b stream.Stream) {
	t.Helper()
	if p.p == nil {
		p.p = p.dial()
		p.c = &conn{srv: p.srv, qc: p.p.qc, remote: "client"}
		p.c.ignored.most, p.c.resets.most = -1, -1
	}
	s := p.p.open(connect("/"))
	fs, err := s.answer()
	if err != nil || fs[":status"] != "200" {
		t.Fatal(fs, err)
	}
	return <-p.got, newTunnel(p.c, s.Stream, func(c quic.StreamErrorCode) { s.CancelRead(c) })
}

func TestContract(t *testing.T) {
	t.Run("loopback", func(t *testing.T) {
		p := newPairs()
		loopback(t, nil, p.handle, func(s *site) {
			p.site = s
			streamtest.Run(t, p.open)
		})
	})
	t.Run("client", func(t *testing.T) {
		p := newPairs()
		loopback(t, nil, p.handle, func(s *site) {
			p.site = s
			streamtest.Run(t, func(t *testing.T) (a, b stream.Stream) { b, a = p.open(t); return a, b })
		})
	})
	t.Run("fake", func(t *testing.T) {
		streamtest.RunFake(t, func(t *testing.T) (a, b stream.Stream) {
			p := newPairs()
			s, end := inBubble(t, nil, p.handle)
			t.Cleanup(end)
			p.site = s
			return p.open(t)
		})
	})
}
