package flow

// Window is what we may send: the peer's credit to us. The zero value is a window of 0.
type Window struct{ n int32 }

// NewWindow makes a window of n octets, 0 to MaxWindow.
func NewWindow(n int) Window {
	if n < 0 || n > MaxWindow {
		panic("flow: BUG: window out of range")
	}
	return Window{int32(n)}
}

// Available is how many octets may be sent now, never negative.
func (w *Window) Available() int { return int(max(w.n, 0)) }

// Level is the window itself. It is negative while the peer has taken back more than was left (RFC 9113, 6.9.2).
func (w *Window) Level() int64 { return int64(w.n) }

// Grow takes a WINDOW_UPDATE: its increment without the reserved bit.
func (w *Window) Grow(n uint32) error {
	switch {
	case n == 0:
		return ErrZero
	case int64(w.n)+int64(n) > MaxWindow:
		return ErrOverflow
	}
	w.n += int32(n)
	return nil
}

// Shift takes a change of the peer's SETTINGS_INITIAL_WINDOW_SIZE, new less old. The window may turn negative
// (RFC 9113, 6.9.2). The window of a connection never shifts.
func (w *Window) Shift(delta int) error {
	n := int64(w.n) + int64(delta)
	if n > MaxWindow {
		return ErrSettings
	}
	w.n = int32(n)
	return nil
}

// Spend takes n octets that are being sent, padding too. Not more than Available.
func (w *Window) Spend(n int) {
	if n < 0 || n > w.Available() {
		panic("flow: BUG: spent more than the window")
	}
	w.n -= int32(n)
}
