package wsframe

import (
	"bytes"
	"fmt"
	"testing"
)

func TestHeaderLength(t *testing.T) {
	for _, masked := range []bool{false, true} {
		for _, tt := range []struct {
			length int64
			want   string // from the second octet on, without mask
		}{
			{0, "00"}, {1, "01"}, {124, "7c"}, {125, "7d"},
			{126, "7e007e"}, {127, "7e007f"}, {255, "7e00ff"}, {256, "7e0100"}, {65535, "7effff"},
			{65536, "7f0000000000010000"}, {1 << 32, "7f0000000100000000"}, {1<<63 - 1, "7f7fffffffffffffff"},
		} {
			t.Run(fmt.Sprintf("6455-5.2/%d/masked_%v", tt.length, masked), func(t *testing.T) {
				h := Header{Fin: true, Op: Binary, Length: tt.length, Masked: masked}
				if masked {
					h.Key = [4]byte{0xa, 0xb, 0xc, 0xd}
				}
				got := AppendHeader([]byte("x"), h)
				if got[0] != 'x' || len(got)-1 != h.Len() || len(got)-1 > MaxHeaderLen {
					t.Fatalf("% x, Len %d", got, h.Len())
				}
				got = got[1:]
				back, n := ParseHeader(append(got, 0xff))
				if back != h || n != len(got) {
					t.Fatalf("% x is read as %+v, %d", got, back, n)
				}
				for i := range got {
					if _, n := ParseHeader(got[:i]); n != 0 {
						t.Fatalf("%d octets of %d are a header", i, len(got))
					}
				}
				if masked {
					if !bytes.HasSuffix(got, h.Key[:]) || got[1]&0x80 == 0 {
						t.Fatalf("% x", got)
					}
					got = got[:len(got)-4]
					got[1] &^= 0x80
				}
				if s := fmt.Sprintf("%x", got); s != "82"+tt.want {
					t.Fatal(s)
				}
			})
		}
	}
}

func TestHeaderBits(t *testing.T) {
	for b0 := range 256 {
		in := []byte{byte(b0), 0}
		h, n := ParseHeader(in)
		if n != 2 || !bytes.Equal(AppendHeader(nil, h), in) {
			t.Fatalf("% x is read as %+v", in, h)
		}
	}
	if h, _ := ParseHeader([]byte{0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0}); h.Length >= 0 {
		t.Errorf("the top bit gives length %d", h.Length)
	}
}

func TestOpcode(t *testing.T) {
	known := map[Opcode]string{0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
	for o := Opcode(0); o < 16; o++ {
		want, ok := known[o]
		if !ok {
			want = fmt.Sprintf("opcode 0x%x", uint8(o))
		}
		if o.Known() != ok || o.IsControl() != (o >= 8) || o.String() != want {
			t.Errorf("%d: %v, known %v, control %v", o, o, o.Known(), o.IsControl())
		}
	}
}

// TestAppendFrameReads: the payload is only read.
func TestAppendFrameReads(t *testing.T) {
	p := []byte("payload of thirty-two octets, ok")
	q := bytes.Clone(p)
	h := Header{Fin: true, Op: Text, Masked: true, Key: [4]byte{1, 2, 3, 4}, Length: 7}
	f := AppendFrame(nil, h, p)
	if !bytes.Equal(p, q) {
		t.Fatal("payload changed")
	}
	if f[1] != 0x80|32 || bytes.Contains(f, p) {
		t.Fatalf("% x", f)
	}
}
