//go:build !unix

package h1

// raw is not needed where descriptors cannot be tried.
type raw struct{}

func (t *tunnel) arm() {}

func (t *tunnel) tryWrite([]byte) (int, error) { panic("h1: BUG: no raw connection") }

func (t *tunnel) readRaw(int) error { panic("h1: BUG: no raw connection") }
