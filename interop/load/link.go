package load

import (
	"errors"
	"fmt"
	"net"
)

type linkState uint8

const (
	linkIsNew linkState = iota
	linkDials
	linkIsUp
	linkIsDown
)

// link is one connection: what is to be written to it, and the sockets on it.
type link struct {
	e       *engine
	state   linkState
	slow    bool // read 1 KiB a second
	hasSlow bool // a socket of it is
	sockets []*socket
	out     outbox
	begun   int64 // when it was dialled
	group   int   // of HTTP/3: which connection it is a stream of
	h1      *h1Link
	h2      *h2Link
	handle  any  // the shell's
	kicked  bool // in the shell's list
}

// high is how many octets wait to be written at most before a link takes more frames.
const high = 256 << 10

var (
	errNoAnswer = errors.New("handshake: no answer in time")
	errLate     = errors.New("no answer in time")
	errLost     = errors.New("connection ended by the server without a close frame")
)

func newLink(e *engine) *link {
	l := &link{e: e}
	if e.cfg.HTTP2 {
		l.h2 = newH2(l)
	} else {
		l.h1 = new(h1Link)
	}
	return l
}

// open asks for a WebSocket.
func (l *link) open(s *socket, now int64) {
	s.state, s.asked = opening, now
	switch l.state {
	case linkIsNew:
		l.state, l.begun = linkDials, now
		if l.h2 != nil {
			l.h2.waiting = append(l.h2.waiting, s)
		}
		l.e.shell.dial(l)
	case linkDials:
		l.h2.waiting = append(l.h2.waiting, s)
	case linkIsUp:
		l.h2.waiting = append(l.h2.waiting, s)
		l.h2.openWaiting(now)
	case linkIsDown:
		s.fail(errLost)
	}
}

// linkUp is the shell's word that the connection stands.
func (l *link) linkUp(now int64) {
	if l.state != linkDials {
		return
	}
	l.state = linkIsUp
	switch {
	case l.h2 != nil:
		l.h2.start()
	case l.e.cfg.HTTP3: // the shell has had its answer
		l.h1.up = true
		l.sockets[0].opened(now)
	default:
		l.out.add(l.e.run.request)
	}
	l.e.shell.kick(l)
}

// linkDown ends the connection and what is left on it. The shell closes it.
func (l *link) linkDown(err error) {
	if l.state == linkIsDown {
		return
	}
	l.state = linkIsDown
	l.out = outbox{}
	for _, s := range l.sockets {
		if s.state == opening && l.e.phase == connecting && errors.Is(err, errLost) {
			s.fail(errors.New("handshake: " + err.Error()))
		} else {
			s.fail(err)
		}
	}
	l.e.shell.drop(l)
}

// feed takes what arrived.
func (l *link) feed(b []byte, now int64) {
	if l.state != linkIsUp {
		return
	}
	var err error
	if l.h2 != nil {
		err = l.h2.feed(b, now)
	} else {
		err = l.h1.feed(l, b, now)
	}
	if err != nil {
		l.linkDown(err)
	}
}

// ready says that a socket may have something to send.
func (l *link) ready(s *socket) {
	if l.h2 != nil {
		l.h2.ready(s)
	}
	l.e.shell.kick(l)
}

// pump moves what may be sent into the outbox.
func (l *link) pump() {
	if l.state != linkIsUp {
		return
	}
	if l.h2 != nil {
		l.h2.pump()
		return
	}
	limit := high
	if l.slow {
		limit = 4 << 10
	}
	for s := l.sockets[0]; l.out.n < limit && s.sendable(); {
		l.out.add(s.next())
	}
}

// control sends a frame of s besides its messages. Behind half a message it cannot: over HTTP/1.1
// there is none in the outbox, over HTTP/2 there may be.
func (l *link) control(s *socket, frame []byte) {
	if l.h2 != nil {
		s.h2.control = append(s.h2.control, frame...)
		l.h2.ready(s)
	} else {
		l.out.add(frame)
	}
	l.e.shell.kick(l)
}

// over says that nothing is left to wait for.
func (l *link) over() bool {
	for _, s := range l.sockets {
		if s.state != gone && s.state != fresh {
			return false
		}
	}
	return true
}

// close ends the connection.
func (l *link) close() {
	if l.state != linkIsDown && l.state != linkIsNew {
		l.state = linkIsDown
		l.e.shell.drop(l)
	}
}

// opened is the answer to a socket's handshake.
func (s *socket) opened(now int64) {
	if s.state != opening {
		return
	}
	e := s.e
	s.state = open
	e.opening--
	e.settled++
	e.everOpen++
	if !s.slow {
		e.openNow++
		_ = e.handshake.RecordValue(min(max(now-s.asked, lowest), highest))
	}
}

// fail ends a socket that was lost or broke the protocol.
func (s *socket) fail(err error) {
	e := s.e
	was := s.state
	if was == gone || was == fresh {
		return
	}
	s.state = gone
	s.link.retire(s, was)
	switch was {
	case opening:
		e.opening--
		e.settled++
	case open:
		if s.slow {
			break
		}
		e.openNow--
		e.lost++
		e.budget -= s.budget
		s.budget = 0
		e.lose(s)
	}
	if was == leaving || e.phase >= closing {
		return // it went in order
	}
	e.fail(err)
}

// lose takes what a socket still had to answer out of the account.
func (e *engine) lose(s *socket) {
	if e.phase != running && e.phase != resting {
		return
	}
	if e.cfg.Mode != Broadcast {
		e.inflight -= s.issued - s.received
		return
	}
	sp := e.speaker
	for last := sp.issued; s.received < last; s.received++ { // what the speaker issues meanwhile is without s
		e.inflight--
		if sp.starts != nil {
			e.missing(s.received%int64(len(sp.starts)), e.lastAnswer)
		}
	}
}

// goodbye closes a socket with 1000.
func (s *socket) goodbye() {
	if s.state != open {
		if s.state == opening {
			s.fail(errNoAnswer)
		}
		return
	}
	s.state = leaving
	if !s.slow {
		s.e.openNow--
	}
	if l := s.link; l.h2 != nil {
		l.h2.leave(s)
	} else {
		l.out.add(closeFrame)
	}
	s.link.e.shell.kick(s.link)
}

var closeFrame = appendFrame(nil, fin|opClose, []byte{1000 >> 8, 1000 & 0xff})

// retire is what a link does when a socket of it is over: HTTP/1.1 has nothing left.
func (l *link) retire(s *socket, was state) {
	if l.h2 != nil {
		l.h2.retire(s, was)
	} else if l.state != linkIsDown {
		l.state = linkIsDown
		l.e.shell.drop(l)
	}
}

// describe names what became of a connection, without the addresses in it, which are no two times
// the same.
func describe(doing string, err error) error {
	for {
		inner := errors.Unwrap(err)
		if _, ok := errors.AsType[*net.OpError](err); !ok || inner == nil {
			break
		}
		err = inner
	}
	if doing == "" {
		return err
	}
	return fmt.Errorf("%s %w", doing, err)
}
