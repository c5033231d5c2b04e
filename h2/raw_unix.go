//go:build unix && !linux

package h2

import "syscall"

// readFD is one read that does not wait.
func readFD(fd uintptr, b []byte) (int, error) { return syscall.Read(int(fd), b) }
