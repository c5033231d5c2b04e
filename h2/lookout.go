package h2

import (
	"sync"
	"time"
)

// lookout looks after the crews of many connections, every crewLook while there is one that asks for it: one timer does for all.
type lookout struct {
	mu      sync.Mutex
	crews   []*crew
	old     []*crew // the list of the look before, to use again
	running bool
	timer   *time.Timer
}

// add has w looked after until its looks says that there is no need.
func (l *lookout) add(w *crew) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crews = append(l.crews, w)
	switch {
	case l.running:
	case l.timer == nil:
		l.timer = time.AfterFunc(crewLook, l.look)
	default:
		l.timer.Reset(crewLook)
	}
	l.running = true
}

// look runs on a goroutine of the timer's, and never waits.
func (l *lookout) look() {
	l.mu.Lock()
	crews := l.crews
	l.crews, l.old = l.old[:0], nil
	l.mu.Unlock()
	keep := crews[:0]
	for _, w := range crews {
		if w.looks() {
			keep = append(keep, w)
		}
	}
	clear(crews[len(keep):])
	l.mu.Lock()
	defer l.mu.Unlock()
	added := l.crews
	l.crews = append(keep, added...)
	clear(added)
	l.old = added[:0]
	if l.running = len(l.crews) > 0; l.running {
		l.timer.Reset(crewLook)
	}
}
