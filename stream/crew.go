package stream

import "time"

// Turner is a Sink that does its work in turns.
type Turner interface {
	// Turn does what has come up since the last turn, and calls out while it does. now is the time, to a few milliseconds.
	// again: more has come up meanwhile.
	Turn(now time.Time) (again bool)
}

// Runner is what a Stream may offer besides: it has goroutines for what its Sink is to do.
type Runner interface {
	// Enlist has t.Turn called soon, with no lock held, and again for as long as it asks for it. It never waits. It is not to be
	// called for t again before t's last turn has ended: a Mailbox says when.
	Enlist(t Turner)
}

// Crew is a Runner that gathers: the streams of one connection have their turns done by the same few goroutines,
// one after the other, so that what one read brought for many is answered in one write. A turn that takes long keeps its
// goroutine, and nothing else: another takes the rest over.
type Crew interface {
	Runner

	// Hand is Send and then Release, for use inside Turn: the octets leave when the crew has no other turn to do, and 2 ms
	// later at the latest. With no octets and without fin it is Release alone.
	Hand(v [][]byte, fin bool, n int) (queued int, err error)
}
