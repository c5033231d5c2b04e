//go:build race

package main

// buildFlags makes the binary under test a race detector too.
var buildFlags = []string{"-race"}

// The size of the slow consumer test, and how much memory its server may take more than before: the
// detector takes a multiple of the program's.
const (
	roomConns   = 4
	roomStreams = 25
	roomGrowth  = 1 << 30
	slowGrowth  = 256 << 20

	largeGrowth = 4 * 420 << 20
)
