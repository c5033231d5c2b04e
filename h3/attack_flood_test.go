package h3_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h3"
	"weir/h3/h3test"
	"weir/wsframe"

	"golang.org/x/net/quic"
)

// TestRapidReset: requests that are reset as soon as they are made start no more handlers at a time
// than Config.MaxHandlers, and soon end their connection (CVE-2023-44487).
func TestRapidReset(t *testing.T) {
	attack(t, &h3.Config{MaxHandlers: 20, MaxPeerResets: 100}, func(x *target) {
		p := x.peer()
		var open []*h3test.Tunnel
		for made := 0; made < 10_000 && p.Err() == nil; made++ {
			tun, err := p.Open(":method", "GET", ":scheme", "https", ":authority", "a",
				":path", "/hold")
			if err != nil {
				break
			}
			if open = append(open, tun); len(open) == 10 {
				time.Sleep(time.Millisecond) // they leave before they are reset
				for _, tun := range open {
					tun.Cancel(h3test.RequestCancelled)
				}
				open = open[:0]
			}
		}
		x.wantClosed(p, h3test.ExcessiveLoad)
		if x.most.Load() > 20 {
			t.Errorf("%d handlers at a time, 20 are allowed", x.most.Load())
		}
		if n := x.srv.Stats().Limits.Total(); n == 0 {
			t.Error("no limit is counted")
		}
		x.alive(x.peer())
	})
}

// TestRapidResetSockets: the same with WebSockets that open, and with STOP_SENDING.
func TestRapidResetSockets(t *testing.T) {
	for name, end := range map[string]func(*h3test.Tunnel, h3test.Code) error{
		"reset":        (*h3test.Tunnel).Reset,
		"stop_sending": (*h3test.Tunnel).StopSending,
		"both":         (*h3test.Tunnel).Cancel,
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, &h3.Config{MaxPeerResets: 100}, func(x *target) {
				p := x.peer()
				for made := 0; made < 300 && p.Err() == nil; made++ {
					tun, err := p.WebSocket("/ws")
					if err != nil {
						break
					}
					end(tun, h3test.RequestCancelled)
				}
				x.wantClosed(p, h3test.ExcessiveLoad)
				q := x.peer()
				x.echoes(x.socket(q), "alive")
			})
		})
	}
}

// TestMadeYouReset: requests that the server has to reset while their handlers run start no more
// of them than Config.MaxHandlers, and those that wait end their connection (CVE-2025-8671).
func TestMadeYouReset(t *testing.T) {
	attack(t, &h3.Config{MaxHandlers: 20}, func(x *target) {
		p := x.peer()
		for made := 0; made < 1000 && p.Err() == nil; made++ {
			tun, err := p.Open(":method", "POST", ":scheme", "https", ":authority", "a",
				":path", "/readhold", "content-length", "1")
			if err != nil {
				break
			}
			tun.Write([]byte("longer"))
			tun.CloseWrite()
			time.Sleep(time.Millisecond)
		}
		x.wantClosed(p, h3test.ExcessiveLoad)
		if x.most.Load() > 20 {
			t.Errorf("%d handlers at a time, 20 are allowed", x.most.Load())
		}
		x.alive(x.peer())
	})
}

