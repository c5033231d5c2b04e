package main

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"
	"testing"

	"weir/wsframe"
)

// broken is a row for what fails the WebSocket: what came before it was delivered and answered, nothing after it is looked at.
func broken(name string, bad []byte, code, reason string) exchange {
	return exchange{name: name, path: "/echo", send: frames(text("before"), ping("before"), bad, text("never")),
		want: append([]string{`text "before"`, `pong "before"`}, ended(code)...), end: event{"reason": "error:" + reason, "in": event{"messages": 1, "bytes": 6}}}
}

// What frames may be (RFC 6455, 5), over every transport.
func TestContractFrames(t *testing.T) {
	h := func(h wsframe.Header) []byte { return masked(h, "x") }
	badframe := func(name string, bad []byte) exchange { return broken(name, bad, "1002", "badframe") }
	rows := []exchange{
		badframe("6455-5.2/rsv1", h(wsframe.Header{Fin: true, RSV1: true, Op: wsframe.Text})),
		badframe("6455-5.2/rsv2", h(wsframe.Header{Fin: true, RSV2: true, Op: wsframe.Text})),
		badframe("6455-5.2/rsv3", h(wsframe.Header{Fin: true, RSV3: true, Op: wsframe.Text})),
		badframe("6455-5.2/rsv_of_control", h(wsframe.Header{Fin: true, RSV1: true, Op: wsframe.Ping})),
		badframe("6455-5.2/rsv_by_the_first_octet", []byte{0xf1}),
		badframe("6455-5.5/control_fragmented", h(wsframe.Header{Op: wsframe.Ping})),
		badframe("6455-5.5/close_fragmented", h(wsframe.Header{Op: wsframe.Close})),
		badframe("6455-5.5/control_over_125", ping(strings.Repeat("p", 126))),
		badframe("6455-5.5/close_over_125", closing(1000, strings.Repeat("p", 124))),
		badframe("6455-5.5.1/close_of_one", h(wsframe.Header{Fin: true, Op: wsframe.Close})),
		badframe("6455-5.4/continuation_without", last("x")),
		badframe("6455-5.4/fragment_without", more("x")),
		badframe("6455-5.4/text_within", frames(begin(wsframe.Text, "x"), text("y"))),
		badframe("6455-5.4/binary_begins_within", frames(begin(wsframe.Text, "x"), begin(wsframe.Binary, "y"))),
		badframe("6455-5.2/length_16_of_125", []byte{0x81, 0xfe, 0, 125}),
		badframe("6455-5.2/length_64_of_65535", []byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}),
		badframe("6455-5.2/length_top_bit", []byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1}),
		badframe("6455-5.1/unmasked", wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: wsframe.Text}, []byte("y"))),
		badframe("6455-5.1/unmasked_close", []byte{0x88, 0}),

		broken("6455-8.1/stray_continuation", text("a\x80"), "1007", "badencoding"),
		broken("6455-8.1/surrogate", text("\xed\xa0\x80"), "1007", "badencoding"),
		broken("6455-8.1/overlong", text("\xc0\xaf"), "1007", "badencoding"),
		broken("6455-8.1/above_10ffff", text("\xf4\x90\x80\x80"), "1007", "badencoding"),
		broken("6455-8.1/ends_inside", text("gr\xc3"), "1007", "badencoding"),
		broken("6455-8.1/last_ends_inside", frames(begin(wsframe.Text, "gr\xc3"), last("")), "1007", "badencoding"),
		broken("6455-8.1/first_bad_octet", begin(wsframe.Text, "\xff"), "1007", "badencoding"),
		broken("6455-8.1/bad_across_fragments", frames(begin(wsframe.Text, "\xe2\x82"), more("\xac"), more("\xac")), "1007", "badencoding"),
		broken("6455-8.1/unfinished_frame", text("\xff" + strings.Repeat("y", 1000))[:20], "1007", "badencoding"),
		broken("6455-5.5.1/close_text", closing(1000, "\xff"), "1007", "badencoding"),

		broken("6455-10.4/declared", []byte{0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x41}, "1009", "badsize"),
		broken("6455-10.4/declared_in_all", frames(begin(wsframe.Binary, "x"), []byte{0x80, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40}), "1009", "badsize"),
		{name: "6455-10.4/at_the_limit", path: "/echo?max_frame_size=5", send: frames(text("12345"), begin(wsframe.Text, "12"), more(""), last("345")), want: []string{`text "12345"`, `text "12345"`}},
		{name: "6455-10.4/over_the_limit", path: "/echo?max_frame_size=5", send: frames(text("12345"), text("123456")), want: append([]string{`text "12345"`}, ended("1009")...),
			end: event{"reason": "error:badsize"}},
		{name: "6455-10.4/no_limit", path: "/echo?max_frame_size=0", send: text(strings.Repeat("m", 1_500_000)), want: []string{"text of 1500000"}},

		{name: "6455-5.4/fragments", path: "/echo", send: frames(begin(wsframe.Text, "one "), more(""), ping("between"), more("two "), pong("unasked"), last("three"), begin(wsframe.Binary, ""), last("")),
			want: []string{`pong "between"`, `text "one two three"`, `binary ""`}},
		{name: "6455-8.1/character_across_fragments", path: "/echo", send: frames(begin(wsframe.Text, "\xf0\x9f"), ping(""), more("\x8c"), last("\x8a")), want: []string{`pong ""`, `text "🌊"`}},
		{name: "6455-8.1/not_of_binary", path: "/echo", send: binaryFrame("\xff"), want: []string{`binary "\xff"`}},
		{name: "6455-8.1/off", path: "/echo?validate_utf8=0", send: frames(text("\xff"), closing(1000, "\xff")), want: append([]string{`text "\xff"`}, ended("1000")...),
			end: event{"reason": "remote", "code": 1000}},
	}
	for _, op := range []wsframe.Opcode{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		rows = append(rows, badframe(fmt.Sprintf("6455-5.2/opcode_%d", op), h(wsframe.Header{Fin: true, Op: op})))
	}
	runAll(t, rows)
}

