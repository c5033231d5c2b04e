package autobahn

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/wire"
)

// stricter are the cases that the catalogue lacks, but for those of the opening handshake and those
// with two connections.
func stricter() (all []spec) {
	for _, group := range [][]spec{strictFrames(), strictCloses(), strictEchoes(), strictSubprotocols(), strictAnswers(), strictDeflate()} {
		all = append(all, group...)
	}
	for i := range all {
		s := &all[i]
		s.id, s.strict = "strict."+s.id, true
		if s.close.codes == nil {
			s.close = normal()
		}
		s.close.fatalEnd, s.close.fatalCode = true, true
		if s.kill == 0 && s.shut == 0 && s.play == nil && s.end == nil {
			s.shut = time.Second
		}
	}
	return all
}

const fails = "the peer fails the connection with 1002, or drops it"

// strictFrames are about headers (RFC 6455, 5.1, 5.2, 5.4).
func strictFrames() []spec {
	long := func(form int, f wire.Frame) wire.Frame {
		f.LengthOctets = form
		return f
	}
	top := wire.Frame{Fin: true, Op: wire.Binary, LengthOctets: 9, Declared: 1<<63 | 5, Payload: []byte("Hello")}
	bad := func(id, title, section string, fs ...wire.Frame) spec {
		return spec{id: "frame." + id, title: title, expect: fails, section: section, frames: fs, kill: time.Second, close: fault()}
	}
	all := []spec{
		bad("length_125_in_3", "a text of 125 octets with its length in three", "RFC 6455, 5.2", long(3, text(repeat([]byte("*"), 125)))),
		bad("length_5_in_9", "a text of 5 octets with its length in nine", "RFC 6455, 5.2", long(9, text("Hello"))),
		bad("length_65535_in_9", "a text of 65535 octets with its length in nine", "RFC 6455, 5.2", long(9, text(repeat([]byte("*"), 65535)))),
		bad("length_of_ping_in_3", "a ping of 5 octets with its length in three", "RFC 6455, 5.2", long(3, ping("Hello"))),
		bad("length_top_bit", "a length of 64 bits with the top bit set", "RFC 6455, 5.2", top),
		bad("rsv_in_continuation", "RSV2 in the second frame of a text", "RFC 6455, 5.2", t0("Hello"), rsv(wire.RSV2, c1("world"))),
		bad("binary_in_text", "a binary message that begins within a text", "RFC 6455, 5.4", t0("Hello"), blob("world")),
		bad("ping_without_fin", "the first frame of a ping, and nothing more", "RFC 6455, 5.5", open(ping("Hello"))),
	}
	for _, f := range []struct {
		id    string
		first byte
	}{{"text", 0x81}, {"ping", 0x89}, {"close", 0x88}} {
		raw := []byte{f.first, 2, 3, 232}
		if f.id == "text" {
			copy(raw[2:], "hi")
		}
		all = append(all, spec{id: "frame.unmasked_" + f.id, title: "a " + f.id + " frame that is not masked", expect: fails, section: "RFC 6455, 5.1", oneWay: true, close: fault(),
			play: func(t *tester) {
				_ = t.c.Write(raw) // the end of the connection comes as an event
				t.kill(time.Second)
			}})
	}
	return all
}

// strictCloses are about close codes, and ends without a close frame (RFC 6455, 7).
func strictCloses() []spec {
	var all []spec
	for _, c := range []int{1012, 1013, 1014} {
		all = append(all, spec{
			id: fmt.Sprintf("close.%d", c), title: fmt.Sprintf("a close frame with code %d", c), section: "RFC 6455, 7.4.2",
			expect: fmt.Sprintf("a close frame with %d or 1000: the code is registered; 1002 is not strict", c),
			end:    closing(c, ""), kill: time.Second, quiet: true, close: ending{byMe: true, codes: []int{1000, 1002, c}, clean: true},
			judge: func(t *tester, o *conform.Outcome) {
				if o.Body == conform.OK && t.coded(1002) {
					o.Body = conform.NonStrict
				}
			},
		})
	}
	must := func(id, title string, body *[]byte, codes ...int) spec {
		return spec{id: "close." + id, title: title, expect: "a close frame with 1002, or the connection is dropped", section: "RFC 6455, 7.4.1",
			end: body, kill: time.Second, quiet: true, close: ending{byMe: true, codes: codes},
			judge: func(t *tester, o *conform.Outcome) {
				if o.Body == conform.OK && t.replied && t.code == nil {
					o.Body, o.Why = conform.NonStrict, "the peer's close frame says nothing of the fault"
				}
			}}
	}
	return append(all,
		must("1015", "a close frame with code 1015, which is never sent", closing(1015, ""), 1002),
		must("one_octet", "a close frame with a body of one octet", body("\x03"), 1002),
		must("reason_cut", "a close frame whose reason ends within a character", closing(1000, "\xe2\x82"), 1002, 1007),
		spec{id: "close.end_without", title: "the tester's side ends without a close frame", expect: "the peer ends its side, too", section: "RFC 6455, 7.1.1",
			close: ending{codes: []int{1000, 1001, 1002, 1006, 1011}},
			play: func(t *tester) {
				_ = t.c.CloseWrite() // the end of the connection comes as an event
				t.kill(time.Second)
			}},
	)
}

