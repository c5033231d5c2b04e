//go:build !linux

package h1

// nap is not known where no poller watches sockets.
type nap struct{}

func (t *tunnel) stayAwake() { panic("h1: BUG: no poller") }

func (t *tunnel) readAwake(int) error { panic("h1: BUG: no poller") }
