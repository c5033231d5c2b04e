package h3_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"weir/h3"
	"weir/h3/h3test"
	"weir/wsframe"
)

var (
	chaosRuns = flag.Int("chaos.runs", 20, "`runs` of TestChaos")
	chaosSeed = flag.Uint64("chaos.seed", 1, "the first one's seed")
)

// TestChaos: strangers that do anything in any order, over a network that loses packets, leave
// nothing behind: no request, no connection, no goroutine, and no WebSocket whose end was not told.
func TestChaos(t *testing.T) {
	for i := range *chaosRuns {
		seed := *chaosSeed + uint64(i)
		attack(t, &h3.Config{MaxStreams: 20, MaxHandlers: 10}, func(x *target) {
			x.n.Set(h3test.Link{Delay: 10 * time.Millisecond, Jitter: 5 * time.Millisecond,
				Loss: 0.02, Reorder: 0.02, Duplicate: 0.01})
			var all sync.WaitGroup
			for k := range 4 {
				all.Go(func() { x.stranger(rand.New(rand.NewPCG(seed, uint64(k)))) })
			}
			all.Wait()
			close(x.free) // the handlers of /hold return
			x.n.Set(h3test.Link{})
			x.alive(x.peer())
			ctx, cancel := context.WithTimeout(x.Context(), time.Minute)
			defer cancel()
			if err := x.srv.Shutdown(ctx); err != nil {
				t.Errorf("seed %d: Shutdown: %v, %+v", seed, err, x.srv.Stats())
			}
			time.Sleep(time.Second)
			st := x.srv.Stats()
			if st.Conns != 0 || st.Streams != 0 || st.Tunnels != 0 || st.Handshakes != 0 {
				t.Errorf("seed %d leaves %+v", seed, st)
			}
			x.mu.Lock()
			defer x.mu.Unlock()
			if x.opened == 0 || x.opened != len(x.ends) {
				t.Errorf("seed %d: %d WebSockets were opened and %d have ended", seed, x.opened, len(x.ends))
			}
		})
		if t.Failed() {
			return
		}
	}
}

// stranger is one client that does 60 things.
func (x *target) stranger(r *rand.Rand) {
	p, pc, err := x.dial(h3test.Options{QUIC: keptAlive})
	if err != nil {
		x.Errorf("dial: %v", err)
		return
	}
	defer p.Close()
	codes := []h3test.Code{h3test.NoError, h3test.RequestCancelled, h3test.InternalError, 0, 0x21}
	code := func() h3test.Code { return codes[r.IntN(len(codes))] }
	payload := func() []byte { return make([]byte, r.IntN(1<<r.IntN(18))) }
	var open []*h3test.Tunnel
	pick := func() *h3test.Tunnel { return open[r.IntN(len(open))] }
	for range 60 {
		if p.Err() != nil {
			return
		}
		act := r.IntN(16)
		if len(open) == 0 {
			act = r.IntN(4)
		}
		switch act {
		case 0, 1, 2:
			tun, err := p.Begin("/ws", "sec-websocket-version", "13")
			if err != nil {
				return
			}
			if tun.SetDeadline(time.Now().Add(2 * time.Second)); act > 0 {
				tun.Answer(2 * time.Second)
			}
			open = append(open, tun)
		case 3:
			path := []string{"/ok", "/hold", "/large", "/read", "/none"}[r.IntN(5)]
			tun, err := p.Open(":method", "POST", ":scheme", "https", ":authority", "a", ":path", path)
			if err != nil {
				return
			}
			tun.SetDeadline(time.Now().Add(2 * time.Second))
			open = append(open, tun)
		case 4, 5:
			pick().Write(clientFrame(wsframe.Binary, payload()))
		case 6:
			pick().Write(clientFrame(wsframe.Text, []byte("pause")))
		case 7:
			pick().Write(clientFrame(wsframe.Close, wsframe.AppendClose(nil, 1000, "")))
		case 8:
			b := clientFrame(wsframe.Text, []byte("cut off"))
			pick().Write(b[:r.IntN(len(b))])
		case 9:
			pick().CloseWrite()
		case 10:
			pick().Reset(code())
		case 11:
			pick().StopSending(code())
		case 12:
			pick().Raw(h3test.AppendFrame(nil, 0x21, payload()[:0]))
		case 13:
			tun := pick()
			tun.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			tun.Read(make([]byte, 1<<r.IntN(16)))
		case 14:
			pc.Rebind()
		case 15:
			if r.IntN(20) == 0 {
				pick().Frame(h3test.FrameSettings, nil) // the connection's end
			}
		}
		time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
	}
	if r.IntN(2) == 0 {
		pc.Cut(true)
		time.Sleep(50 * time.Second)
	}
}

// TestRandomOctets: whatever stands on a stream of any kind ends that stream or its connection, and
// nothing else.
func TestRandomOctets(t *testing.T) {
	attack(t, nil, func(x *target) {
		beside := x.socket(x.peer())
		for seed := range *chaosRuns * 5 {
			r := rand.New(rand.NewPCG(*chaosSeed, uint64(seed)))
			p := x.peer(h3test.Options{Bare: r.IntN(2) == 0})
			for range 6 {
				b := randomOctets(r)
				switch r.IntN(4) {
				case 0:
					p.Uni(b)
				case 1:
					p.Control(append([]byte{h3test.StreamControl}, b...))
				case 2:
					if tun, err := p.Stream(); err == nil {
						tun.Raw(b)
						if r.IntN(2) == 0 {
							tun.CloseWrite()
						}
					}
				case 3:
					if tun, err := p.Begin("/ws", "sec-websocket-version", "13"); err == nil {
						tun.Raw(b)
					}
				}
				time.Sleep(20 * time.Millisecond)
			}
			p.Close()
			x.echoes(beside, "alive")
		}
		time.Sleep(50 * time.Second)
		if st := x.srv.Stats(); st.Conns != 1 || st.Streams != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// randomOctets are frames of likely types with random octets, and now and then no frames at all.
func randomOctets(r *rand.Rand) []byte {
	var b []byte
	for range 1 + r.IntN(5) {
		p := make([]byte, r.IntN(1<<r.IntN(10)))
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		switch kind := uint64(r.IntN(16)); {
		case r.IntN(5) == 0:
			b = append(b, p...)
		case kind == h3test.FrameHeaders && r.IntN(2) == 0:
			b = h3test.AppendFrame(b, kind, append([]byte{0, 0}, p...))
		case r.IntN(8) == 0: // a length that is not so
			length := r.Uint64() >> (2 + r.IntN(62))
			b = append(h3test.AppendVarint(h3test.AppendVarint(b, kind), length), p...)
		default:
			b = h3test.AppendFrame(b, kind, p)
		}
	}
	return b
}
