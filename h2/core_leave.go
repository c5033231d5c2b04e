package h2

import (
	"time"

	"golang.org/x/net/http2"
)

// leaving is how far the end of the connection has come (RFC 9113, 6.8).
type leaving struct {
	step leaveStep
	last uint32    // leaveFinal: the last stream we take
	by   time.Time // leaveAsked: when the round trip counts as done
	peer bool      // the peer sent GOAWAY
}

type leaveStep uint8

const (
	leaveNot   leaveStep = iota
	leaveAsked           // GOAWAY(2^31-1) and a PING are out: streams the peer opens meanwhile are still taken
	leaveFinal           // GOAWAY with the last id is out
)

// roundTrip bounds the wait between the two GOAWAYs.
const roundTrip = time.Second

// leavePing is the payload of the PING between the two GOAWAYs.
const leavePing = "\x00weirbye"

// final says that the connection ends with its last stream.
func (l *leaving) final() bool { return l.step == leaveFinal || l.peer }

// beyond says that stream id came after our last GOAWAY and is to be ignored.
func (l *leaving) beyond(id uint32) bool { return l.step == leaveFinal && id > l.last }

func (l *leaving) pong(c *core, data [8]byte) {
	if l.step == leaveAsked && string(data[:]) == leavePing {
		c.leaveNow()
	}
}

// goAway asks the peer to leave: no new streams, those that are there go on.
func (c *core) goAway(now time.Time) {
	if c.err != nil || c.leave.step != leaveNot {
		return
	}
	c.now = now
	c.leave.step = leaveAsked
	c.leave.by = c.now.Add(roundTrip)
	c.writeGoAway(1<<31-1, NoError, "")
	c.must(c.fr.WritePing(false, [8]byte([]byte(leavePing))))
}

// leaveNow names the last stream.
func (c *core) leaveNow() {
	if c.err != nil || c.leave.step == leaveFinal {
		return
	}
	c.leave.step, c.leave.last = leaveFinal, c.maxID
	c.writeGoAway(c.peerID(), NoError, "")
}

// abandon gives every stream up and ends the connection.
func (c *core) abandon(now time.Time, err error) {
	if c.err != nil {
		return
	}
	c.now = now
	for s := c.oldest; s != nil; s = s.younger {
		c.writeReset(s.id, Cancel)
	}
	c.writeGoAway(c.peerID(), NoError, "")
	c.lost(err)
}

func (c *core) writeGoAway(last uint32, code Code, msg string) {
	c.must(c.fr.WriteGoAway(last, http2.ErrCode(code), []byte(msg)))
}

// peerLeaves takes the peer's GOAWAY: its streams go on, the connection ends with the last.
func (c *core) peerLeaves(f *http2.GoAwayFrame) {
	if c.leave.peer && !c.charge(LimitIgnored, 1) {
		return
	}
	c.leave.peer = true
	var err error
	if f.ErrCode != http2.ErrCodeNo {
		err = &ConnError{Code: Code(f.ErrCode), Msg: string(f.DebugData()[:min(len(f.DebugData()), 128)]), Remote: true}
	}
	if c.cfg.client {
		c.unprocessed(f.LastStreamID, err)
	}
	c.events.push(event{kind: evGoAway, err: err})
	c.follow()
}

// follow says GOAWAY behind the peer's, when the last stream has ended: the peer learns which were
// looked at, and the connection does not end without one (RFC 9113, 6.8).
func (c *core) follow() {
	if c.leave.peer && len(c.streams) == 0 {
		c.leaveNow()
	}
}
