package websockettest

import (
	"testing/synctest"
	"time"
)

// fake says whether time is fake: it begins in the year 2000 then.
func fake() bool { return time.Now().Year() < 2020 }

// patience is how long is waited for what should come, see Peer.Patience. In fake time it is enough
// for the timeouts that WebSockets have by default.
func patience() time.Duration {
	if fake() {
		return 2 * time.Minute
	}
	return 20 * time.Second
}

// rest waits until every other goroutine of the bubble has come to rest. Outside of a bubble, where
// synctest.Wait panics, nobody knows when that is.
func rest() {
	defer func() { _ = recover() }()
	synctest.Wait()
}
