//go:build !race

package main

var buildFlags []string

// The size of the slow consumer test, and how much memory its server may take more than before.
const (
	roomConns   = 10
	roomStreams = 100
	roomGrowth  = 2 * (1000*(64+64+16)<<10 + 11<<20) // twice, for the collector: queue, inbox and a message of each; what waits for the slow
	slowGrowth  = 48 << 20                           // without so many members

	// What the server may grow by when it is asked for large messages: what may be under way, the
	// text that all of them are made of, and garbage.
	largeGrowth = 420 << 20
)
