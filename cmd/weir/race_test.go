//go:build race

package main

// buildFlags makes the binary under test a race detector too.
var buildFlags = []string{"-race"}
