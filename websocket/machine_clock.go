package websocket

import (
	"os"
	"time"

	"weir/upgrade"
	"weir/wsframe"
)

// lingerTime is how long the peer has for its end after ours, and what is queued for leaving (BEHAVIOUR 4).
const lingerTime = 5 * time.Second

// clock is what the machine knows of time.
type clock struct {
	heard    time.Time // the last octets, or the start
	pinged   time.Time // our last ping
	unsent   int       // octets that wait in the transport
	total    int64     // octets handed to the transport
	progress time.Time // when unsent last became smaller by sending, or began
	said     bool      // our close frame, or what stands for it, was handed to the transport
	finished bool      // so was our end
	linger   time.Time // when the quiet reset is due
}

// sent says that output was handed over at now, after which queued octets wait in the transport.
func (m *machine) sent(queued int, now time.Time) {
	_, fin := m.output()
	k := &m.clock
	gone := k.total - int64(k.unsent)
	k.total += int64(m.out.octets())
	if k.unsent == 0 || k.total-int64(queued) > gone {
		k.progress = now
	}
	if (k.unsent == 0) != (queued == 0) {
		m.tell(Event{Kind: EventQueue, Bytes: queued})
	}
	k.unsent = queued
	m.out.drop()
	if m.fate == fateFin && !k.said {
		k.said = true
		k.linger = now.Add(lingerTime)
	}
	k.finished = k.finished || fin
}

// deadline is when tick wants to be called; zero: never.
func (m *machine) deadline() time.Time {
	var d time.Time
	sooner := func(t time.Time) {
		if d.IsZero() || t.Before(d) {
			d = t
		}
	}
	k := &m.clock
	switch {
	case m.fate == fateFin && k.said:
		return k.linger
	case m.ended:
		return d
	}
	if m.set.idle > 0 {
		sooner(k.heard.Add(m.set.idle))
	}
	if m.set.ping > 0 {
		sooner(m.pingDue())
	}
	if m.set.send > 0 && k.unsent > 0 {
		sooner(k.progress.Add(m.set.send))
	}
	return d
}

func (m *machine) pingDue() time.Time {
	if t := m.clock.heard; m.clock.pinged.Before(t) {
		return t.Add(m.set.ping)
	}
	return m.clock.pinged.Add(m.set.ping)
}

// tick does what is due at now. It may come late, early or twice. The transport's queue must have been told with sent
// before, for the send timeout looks at it.
func (m *machine) tick(now time.Time) {
	k := &m.clock
	if m.fate == fateFin && k.said && !now.Before(k.linger) {
		m.fate = fateQuiet
	}
	if m.ended {
		return
	}
	if m.set.send > 0 && k.unsent > 0 && !now.Before(k.progress.Add(m.set.send)) {
		m.lost(upgrade.TimedOut, os.ErrDeadlineExceeded, fateCut)
		return
	}
	if m.set.idle > 0 && !now.Before(k.heard.Add(m.set.idle)) {
		m.sendClose(wsframe.NormalClosure, "")
		m.end(Reason{Kind: upgrade.Timeout}, fateFin)
		return
	}
	if m.set.ping > 0 && !now.Before(m.pingDue()) {
		k.pinged = now
		m.sendFrame(wsframe.Ping, nil, "")
	}
}
