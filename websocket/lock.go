package websocket

import (
	"sync"
	"sync/atomic"
)

// lock is a mutual exclusion whose holder may wait for a moment: a Send over TLS does. Who waits for it waits in a
// sync.Cond, so that fake time moves meanwhile (testing/synctest counts a wait for a sync.Mutex as work). It is handed
// over in the order of arrival: neither a busy runner nor a busy writer shuts the other out.
type lock struct {
	state   atomic.Int32
	waiting int32
	mu      sync.Mutex // guards the rest, and is held for moments only
	handed  *sync.Cond // made by the first who waits
}

const (
	lockFree int32 = iota
	lockHeld
	lockWanted // held, and somebody waits or is about to
)

// Lock waits for the lock.
func (l *lock) Lock() {
	if l.TryLock() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Swap(lockWanted) == lockFree {
		return
	}
	if l.handed == nil {
		l.handed = sync.NewCond(&l.mu)
	}
	l.waiting++
	l.handed.Wait() // Unlock leaves it held, for us
	if l.waiting--; l.waiting == 0 {
		l.state.Store(lockHeld)
	}
}

// TryLock takes the lock if nobody has it.
func (l *lock) TryLock() bool { return l.state.CompareAndSwap(lockFree, lockHeld) }

// Unlock gives the lock up, or over.
func (l *lock) Unlock() {
	if l.state.CompareAndSwap(lockHeld, lockFree) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == 0 {
		l.state.Store(lockFree)
		return
	}
	l.handed.Signal()
}
