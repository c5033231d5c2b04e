//go:build !race

package autobahn_test

const underRace = false
