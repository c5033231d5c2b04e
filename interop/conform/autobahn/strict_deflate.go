package autobahn

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/wire"
)

// strictAnswers are about what a server says to offers of permessage-deflate (RFC 7692, 7.1).
func strictAnswers() (all []spec) {
	add := func(id, title, offer, section, expect string, judge func(e *extension) string) {
		s := spec{id: "deflate." + id, title: title, expect: expect, section: section, oneWay: true, deflate: &deflateCase{offer: offer},
			answer: func(h http.Header) string {
				es := parseExtensions(h["Sec-Websocket-Extensions"])
				if len(es) == 0 {
					return ""
				}
				return judge(&es[0])
			}}
		s.play = func(t *tester) { // the WebSocket works all the same
			t.put(text(hello))
			t.shut(time.Second)
		}
		s.ok = []seen{echoed(hello)}
		all = append(all, s)
	}
	const honours = "the answer agrees to it, or declines permessage-deflate"
	atMost := func(name string, n int) func(e *extension) string {
		return func(e *extension) string {
			v, ok := e.has(name)
			p, err := readParams(*e, false)
			got := p.serverBits
			if name == clientBits {
				got = p.clientBits
				if !ok {
					return ""
				}
			}
			switch {
			case err != nil:
				return err.Error()
			case !ok:
				return fmt.Sprintf("the answer agrees to the offer, and has no %s", name)
			case got > n:
				return fmt.Sprintf("%s=%s was answered to %d", name, v, n)
			}
			return ""
		}
	}
	add("answer_server_no_context_takeover", "an offer with server_no_context_takeover", deflateName+"; "+serverFresh, "RFC 7692, 7.1.1.1", honours, func(e *extension) string {
		if _, ok := e.has(serverFresh); !ok {
			return "the answer agrees to the offer, and has no " + serverFresh
		}
		return ""
	})
	for _, n := range []int{8, 9, 12, 15} {
		add(fmt.Sprintf("answer_server_max_window_bits_%d", n), fmt.Sprintf("an offer with server_max_window_bits=%d", n), fmt.Sprintf("%s; %s=%d", deflateName, serverBits, n),
			"RFC 7692, 7.1.2.1", honours, atMost(serverBits, n))
	}
	add("answer_client_max_window_bits_10", "an offer with client_max_window_bits=10", deflateName+"; "+clientBits+"=10", "RFC 7692, 7.1.2.2", "the answer asks for no more than 10",
		atMost(clientBits, 10))
	add("answer_no_client_max_window_bits", "an offer without client_max_window_bits", deflateName, "RFC 7692, 7.1.2.2", "the answer does not have it", func(e *extension) string {
		if _, ok := e.has(clientBits); ok {
			return "the answer has " + clientBits + ", which was not offered"
		}
		return ""
	})
	declined := func(*extension) string { return "the offer was agreed to" }
	for _, bad := range []struct{ id, param string }{
		{"unknown_parameter", "x_unknown"}, {"twice", serverFresh + "; " + serverFresh}, {"bits_7", serverBits + "=7"}, {"bits_16", serverBits + "=16"}, {"bits_with_zero", serverBits + "=09"},
		{"bits_without_value", serverBits}, {"value_for_none", serverFresh + "=1"}, {"client_bits_16", clientBits + "=16"},
	} {
		add("declines_"+bad.id, "an offer with "+bad.param, deflateName+"; "+bad.param, "RFC 7692, 7.1", "the offer is declined", declined)
	}
	add("second_offer", "an offer with a parameter that nobody knows, and a good one", deflateName+"; x_unknown, "+deflateName+"; "+serverFresh, "RFC 7692, 5.1",
		"the second is agreed to, or both are declined", func(e *extension) string {
			if _, ok := e.has("x_unknown"); ok {
				return "the first offer was agreed to"
			}
			if _, ok := e.has(serverFresh); !ok {
				return "the answer agrees to the second offer, and has no " + serverFresh
			}
			return ""
		})
	return all
}

// squeezedFrame is a compressed message in one frame.
func (t *tester) squeezedFrame(op wire.Opcode, p []byte) wire.Frame {
	return rsv(wire.RSV1, frame(op, t.packer.pack(p)))
}

