package websocket

import (
	"time"

	"weir/wsframe"
)

// apply does what a callback wants, in order. A command that cannot be sent is a crash of the
// handler, and none of the list's frames leaves (BEHAVIOUR 3).
func (m *machine) apply(cmds Commands, now time.Time) {
	if m.ended {
		return
	}
	if err := cmds.check(); err != nil {
		m.crash(ClassError, err)
		return
	}
	for i := range cmds {
		if m.applyOne(&cmds[i], now); m.ended {
			return
		}
	}
}

func (m *machine) applyOne(c *Command, now time.Time) {
	switch c.kind {
	case CommandFrame, CommandPrepared:
		if p, ok := c.val.(*Prepared); ok {
			m.prepared(p)
		} else {
			m.message(wsframe.Opcode(c.op), c.data, c.text)
		}
		if n := c.length(); !c.op.isControl() {
			m.stats.Out.add(int64(n))
			m.tellMessage(true, c.op, m.deflation().wants(wsframe.Opcode(c.op), n), int64(n))
		}
	case commandFragment:
		m.fragment(wsframe.Opcode(c.op), c.data, c.flag)
	case CommandClose:
		m.end(Reason{Kind: ReasonStop, Sent: m.sendClose(c.code, c.text)}, fateFin)
	case CommandStop:
		m.end(Reason{Kind: ReasonStop, Sent: m.sendClose(CloseNormalClosure, "")}, fateFin)
	case CommandActive:
		m.setActive(c.flag)
	case CommandDeflate:
		if d := m.deflation(); d != nil {
			d.on = c.flag
		}
	case CommandSetOptions:
		m.change(c.val.(Changes), now)
	case CommandShutdownReason:
		v := c.val
		m.one().shutdown = &v
	}
}

func (m *machine) setActive(on bool) {
	if m.active == on {
		return
	}
	m.active = on
	kind := EventPause
	if on {
		kind = EventResume
	}
	m.tell(Event{Kind: kind})
}

// standStill ends the delivery of what arrives, to a Conn whose window is full. The idle timeout
// stands still meanwhile: the peer cannot be heard, be it ever so alive (BEHAVIOUR 6).
func (m *machine) standStill(now time.Time) {
	if m.active {
		m.one().still = instantOf(now)
		m.setActive(false)
	}
}

// goOn is for a Conn that was read far enough.
func (m *machine) goOn(now time.Time) {
	if !m.active {
		m.clock.heard += instantOf(now) - max(m.clock.heard, m.few.still)
		m.setActive(true)
	}
}

func (m *machine) change(c Changes, now time.Time) {
	set := m.settings()
	if c.IdleTimeout != 0 {
		set.idle = or(c.IdleTimeout, 0, 0)
		m.clock.heard = instantOf(now)
	}
	if c.MaxFrameSize != 0 {
		set.limit = or(c.MaxFrameSize, 0, 0)
	}
	m.one().changed = &set
	m.furnish()
}

// length is the payload's, of a frame.
func (c *Command) length() int {
	if p, ok := c.val.(*Prepared); ok {
		return len(p.payload)
	}
	return len(c.data) + len(c.text)
}

// check says why a list cannot be applied. What follows a Close or Stop is dropped anyway. (It is
// small enough to be inlined.)
func (cmds Commands) check() error {
	for i := range cmds {
		if last, err := cmds[i].judge(); last {
			return err
		}
	}
	return nil
}

// check says why a command cannot be sent.
func (c *Command) check() error {
	_, err := c.judge()
	return err
}

// judge says why a command cannot be sent. last: nothing behind it in its list is looked at.
func (c *Command) judge() (last bool, err error) {
	switch c.kind {
	case CommandFrame, CommandPrepared:
		err = checkFrame(wsframe.Opcode(c.op), c.length())
	case CommandClose:
		return true, wsframe.CheckClose(wsframe.CloseCode(c.code), c.text)
	case CommandStop:
		return true, nil
	}
	return err != nil, err
}

// checkFrame says why a frame with n octets of payload cannot be a command.
func checkFrame(op wsframe.Opcode, n int) error {
	switch {
	case !op.Known() || op == wsframe.Continuation || op == wsframe.Close:
		return &wsframe.Error{Code: wsframe.InternalError, Rule: "RFC 6455, 5.2", Msg: "no frame type that a handler sends: " + op.String()}
	case op.IsControl() && n > wsframe.MaxControl:
		return &wsframe.Error{Code: wsframe.InternalError, Rule: "RFC 6455, 5.5", Msg: "control frame over 125 octets"}
	}
	return nil
}
