package deflate

// A message may be inflated as its payload comes, so that nobody needs room for all of it: Feed
// takes a piece of the payload, and Next is called until it has given all that follows from it.
// Between the pieces a Reader keeps an inflater and the octets of the window, be there takeover
// or not. Append and Feed may take turns, message by message.

const (
	MaxPiece = 4 << 10        // octets of payload that Feed takes at a time
	MinRoom  = 12<<10 + slack // the least room that Next writes to: all fits that the last 80 bits can stand for
)

// Feed takes a piece of the payload of a message, with last its end. It copies p. The first piece
// begins the message, and the next one waits until Next says that there is no more.
func (r *Reader) Feed(p []byte, last bool) {
	f := r.part
	if f == nil {
		f = inflaters.Get().(*inflater)
		f.start(nil, 1<<r.bits, nil, nil)
		f.open, f.kept, f.blank = true, f.kept[:0], true
		r.part = f
	}
	if f.blank = f.blank && len(p) == 0; f.blank && last {
		p = emptyPayload
	}
	n := copy(f.kept, f.in[f.pos:]) // to the left: copy moves overlapping octets rightly
	f.kept = append(f.kept[:n], p...)
	f.in, f.pos, f.last = f.kept, 0, last
}

// emptyPayload stands for the payload of no octets, which is an empty message, too (see Append).
var emptyPayload = []byte{0}

// Next inflates what was fed, to buf, and says how many octets that gave. buf has MinRoom at
// least, and is written to behind its n octets, too. more: that was not all, Next is to be called
// again. With ErrCorrupt n octets came before what is wrong, however the payload was cut, and the
// session has no use for r any more.
func (r *Reader) Next(buf []byte) (n int, more bool, err error) {
	f := r.part
	f.old, f.recent = r.win.last(1 << r.bits)
	n, s := f.run(buf, 0, 0, 0)
	if s == starved && f.last && len(buf)-n >= MinRoom {
		before := n
		f.open = false
		if n, s = f.run(buf, 0, n, 0); s == corrupt {
			n = before // what the tail alone makes of the last bits is nobody's octets
		}
	}
	if s != done || r.takeover {
		r.win.add(buf[:n], 1<<r.bits)
	}
	switch s {
	case done:
		r.Drop()
		if !r.takeover {
			r.win = window{}
		}
	case corrupt:
		r.Drop()
		return n, false, ErrCorrupt
	}
	return n, s == full || s == starved && f.last, nil
}

// Drop lets go of a message that will not be inflated to its end, if one is under way.
func (r *Reader) Drop() {
	if r.part != nil {
		r.part.release()
		r.part = nil
	}
}
