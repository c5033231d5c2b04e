package websocket

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/wsframe"
)

// arrival is what a peer sends at a time after our close frame.
type arrival struct {
	at  time.Duration
	in  []byte
	fin bool
}

const ms = time.Millisecond

// silent is a peer that says nothing.
var silent []arrival

func says(at time.Duration, frames ...[]byte) []arrival {
	return []arrival{{at: at, in: bytes.Join(frames, nil)}}
}

func ends(at time.Duration) []arrival { return []arrival{{at: at, fin: true}} }

// byOctet is in, an octet each millisecond.
func byOctet(in []byte) (as []arrival) {
	for i := range in {
		as = append(as, arrival{at: time.Duration(i+1) * ms, in: in[i : i+1]})
	}
	return as
}

// endings plays a machine that has ended: what arrives, its deadlines, and what is queued in the
// transport until the time queuedTo. It says when our end left and when the quiet reset came, after
// the close frame; -1: never.
func endings(m *machine, peer []arrival, queuedTo time.Duration) (end, quiet time.Duration) {
	end, quiet = -1, -1
	for now := time.Duration(0); ; now += ms {
		at := epoch.Add(now)
		for len(peer) > 0 && peer[0].at <= now {
			m.feed(bytes.Clone(peer[0].in), peer[0].fin, at)
			if _, ok := m.next(); ok {
				panic("a frame for the handler of a machine that has ended")
			}
			m.settle()
			peer = peer[1:]
		}
		queued := 0
		if now < queuedTo {
			queued = 100
		}
		if d := m.deadline(); !d.IsZero() && !at.Before(d) {
			m.sent(queued, at) // as the session does: the machine learns what is queued
			m.tick(at)
		}
		if out, fin := m.output(); len(out) > 0 || fin {
			if fin && end < 0 {
				end = now
			}
			m.sent(queued, at)
		}
		if m.fate == fateQuiet {
			return end, now
		}
		if d := m.deadline(); d.IsZero() || now > 10*time.Second {
			return end, quiet
		}
	}
}

