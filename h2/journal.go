package h2

import (
	"context"
	"log"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// journal is what a connection has to log and has not logged: slog handlers are a user's, and are
// not called with conn.mu held. Under conn.mu.
type journal struct {
	entries []entry
	lost    int           // entries over the bound
	ended   bool          // the end of the connection is among them
	writing chan struct{} // closed when everything is logged; nil: nobody writes
}

// entry is one of three: a record, a line for http.Server.ErrorLog, or a kind to be counted.
type entry struct {
	to     *slog.Logger // nil: it is no record
	r      slog.Record
	format string // of the line; empty: it is none
	args   []any
	kind   string
}

// maxJournal bounds what waits for a slow slog handler.
const maxJournal = 4096

// say has something logged; mu is held.
func (c *conn) say(to *slog.Logger, level slog.Level, msg string, attrs ...slog.Attr) {
	if c.journal.full() {
		return
	}
	r := slog.NewRecord(time.Now(), level, msg, 0)
	r.AddAttrs(slog.Uint64("conn", c.id), slog.String("remote", c.remote))
	r.AddAttrs(attrs...)
	c.enter(entry{to: to, r: r})
}

// sayText has a line logged where net/http logs its own; mu is held.
func (c *conn) sayText(format string, args ...any) {
	if !c.journal.full() {
		c.enter(entry{format: format, args: args})
	}
}

// logf is sayText without mu.
func (c *conn) logf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sayText(format, args...)
}

// writeText writes a line to http.Server.ErrorLog.
func (c *conn) writeText(format string, args ...any) {
	l := c.errorLog
	if c.srv != nil {
		l = c.srv.hs.ErrorLog
	}
	if l != nil {
		l.Printf(format, args...)
		return
	}
	log.Printf(format, args...) // as net/http does
}

// full says that an entry is lost.
func (j *journal) full() bool {
	if len(j.entries) < maxJournal {
		return false
	}
	j.lost++
	return true
}

// enter has an entry written; mu is held.
func (c *conn) enter(e entry) {
	j := &c.journal
	j.entries = append(j.entries, e)
	if j.writing == nil {
		j.writing = make(chan struct{})
		go c.writeJournal() // ends when there is nothing to log
	}
}

// writeJournal writes until nothing is left. It calls what a user gave us, so mu is not held
// meanwhile, and a panic or Goexit there costs one entry: the others are still written, and whoever
// waits in logged is let go.
func (c *conn) writeJournal() {
	var entries []entry
	whole := false
	defer func() {
		if !whole { // runtime.Goexit
			c.mu.Lock()
			defer c.mu.Unlock()
			c.journal.entries = append(entries, c.journal.entries...)
			go c.writeJournal() // ends when there is nothing to log
		}
	}()
	for {
		var lost int
		if entries, lost = c.takeJournal(); entries == nil {
			whole = true
			return
		}
		if lost > 0 {
			r := slog.NewRecord(time.Now(), slog.LevelWarn, "h2: the log fell behind", 0)
			r.AddAttrs(slog.Uint64("conn", c.id), slog.Int("lost", lost))
			entries = append(entries, entry{to: c.loser(entries), r: r})
		}
		for len(entries) > 0 {
			e := entries[0]
			entries = entries[1:]
			c.handle(e)
		}
	}
}

// loser is the logger that fell behind, as far as can be told.
func (c *conn) loser(entries []entry) *slog.Logger {
	for _, e := range slices.Backward(entries) {
		if e.to != nil {
			return e.to
		}
	}
	return c.log
}

// takeJournal gives what is to be written; nil: nothing, and then nobody writes any more.
func (c *conn) takeJournal() (entries []entry, lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	j := &c.journal
	entries, lost = j.entries, j.lost
	j.entries, j.lost = nil, 0
	if len(entries) == 0 {
		close(j.writing)
		j.writing = nil
		return nil, 0
	}
	return entries, lost
}

// handle calls what a user gave us. A crash is logged where crashes are, and if it was that log's
// the line is lost.
func (c *conn) handle(e entry) {
	guard(func() { c.pass(e) }, func(v any) {
		if e.format == "" {
			c.logf("h2: panic in a slog.Handler or CountError: %v\n%s", crash(v), debug.Stack())
		}
	})
}

func (c *conn) pass(e entry) {
	switch {
	case e.format != "":
		c.writeText(e.format, e.args...)
		return
	case e.to == nil:
		c.cfg.CountError(e.kind)
		return
	}
	ctx := context.Background()
	if h := e.to.Handler(); h.Enabled(ctx, e.r.Level) {
		_ = h.Handle(ctx, e.r) // slog drops it too
	}
}

