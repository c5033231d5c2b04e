package flow

// Credit is what the peer may send. An octet is outstanding once announced, held once received, and
// due once released or when the target grew: at all times outstanding + held + due = target.
//
// Due octets are announced in batches: Update says when, and by how much.
type Credit struct {
	target      int32
	outstanding int32 // negative after Shift took back more than was left (RFC 9113, 6.9.2)
	held        int32
}

// NewCredit makes a credit of which target octets, 0 to MaxWindow, are announced already: by our
// SETTINGS_INITIAL_WINDOW_SIZE, or by the protocol's default.
//
// Our setting counts from the peer's ACK on (RFC 9113, 6.5.3). A credit made before is made at the
// larger of the old and the new value; if that was the old one, Shift(new - old) when the ACK
// comes.
func NewCredit(target int) Credit {
	if target < 0 || target > MaxWindow {
		panic("flow: BUG: window out of range")
	}
	return Credit{target: int32(target), outstanding: int32(target)}
}

// Receive takes a DATA frame of n octets, padding too, which are held from then on. A frame of none
// always passes.
func (c *Credit) Receive(n int) error {
	if n < 0 {
		panic("flow: BUG: negative length")
	}
	if n > 0 && n > int(c.outstanding) {
		return ErrExceeded
	}
	c.outstanding -= int32(n)
	c.held += int32(n)
	return nil
}

// Release says that n held octets are consumed. Not more than Held.
func (c *Credit) Release(n int) {
	if n < 0 || n > int(c.held) {
		panic("flow: BUG: released more than was received")
	}
	c.held -= int32(n)
}

// Update is the increment of the WINDOW_UPDATE to send now, 0 if none: nothing until half the
// target is due, then all that is due. What it returns counts as announced.
//
// Half is rounded down: of a window of 65 535 octets a peer that fills its frames uses 32 768
// first, and when the other 32 767 have been read, too, they are not to stay withheld.
func (c *Credit) Update() (inc uint32) { return c.Flush(int(c.target) / 2) }

// Flush is Update that announces what is due as soon as it is least octets.
func (c *Credit) Flush(least int) (inc uint32) {
	if due := c.due(); due > 0 && due >= int64(least) {
		return c.announce(due)
	}
	return 0
}

// Due is how many octets Flush would announce. It is negative while more is held and outstanding
// than the target.
func (c *Credit) Due() int { return int(max(c.due(), -MaxWindow)) }

// Resize changes the target, 0 to MaxWindow (more is taken as MaxWindow). Growing announces what is
// due at once: inc is the increment of the WINDOW_UPDATE to send, 0 if none. Shrinking takes
// nothing back: what is released is not announced until outstanding and held octets have come down
// to the target.
func (c *Credit) Resize(target int) (inc uint32) {
	t := int32(min(max(target, 0), MaxWindow))
	grown := t > c.target
	c.target = t
	if due := c.due(); grown && due > 0 {
		return c.announce(due)
	}
	return 0
}

// Shift takes a change of our own SETTINGS_INITIAL_WINDOW_SIZE, new less old, that the peer has
// acknowledged: target and outstanding octets change without a WINDOW_UPDATE, and outstanding may
// turn negative (RFC 9113, 6.9.2).
func (c *Credit) Shift(delta int) error {
	outstanding, target := int64(c.outstanding)+int64(delta), int64(c.target)+int64(delta)
	if outstanding > MaxWindow || target > MaxWindow {
		return ErrSettings
	}
	c.outstanding, c.target = int32(outstanding), int32(max(target, 0))
	return nil
}

// Held is how many octets were received and not released.
func (c *Credit) Held() int { return int(c.held) }

// Outstanding is how many octets the peer may still send, as far as we have announced. It may be
// negative.
func (c *Credit) Outstanding() int { return int(c.outstanding) }

// Target is how many octets the peer may send ahead of Release.
func (c *Credit) Target() int { return int(c.target) }

func (c *Credit) due() int64 { return int64(c.target) - int64(c.outstanding) - int64(c.held) }

func (c *Credit) announce(n int64) uint32 {
	c.outstanding += int32(n)
	return uint32(n)
}
