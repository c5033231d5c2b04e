package autobahn

import (
	"bytes"
	"fmt"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/wire"
)

const ki, mi = 1 << 10, 1 << 20

// limits are 9.*: large messages, many frames, small writes, and round trips. Only type and length of what comes back are looked at.
func limits() (all []spec) {
	textual, binaries := []byte("BAsd7&jh23"), []byte("\x00\xfe\x23\xfa\xf0")
	sizes := []int{64 * ki, 256 * ki, mi, 4 * mi, 8 * mi, 16 * mi}
	pieces := []int{64, 256, ki, 4 * ki, 16 * ki, 64 * ki, 256 * ki, mi, 4 * mi}
	add := func(g, n int, title string, wait time.Duration, op wire.Opcode, play func(t *tester), times, size int) {
		all = append(all, spec{
			id: fmt.Sprintf("9.%d.%d", g, n), title: title, expect: "as many octets come back", section: "RFC 6455, 5.2", close: normal(), limit: wait + 15*time.Second, busy: true,
			play:    func(t *tester) { play(t); t.shut(wait) },
			message: func(t *tester, m message) { t.count(m, op, size, times, play) },
		})
	}
	for i, op := range []wire.Opcode{wire.Text, wire.Binary} {
		fill := textual
		if op == wire.Binary {
			fill = binaries
		}
		for j, n := range sizes {
			wait := 100 * time.Second
			if n <= 256*ki || op == wire.Binary && n <= 4*mi {
				wait = 10 * time.Second
			}
			add(1+i, j+1, fmt.Sprintf("a %v message of %d octets", op, n), wait, op, func(t *tester) { t.put(frame(op, repeat(fill, n))) }, 1, n)
		}
	}
	for i, op := range []wire.Opcode{wire.Text, wire.Binary} {
		for j, n := range pieces {
			fill := []byte("*")
			if op == wire.Binary && j == 0 {
				fill = []byte("\xfe")
			}
			add(3+i, j+1, fmt.Sprintf("a %v message of 4 MiB in frames of %d octets", op, n), 100*time.Second, op, func(t *tester) {
				t.put(fragments(op, repeat(fill, 4*mi), n)...)
			}, 1, 4*mi)
		}
	}
	for i, op := range []wire.Opcode{wire.Text, wire.Binary} {
		fill := textual
		if op == wire.Binary {
			fill = binaries
		}
		for j := range 6 {
			n := 64 << j
			add(5+i, j+1, fmt.Sprintf("a %v message of 1 MiB in writes of %d octets", op, n), 1000*time.Second, op, func(t *tester) {
				t.send(style(n), frame(op, repeat(fill, mi)))
			}, 1, mi)
		}
	}
	for i, op := range []wire.Opcode{wire.Text, wire.Binary} {
		fill := []byte("*")
		if op == wire.Binary {
			fill = []byte("\xfe")
		}
		for j, n := range []int{0, 16, 64, 256, ki, 4 * ki} {
			p := repeat(fill, n)
			add(7+i, j+1, fmt.Sprintf("1000 %v messages of %d octets, one after the other", op, n), []time.Duration{60, 60, 60, 120, 240, 480}[j]*time.Second, op, func(t *tester) {
				t.put(frame(op, p))
			}, 1000, n)
		}
	}
	return all
}

// repeat makes n octets of a pattern.
func repeat(pattern []byte, n int) []byte {
	return bytes.Repeat(pattern, n/len(pattern)+1)[:n]
}

// count takes an echo of which type and length are looked at; again sends the next.
func (t *tester) count(m message, op wire.Opcode, size, times int, again func(*tester)) {
	if t.verdict != "" {
		t.verdict, t.why = conform.Failed, "more came back than was sent"
		return
	}
	t.got++
	switch {
	case m.binary != (op == wire.Binary) || len(m.payload) != size:
		t.verdict, t.why = conform.Failed, fmt.Sprintf("message %d came back as %v of %d octets", t.got, kind(m.binary), len(m.payload))
		t.bye()
	case t.got < times:
		again(t)
	default:
		t.verdict = conform.OK
		t.bye()
	}
}

func kind(isBinary bool) wire.Opcode {
	if isBinary {
		return wire.Binary
	}
	return wire.Text
}

// autoFragments is 10.1.1: a message that the tester cuts by itself.
func autoFragments() []spec {
	p := repeat([]byte("*"), 65536)
	return []spec{{
		id: "10.1.1", title: "a text of 65536 octets in frames of 1300", expect: "it comes back", section: "RFC 6455, 5.4",
		frames: fragments(wire.Text, p, 1300), kill: 10 * time.Second, ok: []seen{echoed(p)}, close: normal(),
	}}
}
