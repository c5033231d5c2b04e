package websockettest

import (
	"time"

	"weir/websocket"
)

// failf fails the test: with what was wanted, why there is nothing more to come, and what happened.
// With mu held.
func (p *Peer) failf(format string, args ...any) {
	p.t.Helper()
	story := p.w.story() + p.record.crashText()
	p.w.mu.Unlock() // Fatalf runs what the test has deferred
	defer p.w.mu.Lock()
	p.t.Fatalf("%s: "+format+"%s", append(append([]any{p.name}, args...), story)...)
}

// await waits until ok, for p.Patience at most. With mu held, but not while it waits.
func (p *Peer) await(ok func() bool) bool { return p.w.await(p.Patience, ok) }

func (w *wire) await(d time.Duration, ok func() bool) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for !ok() {
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			w.mu.Lock()
			return ok()
		}
		w.mu.Lock()
	}
	return true
}

// nothingMore says why no further frame comes, "" if one may. With mu held.
func (w *wire) nothingMore() string {
	switch {
	case w.fault != nil:
		return "what came breaks the rules: " + w.fault.Error()
	case w.fin:
		return "the other side has ended"
	case w.over && w.err != nil:
		return w.err.Error()
	case w.over:
		return "the stream is over"
	}
	return ""
}

// next takes the next frame; want says what is waited for. With mu held.
func (p *Peer) next(want string) Frame {
	p.t.Helper()
	if !p.await(func() bool { return len(p.w.frames) > 0 || p.w.nothingMore() != "" }) {
		p.failf("got nothing for %v, want %s", p.Patience, want)
	}
	if len(p.w.frames) == 0 {
		p.failf("got no frame, for %s; want %s", p.w.nothingMore(), want)
	}
	f := p.w.frames[0]
	p.w.frames = p.w.frames[1:]
	return f
}

// Next waits for the next frame, for a test that judges it itself.
func (p *Peer) Next() Frame {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.next("a frame")
}

// Want waits for frames, and wants them to be these, in this order.
func (p *Peer) Want(frames ...Frame) {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for _, want := range frames {
		p.wantFrame(p.next(want.String()), want)
	}
}

func (p *Peer) wantFrame(got, want Frame) {
	p.t.Helper()
	if got != want {
		p.failf("got %s, want %s%s", got, want, differs(got, want))
	}
}

// WantText waits for a message and wants it to be this text, whether it comes in fragments or is
// compressed.
func (p *Peer) WantText(s string) { p.t.Helper(); p.wantMessage(Text(s)) }

// WantBinary is WantText for a binary message.
func (p *Peer) WantBinary(s string) { p.t.Helper(); p.wantMessage(Binary(s)) }

func (p *Peer) wantMessage(want Frame) {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.wantFrame(p.message(want.String()), want)
}

// Message waits for the next message, and puts its fragments together: a frame without More and
// Compressed. Pings and pongs between them are dropped. If a control frame comes first, it is that.
func (p *Peer) Message() Frame {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.message("a message")
}

func (p *Peer) message(want string) Frame {
	p.t.Helper()
	f := p.next(want)
	f.Compressed = false
	for f.More {
		switch g := p.next("the rest of " + want); {
		case !control(g.Type):
			f.Payload, f.More = f.Payload+g.Payload, g.More
		case g.Type == websocket.CloseFrame:
			p.failf("got %s within a message", g)
		}
	}
	return f
}

// WantClose waits for a close frame and wants it to be this one. Then it does what RFC 6455, 5.5.1
// asks of a peer: it answers, unless it has sent a close frame itself, wants the end, and ends its
// side. Code 0 is the empty close frame. To want the frame alone is Want(Close(code, text)).
func (p *Peer) WantClose(code websocket.CloseCode, text string) {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	want := Close(code, text)
	p.wantFrame(p.next(want.String()), want)
	if !p.w.closing && !p.w.ended && !p.w.over {
		p.w.closing = true
		p.w.note("sent  %s", Close(code, ""))
		_ = p.w.send(p.w.encode(Close(code, "")), false) // who does not want to know has ended
	}
	p.wantEnd()
}

// WantEnd wants the other side to end without a further frame: a FIN, or END_STREAM. Then the peer
// ends its own side, if it has not.
func (p *Peer) WantEnd() {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.wantEnd()
}

func (p *Peer) wantEnd() {
	p.t.Helper()
	w := p.w
	if !p.await(func() bool { return len(w.frames) > 0 || w.nothingMore() != "" }) {
		p.failf("got nothing for %v, want the end", p.Patience)
	}
	switch {
	case len(w.frames) > 0:
		p.failf("got %s, want the end", w.frames[0])
	case !w.fin && (!w.over || w.err != nil):
		p.failf("got no end: %s", w.nothingMore())
	}
	if !w.ended && !w.over {
		_ = w.send(nil, true) // a stream that is over has no use for it
	}
}

// WantReset wants the other side to give the WebSocket up: a reset behind the frames that were
// wanted, and no end.
func (p *Peer) WantReset() {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	w := p.w
	if !p.await(func() bool { return len(w.frames) > 0 || w.over || w.fault != nil }) {
		p.failf("got nothing for %v, want a reset", p.Patience)
	}
	switch {
	case len(w.frames) > 0:
		p.failf("got %s, want a reset", w.frames[0])
	case !isReset(w.err):
		p.failf("got no reset: %s", w.nothingMore())
	}
}

// WantSilence sleeps for d, and wants nothing to come meanwhile, nor to have come: no frame and no
// end. In fake time that is exact: what is due at d has come.
func (p *Peer) WantSilence(d time.Duration) {
	p.t.Helper()
	time.Sleep(d)
	rest()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	switch {
	case len(p.w.frames) > 0:
		p.failf("got %s, want nothing for %v", p.w.frames[0], d)
	case p.w.nothingMore() != "":
		p.failf("%s; want nothing to come for %v, and no end", p.w.nothingMore(), d)
	}
}
