package autobahn

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	windowSize = 32 << 10
	maxShared  = 256 << 20 // octets that a library keeps
)

// tail is what a message lacks at its end (RFC 7692, 7.2.2), and an empty last block, with which the inflater stops.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// library keeps compressed messages, which many cases have in common: the tester must not be what a run waits for.
type library struct {
	once    sync.Once
	corpora []*corpus

	mu        sync.Mutex
	sequences []*sequence // the one used last comes last
	octets    int
}

func (l *library) corpus(i int) *corpus {
	l.once.Do(func() { l.corpora = corpora() })
	return l.corpora[i]
}

// sequence is the messages of one length of a corpus, compressed in one way.
type sequence struct {
	l      *library
	c      *corpus
	n      int  // of a message, in units
	bits   int  // of the window
	fresh  bool // no message refers to those before it
	octets int  // l.mu
	gone   bool // l.mu

	mu     sync.Mutex
	w      *flate.Writer
	buf    bytes.Buffer
	packed [][]byte
}

// sequence gives one that is kept, or a new one.
func (l *library) sequence(corpus, n, bits int, fresh bool) *sequence {
	c := l.corpus(corpus)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range l.sequences {
		if s.c == c && s.n == n && s.bits == bits && s.fresh == fresh {
			l.sequences = append(slices.Delete(l.sequences, i, i+1), s)
			return s
		}
	}
	s := &sequence{l: l, c: c, n: n, bits: bits, fresh: fresh}
	l.sequences = append(l.sequences, s)
	return s
}

// grow counts what a sequence keeps, and forgets those used least recently.
func (l *library) grow(s *sequence, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.gone {
		return
	}
	s.octets += n
	l.octets += n
	for l.octets > maxShared && len(l.sequences) > 1 {
		old := l.sequences[0]
		l.sequences = slices.Delete(l.sequences, 0, 1)
		l.octets -= old.octets
		old.gone = true
	}
}

// message is the k-th message, compressed; they are asked for in order.
func (s *sequence) message(k int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.packed) <= k {
		if s.w == nil {
			s.w = newWriter(&s.buf, s.bits)
		} else if s.fresh {
			s.w.Reset(&s.buf)
		}
		p := bytes.Clone(deflate(s.w, &s.buf, s.c.message(len(s.packed), s.n)))
		s.packed = append(s.packed, p)
		s.l.grow(s, len(p))
	}
	if k == messages-1 {
		s.w = nil // a megabyte; nothing comes after these
	}
	return s.packed[k]
}

func newWriter(to io.Writer, bits int) *flate.Writer {
	if bits < 15 {
		w, _ := flate.NewWriterWindow(to, 1<<bits) // fails for windows that cannot be here
		return w
	}
	w, _ := flate.NewWriter(to, 6)
	return w
}

// deflate compresses a message (RFC 7692, 7.2.1). The result lies in buf, until it is used next.
func deflate(w *flate.Writer, buf *bytes.Buffer, p []byte) []byte {
	buf.Reset()
	_, _ = w.Write(p) // to memory
	_ = w.Flush()
	return bytes.TrimSuffix(buf.Bytes(), []byte(tail[:4]))
}

// packer is a compressor of the tester's for messages of its own making, without context takeover.
type packer struct {
	bits int
	w    *flate.Writer
	buf  bytes.Buffer
}

func (p *packer) pack(b []byte) []byte {
	if p.w == nil {
		p.w = newWriter(&p.buf, p.bits)
	} else {
		p.w.Reset(&p.buf)
	}
	return bytes.Clone(deflate(p.w, &p.buf, b))
}

// unpacker inflates what the peer sends.
type unpacker struct {
	fresh   bool
	bits    int
	limit   int // octets of a message
	r       io.ReadCloser
	src     bytes.Reader
	out     []byte
	history []byte // the window, or more
}

// unpack inflates a message into a slice that lasts until the next call. It may write behind p.
func (u *unpacker) unpack(p []byte) ([]byte, error) {
	u.src.Reset(append(p, tail...))
	u.out = u.out[:0]
	for u.src.Len() > 0 { // a block that says it is the last does not end the message (RFC 7692, 7.2.3.4)
		dict := u.window()
		if u.r == nil {
			u.r = flate.NewReaderDict(&u.src, dict)
		} else if err := u.r.(flate.Resetter).Reset(&u.src, dict); err != nil {
			return nil, err
		}
		if err := u.drain(); err != nil {
			return nil, err
		}
	}
	if !u.fresh {
		u.remember()
	}
	return u.out, nil
}

// window is what a block may refer back to.
func (u *unpacker) window() []byte {
	w := u.history
	if len(u.out) > 0 {
		w = append(slices.Clone(w), u.out...)
	}
	return w[max(0, len(w)-1<<u.bits):]
}

func (u *unpacker) drain() error {
	for {
		if len(u.out) == cap(u.out) {
			u.out = slices.Grow(u.out, max(4096, cap(u.out)))
		}
		n, err := u.r.Read(u.out[len(u.out):cap(u.out)])
		u.out = u.out[:len(u.out)+n]
		switch {
		case len(u.out) > u.limit:
			return fmt.Errorf("it is larger than %d octets", u.limit)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

func (u *unpacker) remember() {
	if size := 1 << u.bits; len(u.out) >= size {
		u.history = append(u.history[:0], u.out[len(u.out)-size:]...)
		return
	}
	u.history = append(u.history, u.out...)
	if over := len(u.history) - windowSize; over > windowSize {
		u.history = u.history[:copy(u.history, u.history[over:])]
	}
}
