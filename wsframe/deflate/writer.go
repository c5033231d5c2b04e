package deflate

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

// Writer compresses the messages of one session. It is a value to embed; without context takeover it never changes.
type Writer struct {
	win      window
	level    int8
	bits     uint8
	takeover bool
	keep     uint16 // octets of history kept at most; see history
}

// NewWriter is for messages at a level as in Options, with a window of that many bits. With takeover a message refers
// back to those before it (RFC 7692, 7.1.1).
func NewWriter(level, bits int, takeover bool) Writer {
	switch {
	case level < 0:
		level, takeover = -1, false // stored blocks refer to nothing
	case level == 0:
		level = defaultLevel
	}
	return Writer{level: int8(min(level, maxLevel)), bits: uint8(clampBits(bits)), takeover: takeover}
}

// Append appends the payload of the message that parts make up (RFC 7692, 7.2.1): DEFLATE blocks and a sync flush
// without its last four octets. The parts are read, not kept.
func (w *Writer) Append(dst []byte, parts ...[]byte) []byte {
	total := 0
	for _, p := range parts {
		total += len(p)
	}
	switch {
	case total == 0:
		return append(dst, 0) // RFC 7692, 7.2.3.6
	case w.level < 0:
		return appendStored(dst, parts)
	case total <= maxMessage/4, total <= maxMessage && w.takeover:
		e := encoders.Get().(*encoder)
		a, b := w.win.last(w.history(total))
		dst = e.append(dst, a, b, parts, 1<<w.bits, &efforts[w.level])
		encoders.Put(e)
	default:
		dst = w.deflate(dst, parts, total)
	}
	w.Learn(parts...)
	return dst
}

// Learn takes note of a message that went out compressed, but by another Writer without takeover: what follows may
// refer back to it as to any other.
func (w *Writer) Learn(parts ...[]byte) {
	if !w.takeover {
		return
	}
	total := 0
	for _, p := range parts {
		total += len(p)
	}
	w.keep = uint16(max(int(w.keep), w.history(total)))
	for _, p := range parts {
		w.win.add(p, int(w.keep))
	}
}

// history is how many octets of the window a message of n octets is compressed with.
//
// Each message puts its history into the tables anew: 32 KiB cost three times as much as all else that is done for
// 1 KiB. Messages of one kind become no smaller with 32 KiB than with 4, those of many kinds by a third. So history is
// twice the message, and never under what is fair at that level; the levels that are chosen for size use all of it.
// What a session never uses it need not keep either.
func (w *Writer) history(n int) int {
	return min(1<<w.bits, max(efforts[w.level].history, 2*n))
}

// compressor is one of the pooled 0.8 to 1.2 MB for messages over maxMessage, and what it writes to.
type compressor struct {
	w       *flate.Writer
	out     []byte
	history []byte // w keeps a reference to it
}

// Write takes what the compressor has ready.
func (c *compressor) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}

// compressors are kept by level for windows of 15 bits, by window bits for the others. The window of those is exact:
// flate.NewWriterWindow goes down to 32 octets.
var compressors struct {
	level  [maxLevel + 1]sync.Pool
	window [maxBits]sync.Pool
}

func (w *Writer) pool() *sync.Pool {
	if w.bits < maxBits {
		return &compressors.window[w.bits]
	}
	return &compressors.level[w.level]
}

func (w *Writer) compressor() *compressor {
	if c, ok := w.pool().Get().(*compressor); ok {
		return c
	}
	c := new(compressor)
	if w.bits < maxBits {
		c.w, _ = flate.NewWriterWindow(c, 1<<w.bits) // fails for windows that cannot be here
	} else {
		c.w, _ = flate.NewWriter(c, int(w.level)) // fails for levels that cannot be here
	}
	return c
}

// deflate appends a message that is too large for an encoder. Nothing fails: the compressor writes to memory.
//
// A pooled compressor that is reset and given a dictionary takes half to three quarters of the time of StatelessDeflate
// with the same dictionary, makes smaller messages, has all levels and windows, and allocates nothing.
func (w *Writer) deflate(dst []byte, parts [][]byte, total int) []byte {
	c := w.compressor()
	a, b := w.win.last(w.history(total))
	c.history = append(append(c.history[:0], a...), b...)
	c.out = dst
	c.w.ResetDict(c, c.history)
	for _, p := range parts {
		_, _ = c.w.Write(p)
	}
	_ = c.w.Flush()
	dst, c.out = c.out, nil
	w.pool().Put(c)
	return dst[:len(dst)-len(tail)] // RFC 7692, 7.2.1
}

// tail ends every message and is left out (RFC 7692, 7.2.1).
const tail = "\x00\x00\xff\xff"

// appendStored appends parts in stored blocks (RFC 1951, 3.2.4), and the flush.
func appendStored(dst []byte, parts [][]byte) []byte {
	for _, p := range parts {
		for len(p) > 0 {
			n := min(len(p), 1<<16-1)
			dst = append(dst, 0, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
			dst, p = append(dst, p[:n]...), p[n:]
		}
	}
	return append(dst, 0)
}