// TestResetBeforeHeaders: streams that are reset before they say anything start no handler, and
// leave nothing.
func TestResetBeforeHeaders(t *testing.T) {
	attack(t, nil, func(x *target) {
		p := x.peer()
		for i := range 2000 {
			tun, err := p.Stream()
			if err != nil {
				t.Fatal(i, err)
			}
			if i%2 == 0 {
				tun.Raw([]byte{1})
			}
			tun.Cancel(h3test.RequestCancelled)
		}
		x.alive(p)
		if st := x.srv.Stats(); st.Streams != 0 || st.StreamsTotal != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// TestSlowHeaders: streams whose fields never come are no requests, and do not keep their
// connection beyond its IdleTimeout, though QUIC is kept alive.
func TestSlowHeaders(t *testing.T) {
	attack(t, &h3.Config{IdleTimeout: time.Minute}, func(x *target) {
		p := x.peer(h3test.Options{QUIC: keptAlive})
		for i := range 250 {
			tun, err := p.Stream()
			if err == nil {
				err = tun.Raw([]byte{h3test.FrameHeaders, 0x40, 0xff, 0, 0}) // of 255 octets 2
			}
			if err != nil {
				t.Fatal(i, err)
			}
		}
		time.Sleep(time.Second)
		x.alive(x.peer())
		begin := time.Now()
		if err := p.Wait(5 * time.Minute); p.Err() == nil {
			t.Errorf("it is still there: %v", err)
		} else if took := time.Since(begin); took > 2*time.Minute {
			t.Errorf("it ended after %v: %v", took, err)
		}
	})
}

// TestIdleTimeoutSpares: a connection with a WebSocket, or with a handler that runs, is not idle.
func TestIdleTimeoutSpares(t *testing.T) {
	attack(t, &h3.Config{IdleTimeout: time.Minute}, func(x *target) {
		p := x.peer()
		tun := x.socket(p)
		q := x.peer()
		x.begin(q, "/hold")
		r := x.peer()
		x.alive(r)
		for range 20 { // the session has an idle timeout of its own
			time.Sleep(30 * time.Second)
			x.echoes(tun, "still here")
		}
		if err := q.Err(); err != nil {
			t.Errorf("a handler that runs lost its connection: %v", err)
		}
		x.wantClosed(r, h3test.NoError)
	})
}

// keptAlive has a Peer send PINGs.
func keptAlive(c *quic.Config) { c.KeepAlivePeriod = 5 * time.Second }

// TestHalfOpenHandshakes: clients that begin a handshake and do not go on are gone after
// HandshakeTimeout. Past RetryHandshakes others have to show their address first, and get through;
// past MaxHandshakes they are refused.
func TestHalfOpenHandshakes(t *testing.T) {
	attack(t, &h3.Config{MaxHandshakes: 80, RetryHandshakes: 50}, func(x *target) {
		for range 40 {
			x.halfOpen()
		}
		time.Sleep(100 * time.Millisecond)
		if st := x.srv.Stats(); st.Handshakes != 40 {
			t.Errorf("%d handshakes, 40 were begun", st.Handshakes)
		}
		x.alive(x.peer())
		for range 500 {
			x.halfOpen()
		}
		time.Sleep(100 * time.Millisecond)
		if st := x.srv.Stats(); st.Handshakes > 50 || st.Handshakes < 40 {
			t.Errorf("%d handshakes: past 50 a Retry costs nothing", st.Handshakes)
		}
		x.alive(x.peer()) // by Retry
		time.Sleep(15 * time.Second)
		if st := x.srv.Stats(); st.Handshakes != 0 {
			t.Errorf("%d handshakes are left after HandshakeTimeout", st.Handshakes)
		}
		x.alive(x.peer())
	})
	attack(t, &h3.Config{MaxHandshakes: 20, RetryHandshakes: -1}, func(x *target) {
		for range 100 {
			x.halfOpen()
		}
		time.Sleep(100 * time.Millisecond)
		if st := x.srv.Stats(); st.Handshakes != 20 || st.Limits[h3.LimitHandshakes] < 80 {
			t.Errorf("%+v", st)
		}
		if _, _, err := x.dial(); err == nil {
			t.Error("one more than MaxHandshakes is accepted")
		}
		time.Sleep(15 * time.Second)
		x.alive(x.peer())
	})
}

// halfOpen begins a handshake, and is gone.
func (x *target) halfOpen() {
	pc := x.n.Listen()
	ctx, cancel := context.WithCancel(x.Context())
	done := make(chan struct{})
	go func() { // ends when ctx does
		defer close(done)
		if p, err := h3test.Dial(ctx, pc, x.addr, h3test.Options{}); err == nil {
			p.Close()
			x.Error("a handshake that gets no answers is done")
		}
	}()
	time.Sleep(time.Millisecond)
	pc.Close()
	cancel()
	<-done
}

// TestMaxConns: one connection more than Config.MaxConns is refused, and accepted once another has
// left.
func TestMaxConns(t *testing.T) {
	attack(t, &h3.Config{MaxConns: 3}, func(x *target) {
		var all []*h3test.Peer
		for range 3 {
			p := x.peer()
			x.alive(p)
			all = append(all, p)
		}
		if _, _, err := x.dial(); err == nil || !strings.Contains(err.Error(), "CONNECTION_REFUSED") {
			t.Errorf("a fourth connection: %v", err)
		}
		for _, p := range all {
			x.alive(p)
		}
		all[0].Close()
		time.Sleep(time.Second)
		x.alive(x.peer())
		if n := x.srv.Stats().Limits[h3.LimitConns]; n == 0 { // one for each packet
			t.Error("no refusal is counted")
		}
	})
}

// TestPausedSiblings: 100 paused WebSockets, each sent more than its window, stall no sibling and
// not the opening of the next (row 7.paused_sibling). What their client is ahead is bounded.
func TestPausedSiblings(t *testing.T) {
	attack(t, nil, func(x *target) {
		p := x.peer()
		beside := x.socket(p)
		ahead := make(chan int, 100)
		for range 100 {
			tun := x.socket(p)
			x.echoes(tun, "pause")
			tun.SetWriteDeadline(time.Now().Add(20 * time.Second))
			go func() { // ends with the deadline
				n := 0
				for frame := clientFrame(wsframe.Binary, make([]byte, 1000)); n < 1<<20; n += len(frame) {
					if _, err := tun.Write(frame); err != nil {
						break
					}
				}
				ahead <- n
			}()
		}
		time.Sleep(10 * time.Second)
		begin := time.Now()
		x.echoes(beside, "not held up")
		x.echoes(x.socket(p), "nor opened late")
		x.alive(p)
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		for range 100 {
			<-ahead
		}
		time.Sleep(time.Second)
		x.echoes(beside, "still")
	})
}

// TestEndsWhilePaused: whatever ends a WebSocket is told at once, also while it is paused and has
// no credit left (row 7.errors_apart).
func TestEndsWhilePaused(t *testing.T) {
	type ender func(p *h3test.Peer, pc *h3test.PacketConn, tun *h3test.Tunnel)
	on := func(f func(*h3test.Tunnel, h3test.Code) error) ender {
		return func(_ *h3test.Peer, _ *h3test.PacketConn, tun *h3test.Tunnel) {
			f(tun, h3test.RequestCancelled)
		}
	}
	abort := func(p *h3test.Peer, _ *h3test.PacketConn, _ *h3test.Tunnel) { p.Abort(h3test.NoError) }
	cut := func(_ *h3test.Peer, pc *h3test.PacketConn, _ *h3test.Tunnel) { pc.Cut(true) }
	for _, row := range []struct {
		name string
		end  ender
		late time.Duration // KeepAlive and PathTimeout behind it (RFC 9000, 10.1)
	}{
		{name: "reset", end: on((*h3test.Tunnel).Reset)},
		{name: "stop_sending", end: on((*h3test.Tunnel).StopSending)},
		{name: "both", end: on((*h3test.Tunnel).Cancel)},
		{name: "connection_close", end: abort},
		{name: "dead_path", end: cut, late: 46 * time.Second},
	} {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/full=%v", row.name, full), func(t *testing.T) {
				attack(t, nil, func(x *target) {
					p, pc, err := x.dial()
					if err != nil {
						t.Fatal(err)
					}
					tun := x.socket(p)
					x.echoes(tun, "pause")
					if full {
						tun.SetWriteDeadline(time.Now().Add(5 * time.Second))
						for err == nil {
							_, err = tun.Write(clientFrame(wsframe.Binary, make([]byte, 1000)))
						}
					}
					time.Sleep(time.Second)
					x.wantEnds()
					row.end(p, pc, tun)
					time.Sleep(row.late)
					x.wantEnds("error:closed")
				})
			})
		}
	}
}

