package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"io"
	"strings"
	"testing"
)

// FuzzInflate holds the Reader against compress/flate: the same octets, or an error where that has one; never more
// than the limit, the same with room in dst and without, and again after itself with takeover if it refers to nothing.
func FuzzInflate(f *testing.F) {
	for _, s := range []string{"", "00", "f248cdc9c90700", "f200110000", "f348cdc9c9070000", "000500faff48656c6c6f00", "04", "0300", "07"} {
		f.Add(unhex(f, s), uint16(100))
	}
	for level := 1; level <= 9; level += 4 {
		w := NewWriter(level, 15, false)
		for _, size := range []int{50, 1000, 70000} {
			f.Add(w.Append(nil, jsonMessage(1, size)), uint16(size))
		}
		f.Add(w.Append(nil, noise(1, 500)), uint16(499))
		f.Add(w.Append(nil, make([]byte, 70000)), uint16(65535))
	}
	f.Fuzz(func(t *testing.T, payload []byte, max uint16) {
		r := NewReader(15, false)
		got, err := r.Append(nil, payload, int64(max))
		if len(got) > int(max) || err != nil && (len(got) != 0 || err != ErrTooBig && err != ErrCorrupt) {
			t.Fatalf("%d octets, limit %d, %v", len(got), max, err)
		}
		for _, room := range []int{1, 300, 200000} {
			again, err2 := r.Append(append(make([]byte, 0, room), 'x'), payload, int64(max))
			if string(again) != "x"+string(got) || err2 != err {
				t.Fatalf("room for %d: %d octets, %v; want %d, %v", room, len(again), err2, len(got), err)
			}
		}
		if all, err2 := r.Append(nil, payload, 1<<20); (err == ErrCorrupt || err == nil) && (err2 != err || !bytes.Equal(all, got)) {
			t.Fatalf("a higher limit changes %v to %v", err, err2)
		}
		if len(payload) == 0 {
			return
		}
		want, stdErr := io.ReadAll(io.LimitReader(stdInflater(payload), int64(max)+1))
		switch {
		case len(want) > int(max):
			if err != ErrTooBig {
				t.Fatalf("%v where compress/flate gives %d octets over %d", err, len(want), max)
			}
		case stdErr != nil && err != ErrCorrupt, stdErr == nil && err != nil, err == nil && !bytes.Equal(got, want):
			t.Fatalf("%d octets, %v; compress/flate gives %d, %v", len(got), err, len(want), stdErr)
		}
		if err == nil {
			long := NewReader(15, true)
			for range 3 {
				if again, err := long.Append(nil, payload, int64(max)); err != nil || !bytes.Equal(again, got) {
					t.Fatalf("with takeover: %d octets, %v", len(again), err)
				}
			}
		}
	})
}

// stdStream reads one DEFLATE stream after the other until payload and tail are used up, keeping the history.
type stdStream struct {
	in      *bytes.Reader
	fr      io.Reader
	history []byte
	started bool
}

func stdInflater(payload []byte) io.Reader {
	return &stdStream{in: bytes.NewReader(append(payload[:len(payload):len(payload)], tail...))}
}

func (s *stdStream) Read(p []byte) (int, error) {
	if s.fr == nil {
		if left := s.in.Len(); s.started && (left == 0 || left == len(tail)) {
			return 0, io.EOF
		}
		s.fr, s.started = stdflate.NewReaderDict(s.in, s.history), true
	}
	n, err := s.fr.Read(p)
	s.history = append(s.history, p[:n]...)
	s.history = s.history[max(0, len(s.history)-1<<15):]
	switch {
	case err == io.EOF:
		s.fr, err = nil, nil
	case err == io.ErrUnexpectedEOF && s.in.Len() == 0 && s.whole():
		err = io.EOF
	}
	return n, err
}

// whole tells whether the data ended between two blocks: compress/flate does not, but with one more final block it
// then comes to an end.
func (s *stdStream) whole() bool {
	all := make([]byte, s.in.Size())
	if _, err := s.in.ReadAt(all, 0); err != nil {
		return false
	}
	end := strings.NewReader("\x01\x00\x00\xff\xff")
	in := bytes.NewReader(append(all, "\x01\x00\x00\xff\xff"...))
	for in.Len() > end.Len() {
		if _, err := io.Copy(io.Discard, stdflate.NewReaderDict(in, make([]byte, 1<<15))); err != nil {
			return false
		}
	}
	return in.Len() == 0
}

// FuzzRoundTrip compresses messages cut from data, in every mode, and inflates them: by the Reader, and by compress/flate
// with no more history than the window has.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("Hello"), uint8(15), int8(6), true)
	f.Add(jsonMessage(1, 400), uint8(8), int8(1), true)
	f.Add(jsonMessage(1, 9000), uint8(9), int8(1), true)
	f.Add(noise(1, 3000), uint8(12), int8(9), false)
	f.Add(make([]byte, 100), uint8(10), int8(-1), true)
	f.Add(fibonacci(20), uint8(15), int8(9), true)
	f.Fuzz(func(t *testing.T, data []byte, bits uint8, level int8, takeover bool) {
		w, r := NewWriter(int(level), int(bits), takeover), NewReader(int(bits), takeover)
		third := len(data) / 3
		var history []byte
		for i, m := range [][]byte{data, data[:third], data[third:], data[third/2:], data[:min(len(data), 100)], data} {
			cut := len(m) / (i + 1)
			payload := w.Append([]byte("abc"), m[:cut], m[cut:])
			got, err := r.Append([]byte("def"), payload[3:], int64(len(m)))
			if err != nil || string(got) != "def"+string(m) {
				t.Fatalf("message %d of %d octets: %d, %v", i, len(m), len(got)-3, err)
			}
			if std := stdInflate(t, payload[3:], history, int(r.bits)); !bytes.Equal(std, m) {
				t.Fatalf("message %d of %d octets: compress/flate disagrees", i, len(m))
			}
			if w.takeover {
				history = append(history, m...)
			}
		}
	})
}

// FuzzEncoder is an encoder with a history of any length, in two pieces, that another message has used before.
func FuzzEncoder(f *testing.F) {
	f.Add([]byte("Hello"), []byte("Hello"), uint16(2), uint8(15), uint8(6))
	f.Add(jsonMessage(1, 5000), jsonMessage(2, 900), uint16(800), uint8(9), uint8(3))
	f.Add(noise(1, 300), append(noise(1, 300), 1, 2, 3), uint16(0), uint8(8), uint8(9))
	f.Add([]byte("abc"), make([]byte, 600), uint16(3), uint8(8), uint8(1))
	f.Add([]byte{}, fibonacci(19), uint16(0), uint8(15), uint8(7))
	e := new(encoder)
	f.Fuzz(func(t *testing.T, history, m []byte, cut uint16, bits, level uint8) {
		if len(history) > 1<<maxBits || len(m) == 0 || len(m) > maxMessage {
			return
		}
		w := NewWriter(int(level%10), int(bits), true)
		k := min(int(cut), len(history))
		out := e.append([]byte("x"), history[:k], history[k:], [][]byte{m[:len(m)/2], m[len(m)/2:]}, 1<<w.bits, &efforts[w.level])
		if len(out)-1 > len(m)+6 {
			t.Errorf("%d octets become %d", len(m), len(out)-1)
		}
		if std := stdInflate(t, out[1:], history, int(w.bits)); !bytes.Equal(std, m) {
			t.Fatalf("%d octets behind %d: compress/flate disagrees", len(m), len(history))
		}
	})
}