const noTakeover = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"

// permessage-deflate on the wire (RFC 7692, 6 and 7.2), over every transport.
func TestContractDeflate(t *testing.T) {
	const path = "/commands?compress=1"
	z := func(op wsframe.Opcode, s string) []byte {
		return masked(wsframe.Header{Fin: true, RSV1: true, Op: op}, deflated(t, s))
	}
	// The RFC's own example is what a compressor without context makes of Hello (RFC 7692, 7.2.3.1).
	hello := `text compressed "\xf2H\xcd\xc9\xc9\a\x00"`
	badframe := event{"reason": "error:badframe"}
	rows := []exchange{
		{name: "7692-7.2.3.1/both_ways", send: z(wsframe.Text, `[{"text":"Hello"}]`), want: []string{hello}},
		{name: "7692-6/not_every_message", send: script(`[{"text":"Hello"}]`), want: []string{hello}},
		{name: "7692-6.1/fragments", send: fragmented(deflated(t, `[{"text":"Hello"}]`)), want: []string{hello}},
		{name: "7692-7.2.3.3/stored", send: masked(wsframe.Header{Fin: true, RSV1: true, Op: wsframe.Binary}, "\x00\x05\x00\xfa\xffHello\x00"), want: []string{strings.Replace(hello, "text", "binary", 1)}},
		{name: "command/off_and_on", send: script(`[{"deflate":false},{"text":"plain"},{"deflate":true},{"text":"Hello"},{"ping":"p"},{"deflate":false}]`), want: []string{`text "plain"`, hello, `ping "p"`}},
		{name: "command/later", send: frames(script(`[{"deflate":false}]`), z(wsframe.Text, `[{"text":"plain"}]`)), want: []string{`text "plain"`}},
		{name: "7692-6/rsv1_of_control", send: masked(wsframe.Header{Fin: true, RSV1: true, Op: wsframe.Ping}, "x"), want: ended("1002"), end: badframe},
		{name: "7692-6/rsv1_of_continuation", send: frames(begin(wsframe.Text, "x"), masked(wsframe.Header{Fin: true, RSV1: true}, "y")), want: ended("1002"), end: badframe},
		{name: "6455-5.2/rsv2", send: masked(wsframe.Header{Fin: true, RSV1: true, RSV2: true, Op: wsframe.Text}, "x"), want: ended("1002"), end: badframe},
		{name: "7692-7.2.2/corrupt", send: masked(wsframe.Header{Fin: true, RSV1: true, Op: wsframe.Text}, "\xff\xff\xff"), want: ended("1002"), end: badframe},
		{name: "6455-8.1/utf8", send: z(wsframe.Text, "\xff"), want: ended("1007"), end: event{"reason": "error:badencoding"}},
		{name: "6455-10.4/inflated", send: z(wsframe.Binary, strings.Repeat("b", 1_000_001)), want: ended("1009"), end: event{"reason": "error:badsize"}},
	}
	p := start(t)
	eachLane(t, p, func(t *testing.T, l *lane) {
		for _, x := range rows {
			t.Run(x.name, func(t *testing.T) {
				x.path, x.ext = path, noTakeover
				x.run(t, l)
			})
		}
		t.Run("counts", func(t *testing.T) { countDeflated(t, l, z(wsframe.Binary, strings.Repeat("b", 1000))) })
		t.Run("not_asked_for", func(t *testing.T) {
			exchange{path: path, send: script(`[{"deflate":true},{"text":"plain"}]`), want: []string{`text "plain"`}}.run(t, l)
		})
		t.Run("not_offered", func(t *testing.T) {
			exchange{ext: noTakeover, send: script(`[{"deflate":true},{"text":"plain"}]`), want: []string{`text "plain"`}}.run(t, l)
		})
	})
}

