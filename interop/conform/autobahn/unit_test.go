package autobahn

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/interop/conform"
	"weir/interop/conform/wire"
)

// The counts of the catalogue, group by group.
const counts = "1.1:8 1.2:8 2:11 3:7 4.1:5 4.2:5 5:20 6.1:3 6.2:4 6.3:2 6.4:4 6.5:5 6.6:11 6.7:4 6.8:2 6.9:4 6.10:3 6.11:5 6.12:8 6.13:5 6.14:10 6.15:1 6.16:3 6.17:5 " +
	"6.18:5 6.19:5 6.20:7 6.21:8 6.22:34 6.23:7 7.1:6 7.3:6 7.5:1 7.7:13 7.9:9 7.13:2 9.1:6 9.2:6 9.3:9 9.4:9 9.5:6 9.6:6 9.7:6 9.8:6 10.1:1 " +
	"12.1:18 12.2:18 12.3:18 12.4:18 12.5:18 13.1:18 13.2:18 13.3:18 13.4:18 13.5:18 13.6:18 13.7:18"

func TestCatalogue(t *testing.T) {
	cases := Cases()
	ids := map[string]bool{}
	total := 0
	for _, c := range cases {
		if ids[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		ids[c.ID] = true
		if c.Title == "" || c.Expect == "" || c.Section == "" || c.Run == nil {
			t.Errorf("%s: %+v", c.ID, c)
		}
		if strict := strings.HasPrefix(c.ID, "strict."); strict != c.Strict {
			t.Errorf("%s: strict is %t", c.ID, c.Strict)
		} else if !strict {
			total++
		}
	}
	if total != 517 {
		t.Errorf("%d cases", total)
	}
	var want []string
	for f := range strings.FieldsSeq(counts) {
		var n int
		group, number, _ := strings.Cut(f, ":")
		fmt.Sscan(number, &n)
		for i := range n {
			want = append(want, fmt.Sprintf("%s.%d", group, i+1))
		}
	}
	var got []string
	for _, c := range cases {
		if !c.Strict {
			got = append(got, c.ID)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("ids %v\nwant %v", got, want)
	}
	n := 0
	for _, c := range ServerCases() {
		if !c.Strict {
			n++
		}
	}
	if n != 517 {
		t.Errorf("the server has %d", n)
	}
}

func find(t *testing.T, id string) *spec {
	t.Helper()
	for _, s := range append(catalogue(new(library)), stricter()...) {
		if s.id == id {
			return &s
		}
	}
	t.Fatalf("no case %s", id)
	return nil
}

// TestOctets looks at what single cases send.
func TestOctets(t *testing.T) {
	for _, test := range []struct{ id, octets string }{
		{"1.1.1", "8100"},
		{"1.1.2", "817d" + strings.Repeat("2a", 125)},
		{"1.1.6", "817effff" + strings.Repeat("2a", 65535)},
		{"1.1.8", "817f0000000000010000" + strings.Repeat("2a", 65536)},
		{"1.2.3", "827e007e" + strings.Repeat("fe", 126)},
		{"2.3", "890800fffefdfcfb00ff"},
		{"2.5", "897e007e" + strings.Repeat("fe", 126)},
		{"2.8", "8a18" + hex.EncodeToString([]byte("unsolicited pong payload")) + "880203e8"},
		{"3.1", "910d" + hex.EncodeToString([]byte("Hello, world!"))},
		{"3.7", "f800"},
		{"4.1.2", "8417" + hex.EncodeToString([]byte("reserved opcode payload"))},
		{"4.2.5", "810d48656c6c6f2c20776f726c64218f0d48656c6c6f2c20776f726c64218900"},
		{"5.1", "0909667261676d656e7431" + "8009667261676d656e7432"},
		{"5.15", "0109667261676d656e7431" + "8009667261676d656e7432" + "0009667261676d656e7433" + "8109667261676d656e7434"},
		{"6.1.2", "010000008000"},
		{"6.2.1", "811d48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121"},
		{"6.2.2", "010f48656c6c6f2dc2b540c39fc3b6c3a4" + "800ec3bcc3a0c3a12d5554462d382121"},
		{"6.2.4", "0101ce0001ba0001e10001bd0001b90001cf0001830001ce0001bc0001ce0001b58000"},
		{"6.3.1", "8114cebae1bdb9cf83cebcceb5eda080656469746564"},
		{"6.5.4", "810e68656c6c6ff0a4ada2776f726c64"},
		{"6.12.8", "813f" + "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbe"},
		{"6.15.1", "811ec0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf"},
		{"6.21.8", "8106edafbfedbfbf"},
		{"6.22.34", "8104f48fbfbf"},
		{"7.1.5", "0109667261676d656e7431" + "880203e8" + "8009667261676d656e7432"},
		{"7.3.2", "880161"},
		{"7.3.6", "887e007e03e8" + strings.Repeat("2a", 124)},
		{"7.5.1", "881603e8cebae1bdb9cf83cebcceb5eda080656469746564"},
		{"7.7.13", "88021387"},
		{"7.9.1", "88020000"},
		{"7.13.2", "8802ffff"},
	} {
		s := find(t, test.id)
		fs := s.frames
		if s.end != nil {
			fs = append(slices.Clone(fs), frame(wire.Close, *s.end))
		}
		var b []byte
		for _, f := range append(slices.Clone(fs), s.after...) {
			b = f.Append(b)
		}
		if got := hex.EncodeToString(b); got != test.octets {
			t.Errorf("%s sends %.200s\nwant %.200s", test.id, got, test.octets)
		}
	}
	if fs := find(t, "10.1.1").frames; len(fs) != 51 || len(fs[50].Payload) != 536 || !fs[50].Fin {
		t.Errorf("10.1.1 has %d frames", len(fs))
	}
	if fs := fragments(wire.Text, make([]byte, 4*mi), 64); len(fs) != 65537 || len(fs[65536].Payload) != 0 {
		t.Errorf("a message in frames that divide it: %d frames", len(fs))
	}
}

// TestSequences: the table of texts says of each what unicode/utf8 says.
func TestSequences(t *testing.T) {
	for _, g := range sequences {
		for i, s := range g.texts {
			if utf8.ValidString(s.text) != s.valid {
				t.Errorf("6.%d.%d % x: valid is %t", g.group, i+1, s.text, s.valid)
			}
		}
	}
}

// TestCorpora: sizes are those of the original's files, and what deflate makes of them is about the
// same.
func TestCorpora(t *testing.T) {
	for i, want := range []struct {
		octets int
		ratio  float64
	}{{194056, 0.044}, {263222, 0.85}, {222218, 0.39}, {263647, 0.055}, {1042328, 0.76}} {
		c := corpora()[i]
		p := c.twice[:len(c.twice)/2]
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 6)
		_, _ = w.Write(p)
		_ = w.Close()
		ratio := float64(b.Len()) / float64(len(p))
		if len(p) != want.octets || ratio < want.ratio*0.85 || ratio > want.ratio*1.15 {
			t.Errorf("%s: %d octets, deflated %.3f; want %d, %.3f", c.name, len(p), ratio, want.octets, want.ratio)
		}
		if !c.binary && !utf8.Valid(p) {
			t.Errorf("%s is no UTF-8", c.name)
		}
		if again := corpora()[i]; !bytes.Equal(again.twice, c.twice) {
			t.Errorf("%s is another the next time", c.name)
		}
		for _, k := range []int{0, 1, 500, 999} { // messages of characters, cyclically
			m := c.message(k, 64*ki)
			if n := utf8.RuneCount(m); !c.binary && n != 64*ki || c.binary && len(m) != 64*ki {
				t.Errorf("%s: message %d has %d units", c.name, k, n)
			}
		}
	}
}

// TestPacking: what is packed comes out again, with every window, with and without takeover.
func TestPacking(t *testing.T) {
	l := new(library)
	for _, bits := range []int{8, 9, 12, 15} {
		for _, fresh := range []bool{true, false} {
			seq := l.sequence(0, 5000, bits, fresh)
			if l.sequence(0, 5000, bits, fresh) != seq {
				t.Error("the messages are made anew")
			}
			u := &unpacker{fresh: fresh, bits: bits, limit: mi}
			for k := range 40 {
				m := seq.message(k)
				p, err := u.unpack(bytes.Clone(m))
				if err != nil || !bytes.Equal(p, seq.c.message(k, 5000)) {
					t.Fatalf("%d bits, fresh %t, message %d: %v", bits, fresh, k, err)
				}
				far, err := reach(append(bytes.Clone(m), tail[:4]...))
				if err != nil || far > 1<<bits || far < 100 {
					t.Fatalf("%d bits, fresh %t, message %d refers %d back: %v", bits, fresh, k, far, err)
				}
			}
		}
	}
	u := &unpacker{bits: 15, limit: 100}
	if _, err := u.unpack((&packer{bits: 15}).pack(make([]byte, 101))); err == nil {
		t.Error("a message over the limit is inflated")
	}
	for _, bad := range []string{"\x07", "\x00\x05\x00\xfa\xfe", "\x02\x1d\x00\x00", "\x05\xe0\x81"} {
		if p, err := u.unpack([]byte(bad)); err == nil {
			t.Errorf("% x is inflated to %q", bad, p)
		}
		_, _ = reach([]byte(bad)) // whatever it says
	}
}

// TestReach holds the farthest reference against compressors that are free to look back as far as
// they like.
func TestReach(t *testing.T) {
	p := append(prose(30000), prose(30000)...)
	for level := range 10 {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, level)
		_, _ = w.Write(p)
		_ = w.Flush()
		far, err := reach(b.Bytes())
		switch {
		case err != nil:
			t.Errorf("level %d: %v", level, err)
		case level == 0 && far != 0, level > 3 && far != 30000:
			t.Errorf("level %d: %d back", level, far)
		}
	}
	for range 1000 {
		_, _ = reach(bitmap(1100)[1078:]) // no panic
	}
}

