package websocket

import (
	"time"

	"weir/wsframe"
)

// wait is what our end (END_STREAM, FIN) waits for behind our close frame (BEHAVIOUR 4). There are
// proxies that give a stream up as soon as its server has ended it, and lose what came before.
type wait uint8

const (
	waitNone   wait = iota // it leaves with the close frame
	waitClose              // the peer's close frame, or its end: we close first
	waitEnd                // the peer's end: nothing behind a fault is looked at (RFC 6455, 7.1.7)
	waitServer             // the server's end: a client on HTTP/1.1 (RFC 6455, 7.1.1)
)

const (
	// closeTime is how long our end waits for the peer's close frame.
	closeTime = time.Second
	// faultTime is how long it waits for the peer's end where nothing is looked at any more.
	faultTime = 250 * time.Millisecond
)

// most is how long the wait lasts at most.
func (w wait) most() time.Duration {
	switch w {
	case waitClose:
		return closeTime
	case waitEnd:
		return faultTime
	}
	return lingerTime
}

// waitOf says what our end waits for when the machine ends for r.
func (m *machine) waitOf(r *Reason) wait {
	switch {
	case m.input.fin:
		return waitNone
	case m.role.keepOpen:
		return waitServer
	}
	switch r.Kind {
	case ReasonStop, ReasonTimeout:
		return waitClose
	case ReasonRemote:
		return waitNone
	}
	return waitEnd
}

// skip passes over frames by their headers, and looks for the peer's close frame alone. A header
// that is bad is the end of the search: what comes behind it cannot be told apart.
func (m *machine) skip(b []byte) {
	for rd := &m.input.rd; m.wait == waitClose && len(b) > 0; {
		ev, n, err := rd.Next(b)
		if err != nil || ev.End && ev.Op == wsframe.Close {
			m.wait = waitNone
			return
		}
		b = b[n:]
	}
}

// phase is the one of the session.
func (m *machine) phase() int32 {
	switch {
	case !m.ended:
		return phaseOpen
	case m.wait == waitClose:
		return phaseOver
	}
	return phaseDeaf
}

// tickWait ends a wait that has lasted too long at now. While the close frame is queued in the
// transport the wait begins anew, as long as some of the linger time is left for our end: what a
// slow peer gets late is not followed by it at once either.
func (m *machine) tickWait(now time.Time) {
	k := &m.clock
	if m.wait == waitNone || now.Before(k.waits.time()) {
		return
	}
	last := k.linger - instant(faultTime)
	if k.waits = min(instantOf(now.Add(m.wait.most())), last); k.queued == 0 || instantOf(now) >= last {
		m.wait = waitNone
	}
}
