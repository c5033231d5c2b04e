package websockettest

import (
	"fmt"
	"strings"
	"testing/synctest"
	"time"
)

// rest waits until every other goroutine of the bubble has come to rest. It says whether there is a
// bubble: outside, nobody knows when that is, and synctest.Wait panics.
func rest() (bubble bool) {
	defer func() {
		if v := recover(); v != nil { // somebody else may wait already, too
			bubble = !strings.Contains(fmt.Sprint(v), "not in a bubble")
		}
	}()
	synctest.Wait()
	return true
}

// patience is how long is waited for what should come, see Peer.Patience. In fake time it is enough
// for the timeouts that WebSockets have by default.
func patience(fake bool) time.Duration {
	if fake {
		return 2 * time.Minute
	}
	return 20 * time.Second
}
