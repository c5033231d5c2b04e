package main

import (
	"bytes"
	"io"
	"sync"
	"time"

	"weir/internal/reach"
)

const (
	outletOctets = 8 << 20     // what may wait for a reader
	outletWrite  = 4 << 10     // octets of several lines in one Write, which a pipe takes whole
	outletFlush  = time.Second // how long a program that ends waits for the reader
)

// outlet writes lines to standard output or standard error for those who must not wait for its
// reader: a session, or the loop that accepts. A line that finds too much waiting is dropped, and
// so is every one behind it until all that waits has been written; then a line says how many they
// were. It stands where they are missing.
//
// Each line is escaped as reach.JSON does: whatever a peer had put into it, a terminal obeys none
// of it.
type outlet struct {
	w     io.Writer
	limit int
	told  func(dropped int64) []byte // the line that tells of it

	mu      sync.Mutex
	waits   []byte        // whole lines
	held    int           // octets of waits and of what is being written
	dropped int64         // lines that nobody has been told of
	writing chan struct{} // closed when nothing is left to write; nil: nobody writes
}

func newOutlet(w io.Writer, told func(int64) []byte) *outlet {
	return &outlet{w: w, limit: outletOctets, told: told}
}

// Write takes one line, or several. It never waits and never fails.
func (o *outlet) Write(line []byte) (int, error) {
	shown := reach.JSON(line)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dropped > 0 || o.held > 0 && o.held+len(shown) > o.limit {
		o.dropped++
	} else {
		o.waits = append(o.waits, shown...)
		o.held += len(shown)
	}
	if o.writing == nil {
		o.writing = make(chan struct{})
		go o.run() // ends when nothing is left to write, or with the program
	}
	return len(line), nil
}

// run writes until nothing waits. What cannot be written counts as dropped.
func (o *outlet) run() {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer func() {
		close(o.writing)
		o.writing = nil
	}()
	for {
		b, told := o.waits, int64(0)
		if len(b) == 0 {
			if told = o.dropped; told == 0 {
				return
			}
			b = o.told(told)
		}
		o.waits = nil
		o.mu.Unlock()
		lost := o.put(b)
		o.mu.Lock()
		o.held = len(o.waits)
		switch {
		case told == 0:
			o.dropped += lost
		case lost > 0: // it is told when the next line comes, if that can be written
			return
		default:
			o.dropped -= told
		}
	}
}

// put writes whole lines, some at a time, and says how many could not be written.
func (o *outlet) put(b []byte) (lost int64) {
	for len(b) > 0 {
		n := bytes.LastIndexByte(b[:min(len(b), outletWrite)], '\n') + 1
		if n == 0 { // a long line
			n = bytes.IndexByte(b, '\n') + 1
		}
		if n == 0 {
			n = len(b)
		}
		if _, err := o.w.Write(b[:n]); err != nil {
			lost += int64(bytes.Count(b[:n], []byte("\n")))
		}
		b = b[n:]
	}
	return lost
}

// flush waits until all is written, but not for a reader that takes nothing.
func (o *outlet) flush() {
	o.mu.Lock()
	writing := o.writing
	o.mu.Unlock()
	if writing == nil {
		return
	}
	select {
	case <-writing:
	case <-time.After(outletFlush):
	}
}

// escaped is for a JSON text that is written whole: it is escaped as an outlet's lines are.
type escaped struct{ w io.Writer }

// Write is for io.Writer.
func (e escaped) Write(text []byte) (int, error) {
	if _, err := e.w.Write(reach.JSON(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}
