package websockettest

import "testing/synctest"

// rest waits until every other goroutine of the bubble has come to rest. It says whether there is a
// bubble.
func rest() (bubble bool) {
	defer func() {
		if recover() != nil { // what synctest.Wait does outside of a bubble
			bubble = false
		}
	}()
	synctest.Wait()
	return true
}