// TestEviction: a library keeps only so much, and what it forgets can be used on.
func TestEviction(t *testing.T) {
	l := new(library)
	a := l.sequence(1, ki, 15, true)
	a.message(0)
	l.octets = maxShared // as if the others were large
	b := l.sequence(1, 2*ki, 15, true)
	b.message(0)
	if len(l.sequences) != 1 || l.sequences[0] != b || !a.gone {
		t.Errorf("%d are kept", len(l.sequences))
	}
	if a.message(1) == nil || l.sequence(1, ki, 15, true) == a {
		t.Error("what was forgotten is still there, or of no use")
	}
}

// TestAnswers are the server's answers to offers (RFC 7692, 7.1), and what is read of a server's.
func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		offer string
		asks  []ask
		want  string
	}{
		{"permessage-deflate", variations[0].asks, "permessage-deflate"},
		{"permessage-deflate", variations[1].asks, "permessage-deflate; client_no_context_takeover"},
		{"permessage-deflate", variations[2].asks, ""},
		{"permessage-deflate; client_max_window_bits", variations[2].asks, "permessage-deflate; client_max_window_bits=9"},
		{"x-other, permessage-deflate; server_max_window_bits=10; server_no_context_takeover; client_max_window_bits=12", variations[5].asks,
			"permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_no_context_takeover; client_max_window_bits=12"},
		{"permessage-deflate", variations[6].asks, "permessage-deflate; client_no_context_takeover"},
		{"permessage-deflate; x=1, permessage-deflate", variations[6].asks, "permessage-deflate; client_no_context_takeover"},
		{"permessage-deflate; server_max_window_bits=7", variations[0].asks, ""},
		{"permessage-deflate; server_max_window_bits", variations[0].asks, ""},
		{"x-other", variations[6].asks, ""},
	} {
		if got, p := answerTo([]string{test.offer}, test.asks); got != test.want || (p == nil) != (got == "") {
			t.Errorf("%s: answered %q, want %q", test.offer, got, test.want)
		}
	}
	for _, bad := range []string{"permessage-deflate; x", "permessage-deflate, permessage-deflate", "permessage-deflate; client_max_window_bits",
		"permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_no_context_takeover; server_no_context_takeover", "permessage-deflate; client_no_context_takeover=1"} {
		if p, err := readAnswer([]string{bad}); err == nil {
			t.Errorf("%s is read as %+v", bad, p)
		}
	}
	p, err := readAnswer([]string{`permessage-deflate; server_max_window_bits="9"; client_max_window_bits=10; client_no_context_takeover`})
	if err != nil || *p != (params{clientFresh: true, serverBits: 9, clientBits: 10}) {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestCloseVerdicts: the first rule that is broken counts.
func TestCloseVerdicts(t *testing.T) {
	for _, test := range []struct {
		why  string
		t    tester
		want conform.Verdict
	}{
		{"well", tester{closedByMe: true, clean: true, code: new(1000)}, conform.OK},
		{"without a code", tester{closedByMe: true, clean: true}, conform.OK},
		{"the peer closed first", tester{clean: true, code: new(1002)}, conform.Failed},
		{"unclean counts before the code", tester{closedByMe: true, code: new(1002)}, conform.Unclean},
		{"the code counts before the drop", tester{closedByMe: true, clean: true, code: new(1001), droppedByMe: true}, conform.WrongCode},
		{"the tester dropped", tester{closedByMe: true, clean: true, droppedByMe: true}, conform.FailedByClient},
	} {
		test.t.c, test.t.spec = &wire.Conn{Client: true}, &spec{close: normal()}
		if v, _ := test.t.ending(); v != test.want {
			t.Errorf("%s: %s, want %s", test.why, v, test.want)
		}
	}
}
