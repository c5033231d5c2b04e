package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logger is the log of a server that the flags ask for, and what it is written through. Unless all
// of it is wanted, no peer can fill a disk with it: of each message there is one line a second.
func (c *config) logger(w io.Writer) (*slog.Logger, *outlet) {
	out := newOutlet(w, func(n int64) []byte {
		var b bytes.Buffer
		slog.New(c.handler(&b)).Warn("weir: lines of the log were dropped, unread", "count", n)
		return b.Bytes()
	})
	h := c.handler(out)
	if !c.verbose {
		h = &sparing{h, &spared{byMessage: map[string]*sparedMessage{}}}
	}
	return slog.New(h), out
}

// handler writes lines in the format of the flags.
func (c *config) handler(w io.Writer) slog.Handler {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if c.verbose {
		o.Level = slog.LevelDebug
	}
	if c.logFormat == "json" {
		return slog.NewJSONHandler(w, o)
	}
	return slog.NewTextHandler(w, o)
}

const (
	sparingEach = time.Second // one line of each message in so long
	sparingMost = 64          // messages that are told apart
)

// sparing passes one record of each message a second on: the first at once, and of those that
// follow within the second the last, at its end, with the number of others.
type sparing struct {
	slog.Handler
	all *spared
}

// spared is what the handlers of one log have in common.
type spared struct {
	mu        sync.Mutex
	byMessage map[string]*sparedMessage
}

type sparedMessage struct {
	waits   bool // a record of it was passed on less than a second ago
	last    slog.Record
	handler slog.Handler // of last
	more    int          // records since, last with them
}

// unspared is the log for what is bounded otherwise.
func unspared(log *slog.Logger) *slog.Logger {
	if s, ok := log.Handler().(*sparing); ok {
		return slog.New(s.Handler)
	}
	return log
}

// WithAttrs and WithGroup keep the count.
func (s *sparing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &sparing{s.Handler.WithAttrs(attrs), s.all}
}

// WithGroup is for slog.
func (s *sparing) WithGroup(name string) slog.Handler {
	return &sparing{s.Handler.WithGroup(name), s.all}
}

// Handle passes r on, or keeps it for the end of its second.
func (s *sparing) Handle(ctx context.Context, r slog.Record) error {
	if !s.all.keep(s.Handler, r) {
		return nil
	}
	return s.Handler.Handle(ctx, r)
}

// keep says whether r is passed on now.
func (a *spared) keep(h slog.Handler, r slog.Record) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := sameMessage(r.Message)
	m := a.byMessage[key]
	if m == nil {
		if len(a.byMessage) >= sparingMost {
			key = "" // what is left is one message
		}
		if m = a.byMessage[key]; m == nil {
			m = new(sparedMessage)
			a.byMessage[key] = m
		}
	}
	if m.waits {
		m.last, m.handler = r.Clone(), h
		m.more++
		return false
	}
	m.waits = true
	time.AfterFunc(sparingEach, func() { a.tell(m) })
	return true
}

// tell passes on what was kept in the last second.
func (a *spared) tell(m *sparedMessage) {
	a.mu.Lock()
	r, h, n := m.last, m.handler, m.more
	m.last, m.handler, m.more = slog.Record{}, nil, 0
	if m.waits = n > 0; m.waits {
		time.AfterFunc(sparingEach, func() { a.tell(m) })
	}
	a.mu.Unlock()
	if n > 1 {
		r.AddAttrs(slog.Int("more", n-1))
	}
	if n > 0 {
		_ = h.Handle(context.Background(), r) // an outlet never fails
	}
}

// sameMessage is what two messages have in common that are of one kind. A message may have a name,
// a path or an address within: "http: TLS handshake error from 192.0.2.1:4711: EOF".
func sameMessage(s string) string {
	if i := strings.IndexAny(s, "0123456789[/\""); i > 0 {
		return s[:i]
	}
	return s
}
