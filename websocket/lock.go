package websocket

import (
	"sync"
	"sync/atomic"
)

// lock is a mutual exclusion whose holder may wait for a moment: a Send over TLS does. Who waits for it waits in a
// sync.Cond, so that fake time moves meanwhile (testing/synctest counts a wait for a sync.Mutex as work). It is handed
// over in the order of arrival: neither a busy runner nor a busy writer shuts the other out.
type lock struct {
	state atomic.Int32
	queue atomic.Pointer[lockQueue] // made by the first who waits
}

// lockQueue is those who wait.
type lockQueue struct {
	mu      sync.Mutex // guards the rest, and is held for moments only
	waiting int
	handed  sync.Cond
}

func (l *lock) waits() *lockQueue {
	if l.queue.Load() == nil {
		q := new(lockQueue)
		q.handed.L = &q.mu
		l.queue.CompareAndSwap(nil, q)
	}
	return l.queue.Load()
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
	q := l.waits()
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.state.Swap(lockWanted) == lockFree {
		return
	}
	q.waiting++
	q.handed.Wait() // Unlock leaves it held, for us
	if q.waiting--; q.waiting == 0 {
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
	q := l.waits()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting == 0 {
		l.state.Store(lockFree)
		return
	}
	q.handed.Signal()
}
