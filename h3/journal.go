package h3

import "sync"

// journalMost is how many lines may wait to be logged.
const journalMost = 100

// journal has lines logged on a goroutine of its own: what they are written to, and how a value
// looks, is a user's code, which may panic or take its time. What comes faster is lost.
type journal struct {
	mu    sync.Mutex
	lines []func()
	runs  bool
}

// say has f called.
func (j *journal) say(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) == journalMost {
		return
	}
	j.lines = append(j.lines, f)
	if !j.runs {
		j.runs = true
		go j.run() // ends when all is logged
	}
}

func (j *journal) run() {
	whole := false
	defer func() {
		if !whole { // a line called runtime.Goexit
			go j.run() // ends when all is logged
		}
	}()
	for {
		j.mu.Lock()
		if len(j.lines) == 0 {
			j.lines, j.runs = nil, false
			j.mu.Unlock()
			whole = true
			return
		}
		f := j.lines[0]
		j.lines = j.lines[1:]
		j.mu.Unlock()
		func() {
			defer func() { _ = recover() }() // the line is lost
			f()
		}()
	}
}
