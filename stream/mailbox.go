package stream

import "sync"

// Mailbox is the inbox of an actor: T is what waits in it (a struct of queues), and the mailbox answers the question
// who works it off. At most one runner is about at any time; "empty" and "nobody runs" change together under one lock,
// so that no wake-up is lost.
//
// To put something in: box := m.Lock(); change box; if m.Unlock() { start a runner }.
// A runner calls Take until it returns false, and then is no longer the runner; or one that works in turns calls Take and
// then Rest.
type Mailbox[T any] struct {
	mu      sync.Mutex
	box     T
	full    bool // something was put in since the last Take
	running bool
}

// Lock gives the box to the caller, who must not call out while holding it, and ends with Unlock or Leave.
func (m *Mailbox[T]) Lock() *T {
	m.mu.Lock()
	return &m.box
}

// Unlock says that something was put in. start: nobody works on the mailbox, and the caller has become its runner:
// it must see to it that Take is called, here or on a new goroutine.
func (m *Mailbox[T]) Unlock() (start bool) {
	m.full = true
	start = !m.running
	m.running = true
	m.mu.Unlock()
	return start
}

// Leave unlocks without having put anything in.
func (m *Mailbox[T]) Leave() { m.mu.Unlock() }

// Claim makes the caller the runner, if there is none and nothing waits.
func (m *Mailbox[T]) Claim() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running || m.full {
		return false
	}
	m.running = true
	return true
}

// Rest ends one turn of a runner that may come again. False: nothing waits, and the caller is no longer the runner.
func (m *Mailbox[T]) Rest() (again bool) {
	m.mu.Lock()
	again = m.full
	m.running = again
	m.mu.Unlock()
	return again
}

// Take swaps what waits with into, which should be empty (its capacity is reused). False: nothing waits, and the
// caller is no longer the runner.
func (m *Mailbox[T]) Take(into *T) bool {
	m.mu.Lock()
	if !m.full {
		m.running = false
		m.mu.Unlock()
		return false
	}
	m.full = false
	m.box, *into = *into, m.box
	m.mu.Unlock()
	return true
}
