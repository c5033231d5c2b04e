package h2

import (
	"time"

	"weir/flow"

	"golang.org/x/net/http2/hpack"
)

// coreStream is what the core knows of a stream that is not over.
type coreStream struct {
	id       uint32
	state    state
	answered bool  // the final response has come; on the server's side its header is written
	tunnel   bool  // CONNECT: content-length means nothing (RFC 9113, 8.5), trailers neither
	stalled  bool  // it has octets to send and no window for them, see stall
	length   int64 // what content-length leaves to come; negative: not declared
	owner    any   // the shell's

	credit flow.Credit // what the peer may send
	want   int32       // the credit asked for by grow, 0: the initial window
	sendQueue
	stall
	born uint32 // of the connection's life, in milliseconds
	lack int32  // octets that small DATA frames lacked which nobody has consumed, see chargeData

	older, younger *coreStream
}

// open makes a stream of a request.
func (c *core) open(id uint32, fin bool) *coreStream {
	s := &coreStream{id: id, state: stateOpen, length: -1, born: uint32(c.age(c.now).Milliseconds())}
	s.patience = c.cfg.stall
	c.counts.streams++
	c.earn(LimitIgnored, 2) // there are peers that send PRIORITY for each
	s.window = flow.NewWindow(c.peer.initialWindow)
	s.credit = flow.NewCredit(c.mine.window(c.cfg))
	if fin {
		s.state = stateRemoteEnded
	}
	c.streams[id] = s
	if s.older = c.newest; s.older != nil {
		s.older.younger = s
	} else {
		c.oldest = s
	}
	c.newest = s
	c.timers.busy()
	return s
}

// age is how long ago the stream was opened, in steps of a millisecond.
func (s *coreStream) age(c *core) time.Duration {
	return time.Duration(uint32(c.age(c.now).Milliseconds())-s.born) * time.Millisecond
}

// why says why a stream is closed, nil if both sides ended.
func (s *coreStream) why() error {
	if s.state != stateClosed || s.blocks == nil {
		return nil
	}
	return s.blocks.err
}

// peerEnded notes the peer's END_STREAM.
func (c *core) peerEnded(s *coreStream) {
	switch s.state {
	case stateOpen:
		s.state = stateRemoteEnded
	case stateLocalEnded:
		c.close(s, goneEnded, nil)
	}
}

// weEnded notes our END_STREAM, written.
func (c *core) weEnded(s *coreStream) {
	switch s.state {
	case stateOpen:
		if s.state = stateLocalEnded; s.quiet {
			c.writeReset(s.id, NoError) // RFC 9113, 8.1: the rest of the request is not needed
			c.close(s, goneByUs, nil)
		} else if s.hushed {
			c.reset(s, NoError)
		} else if s.cut != NoError { // END_STREAM came with a field block, see giveUp
			c.reset(s, s.cut)
		}
	case stateRemoteEnded:
		c.close(s, goneEnded, nil)
	}
}

// close ends a stream: what it still had to send is dropped, and its owner is told once.
func (c *core) close(s *coreStream, how goneHow, err error) {
	if s.state == stateClosed {
		return
	}
	s.state = stateClosed
	c.dropQueue(s)
	c.held -= s.credit.Held()
	if err != nil {
		s.blocks = &blocks{err: err}
	}
	c.forget(s)
	c.gone.put(s.id, how)
	c.events.push(event{kind: evClosed, s: s, err: err})
	if len(c.streams) == 0 {
		c.timers.rest(c)
		c.follow()
	}
	c.chargeUnread(s)
}

func (c *core) forget(s *coreStream) {
	delete(c.streams, s.id)
	if s.older != nil {
		s.older.younger = s.younger
	} else {
		c.oldest = s.younger
	}
	if s.younger != nil {
		s.younger.older = s.older
	} else {
		c.newest = s.older
	}
	s.older, s.younger = nil, nil
}

// streamFault answers a fault with RST_STREAM; s is nil if the stream is not known (any more, or
// yet).
func (c *core) streamFault(id uint32, s *coreStream, code Code, rule, msg string) {
	if !c.chargeFault(s) {
		return
	}
	c.resetFor(id, s, code, rule, msg)
}