// exactly has a message come back with its content.
func exactly(id, title, section string, op wire.Opcode, limit time.Duration, payload func() []byte, send func(t *tester, p []byte)) spec {
	s := spec{id: id, title: title, expect: "it comes back, octet for octet", section: section, busy: limit > conform.DefaultLimit, limit: limit + 15*time.Second}
	s.play = func(t *tester) {
		send(t, payload())
		t.shut(limit)
	}
	s.message = func(t *tester, m message) {
		if t.verdict != "" {
			return
		}
		t.verdict = conform.OK
		if want := payload(); m.binary != (op == wire.Binary) || !bytes.Equal(m.payload, want) {
			t.verdict, t.why = conform.Failed, differs(m, want)
		}
		t.bye()
	}
	return s
}

func differs(m message, want []byte) string {
	for i := range want {
		if i >= len(m.payload) || m.payload[i] != want[i] {
			return fmt.Sprintf("%v of %d octets came back, which differ from those sent at %d", kind(m.binary), len(m.payload), i)
		}
	}
	return fmt.Sprintf("%v of %d octets came back", kind(m.binary), len(m.payload))
}

// strictEchoes look at the content of what 9.* looks at the length of.
func strictEchoes() []spec {
	big := sync.OnceValue(func() []byte { return bitmap(4*mi + 17) })
	long := sync.OnceValue(func() []byte { return []byte(strings.Repeat(greeting, mi/len(greeting))) })
	all := []spec{
		exactly("echo.binary", "a binary message of 4 MiB", "RFC 6455, 5.6", wire.Binary, 60*time.Second, big, func(t *tester, p []byte) { t.put(blob(p)) }),
		exactly("echo.text", "a text of 1 MiB, much of it not ASCII", "RFC 6455, 5.6", wire.Text, 60*time.Second, long, func(t *tester, p []byte) { t.put(text(p)) }),
		exactly("echo.fragments", "a binary message of 4 MiB in frames of 977 octets", "RFC 6455, 5.4", wire.Binary, 60*time.Second, big, func(t *tester, p []byte) {
			t.put(fragments(wire.Binary, p, 977)...)
		}),
		exactly("echo.writes", "a text of 1 MiB in frames of 4093 octets, in writes of 1021", "RFC 6455, 5.4", wire.Text, 60*time.Second, long, func(t *tester, p []byte) {
			for part := range slices.Chunk(t.c.Append(nil, fragments(wire.Text, p, 4093)...), 1021) {
				if t.c.Pass(part) != nil {
					return // the end of the connection comes as an event
				}
			}
		}),
	}
	return append(all, pinging(big))
}

// pinging has pings come amid a large message and while it comes back.
func pinging(big func() []byte) spec {
	const pings = 16
	s := exactly("ping.amid", "16 pings amid a binary message of 4 MiB", "RFC 6455, 5.5.2, 5.5.3", wire.Binary, 60*time.Second, big, func(t *tester, p []byte) {
		fs := fragments(wire.Binary, p, len(p)/pings+1)
		for i, f := range fs {
			t.put(f)
			if i < len(fs)-1 {
				t.put(ping(fmt.Sprint(i)))
			}
		}
		t.put(ping("last"))
	})
	s.expect = "the message comes back, and a pong for each ping, in order; of pings that wait only the last may be answered"
	s.judge = func(t *tester, o *conform.Outcome) {
		if o.Body != conform.OK {
			return
		}
		next := 0
		for _, r := range t.received {
			if n := slices.Index(t.asked, string(r.payload)); n < next {
				o.Body, o.Why = conform.Failed, fmt.Sprintf("pong %q came out of turn, or answers nothing", r.payload)
				return
			} else {
				next = n + 1
			}
		}
		if len(t.received) < len(t.asked) {
			o.Body, o.Why = conform.NonStrict, fmt.Sprintf("%d pongs to %d pings", len(t.received), len(t.asked))
		}
	}
	play := s.play
	s.play = func(t *tester) {
		for i := range pings - 1 {
			t.asked = append(t.asked, fmt.Sprint(i))
		}
		t.asked = append(t.asked, "last")
		play(t)
	}
	return s
}

// strictSubprotocols are about Sec-WebSocket-Protocol (RFC 6455, 4.2.2); that an answer names
// nothing else is held at each dial.
func strictSubprotocols() []spec {
	offer := func(id, title string, names ...string) spec {
		return spec{id: "subprotocol." + id, title: title, expect: "one of those offered is chosen, or none, and the WebSocket echoes", section: "RFC 6455, 4.2.2", oneWay: true,
			subprotocols: names, frames: []wire.Frame{text(hello)}, ok: []seen{echoed(hello)}}
	}
	return []spec{
		offer("one", "a subprotocol that nobody knows is offered", "x.unknown.example"),
		offer("several", "three subprotocols are offered", "x.unknown.example", "one", "two"),
	}
}
