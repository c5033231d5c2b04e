package websocket

import (
	"time"

	"weir/upgrade"
	"weir/wsframe"
)

// apply does what a callback wants, in order. A command that cannot be sent is a crash of the handler, and none of
// the list's frames leaves (BEHAVIOUR 3).
func (m *machine) apply(cmds Commands, now time.Time) {
	if m.ended {
		return
	}
	for i := range cmds {
		c := &cmds[i]
		if err := c.check(); err != nil {
			m.crash(upgrade.ClassError, err)
			return
		}
		if c.kind == cmdClose || c.kind == cmdStop {
			break
		}
	}
	for i := range cmds {
		if m.applyOne(&cmds[i], now); m.ended {
			return
		}
	}
}

func (m *machine) applyOne(c *Command, now time.Time) {
	switch c.kind {
	case cmdFrame:
		m.out.frame(c.op, c.data, c.text)
		if !c.op.IsControl() {
			m.stats.Out.add(len(c.data) + len(c.text))
		}
	case cmdClose:
		m.out.close(c.code, c.text)
		m.end(Reason{Kind: upgrade.Stop}, fateFin)
	case cmdStop:
		m.out.close(wsframe.NormalClosure, "")
		m.end(Reason{Kind: upgrade.Stop}, fateFin)
	case cmdActive:
		m.active = c.flag
	case cmdSetOptions:
		m.change(c.val.(Changes), now)
	case cmdShutdownReason:
		m.shutdown = c.val
	}
}

func (m *machine) change(c Changes, now time.Time) {
	if c.IdleTimeout != 0 {
		m.set.idle = or(c.IdleTimeout, 0, 0)
		m.clock.heard = now
	}
	if c.MaxFrameSize != 0 {
		m.input.rd.MaxFrameSize = or(c.MaxFrameSize, 0, 0)
	}
}

// check says why a command cannot be sent.
func (c *Command) check() error {
	switch {
	case c.kind == cmdClose:
		return wsframe.CheckClose(c.code, c.text)
	case c.kind == cmdFrame && c.op.IsControl() && len(c.data)+len(c.text) > 125:
		return &wsframe.Error{Code: wsframe.ProtocolError, Rule: "RFC 6455, 5.5", Msg: "control frame over 125 octets"}
	}
	return nil
}