// TestIgnoredFrames: frames that bring nothing end their connection past a rate (CVE-2019-9518);
// small messages do not.
func TestIgnoredFrames(t *testing.T) {
	for name, frame := range map[string][]byte{
		"empty_data": h3test.AppendFrame(nil, h3test.FrameData, nil),
		"unknown":    h3test.AppendFrame(nil, 0x21, nil),
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, nil, func(x *target) {
				p := x.peer()
				tun := x.socket(p)
				for range 100 {
					if tun.Raw(append([]byte(strings.Repeat(string(frame), 100)), 0x21, 0)) != nil {
						break
					}
					time.Sleep(time.Millisecond)
				}
				x.wantClosed(p, h3test.ExcessiveLoad)
				x.alive(x.peer())
			})
		})
	}
	t.Run("small_messages", func(t *testing.T) {
		attack(t, nil, func(x *target) {
			tun := x.socket(x.peer())
			for range 10_000 {
				x.echoes(tun, "x")
			}
		})
	})
	t.Run("octet_by_octet", func(t *testing.T) {
		attack(t, nil, func(x *target) {
			tun := x.socket(x.peer())
			for _, b := range clientFrame(wsframe.Text, []byte(strings.Repeat("x", 3000))) {
				if _, err := tun.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
			}
			if got, _, err := serverFrame(tun); len(got) != 3000 || err != nil {
				t.Errorf("%d octets, %v", len(got), err)
			}
		})
	})
}