// strictDeflate are about compressed messages (RFC 7692, 6, 7.2).
func strictDeflate() []spec {
	const offer = deflateName + "; " + clientFresh
	agreed := func(id, title, section string, play func(t *tester), ok ...seen) spec {
		return spec{id: "deflate." + id, title: title, expect: "what was sent comes back", section: section, ok: ok, deflate: &deflateCase{offer: offer, asks: []ask{{}}},
			play: func(t *tester) {
				if t.agreed == nil {
					t.verdict, t.why = conform.Unimplemented, "permessage-deflate was not agreed on"
					t.bye()
					return
				}
				play(t)
				t.shut(2 * time.Second)
			}}
	}
	breaks := func(id, title, section string, codes []int, play func(t *tester)) spec {
		s := agreed(id, title, section, func(t *tester) {
			play(t)
			t.flush()
			t.kill(time.Second)
		})
		s.expect, s.close = fmt.Sprintf("the peer fails the connection, with a code of %v, or drops it", codes), ending{codes: codes}
		s.judge = expectUnimplemented
		return s
	}
	packed := func(b string) wire.Frame { return rsv(wire.RSV1, text(b)) }
	one := []seen{echoed("Hello")}
	broken := []int{1002, 1003, 1007, 1008, 1011}
	bad := []byte(badText)
	all := []spec{
		// The octets of RFC 7692, 7.2.3.
		agreed("example_one_block", "the octets of the example with one block", "RFC 7692, 7.2.3.1", func(t *tester) { t.put(packed("\xf2\x48\xcd\xc9\xc9\x07\x00")) }, one...),
		agreed("example_fragments", "the same in two frames", "RFC 7692, 7.2.3.1", func(t *tester) {
			t.put(open(packed("\xf2\x48\xcd")), c1("\xc9\xc9\x07\x00"))
		}, one...),
		agreed("example_stored", "the octets of the example with a block that is not compressed", "RFC 7692, 7.2.3.3", func(t *tester) {
			t.put(packed("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"))
		}, one...),
		agreed("example_last_block", "the octets of the example whose block says that it is the last", "RFC 7692, 7.2.3.4", func(t *tester) { t.put(packed("\xf3\x48\xcd\xc9\xc9\x07\x00\x00")) }, one...),
		agreed("example_two_blocks", "the octets of the example with two blocks", "RFC 7692, 7.2.3.5", func(t *tester) { t.put(packed("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")) }, one...),
		agreed("example_empty", "the octets of the example without a message", "RFC 7692, 7.2.3.6", func(t *tester) { t.put(packed("\x00")) }, echoed("")),
		agreed("empty_frames", "a compressed text in three frames, the first and the last empty", "RFC 7692, 6.1", func(t *tester) {
			t.put(open(packed("")), c0("\xf2\x48\xcd\xc9\xc9\x07\x00"), c1(""))
		}, one...),
		agreed("mixed", "compressed messages and others in turn", "RFC 7692, 6", func(t *tester) {
			for i := range 6 {
				p := []byte(fmt.Sprintf("message %d", i))
				if i%2 == 0 {
					t.put(t.squeezedFrame(wire.Text, p))
				} else {
					t.put(text(p))
				}
			}
		}, echoed("message 0"), echoed("message 1"), echoed("message 2"), echoed("message 3"), echoed("message 4"), echoed("message 5")),
		agreed("ping_amid", "a ping within a compressed text", "RFC 7692, 6", func(t *tester) {
			t.put(open(packed("\xf2\x48\xcd")), ping("amid"), c1("\xc9\xc9\x07\x00"))
		}, ponged("amid"), echoed("Hello")),
		breaks("rsv1_ping", "a ping with RSV1", "RFC 7692, 6", []int{1002}, func(t *tester) { t.put(rsv(wire.RSV1, ping("Hello"))) }),
		breaks("rsv1_close", "a close frame with RSV1", "RFC 7692, 6", []int{1002}, func(t *tester) { t.put(rsv(wire.RSV1, frame(wire.Close, ""))) }),
		breaks("rsv1_continuation", "a compressed text whose second frame has RSV1", "RFC 7692, 6", []int{1002}, func(t *tester) {
			t.put(open(packed("\xf2\x48\xcd")), rsv(wire.RSV1, c1("\xc9\xc9\x07\x00")))
		}),
		breaks("rsv1_late", "a text whose second frame has RSV1", "RFC 7692, 6", []int{1002}, func(t *tester) { t.put(t0("Hello"), rsv(wire.RSV1, c1("\xf2\x48\xcd\xc9\xc9\x07\x00"))) }),
		breaks("rsv2", "a compressed text with RSV2", "RFC 6455, 5.2", []int{1002}, func(t *tester) { t.put(rsv(wire.RSV1|wire.RSV2, text("\xf2\x48\xcd\xc9\xc9\x07\x00"))) }),
		breaks("corrupt_block", "a block of a type that does not exist", "RFC 7692, 7.2.2", broken, func(t *tester) { t.put(packed("\x07\x00\x00")) }),
		breaks("corrupt_stored", "a block that is not compressed, with a bad length", "RFC 7692, 7.2.2", broken, func(t *tester) { t.put(packed("\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00")) }),
		breaks("corrupt_distance", "a reference to before the first octet", "RFC 7692, 7.2.2", broken, func(t *tester) { t.put(packed("\x02\x1d\x00\x00")) }),
		breaks("corrupt_second_frame", "a compressed text whose second frame is bad", "RFC 7692, 7.2.2", broken, func(t *tester) {
			t.put(open(packed("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff")), c1("\x06"))
		}),
		breaks("utf8", "a compressed text that is no UTF-8", "RFC 6455, 8.1", []int{1007}, func(t *tester) { t.put(t.squeezedFrame(wire.Text, bad)) }),
		breaks("utf8_fragments", "a compressed text that is no UTF-8, in frames of three octets", "RFC 6455, 8.1", []int{1007}, func(t *tester) {
			fs := fragments(wire.Text, t.packer.pack(bad), 3)
			fs[0].RSV = wire.RSV1
			t.put(fs...)
		}),
		bomb(agreed("bomb", "a compressed message of 16 KiB that becomes 16 MiB", "RFC 7692, 8", nil)),
	}
	for _, n := range []int{8, 9, 15} {
		s := agreed(fmt.Sprintf("window_%d", n), fmt.Sprintf("64 KiB of JSON, with server_max_window_bits=%d", n), "RFC 7692, 7.1.2.1", nil)
		s.oneWay, s.deflate = true, &deflateCase{offer: fmt.Sprintf("%s; %s=%d", offer, serverBits, n)}
		all = append(all, windowed(s, n))
	}
	return all
}

