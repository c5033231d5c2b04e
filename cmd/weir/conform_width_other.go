//go:build !unix

package main

import "os"

// terminalWidth is the width that every terminal has.
func terminalWidth(*os.File) int { return 80 }
