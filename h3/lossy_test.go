package h3_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h3"
	"weir/h3/h3test"
	"weir/websocket"
	"weir/wsframe"
)

var (
	lossyMessages = flag.Int("lossy.messages", 1000, "`messages` of TestLossy each way")
	lossySeed     = flag.Uint64("lossy.seed", 1, "what sizes, octets and losses come of")
)

const (
	lossySockets = 4
	lossyMost    = 200_000 // octets of a message
)

// lossyMessage is the i-th message of a WebSocket: sizes are log-uniform.
func lossyMessage(socket, i int) []byte {
	r := rand.NewChaCha8(lossyKey(socket, i))
	u := float64(r.Uint64()>>11) / (1 << 53)
	b := make([]byte, int(math.Exp(u*math.Log(lossyMost+1))))
	r.Read(b) // never fails
	return b
}

func lossyKey(socket, i int) (key [32]byte) {
	binary.BigEndian.PutUint64(key[:], *lossySeed)
	binary.BigEndian.PutUint64(key[8:], uint64(socket))
	binary.BigEndian.PutUint64(key[16:], uint64(i))
	return key
}

// TestLossy: messages of all sizes pass whole, in their order and once, both ways, over a network
// that loses 5 % of the packets and reorders 2 %, with 50 ms there and back. In the middle the
// client is behind a NAT that gives it another port, four times. interop/lossy.sh sends 10 000.
func TestLossy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := h3test.NewNetwork(*lossySeed, h3test.Link{
			Delay: 25 * time.Millisecond, Loss: 0.05, Reorder: 0.02, Duplicate: 0.005,
		})
		var ends [lossySockets]atomic.Pointer[websocket.Reason]
		srv := &http.Server{TLSConfig: h3test.ServerTLS(), Handler: websocket.Handle(
			func(_ http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
				return &echoTo{&ends[r.URL.Path[1]-'0']}, nil
			})}
		s, err := h3.ConfigureServer(srv, nil)
		if err != nil {
			t.Fatal(err)
		}
		pc := n.Listen()
		served := make(chan error, 1)
		go func() { served <- s.Serve(pc) }() // ends with Close
		defer func() {
			s.Close()
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("Serve: %v", err)
			}
		}()
		client := n.Listen()
		p, err := h3test.Dial(t.Context(), client, pc.LocalAddr(), h3test.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()

		begin := time.Now()
		var came, octets atomic.Int64
		var all sync.WaitGroup
		each := *lossyMessages / lossySockets
		for socket := range lossySockets {
			tun, err := p.WebSocket(fmt.Sprintf("/%d", socket))
			if err != nil || tun.Status != 200 {
				t.Fatal(tun, err)
			}
			all.Go(func() { sendLossy(t, tun, socket, each) })
			all.Go(func() {
				checkLossy(t, tun, socket, each, func(size int) {
					octets.Add(int64(size))
					k := came.Add(1)
					if k%int64(*lossyMessages/5) == 0 && k < int64(*lossyMessages) {
						old := client.Public().String()
						client.Rebind()
						t.Logf("after %d messages, %d octets and %v: %s is now %v", k, octets.Load(),
							time.Since(begin), old, client.Public())
					}
				})
			})
		}
		all.Wait()
		for socket := range lossySockets {
			end := ends[socket].Load()
			for i := 0; end == nil && i < 100; i++ {
				time.Sleep(100 * time.Millisecond)
				end = ends[socket].Load()
			}
			if end == nil || end.String() != "remote" || end.Code != 1000 {
				t.Errorf("WebSocket %d ended with %v", socket, end)
			}
		}
		if c := n.Counts(); c.Lost == 0 || c.Reordered == 0 || c.Duplicated == 0 || t.Failed() {
			t.Errorf("%+v", c)
		} else {
			t.Logf("%d messages and %d octets each way in %v: %+v", came.Load(), octets.Load(),
				time.Since(begin), c)
		}
	})
}

// echoTo is an echo that tells its end.
type echoTo struct {
	end *atomic.Pointer[websocket.Reason]
}

func (e *echoTo) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		out = append(out, f.Reply())
	}
	return out
}

func (e *echoTo) Terminate(r websocket.Reason, _ *websocket.PartialRequest) { e.end.Store(&r) }

// sendLossy sends the messages, and then closes.
func sendLossy(t *testing.T, w io.Writer, socket, count int) {
	for i := range count {
		if _, err := w.Write(clientFrame(wsframe.Binary, lossyMessage(socket, i))); err != nil {
			t.Errorf("WebSocket %d, message %d: %v", socket, i, err)
			return
		}
	}
	if _, err := w.Write(clientFrame(wsframe.Close, wsframe.AppendClose(nil, 1000, ""))); err != nil {
		t.Errorf("WebSocket %d, close frame: %v", socket, err)
	}
}

// clientFrame is a whole message, or a control frame, as a client sends it.
func clientFrame(op wsframe.Opcode, payload []byte) []byte {
	return wsframe.AppendFrame(nil,
		wsframe.Header{Fin: true, Op: op, Masked: true, Key: [4]byte{0x37, 0xfa, 0x21, 0x3d}}, payload)
}

// checkLossy holds what comes back against what was sent, to the end.
func checkLossy(t *testing.T, tun *h3test.Tunnel, socket, count int, arrived func(size int)) {
	for i := range count {
		want := lossyMessage(socket, i)
		got, op, err := serverFrame(tun)
		if err != nil || op != wsframe.Binary || !bytes.Equal(got, want) {
			t.Errorf("WebSocket %d, message %d of %d octets: %v of %d octets came, %v",
				socket, i, len(want), op, len(got), err)
			tun.Close()
			return
		}
		arrived(len(got))
	}
	if got, op, err := serverFrame(tun); err != nil || op != wsframe.Close || len(got) != 2 {
		t.Errorf("WebSocket %d, close frame: %v %q, %v", socket, op, got, err)
	}
	if got, err := io.ReadAll(tun); err != nil || len(got) > 0 {
		t.Errorf("WebSocket %d, end: %q, %v", socket, got, err)
	}
	tun.CloseWrite()
}

// serverFrame reads one frame of a server.
func serverFrame(r io.Reader) (payload []byte, op wsframe.Opcode, err error) {
	head := make([]byte, 2, 10)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, 0, err
	}
	h, n := wsframe.ParseHeader(head)
	for n == 0 { // a length of 16 or of 64 bits
		head = head[:len(head)+1]
		if _, err := io.ReadFull(r, head[len(head)-1:]); err != nil {
			return nil, 0, err
		}
		h, n = wsframe.ParseHeader(head)
	}
	if h.Length > lossyMost+14 {
		return nil, h.Op, fmt.Errorf("a frame of %d octets", h.Length)
	}
	payload = make([]byte, h.Length)
	_, err = io.ReadFull(r, payload)
	return payload, h.Op, err
}
