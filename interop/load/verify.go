package load

import (
	"bytes"
	"compress/flate"
	"io"
)

// inflater looks into compressed answers.
type inflater struct {
	r    io.ReadCloser
	in   bytes.Reader
	out  []byte
	dict []byte
}

// flateTail ends a message's data: the empty stored block that was cut off (RFC 7692, 7.2.2), and one that is the last.
const flateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// inflate compares a compressed answer. It may refer to the 32 KiB before it, which are known: they were compared, or will be.
func (e *engine) inflate(s *socket, b []byte) error {
	z := &e.inflater
	if z.r == nil {
		z.r = flate.NewReader(&z.in)
	}
	z.dict = z.dict[:0]
	if e.cfg.Takeover {
		z.dict = e.history(z.dict, s.received)
	}
	z.in.Reset(append(b, flateTail...))
	if err := z.r.(flate.Resetter).Reset(&z.in, z.dict); err != nil {
		return err
	}
	want := s.expected()
	if cap(z.out) <= len(want) {
		z.out = make([]byte, len(want)+1)
	}
	n, err := io.ReadFull(z.r, z.out[:len(want)+1])
	switch {
	case err == nil, err == io.EOF && len(want) > 0, err == io.ErrUnexpectedEOF && n != len(want):
		return errLength
	case err != io.ErrUnexpectedEOF && err != io.EOF:
		return errContent
	case !bytes.Equal(z.out[:n], want):
		return errContent
	}
	return nil
}

// history appends the last 32 KiB of the messages before number n.
func (e *engine) history(dst []byte, n int64) []byte {
	const window = 32 << 10
	first, size := n, 0
	for first > 0 && size < window {
		first--
		size += len(e.messages[first%int64(len(e.messages))].plain)
	}
	for ; first < n; first++ {
		dst = append(dst, e.messages[first%int64(len(e.messages))].plain...)
	}
	return dst[max(0, len(dst)-window):]
}