// resetFor is streamFault for what has been charged.
func (c *core) resetFor(id uint32, s *coreStream, code Code, rule, msg string) {
	c.noteKind("stream", code, rule)
	if s != nil && !s.answered && !s.tunnel {
		c.badRequest(id, code)
	}
	c.writeReset(id, code)
	if s != nil {
		c.close(s, goneByUs, &StreamError{ID: id, Code: code, Rule: rule, Msg: msg})
	}
}

// badRequest answers 400 in front of RST_STREAM(PROTOCOL_ERROR), on a stream that has no answer
// (RFC 9113, 8.1.1). Without one a client may make the same request again: Go's http.Transport does
// so, on a new connection each time, without end. Of a tunnel the stream error is all there is: no
// client asks for one again by itself.
func (c *core) badRequest(id uint32, code Code) {
	if code != ProtocolError || c.cfg.client {
		return
	}
	c.provoked(func() error {
		c.writeBlock(id, []hpack.HeaderField{
			statusField(400), {Name: "content-length", Value: "0"}, dateField(c.now),
		}, true)
		return nil
	})
}

// release gives back the credit of n octets that were received on s and are consumed.
func (c *core) release(s *coreStream, n int) {
	c.discard(s, n)
	if s.lack > 0 {
		c.consumed(s, n)
	}
}

// discard gives back the credit of n octets that were received on s and that nobody consumes.
func (c *core) discard(s *coreStream, n int) {
	if s.state != stateClosed && c.free(s, n) > 0 {
		c.announce(s)
	}
}

// withhold notes that n octets which were received on s are not kept any more. Nobody consumes
// them, and the peer gets no credit for them before the next discard.
func (c *core) withhold(s *coreStream, n int) {
	if s.state != stateClosed {
		c.free(s, n)
	}
}

// expect is release, and lets the peer send more octets ahead than its window, until the next call.
func (c *core) expect(s *coreStream, n, more int) {
	if s.state == stateClosed {
		return
	}
	c.free(s, n)
	if s.lack > 0 {
		c.consumed(s, n)
	}
	target := int64(max(int(s.want), c.mine.window(c.cfg))) + int64(more) // an int may have 32 bits
	inc := s.credit.Resize(int(min(target, flow.MaxWindow)))
	if inc += s.credit.Update(); s.state != stateRemoteEnded {
		c.sendCredit(s.id, inc)
	}
}

// grow lets the peer send window octets ahead on s, at least the initial window.
func (c *core) grow(s *coreStream, window int) {
	if s.state == stateClosed {
		return
	}
	s.want = int32(min(window, flow.MaxWindow))
	inc := s.credit.Resize(max(window, c.cfg.initialWindow))
	if s.state != stateRemoteEnded {
		c.sendCredit(s.id, inc)
	}
}

// reset gives a stream up. NoError is the quiet form: what is queued was said for good, so that it
// must not be cut with NO_ERROR.
func (c *core) reset(s *coreStream, code Code) {
	if s.state == stateClosed {
		return
	}
	if code == NoError && s.pending() {
		code = Cancel
	}
	c.writeReset(s.id, code)
	c.close(s, goneByUs, &StreamError{ID: s.id, Code: code})
}

// hush is the quiet end of a tunnel: what is queued was said for good and leaves first; then
// RST_STREAM(NO_ERROR) says that nothing more of the peer's is wanted, unless it has ended its
// side, and then END_STREAM is all there is to say.
func (c *core) hush(s *coreStream) {
	switch {
	case s.state == stateClosed || s.hushed:
	case !s.pending():
		c.reset(s, NoError)
	default:
		s.hushed, s.open, s.fin, s.held = true, !s.fin, true, false
		c.schedule(s)
	}
}

// hushes says that RST_STREAM(NO_ERROR) comes in the place of END_STREAM.
func (s *coreStream) hushes() bool { return s.hushed && s.open && s.state != stateRemoteEnded }

// giveUp is reset behind what is queued: it was said for good.
func (c *core) giveUp(s *coreStream, code Code) {
	if len(s.blocks.heads()) == 0 && (s.queued() == 0 || s.fin) {
		c.reset(s, code)
		return
	}
	s.cut, s.fin, s.held = code, true, false
	c.schedule(s)
}

// finish says that nothing of the request is needed any more: once the answer has left,
// RST_STREAM(NO_ERROR) follows unless the peer has ended its side (RFC 9113, 8.1).
func (c *core) finish(s *coreStream) {
	s.quiet = true
	if s.state == stateLocalEnded {
		c.writeReset(s.id, NoError)
		c.close(s, goneByUs, nil)
	}
}