// TestControlFloods: what a client says on its control stream, and streams that it opens for
// nothing, cost no more than they bring, and harm nobody else.
func TestControlFloods(t *testing.T) {
	flood := func(kind uint64, payload []byte) []byte {
		var b []byte
		for range 20_000 {
			b = h3test.AppendFrame(b, kind, payload)
		}
		return b
	}
	for name, b := range map[string][]byte{
		"priority_update": flood(h3test.FramePriorityUpdate, []byte("\x00u=1, i")),
		"goaway":          flood(h3test.FrameGoAway, []byte{0}),
		"max_push_id":     flood(h3test.FrameMaxPushID, []byte{9}),
		"unknown":         flood(0x21, nil),
		"long_unknown":    h3test.AppendFrame(nil, 0x21, make([]byte, 1<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, nil, func(x *target) {
				p := x.peer()
				if err := p.Control(b); err != nil {
					t.Fatal(err)
				}
				x.alive(p)
				x.alive(x.peer())
			})
		})
	}
	t.Run("streams", func(t *testing.T) {
		attack(t, nil, func(x *target) {
			p := x.peer()
			for range 2000 {
				if _, err := p.Uni([]byte{0x21}); err != nil {
					t.Fatal(err)
				}
			}
			x.alive(p)
		})
	})
	t.Run("qpack_encoder", func(t *testing.T) { // nobody reads it: its window is what it may hold
		attack(t, nil, func(x *target) {
			p := x.peer()
			s, err := p.Uni([]byte{h3test.StreamQPACKEncoder})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(x.Context(), 10*time.Second)
			defer cancel()
			s.SetWriteContext(ctx)
			for err == nil {
				_, err = s.Write(make([]byte, 1000))
			}
			x.alive(p)
		})
	})
}

// TestLargeFields: fields past Config.MaxHeaderBytes are answered 431, however they are sent.
func TestLargeFields(t *testing.T) {
	get := h3test.Fields(":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/ok")
	many := func(n int, name, value string) (fs []h3test.Field) {
		fs = append(fs, get...)
		for range n {
			fs = append(fs, h3test.Field{Name: name, Value: value})
		}
		return fs
	}
	refs := h3test.AppendSection(nil, get...)
	for range 30_000 {
		refs = append(refs, 0xc0|2) // age: 0, one octet of the wire
	}
	for name, section := range map[string][]byte{
		"long_value":       h3test.AppendSection(nil, many(1, "x", strings.Repeat("v", 100_000))...),
		"long_name":        h3test.AppendSection(nil, many(1, strings.Repeat("n", 100_000), "v")...),
		"many_fields":      h3test.AppendSection(nil, many(5000, "x", "y")...),
		"huffman":          h3test.AppendHuffman(nil, many(1, "x", strings.Repeat("0", 150_000))...),
		"cookie_crumbs":    h3test.AppendSection(nil, many(5000, "cookie", "a")...),
		"indexed_by_octet": refs,
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, nil, func(x *target) {
				p := x.peer()
				tun, err := p.Stream()
				if err != nil {
					t.Fatal(err)
				}
				tun.Frame(h3test.FrameHeaders, section) // the server may not want all of it
				err = tun.Answer(10 * time.Second)
				if err != nil || tun.Status != http.StatusRequestHeaderFieldsTooLarge {
					t.Errorf("status %d, %v", tun.Status, err)
				}
				x.alive(p)
			})
		})
	}
	t.Run("announced", func(t *testing.T) { // a length that nobody will send
		attack(t, nil, func(x *target) {
			p := x.peer()
			tun, err := p.Stream()
			if err != nil {
				t.Fatal(err)
			}
			tun.Raw(h3test.AppendVarint([]byte{h3test.FrameHeaders}, 1<<60))
			if err := tun.Answer(10 * time.Second); err != nil || tun.Status != 431 {
				t.Errorf("status %d, %v", tun.Status, err)
			}
			x.alive(p)
		})
	})
}