// TestOurEnd holds when our end leaves (BEHAVIOUR 4; RFC 6455, 7.1.1 and 7.1.7).
func TestOurEnd(t *testing.T) {
	text := func(s string) []byte { return masked(fin(wsframe.Text), s) }
	closing := func(code CloseCode) []byte { return masked(fin(wsframe.Close), closePayload(code, "")) }
	bad := []byte{0xff, 0xff}
	applies := func(c Command) func(m *machine) {
		return func(m *machine) { m.apply(Commands{c}, epoch) }
	}
	gets := func(frames ...[]byte) func(m *machine) {
		return func(m *machine) {
			m.feed(bytes.Join(frames, nil), false, epoch)
			for {
				if _, ok := m.next(); !ok {
					break
				}
			}
			m.settle()
		}
	}
	fails := func(code CloseCode) func(m *machine) {
		return func(m *machine) { m.fail(&wsframe.Error{Code: wsframe.CloseCode(code)}) }
	}
	stop := applies(Stop())
	const first, fault = closeTime, faultTime

	for _, r := range []struct {
		name string
		how  func(m *machine)
		peer []arrival
		want time.Duration
	}{
		{"answer/empty", gets(closing(0)), silent, 0},
		{"answer/code", gets(text("a"), closing(4001), text("b")), silent, 0},
		{"answer/behind_its_end", func(m *machine) { m.feed(closing(1000), true, epoch); m.next() }, silent, 0},
		{"closed/end", func(m *machine) { m.feed(nil, true, epoch); m.next() }, silent, 0},
		{"first/behind_its_end", func(m *machine) { m.setActive(false); m.feed(text("held"), true, epoch); m.settle(); stop(m) }, silent, 0},

		{"first/close", applies(Close(4401, "login")), silent, first},
		{"first/close_empty", applies(Close(0, "")), silent, first},
		{"first/close_1002", applies(Close(1002, "")), says(10*ms, closing(1002)), 10 * ms},
		{"first/stop", stop, silent, first},
		{"first/drain", (*machine).goingAway, silent, first},
		{"first/timeout", func(m *machine) { m.tick(epoch.Add(time.Hour)) }, silent, first},
		{"first/its_close", stop, says(300*ms, closing(1000)), 300 * ms},
		{"first/its_end", stop, ends(300 * ms), 300 * ms},
		{"first/close_is_there", func(m *machine) { m.feed(closing(1000), false, epoch); stop(m) }, silent, 0},
		{"first/close_is_held", func(m *machine) {
			m.setActive(false)
			m.feed(text("held"), false, epoch)
			m.settle()
			m.feed(closing(1000), false, epoch)
			m.settle()
			stop(m)
		}, silent, 0},
		{"first/close_half_there", func(m *machine) { gets(closing(1000)[:7])(m); stop(m) }, says(20*ms, closing(1000)[7:]), 20 * ms},
		{"first/header_half_there", func(m *machine) { gets(closing(1000)[:1])(m); stop(m) }, says(20*ms, closing(1000)[1:]), 20 * ms},
		{"first/close_unfinished", stop, says(20*ms, closing(1000)[:7]), first},
		{"first/by_octet", stop, byOctet(append(text("dropped"), closing(1000)...)), 21 * ms},
		{"first/in_a_message", func(m *machine) { gets(masked(begun(wsframe.Text), "a"))(m); stop(m) },
			says(20*ms, masked(begun(wsframe.Continuation), "b"), masked(fin(wsframe.Ping), ""), closing(1000)), 20 * ms},
		{"first/close_behind_close", stop, says(20*ms, closing(1000), closing(1000), bad), 20 * ms},
		{"first/text_like_a_close", stop, says(20*ms, text(string(closing(1000)))), first},

		// Nothing is judged but headers.
		{"skips/not_utf8", stop, says(20*ms, text("\xff"), closing(1000)), 20 * ms},
		{"skips/over_max_frame_size", stop, says(20*ms, text(strings.Repeat("x", 200)), closing(1000)), 20 * ms},
		{"skips/fragments", stop, says(20*ms, masked(begun(wsframe.Text), ""), bytes.Repeat(masked(begun(wsframe.Continuation), ""), wsframe.DefaultMaxFragments), closing(1000)), 20 * ms},
		{"skips/corrupt_deflate", stop, says(20*ms, masked(wsframe.Header{Fin: true, RSV1: true, Op: wsframe.Text}, "corrupt"), closing(1000)), 20 * ms},
		{"skips/close_code", stop, says(20*ms, closing(1005)), 20 * ms},
		{"skips/bad_header", stop, says(20*ms, text("a"), bad), 20 * ms},
		{"skips/unmasked", stop, says(20*ms, []byte{0x81, 0}), 20 * ms},
		{"skips/huge", stop, says(20*ms, []byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, closing(1000)), first},

		{"fault/1002", gets(text("a"), bad), silent, fault},
		{"fault/1007", gets(text("\xff")), silent, fault},
		{"fault/1008", fails(ClosePolicyViolation), silent, fault},
		{"fault/1009", gets(text(strings.Repeat("x", 200))), silent, fault},
		{"fault/1011_panic", func(m *machine) { m.crash(ClassThrow, "x") }, silent, fault},
		{"fault/1011_misuse", applies(Close(1, "")), silent, fault},
		{"fault/its_end", gets(bad), ends(20 * ms), 20 * ms},
		{"fault/not_looked_at", gets(bad, closing(1000)), says(20*ms, closing(1000)), fault},
		{"fault/crash_not_looked_at", func(m *machine) { m.crash(ClassThrow, "x") }, says(20*ms, closing(1000)), fault},
	} {
		t.Run(r.name, func(t *testing.T) {
			m := newMachine(&Options{MaxFrameSize: 100}, epoch)
			m.role.deflated = true
			m.furnish()
			r.how(&m)
			end, quiet := endings(&m, r.peer, 0)
			if end != r.want || quiet != lingerTime {
				t.Errorf("our end after %v, the quiet reset after %v; want %v and %v", end, quiet, r.want, lingerTime)
			}
			if n := m.takeConsumed(); m.takeConsumed() != 0 || len(m.input.rest) > 0 {
				t.Errorf("%d octets consumed, and %d are kept", n, len(m.input.rest))
			}
		})
	}
}

