package wire

import (
	"bytes"
	"strings"
	"testing"
)

// The examples of RFC 6455, 5.7.
func TestExamples(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	for _, test := range []struct {
		name  string
		frame Frame
		want  string
	}{
		{"unmasked text", Frame{Fin: true, Op: Text, Payload: []byte("Hello")}, "\x81\x05Hello"},
		{"masked text", Frame{Fin: true, Op: Text, Masked: true, Key: key, Payload: []byte("Hello")}, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"},
		{"first fragment", Frame{Op: Text, Payload: []byte("Hel")}, "\x01\x03Hel"},
		{"last fragment", Frame{Fin: true, Op: Continuation, Payload: []byte("lo")}, "\x80\x02lo"},
		{"ping", Frame{Fin: true, Op: Ping, Payload: []byte("Hello")}, "\x89\x05Hello"},
		{"256 octets", Frame{Fin: true, Op: Binary, Payload: make([]byte, 256)}, "\x82\x7e\x01\x00" + strings.Repeat("\x00", 256)},
		{"64 KiB", Frame{Fin: true, Op: Binary, Payload: make([]byte, 65536)}, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("\x00", 65536)},
		{"RSV", Frame{Fin: true, RSV: RSV1 | RSV3, Op: 11}, "\xdb\x00"},
		{"a long form", Frame{Fin: true, Op: Text, Payload: []byte("a"), LengthOctets: 9}, "\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x01a"},
		{"a declared length", Frame{Fin: true, Op: Text, LengthOctets: 9, Declared: 1 << 63}, "\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00"},
	} {
		got := test.frame.Append([]byte("before"))
		if string(got) != "before"+test.want {
			t.Errorf("%s: % x", test.name, got[:min(len(got), 40)])
		}
		if test.frame.Declared != 0 {
			continue
		}
		for cut := range test.want[:min(len(test.want), 20)] {
			if _, n := Parse([]byte(test.want[:cut])); n != 0 {
				t.Errorf("%s: whole after %d octets", test.name, cut)
			}
		}
		f, n := Parse([]byte(test.want + "after"))
		if n != len(test.want) || f.Op != test.frame.Op || f.Fin != test.frame.Fin || f.RSV != test.frame.RSV || !bytes.Equal(f.Payload, test.frame.Payload) {
			t.Errorf("%s: read back as %v, %d octets", test.name, f, n)
		}
	}
}
