package autobahn

import (
	"bytes"
	"fmt"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/wire"
)

// messages is how many a case of 12.* and 13.* sends.
const messages = 1000

// deflateCase is a case that offers permessage-deflate, or as a server agrees to it.
type deflateCase struct {
	offer string // of a client's tester
	asks  []ask  // of a server's, in order
}

const baseOffer = deflateName + "; " + clientFresh + "; " + clientBits

// variations are the offers of 13.1 to 13.7; 12.* has the first.
var variations = []struct {
	title string
	deflateCase
}{
	{"nothing more", deflateCase{baseOffer, []ask{{}}}},
	{"no context takeover", deflateCase{baseOffer + "; " + serverFresh, []ask{{fresh: true}}}},
	{"a window of 9 bits", deflateCase{baseOffer + "; " + serverBits + "=9", []ask{{bits: 9}}}},
	{"a window of 15 bits", deflateCase{baseOffer + "; " + serverBits + "=15", []ask{{bits: 15}}}},
	{"no context takeover, a window of 9 bits", deflateCase{baseOffer + "; " + serverFresh + "; " + serverBits + "=9", []ask{{fresh: true, bits: 9}}}},
	{"no context takeover, a window of 15 bits", deflateCase{baseOffer + "; " + serverFresh + "; " + serverBits + "=15", []ask{{fresh: true, bits: 15}}}},
	{"three offers", deflateCase{baseOffer + "; " + serverFresh + "; " + serverBits + "=9, " + baseOffer + "; " + serverFresh + ", " + baseOffer,
		[]ask{{fresh: true, bits: 9}, {fresh: true}, {}}}},
}

// compression are 12.* and 13.*: a thousand messages each, one after the other.
func compression(l *library) (all []spec) {
	lengths := []int{16, 64, 256, ki, 4 * ki, 8 * ki, 16 * ki, 32 * ki, 64 * ki, 128 * ki, 8 * ki, 16 * ki, 32 * ki, 64 * ki, 128 * ki, 128 * ki, 128 * ki, 128 * ki}
	cuts := []int{10: 256, 11: 256, 12: 256, 13: 256, 14: 256, 15: ki, 16: 4 * ki, 17: 32 * ki}
	waits := []time.Duration{60, 60, 120, 240}
	names := []string{"JSON", "a bitmap", "prose", "HTML", "a PDF"}
	add := func(group string, corpus int, title string, v *deflateCase) {
		for i, n := range lengths {
			wait := 480 * time.Second
			if i < len(waits) {
				wait = waits[i] * time.Second
			}
			s := spec{
				id: fmt.Sprintf("%s.%d", group, i+1), title: fmt.Sprintf("%d compressed messages of %d of %s%s", messages, n, names[corpus], title),
				expect: "they come back, each before the next is sent", section: "RFC 7692, 7", close: normal(), limit: wait + 15*time.Second, busy: true, deflate: v,
			}
			if cuts[i] > 0 {
				s.title += fmt.Sprintf(", in frames of %d", cuts[i])
			}
			s.play = func(t *tester) { t.squeeze(l, corpus, n, cuts[i], wait) }
			s.message = func(t *tester, m message) { t.squeezed(m) }
			all = append(all, s)
		}
	}
	for i := range names {
		add(fmt.Sprintf("12.%d", i+1), i, "", &variations[0].deflateCase)
	}
	for i := range variations {
		add(fmt.Sprintf("13.%d", i+1), 0, ", offer: "+variations[i].title, &variations[i].deflateCase)
	}
	return all
}

// thousand is what a case of 12.* or 13.* sends.
type thousand struct {
	seq *sequence
	cut int
}

// squeeze begins such a case.
func (t *tester) squeeze(l *library, corpus, n, cut int, wait time.Duration) {
	if t.agreed == nil {
		t.verdict, t.why = conform.Unimplemented, "permessage-deflate was not agreed on"
		t.bye()
		return
	}
	b, fresh := bits(t.agreed.clientBits), t.agreed.clientFresh
	if !t.c.Client {
		b, fresh = bits(t.agreed.serverBits), t.agreed.serverFresh
	}
	t.thousand = thousand{l.sequence(corpus, n, b, fresh), cut}
	t.unpacker.limit = 4*n + 1
	t.next()
	t.shut(wait)
}

// next sends the next message.
func (t *tester) next() {
	op := wire.Text
	if t.thousand.seq.c.binary {
		op = wire.Binary
	}
	p := t.thousand.seq.message(t.got)
	if t.thousand.cut == 0 {
		t.put(wire.Frame{Fin: true, RSV: wire.RSV1, Op: op, Payload: p})
		return
	}
	fs := fragments(op, p, t.thousand.cut)
	fs[0].RSV = wire.RSV1
	t.put(fs...)
}

// squeezed takes one that came back.
func (t *tester) squeezed(m message) {
	if t.verdict != "" {
		if t.verdict == conform.OK {
			t.verdict, t.why = conform.Failed, "more came back than was sent"
		}
		return
	}
	s := t.thousand.seq
	want := s.c.message(t.got, s.n)
	t.got++
	switch {
	case m.binary != s.c.binary || !bytes.Equal(m.payload, want):
		t.verdict, t.why = conform.Failed, fmt.Sprintf("message %d came back as %v of %d octets, not as it was sent", t.got, kind(m.binary), len(m.payload))
		t.bye()
	case t.got < messages:
		t.next()
	default:
		t.verdict = conform.OK
		t.bye()
	}
}
