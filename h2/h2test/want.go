package h2test

import (
	"strings"
	"testing"
	"time"
)

// patience bounds how long Next and Settings wait, on the real clock for a server that a busy
// machine keeps from answering. In a synctest bubble it is no time at all.
const patience = time.Minute

// Next takes the next frame that was received and kept: of a Manual peer every one, otherwise those
// that are not of a stream the peer opened with Open, Connect or Get, and no WINDOW_UPDATE.
func (p *Peer) Next() (Frame, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.wait(time.Now().Add(patience), func() bool { return len(p.frames) > 0 }); err != nil {
		return Frame{}, err
	}
	f := p.frames[0]
	p.frames = p.frames[1:]
	return f, nil
}

// Want takes the next frame and fails the test unless its text begins with want, up to the end of a
// word.
func (p *Peer) Want(tb testing.TB, why, want string) Frame {
	tb.Helper()
	f, err := p.Next()
	if err != nil {
		tb.Fatalf("%s: got %v, want %s", why, err, want)
	}
	if !f.Matches(want) {
		tb.Fatalf("%s:\n got %v\nwant %s", why, f, want)
	}
	return f
}

// WantClosed fails the test unless the connection ends with no further frame.
func (p *Peer) WantClosed(tb testing.TB, why string) {
	tb.Helper()
	if f, err := p.Next(); err == nil {
		tb.Fatalf("%s: got %v, want the end of the connection", why, f)
	}
	if p.Err() == nil {
		tb.Fatalf("%s: the connection has not ended", why)
	}
}

// WantQuiet fails the test if a frame is there after d without one.
func (p *Peer) WantQuiet(tb testing.TB, why string, d time.Duration) {
	tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wait(time.Now().Add(d), func() bool { return len(p.frames) > 0 }) == nil {
		tb.Fatalf("%s: got %v, want none", why, p.frames[0])
	}
}

// Matches says whether the frame's text begins with want, up to the end of a word.
func (f Frame) Matches(want string) bool {
	rest, ok := strings.CutPrefix(f.String(), want)
	return ok && (rest == "" || rest[0] == ' ')
}