// countDeflated sees that events count payloads as they are, uncompressed, and name what was agreed on.
func countDeflated(t *testing.T, l *lane, message []byte) {
	t.Helper()
	r := l.open(t, "/echo?compress=1", "Sec-WebSocket-Extensions", noTakeover)
	r.say(message, closing(1000, ""))
	h, p, err := r.frame()
	if err != nil || !h.RSV1 || len(p) > 30 {
		t.Errorf("%+v of %d octets, %v", h, len(p), err)
	}
	r.want(ended("1000")...)
	counts := event{"messages": 1, "bytes": 1000}
	l.wantEnd("/echo", event{"reason": "remote", "in": counts, "out": counts})
	agreed := r.header("Sec-WebSocket-Extensions")
	if !sameParams(agreed, noTakeover) {
		t.Errorf("agreed on %q", agreed)
	}
	if e := l.event("open", "/echo"); e["extensions"] != agreed {
		t.Errorf("the open event has %q", e["extensions"])
	}
}

// sameParams compares two elements of Sec-WebSocket-Extensions, whatever the order of their parameters.
func sameParams(a, b string) bool {
	set := func(s string) map[string]bool {
		m := map[string]bool{}
		for p := range strings.SplitSeq(s, ";") {
			m[strings.TrimSpace(p)] = true
		}
		return m
	}
	x, y := set(a), set(b)
	for p := range x {
		if !y[p] {
			return false
		}
	}
	return len(x) == len(y)
}

// deflated is the payload of a compressed message (RFC 7692, 7.2.1), by the standard library.
func deflated(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 6)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(s)) // to memory
	w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// fragmented is a compressed text in frames of 5 octets, the last one empty.
func fragmented(payload string) []byte {
	out := masked(wsframe.Header{RSV1: true, Op: wsframe.Text}, "")
	for len(payload) > 0 {
		n := min(5, len(payload))
		out = append(out, more(payload[:n])...)
		payload = payload[n:]
	}
	return append(out, last("")...)
}