// sayKinds has kinds of errors counted; mu is held.
func (c *conn) sayKinds() {
	for _, k := range c.core.kinds {
		if !c.journal.full() {
			c.enter(entry{kind: k})
		}
	}
	c.core.kinds = nil
}

// logged waits until everything is logged. It runs when nothing happens to the connection any more.
func (c *conn) logged() {
	c.mu.Lock()
	done := c.journal.writing
	c.mu.Unlock()
	if done != nil {
		<-done
	}
}

// sayEnd logs, once, why the connection ended: at Warn if the peer ran into a limit, at Debug if it
// made a fault.
func (c *conn) sayEnd() {
	err, ok := c.core.err.(*ConnError)
	if !ok || c.journal.ended {
		return
	}
	c.journal.ended = true
	if err.Limit == 0 {
		c.say(c.log, slog.LevelDebug, "h2: connection ended", slog.Any("err", err))
		return
	}
	c.sayLimit(err.Limit, err)
}

// sayLimit logs that the peer ran into a limit, and after how many of its frames; mu is held.
func (c *conn) sayLimit(l Limit, err error) {
	c.say(c.log, slog.LevelWarn, "h2: limit", slog.String("limit", l.String()),
		slog.Uint64("frames", c.core.counts.received()), slog.Any("err", err))
}

// sayTrace logs the frames that were noted; mu is held.
func (c *conn) sayTrace() {
	t := c.core.trace
	for i := range t.frames {
		c.say(c.cfg.Trace, slog.LevelDebug, "h2: frame", t.frames[i].attrs(c.cfg.TraceValues)...)
		t.frames[i] = tracedFrame{}
	}
	c.journal.lost += t.lost
	t.frames, t.lost = t.frames[:0], 0
}

// attrs describe a frame. Without values, a field's is told only where it cannot be a secret.
func (f *tracedFrame) attrs(values bool) []slog.Attr {
	dir := "out"
	if f.in {
		dir = "in"
	}
	as := []slog.Attr{slog.String("dir", dir), slog.String("type", f.head.Type.String()), slog.Uint64("stream", uint64(f.head.StreamID)),
		slog.String("flags", flagNames(f.head.Type, f.head.Flags)), slog.Uint64("len", uint64(f.head.Length))}
	switch f.head.Type {
	case http2.FrameRSTStream:
		as = append(as, slog.String("code", f.code.String()))
	case http2.FrameGoAway:
		as = append(as, slog.Uint64("last", uint64(f.last)), slog.String("code", f.code.String()), slog.String("text", f.text))
	case http2.FrameWindowUpdate:
		as = append(as, slog.Uint64("inc", uint64(f.inc)))
	case http2.FramePing:
		as = append(as, slog.String("data", f.text))
	case http2.FrameSettings:
		for _, s := range f.settings {
			as = append(as, slog.Uint64(s.ID.String(), uint64(s.Val)))
		}
	}
	if len(f.fields) > 0 {
		as = append(as, slog.String("fields", fieldText(f.fields, values)))
	}
	return as
}

// plainFields have values that anybody may see.
var plainFields = []string{":method", ":scheme", ":protocol", ":status"}

func fieldText(fs []hpack.HeaderField, values bool) string {
	var b strings.Builder
	for i, f := range fs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f.Name)
		if values || slices.Contains(plainFields, f.Name) {
			b.WriteString(": ")
			b.WriteString(f.Value)
		}
	}
	return b.String()
}

// flagNames are the flags of a frame that its type knows (RFC 9113, 6).
func flagNames(t http2.FrameType, flags http2.Flags) string {
	var names []string
	for _, k := range [...]struct {
		types []http2.FrameType
		flag  http2.Flags
		name  string
	}{
		{[]http2.FrameType{http2.FrameData, http2.FrameHeaders}, http2.FlagDataEndStream, "END_STREAM"},
		{[]http2.FrameType{http2.FrameSettings, http2.FramePing}, http2.FlagSettingsAck, "ACK"},
		{[]http2.FrameType{http2.FrameHeaders, http2.FrameContinuation, http2.FramePushPromise}, http2.FlagHeadersEndHeaders, "END_HEADERS"},
		{[]http2.FrameType{http2.FrameData, http2.FrameHeaders, http2.FramePushPromise}, http2.FlagDataPadded, "PADDED"},
		{[]http2.FrameType{http2.FrameHeaders}, http2.FlagHeadersPriority, "PRIORITY"},
	} {
		if flags.Has(k.flag) && slices.Contains(k.types, t) {
			names = append(names, k.name)
		}
	}
	return strings.Join(names, "|")
}