// TestOurEndOfClient: on HTTP/1.1 a client waits for the server's end, on HTTP/2 it does as a
// server (BEHAVIOUR 4; RFC 6455, 7.1.1).
func TestOurEndOfClient(t *testing.T) {
	closing := wsframe.AppendFrame(nil, fin(wsframe.Close), nil)
	stop := func(m *machine) { m.apply(Commands{Stop()}, epoch) }
	answer := func(m *machine) { m.feed(bytes.Clone(closing), false, epoch); m.next(); m.settle() }
	fault := func(m *machine) { m.feed([]byte{0xff}, false, epoch); m.next(); m.settle() }
	for _, r := range []struct {
		name     string
		keepOpen bool
		how      func(m *machine)
		peer     []arrival
		want     time.Duration
	}{
		{"http1/first", true, stop, silent, -1},
		{"http1/first_its_close", true, stop, says(20*ms, closing), -1},
		{"http1/first_its_end", true, stop, append(says(20*ms, closing), ends(2*time.Second)...), 2 * time.Second},
		{"http1/answer", true, answer, ends(2 * time.Second), 2 * time.Second},
		{"http1/fault", true, fault, ends(2 * time.Second), 2 * time.Second},
		{"http2/first", false, stop, silent, closeTime},
		{"http2/first_its_close", false, stop, says(20*ms, closing), 20 * ms},
		{"http2/answer", false, answer, silent, 0},
		{"http2/fault", false, fault, silent, faultTime},
	} {
		t.Run(r.name, func(t *testing.T) {
			m := newMachine(&Options{IdleTimeout: -1}, epoch)
			m.client(r.keepOpen, func() [4]byte { return [4]byte{} })
			r.how(&m)
			if end, quiet := endings(&m, r.peer, 0); end != r.want || quiet != lingerTime {
				t.Errorf("our end after %v, the quiet reset after %v; want %v and %v", end, quiet, r.want, lingerTime)
			}
		})
	}
}

// TestOurEndQueued: while the close frame is queued the wait begins anew each time, and our end
// still leaves within the linger time (BEHAVIOUR 4).
func TestOurEndQueued(t *testing.T) {
	bad := func(m *machine) { m.feed([]byte{0xff}, false, epoch); m.next(); m.settle() }
	stop := func(m *machine) { m.apply(Commands{Stop()}, epoch) }
	for _, r := range []struct {
		how        func(m *machine)
		peer       []arrival
		queued     time.Duration
		least, end time.Duration
	}{
		{stop, silent, 500 * ms, time.Second, time.Second},
		{stop, silent, 2500 * ms, 3 * time.Second, 3 * time.Second},
		{stop, silent, 4300 * ms, 4500 * ms, 4750 * ms},
		{stop, silent, time.Hour, 4750 * ms, 4750 * ms},
		{stop, ends(2 * time.Second), time.Hour, 2 * time.Second, 2 * time.Second},
		{bad, silent, 2100 * ms, 2250 * ms, 2250 * ms},
		{bad, silent, time.Hour, 4750 * ms, 4750 * ms},
	} {
		t.Run(fmt.Sprint(r.queued, r.peer), func(t *testing.T) {
			m := newMachine(&Options{}, epoch)
			r.how(&m)
			m.sent(100, epoch)
			if end, quiet := endings(&m, r.peer, r.queued); end < r.least || end > r.end || quiet != lingerTime {
				t.Errorf("our end after %v, the quiet reset after %v; want %v to %v, and %v", end, quiet, r.least, r.end, lingerTime)
			}
		})
	}
}

// TestOurEndHoldsNothing: a machine whose end waits keeps what a frame that is cut needs, and no
// more.
func TestOurEndHoldsNothing(t *testing.T) {
	m := newMachine(&Options{}, epoch)
	m.apply(Commands{Stop()}, epoch)
	m.sent(0, epoch)
	m.feed(masked(begun(wsframe.Binary), strings.Repeat("x", 10_000)), false, epoch)
	m.settle()
	if m.input.msg != nil || m.input.held != nil {
		t.Fatal("octets are kept that nobody will see")
	}
	m.feed(masked(fin(wsframe.Continuation), ""), false, epoch)
	m.settle()
	m.takeConsumed()
	w := m.layDown()
	if w == nil {
		t.Fatal("between frames it is not at rest")
	}
	m.takeUp(w)
	n := testing.AllocsPerRun(100, func() { m.feed(masked(fin(wsframe.Text), "x"), false, epoch) })
	if masking := testing.AllocsPerRun(100, func() { masked(fin(wsframe.Text), "x") }); n > masking {
		t.Errorf("%v allocations a frame that is skipped", n-masking)
	}
}
