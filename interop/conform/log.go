package conform

import (
	"fmt"
	"sync"
	"time"
)

// logEntries and logOctets bound what a case keeps of its wire log: the cases with a thousand messages would fill a disk.
const (
	logEntries = 400
	logOctets  = 256
)

// Direction says who a line of a log is about.
type Direction string

// The directions.
const (
	Sent     Direction = "sent"
	Received Direction = "received"
	Note     Direction = "note"
)

// Entry is one line of a wire log.
type Entry struct {
	At     time.Duration `json:"at_ns"` // since the case began
	Dir    Direction     `json:"dir"`
	Text   string        `json:"text"`             // "text frame, 13 octets", "RST_STREAM CANCEL"
	Octets []byte        `json:"octets,omitempty"` // the first of what was sent or received
}

// Log is the wire log of one case. Its methods may be called from any goroutine, and on nil do nothing.
type Log struct {
	mu      sync.Mutex
	since   func() time.Duration
	entries []Entry
	dropped int
}

// NewLog makes a log whose times are what since says.
func NewLog(since func() time.Duration) *Log { return &Log{since: since} }

// Add adds a line. Of octets, which are copied, the first 256 are kept; of lines the first 400.
func (l *Log) Add(dir Direction, octets []byte, format string, args ...any) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == logEntries {
		l.dropped++
		return
	}
	e := Entry{At: l.since(), Dir: dir, Text: fmt.Sprintf(format, args...)}
	e.Octets = append(e.Octets, octets[:min(len(octets), logOctets)]...)
	l.entries = append(l.entries, e)
}

// Notef adds a line that is about neither side.
func (l *Log) Notef(format string, args ...any) { l.Add(Note, nil, format, args...) }

// Entries are the lines so far, and how many more there were.
func (l *Log) Entries() (kept []Entry, dropped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Entry(nil), l.entries...), l.dropped
}
