package websocket

import (
	"os"
	"time"

	"weir/wsframe"
)

// lingerTime is how long the peer has for its end after our close frame, and what is queued for
// leaving (BEHAVIOUR 4).
const lingerTime = 5 * time.Second

// clock is what the machine knows of time.
type clock struct {
	heard instant // the last octets, or the start
	*late         // nil while nothing of it is needed
}

// instant is a time in 8 octets: how long after the process began it is.
type instant time.Duration

func instantOf(t time.Time) instant { return instant(t.Sub(began)) }

func (i instant) time() time.Time { return began.Add(time.Duration(i)) }

// unsent is how many octets wait in the transport.
func (k *clock) unsent() int {
	if k.late == nil {
		return 0
	}
	return k.queued
}

// late is what an idle session need not know.
type late struct {
	queued   int     // octets that wait in the transport
	pinged   instant // our last ping; 0: none
	total    int64   // octets handed to the transport since some waited there
	progress instant // when queued last became smaller by sending, or began
	said     bool    // our close frame, or what stands for it, was handed to the transport
	finished bool    // so was our end
	waits    instant // how long our end waits, see wait
	linger   instant // when the quiet reset is due
}

// sent says that output was handed over at now, after which queued octets wait in the transport.
func (m *machine) sent(queued int, now time.Time) {
	k := &m.clock
	if k.late == nil {
		if queued == 0 && m.fate != fateFin {
			m.out.drop()
			return
		}
		k.late = new(late)
	}
	_, fin := m.output()
	gone := k.total - int64(k.queued)
	k.total += int64(m.out.octets())
	if k.queued == 0 || k.total-int64(queued) > gone {
		k.progress = instantOf(now)
	}
	if (k.queued == 0) != (queued == 0) {
		m.tell(Event{Kind: EventQueue, Bytes: queued})
	}
	k.queued = queued
	m.out.drop()
	if m.fate == fateFin && !k.said {
		k.said = true
		k.waits = instantOf(now.Add(m.wait.most()))
		k.linger = instantOf(now.Add(lingerTime))
	}
	if k.finished = k.finished || fin; queued == 0 && m.fate == fateOpen && (k.pinged == 0 || k.pinged < k.heard) {
		k.late = nil
	}
}

// lingers says that our close frame was handed over, and the peer has its time for its own end.
func (m *machine) lingers() bool { return m.fate == fateFin && m.clock.late != nil && m.clock.said }

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
	case m.lingers():
		sooner(k.linger.time())
		if m.wait != waitNone {
			sooner(k.waits.time())
		}
		return d
	case m.ended:
		return d
	}
	if by := m.idleBy(); !by.IsZero() {
		sooner(by)
	}
	if by := m.pingDue(); !by.IsZero() {
		sooner(by)
	}
	if by := m.sendBy(); !by.IsZero() {
		sooner(by)
	}
	return d
}

// sendBy is when what waits in the transport has waited too long, zero: never.
func (m *machine) sendBy() (by time.Time) {
	if d := or(m.opt.SendTimeout, DefaultSendTimeout, 0); d > 0 && m.clock.unsent() > 0 {
		by = m.clock.progress.time().Add(d)
	}
	return by
}

// idleBy is when nothing has been received for too long, zero: never. While a Conn's window is full
// it stands still (standStill).
func (m *machine) idleBy() (by time.Time) {
	if idle := m.settings().idle; idle > 0 && (m.active || !m.role.pieces) {
		by = m.clock.heard.time().Add(idle)
	}
	return by
}

// pingDue is when the next ping is due, zero: never. It is half of the idle timeout after the last
// octet at the latest: so a peer that lives can answer before it counts as idle.
func (m *machine) pingDue() (due time.Time) {
	wait := m.opt.PingInterval
	if wait <= 0 {
		return due
	}
	if idle := m.settings().idle; idle > 0 {
		wait = min(wait, idle/2)
	}
	t := m.clock.heard
	if m.clock.late != nil && m.clock.pinged != 0 {
		t = max(t, m.clock.pinged)
	}
	return t.time().Add(wait)
}

// tick does what is due at now. It may come late, early or twice. The transport's queue must have
// been told with sent before, for the send timeout looks at it.
func (m *machine) tick(now time.Time) {
	k := &m.clock
	switch {
	case !m.lingers():
	case now.Before(k.linger.time()):
		m.tickWait(now)
	default:
		m.fate = fateQuiet
	}
	if m.ended {
		return
	}
	if by := m.sendBy(); !by.IsZero() && !now.Before(by) {
		m.lost(NameTimedOut, os.ErrDeadlineExceeded, fateCut)
		return
	}
	if by := m.idleBy(); !by.IsZero() && !now.Before(by) {
		m.end(Reason{Kind: ReasonTimeout, Sent: m.sendClose(CloseNormalClosure, "")}, fateFin)
		return
	}
	if by := m.pingDue(); !by.IsZero() && !now.Before(by) {
		if k.late == nil {
			k.late = new(late)
		}
		k.pinged = instantOf(now)
		m.sendFrame(wsframe.Ping, nil, "")
	}
}
