//go:build race

package autobahn_test

// underRace: the detector makes what keeps a processor busy ten times as slow.
const underRace = true
