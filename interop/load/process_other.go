//go:build !linux

package load

import (
	"fmt"
	"runtime"
)

// process is another process on this machine. Only Linux shows one.
type process struct{}

func newProcess(int) (*process, error) {
	return nil, fmt.Errorf("the server's process cannot be measured on %s: /proc is Linux's", runtime.GOOS)
}

func (*process) cpu(*CPU) error       { return nil }
func (*process) memory(*Memory) error { return nil }

func ownCPU() float64 { return 0 }
