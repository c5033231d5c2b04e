package deflate

// window is the last octets of a stream, as a ring that grows with what it is given: adding a message costs the
// message, not the window.
type window struct {
	buf  []byte // all of it in use; its capacity is never over the size it was given
	head int    // of the oldest octet; not 0 only if the ring was full
}

// add puts p at the end and keeps the last size octets. It copies p. The size never shrinks from call to call.
func (w *window) add(p []byte, size int) {
	if len(p) >= size {
		if cap(w.buf) < size {
			w.buf = make([]byte, size)
		}
		w.buf, w.head = w.buf[:size], 0
		copy(w.buf, p[len(p)-size:])
		return
	}
	if room := min(size-len(w.buf), len(p)); room > 0 {
		if need := len(w.buf) + room; need > cap(w.buf) {
			grown := make([]byte, 0, min(size, max(need, 2*cap(w.buf))))
			grown = append(grown, w.buf[w.head:]...)
			w.buf, w.head = append(grown, w.buf[:w.head]...), 0
		}
		w.buf = append(w.buf, p[:room]...)
		p = p[room:]
	}
	for len(p) > 0 {
		n := copy(w.buf[w.head:], p)
		if p, w.head = p[n:], w.head+n; w.head == len(w.buf) {
			w.head = 0
		}
	}
}

// last is the last n octets, or all there are, in two pieces: a, then b. They are lent until the next add.
func (w *window) last(n int) (a, b []byte) {
	switch {
	case n >= len(w.buf):
		return w.buf[w.head:], w.buf[:w.head]
	case n <= w.head:
		return w.buf[w.head-n : w.head], nil
	}
	return w.buf[len(w.buf)-(n-w.head):], w.buf[:w.head]
}
