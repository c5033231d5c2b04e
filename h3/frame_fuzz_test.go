package h3

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"weir/internal/asupgrade"

	"github.com/quic-go/qpack"
	"golang.org/x/net/http/httpguts"
)

// readAll feeds b in pieces of n octets, and gives the payload, the frames without any, and the
// first error.
func readAll(b []byte, n int) (payload []byte, idle int, err *ConnError, whole bool) {
	var f frameReader
	for len(b) > 0 {
		k := min(n, len(b))
		piece := bytes.Clone(b[:k])
		out, err := f.feed(piece)
		payload = append(payload, out...)
		idle += f.take()
		if err != nil {
			return payload, idle, err, false
		}
		b = b[k:]
	}
	return payload, idle, nil, f.between()
}

// slowAll is the same by the book (RFC 9114, 7.1), an octet at a time.
func slowAll(b []byte) (payload []byte, idle int, err *ConnError, whole bool) {
	for len(b) > 0 {
		t, n := varint(b)
		if n == 0 {
			return payload, idle, nil, false
		}
		if unexpected(t) {
			return payload, idle, &ConnError{Code: FrameUnexpected}, false
		}
		length, m := varint(b[n:])
		if m == 0 {
			return payload, idle, nil, false
		}
		if t != frameData || length == 0 {
			idle++
		}
		b = b[n+m:]
		k := min(length, uint64(len(b)))
		if t == frameData {
			payload = append(payload, b[:k]...)
		}
		if b = b[k:]; k < length {
			return payload, idle, nil, false
		}
	}
	return payload, idle, nil, true
}

func FuzzFrames(f *testing.F) {
	f.Add(append(data("hello"), data("")...), 1)
	f.Add(append([]byte{0x21, 3, 1, 2, 3}, data(strings.Repeat("x", 100))...), 7)
	f.Add([]byte{0x40, 0x00, 0x80, 0, 0, 2, 'a', 'b', 0xc0, 0, 0, 0, 0, 0, 0, 0, 0}, 3)
	f.Add([]byte{0, 5, 'x'}, 2)
	f.Add([]byte{1, 0}, 1)
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 4)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		want, wantIdle, wantErr, wantWhole := slowAll(b)
		for _, n := range []int{1 + (n&0xffff)%64, 1, max(len(b), 1)} {
			got, idle, err, whole := readAll(b, n)
			if !bytes.Equal(got, want) || idle != wantIdle || (err == nil) != (wantErr == nil) || whole != wantWhole {
				t.Fatalf("in pieces of %d: %q %d %v %v, want %q %d %v %v", n, got, idle, err, whole, want, wantIdle, wantErr, wantWhole)
			}
			if err != nil && err.Code != wantErr.Code {
				t.Fatalf("%v, want %v", err, wantErr)
			}
		}
	})
}

// FuzzFields: whatever a handler puts into a header, what leaves is well-formed (RFC 9114, 4.2), in
// an answer of http3's and in one of ours.
func FuzzFields(f *testing.F) {
	f.Add("X-Name", "value", "Connection", "x-name, close")
	f.Add("Transfer-Encoding", "chunked", "Upgrade", "websocket")
	f.Add("Bad Name", "v", "X", "a\r\nSet-Cookie: b")
	f.Add("Content-Length", "5", "content-length", "7")
	f.Add("Te", "gzip", "Trailer", "X-Later")
	f.Add(":status", "200", "", "x")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		h := http.Header{}
		h[k1] = append(h[k1], v1)
		h[k2] = append(h[k2], v2)
		well := func(name, value string) {
			if name != strings.ToLower(name) || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) ||
				asupgrade.HopByHop(name) || name == "te" && value != "trailers" {
				t.Fatalf("of %q: %q: %q", h, name, value)
			}
		}
		cleaned := http.Header{}
		clean(cleaned, h)
		for k, vv := range cleaned {
			for _, v := range vv {
				well(strings.ToLower(k), v)
			}
		}
		b := encodeHead(nil, answerFields(200, h.Clone()))
		kind, n := varint(b)
		length, m := varint(b[n:])
		if kind != frameHeaders || int(length) != len(b)-n-m {
			t.Fatalf("a frame of type %d with %d octets of %d", kind, length, len(b))
		}
		next := qpack.NewDecoder().Decode(b[n+m:])
		for i := 0; ; i++ {
			f, err := next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				if f.Name != ":status" || f.Value != "200" {
					t.Fatalf("it begins with %v", f)
				}
				continue
			}
			well(f.Name, f.Value)
		}
	})
}
