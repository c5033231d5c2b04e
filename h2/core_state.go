package h2

import "golang.org/x/net/http2"

// state is that of a stream (RFC 9113, 5.1), with closed split by how it came about: that decides what may still arrive.
type state uint8

const (
	stateIdle state = iota
	stateOpen
	stateLocalEnded  // half-closed (local): we have sent END_STREAM
	stateRemoteEnded // half-closed (remote): the peer has sent END_STREAM
	stateClosed      // over, and still known; its way is in the memory of gone streams

	// The states of streams that are no longer known, by how they went.
	stateGoneEnded  // both sides have sent END_STREAM
	stateGoneReset  // the peer has reset it
	stateGoneByUs   // we have reset or refused it: what the peer sent before it knew still arrives
	stateGoneLong   // so long ago that nobody knows
	stateGoneUnused // skipped: its id is below one that was opened
	stateBeyond     // over the last stream of our GOAWAY: nothing about it matters (RFC 9113, 6.8)
	states
)

// verdict is what becomes of a frame.
type verdict uint8

const (
	take        verdict = iota + 1
	drop                // read and forget: HPACK and flow control still count it
	faultStream         // stream error STREAM_CLOSED
	faultClosed         // connection error STREAM_CLOSED
	faultConn           // connection error PROTOCOL_ERROR
)

// row is a frame type of a stream.
type row uint8

const (
	rowData row = iota
	rowHeaders
	rowReset
	rowWindow
	rows
)

// verdicts is RFC 9113, 5.1 (and 5.1.1 for HEADERS that would open a stream again) as a table. PRIORITY may come for any
// stream and is not in it.
var verdicts = [states][rows]verdict{
	//                 DATA         HEADERS      RST_STREAM WINDOW_UPDATE
	stateIdle:        {faultConn, take, faultConn, faultConn},
	stateOpen:        {take, take, take, take},
	stateLocalEnded:  {take, take, take, take},
	stateRemoteEnded: {faultStream, faultStream, take, take},
	stateClosed:      {drop, drop, drop, drop},
	stateGoneEnded:   {faultClosed, faultClosed, drop, drop},
	stateGoneReset:   {faultStream, faultStream, drop, drop},
	stateGoneByUs:    {drop, drop, drop, drop},
	stateGoneLong:    {faultStream, faultConn, drop, drop},
	stateGoneUnused:  {faultConn, faultConn, drop, drop},
	stateBeyond:      {drop, drop, drop, drop},
}

// stateOf is the state of a stream, known or not.
func (c *core) stateOf(id uint32, s *coreStream) state {
	switch {
	case s != nil:
		return s.state
	case !c.cfg.client && c.leave.beyond(id):
		return stateBeyond
	case id%2 == 0 || id > c.maxID: // a client never opens an even one (RFC 9113, 5.1.1)
		return stateIdle
	}
	if st := c.gone.state(id); st != stateGoneLong || !c.cfg.client {
		return st
	}
	return stateGoneByUs // it was ours, and answers to what we gave up may come as late as they like
}

// judge says what becomes of a frame on stream id.
func (c *core) judge(id uint32, s *coreStream, r row) verdict {
	st := c.stateOf(id, s)
	if r == rowHeaders && (id%2 == 0 || c.cfg.client && st == stateIdle) {
		return faultConn
	}
	return verdicts[st][r]
}

// stateFault ends the connection for a frame in a state that does not allow it.
func (c *core) stateFault(v verdict) {
	if v == faultClosed {
		c.fail(StreamClosed, "RFC 9113, 5.1", "a frame on a closed stream")
		return
	}
	c.fail(ProtocolError, "RFC 9113, 5.1.1", "a frame on a stream that cannot have it")
}

// goneRing remembers the latest streams that are over, so that what still arrives for them is told apart.
type goneRing struct {
	*goneStreams // nil: there were none
	n            int
}

type goneStreams struct {
	ids [128]uint32
	how [128]goneHow
}

type goneHow uint8

const (
	goneEnded goneHow = iota
	goneReset
	goneByUs
)

func (g *goneRing) put(id uint32, how goneHow) {
	if g.goneStreams == nil {
		g.goneStreams = new(goneStreams)
	}
	g.ids[g.n%len(g.ids)], g.how[g.n%len(g.ids)] = id, how
	g.n++
}

func (g *goneRing) state(id uint32) state {
	if g.n == 0 {
		return stateGoneUnused
	}
	for i, have := range &g.ids {
		if have == id {
			return stateGoneEnded + state(g.how[i])
		}
	}
	if g.n < len(g.ids) {
		return stateGoneUnused // every stream that ever was is known
	}
	return stateGoneLong
}

// rstStream takes the peer's RST_STREAM (RFC 9113, 6.4).
func (c *core) rstStream(id uint32, code Code) {
	s := c.streams[id]
	switch v := c.judge(id, s, rowReset); v {
	case take:
		if c.chargeReset(s) {
			c.close(s, goneReset, &StreamError{ID: id, Code: code, Remote: true})
		}
	case drop:
		c.charge(LimitIgnored, 1)
	default:
		c.stateFault(v)
	}
}

// ping answers (RFC 9113, 6.7); the answer to our own ends the first step of a GOAWAY.
func (c *core) ping(f *http2.PingFrame) {
	switch {
	case f.IsAck():
		if !c.trip.pong(f.Data, c.now) && c.charge(LimitIgnored, 1) {
			c.leave.pong(c, f.Data)
		}
	case c.charge(LimitPings, 1):
		c.provoked(func() error { return c.fr.WritePing(true, f.Data) })
	}
}
