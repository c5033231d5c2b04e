package load

// outbox is what a link has to write. Small things are copied into one buffer, so that they leave together; large frames
// are referred to, and stay as they are.
type outbox struct {
	segs [][]byte
	tail []byte // what the last segment is a part of, if open
	from int    // where the last segment begins in tail
	open bool
	n    int // octets in segs
}

// copied is the size from which a frame is referred to.
const copied = 4096

// add appends b. It is copied if it is small; else it must not change until it is written.
func (o *outbox) add(b []byte) {
	if len(b) == 0 {
		return
	}
	o.n += len(b)
	if len(b) >= copied {
		o.segs = append(o.segs, b)
		o.open = false
		return
	}
	if len(o.tail) > 64<<10 { // a socket that is never empty would make it grow without end
		o.tail, o.open = nil, false
	}
	if !o.open {
		o.open, o.from = true, len(o.tail)
		o.segs = append(o.segs, nil)
	}
	o.tail = append(o.tail, b...)
	o.segs[len(o.segs)-1] = o.tail[o.from:]
}

// wrote drops the first n octets.
func (o *outbox) wrote(n int) {
	o.n -= n
	if o.n == 0 {
		clear(o.segs)
		o.segs, o.open = o.segs[:0], false
		if cap(o.tail) > 64<<10 {
			o.tail = nil
		}
		o.tail = o.tail[:0]
		return
	}
	i := 0
	for n > 0 && n >= len(o.segs[i]) {
		n -= len(o.segs[i])
		i++
	}
	if i > 0 {
		kept := copy(o.segs, o.segs[i:])
		clear(o.segs[kept:])
		o.segs = o.segs[:kept]
	}
	if o.segs[0] = o.segs[0][n:]; len(o.segs) == 1 && o.open {
		o.from = len(o.tail) - len(o.segs[0])
	}
}
