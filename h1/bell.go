package h1

import "sync"

// bell is a sync.Cond that is made by the first who waits.
type bell struct{ c *sync.Cond }

// wait waits for ring, with mu held.
func (b *bell) wait(mu *sync.Mutex) {
	if b.c == nil {
		b.c = sync.NewCond(mu)
	}
	b.c.Wait()
}

// ring wakes those who wait, with their mu held.
func (b *bell) ring() {
	if b.c != nil {
		b.c.Broadcast()
	}
}
