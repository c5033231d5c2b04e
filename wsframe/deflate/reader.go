package deflate

import "errors"

// ErrTooBig is for a message that inflates to more than it may.
var ErrTooBig = errors.New("deflate: message over the limit")

// ErrCorrupt is for a payload that is no DEFLATE data, ends inside a block, or refers back further
// than the window or than there is anything.
var ErrCorrupt error = &Error{Rule: "RFC 7692, 7.2.2", Msg: "corrupt DEFLATE data"}

// Reader inflates the messages of one session. It is a value to embed; without context takeover it
// never changes.
type Reader struct {
	win      window
	bits     uint8
	takeover bool
	part     *inflater // of a message that comes in pieces (Feed); nil: none is under way
}

// NewReader is for messages from a peer that has agreed on a window of that many bits. With
// takeover a message may refer back to those before it (RFC 7692, 7.1.1).
func NewReader(bits int, takeover bool) Reader {
	return Reader{bits: uint8(clampBits(bits)), takeover: takeover}
}

// doubled is up to what size room is doubled; from there on it is counted.
const doubled = 64 << 10

// Append appends what the payload of a whole message inflates to (RFC 7692, 7.2.2). The payload is
// read, not kept. It writes to the spare capacity of dst, and to a new array if that is too small.
// More than max octets are ErrTooBig, found out before there is room for them; a negative max is no
// limit. With ErrTooBig and ErrCorrupt dst comes back as it was, and with takeover the session has
// no use for r any more. Of two errors the first in the message counts.
//
// A payload of no octets is an empty message: zlib reads it so, though RFC 7692, 7.2.3.6 asks for
// one octet. Blocks may follow a final one, with the window as it was (RFC 7692, 7.2.3.4).
func (r *Reader) Append(dst, payload []byte, max int64) ([]byte, error) {
	if len(payload) == 0 {
		return dst, nil
	}
	base := len(dst)
	limit := int(^uint(0)>>1) - 2*slack
	if max >= 0 && max < int64(limit-base) {
		limit = base + int(max)
	}
	f := inflaters.Get().(*inflater)
	defer f.release()
	old, recent := r.win.last(1 << r.bits)
	f.start(payload, 1<<r.bits, old, recent)

	buf, n := dst[:min(cap(dst), limit+slack)], base
	if len(buf)-base < slack {
		buf = grow(buf, base, min(base+4*min(len(payload), doubled/4), limit)+slack) // an int may have 32 bits
	}
	for {
		var s status
		if n, s = f.run(buf, base, n, 0); s != full {
			if n > limit {
				return dst, ErrTooBig
			}
			if s == corrupt {
				return dst, ErrCorrupt
			}
			break
		}
		if n > limit {
			return dst, ErrTooBig
		}
		if had := n - base; had <= (doubled-slack)/2 {
			buf = grow(buf, n, min(base+2*had+slack, limit)+slack)
			continue
		}
		whole, err := f.count(base, n, limit)
		if err != nil {
			return dst, err
		}
		buf = grow(buf, n, whole+slack)
	}
	if r.takeover {
		r.win.add(buf[base:n], 1<<r.bits)
	}
	return buf[:n], nil
}

// grow is a new array of size octets with the first n of buf. What is not known to be needed is not
// asked for: appending would take a quarter more.
func grow(buf []byte, n, size int) []byte {
	grown := make([]byte, size)
	copy(grown, buf[:n])
	return grown
}

// count is how long the message will be, found out by a copy of f that writes nothing: the room for
// a large message is then taken once and exactly, that for one over the limit never.
func (f *inflater) count(base, n, limit int) (int, error) {
	g := inflaters.Get().(*inflater)
	defer g.release()
	*g = *f
	n, s := g.run(nil, base, n, limit)
	switch {
	case n > limit:
		return n, ErrTooBig
	case s == corrupt:
		return n, ErrCorrupt
	}
	return n, nil
}