// TestGarbage: packets that are no QUIC, and those of connections that there are not, get no answer
// that is larger than they are, and harm nobody.
func TestGarbage(t *testing.T) {
	attack(t, nil, func(x *target) {
		p := x.peer()
		pc := x.n.Listen()
		defer pc.Close()
		var sent, got int
		for i := range 3000 {
			b := make([]byte, 1+i%1400)
			for k := range b {
				b[k] = byte(i*31 + k*k*7 + k)
			}
			pc.WriteTo(b, x.addr)
			sent += len(b)
			if i%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		pc.SetReadDeadline(time.Now().Add(time.Minute))
		for buf := make([]byte, 2000); ; {
			n, _, err := pc.ReadFrom(buf)
			if err != nil {
				break
			}
			got += n
		}
		if got > sent {
			t.Errorf("%d octets came back for %d", got, sent)
		}
		synctest.Wait()
		x.alive(p)
		x.alive(x.peer())
	})
}

// TestUnreadAnswers: answers that their client does not read hold their handlers, as many as
// MaxHandlers, until http.Server.WriteTimeout. Others are served.
func TestUnreadAnswers(t *testing.T) {
	attack(t, nil, func(x *target) {
		p := x.peer()
		for range 50 {
			x.begin(p, "/large")
		}
		time.Sleep(time.Minute)
		x.alive(x.peer())
		if st := x.srv.Stats(); st.Streams != 50 {
			t.Errorf("%d requests are open", st.Streams)
		}
		p.Close()
		time.Sleep(time.Second)
		if st := x.srv.Stats(); st.Streams != 0 {
			t.Errorf("%d requests are left", st.Streams)
		}
	})
}

// TestUnreadBodies: uploads that no handler reads, on all streams but two, stall neither a
// WebSocket beside them nor another request.
func TestUnreadBodies(t *testing.T) {
	attack(t, nil, func(x *target) {
		p := x.peer()
		beside := x.socket(p)
		for range 248 {
			tun, err := p.Open(":method", "POST", ":scheme", "https", ":authority", "a",
				":path", "/hold")
			if err != nil {
				t.Fatal(err)
			}
			tun.SetWriteDeadline(time.Now().Add(5 * time.Second))
			go tun.Write(make([]byte, 200_000)) // ends with the deadline
		}
		time.Sleep(10 * time.Second)
		if n := x.running.Load(); n != 248 {
			t.Errorf("%d handlers run", n)
		}
		begin := time.Now()
		x.echoes(beside, "not held up")
		x.alive(p)
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// TestConnectionChurn: connections that come and go leave nothing, whether they say goodbye or not.
func TestConnectionChurn(t *testing.T) {
	attack(t, nil, func(x *target) {
		for i := range 300 {
			pc := x.n.Listen()
			p, err := h3test.Dial(x.Context(), pc, x.addr, h3test.Options{})
			if err != nil {
				t.Fatal(i, err)
			}
			if i%3 > 0 {
				x.socket(p)
			}
			if i%2 == 0 {
				pc.Cut(true)
			}
			p.Close()
		}
		time.Sleep(time.Minute) // KeepAlive and PathTimeout
		if st := x.srv.Stats(); st.Conns != 0 || st.Streams != 0 || st.Handshakes != 0 ||
			st.ConnsTotal != 300 || st.TunnelsTotal != 200 {
			t.Errorf("%+v", st)
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if len(x.ends) != 200 {
			t.Errorf("%d WebSockets of 200 have ended", len(x.ends))
		}
	})
}
