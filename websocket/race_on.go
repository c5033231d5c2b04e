//go:build race

package websocket

// raceEnabled: the race detector is on. Payloads are poisoned then. (For tests: sync.Pool drops
// things at random, so that allocations cannot be counted.)
const raceEnabled = true
