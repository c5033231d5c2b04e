//go:build !linux

package load

// newShell gives what runs an engine until it is finished.
func newShell(e *engine) (func(), error) { return newNetShell(e).run, nil }