// expectUnimplemented mends the verdict on the close where nothing was asked: it was the tester's.
func expectUnimplemented(t *tester, o *conform.Outcome) {
	if t.verdict == conform.Unimplemented {
		o.Body, o.Close, o.Why = conform.Unimplemented, conform.OK, t.why
	}
}

// windowed looks at how far back what comes back refers.
func windowed(s spec, n int) spec {
	s.expect = "it comes back, and refers no farther back than was agreed on"
	p := records(64 * ki)
	s.play = func(t *tester) {
		if t.agreed == nil || bits(t.agreed.serverBits) > n {
			t.verdict, t.why = conform.Unimplemented, "a window of these bits was not agreed on"
			t.bye()
			return
		}
		t.put(t.squeezedFrame(wire.Text, p))
		t.shut(5 * time.Second)
	}
	s.message = func(t *tester, m message) {
		t.verdict = conform.OK
		switch far, err := reach(append(bytes.Clone(m.packed), tail[:4]...)); {
		case !bytes.Equal(m.payload, p):
			t.verdict, t.why = conform.Failed, differs(m, p)
		case m.packed == nil:
			t.verdict, t.why = conform.Informational, "it came back as it is"
		case err != nil:
			t.verdict, t.why = conform.Failed, err.Error()
		case far > 1<<bits(t.agreed.serverBits):
			t.verdict, t.why = conform.Failed, fmt.Sprintf("it refers %d octets back: the window is %d (RFC 7692, 7.1.2.1)", far, 1<<bits(t.agreed.serverBits))
		}
		t.bye()
	}
	return s
}

// bomb is a message that grows a thousandfold.
func bomb(s spec) spec {
	const size = 16 * mi
	s.play = func(t *tester) {
		if t.agreed == nil {
			t.verdict, t.why = conform.Unimplemented, "permessage-deflate was not agreed on"
			t.bye()
			return
		}
		t.put(t.squeezedFrame(wire.Binary, make([]byte, size)))
		t.shut(20 * time.Second)
	}
	s.expect, s.busy, s.limit = "the peer fails the connection with 1009, or the whole comes back", true, 60*time.Second
	s.close = ending{byMe: true, codes: []int{1000}, clean: true}
	s.message = func(t *tester, m message) {
		t.verdict = conform.OK
		if !m.binary || len(m.payload) != size || strings.Trim(string(m.payload), "\x00") != "" {
			t.verdict, t.why = conform.Failed, fmt.Sprintf("%v of %d octets came back", kind(m.binary), len(m.payload))
		}
		t.bye()
	}
	s.judge = func(t *tester, o *conform.Outcome) {
		if t.verdict != "" || t.closedByMe {
			return
		}
		if *o = (conform.Outcome{Body: conform.OK, Close: conform.OK, Code: t.code}); !t.coded(1009) {
			o.Body, o.Why = conform.NonStrict, "the connection was ended, and not with 1009"
		}
	}
	return s
}
