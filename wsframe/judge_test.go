package wsframe

import (
	"fmt"
	"testing"
)

// TestReaderHeaders has every first and second octet, with lengths of every form about all bounds, against the rules
// written down in the order of the octets they need.
func TestReaderHeaders(t *testing.T) {
	lengths := []uint64{0, 1, 124, 125, 126, 127, 255, 256, 999, 1000, 1001, 65535, 65536, 65537, 1 << 24, 1<<40 + 5, 1<<63 - 1, 1 << 63, 1<<64 - 1}
	for b0 := range 256 {
		for b1 := range 256 {
			if testing.Short() && b1&0x7f > 3 && b1&0x7f < 124 {
				continue
			}
			for mode := range 8 {
				r := Reader{Client: mode&1 != 0, Deflate: mode&2 != 0, MaxFrameSize: 1000}
				if mode&4 != 0 {
					r.msgOp, r.size, r.frames = Text, 400, 2
					r.MaxFragments = 2 + b1&1
				}
				in := []byte{byte(b0), byte(b1)}
				check := func(length uint64, form int) {
					want := headerRules(&r, in[0], in[1], length, form)
					whole := r.judge(in)
					if code(whole) != want {
						t.Fatalf("% x in mode %d: got %v, want %s", in, mode, whole, want)
					}
					for i := 1; i < len(in); i++ {
						if err := r.judge(in[:i]); err != nil {
							if whole == nil || *err != *whole {
								t.Fatalf("% x in mode %d: %v after %d octets, %v for all", in, mode, err, i, whole)
							}
							break
						}
					}
				}
				switch b1 & 0x7f {
				case 126:
					for _, l := range lengths {
						if l <= 0xffff {
							in = append(in[:2], byte(l>>8), byte(l))
							check(l, 2)
						}
					}
				case 127:
					for _, l := range lengths {
						in = in[:2]
						for s := 56; s >= 0; s -= 8 {
							in = append(in, byte(l>>s))
						}
						check(l, 8)
					}
				default:
					check(uint64(b1&0x7f), 0)
				}
			}
		}
	}
}

func code(e *Error) string {
	if e == nil {
		return "fine"
	}
	return fmt.Sprintf("%d %s", e.Code, e.Rule)
}

// headerRules is all that a header can break, first the reserved bits, last the size.
func headerRules(r *Reader, b0, b1 byte, length uint64, form int) string {
	op := b0 & 15
	data := op == 1 || op == 2
	ctrl := op >= 8
	size := int64(length)
	if op == 0 {
		size += r.size
	}
	switch {
	case b0&0x30 != 0, b0&0x40 != 0 && !(r.Deflate && data):
		return "1002 RFC 6455, 5.2"
	case op > 2 && op < 8 || op > 10:
		return "1002 RFC 6455, 5.2"
	case ctrl && b0&0x80 == 0:
		return "1002 RFC 6455, 5.5"
	case op == 0 && r.msgOp == 0, data && r.msgOp != 0:
		return "1002 RFC 6455, 5.4"
	case op == 0 && r.frames+1 > r.MaxFragments:
		return "1008 RFC 6455, 10.4"
	case ctrl && (form > 0 || length > 125):
		return "1002 RFC 6455, 5.5"
	case op == 8 && length == 1:
		return "1002 RFC 6455, 5.5.1"
	case (b1&0x80 != 0) == r.Client:
		return "1002 RFC 6455, 5.1"
	case length >= 1<<63, form == 2 && length < 126, form == 8 && length < 65536:
		return "1002 RFC 6455, 5.2"
	case size > r.MaxFrameSize || size < 0:
		return "1009 RFC 6455, 10.4"
	}
	return "fine"
}
