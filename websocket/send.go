package websocket

import "errors"

// Send has commands applied as if a callback had returned them: in order, with their frames leaving
// in one write. It may be called from any goroutine and by any handler, with Info or without. It
// never waits: the commands take their turn among what Post has posted, and count as one message of
// Options.Backlog.
//
// Payloads are copied before Send returns: they are the caller's to change. A payload that is
// large, or that many sessions get, is better sent with SendPrepared, which copies nothing.
//
// An error says that none of the commands will be applied: ErrEnded and ErrBacklog as Post gives
// them, or what is wrong with a command that cannot be sent, such as Close(1006, ""). The session
// goes on then. (A callback that returns such a command crashes: nobody else could be told.) That
// Send gave no error does not say that the peer got anything: the session may end before.
//
// A Conn has methods of its own for its messages and its reading, so Text, Binary, SendPrepared and
// Active are an error for its session. Ping, Pong, Close and the others are not.
func (s *Session) Send(cmds ...Command) error {
	if s.never() {
		return errNever
	}
	if err := Commands(cmds).check(); err != nil {
		return err
	}
	if s.m.role.pieces {
		for i := range cmds {
			if cmds[i].ofConn() {
				return errOfConn
			}
		}
	}
	return s.post(own(cmds))
}

var errOfConn = errors.New("websocket: messages and reading of a Conn are its own methods' affair")

// ofConn says that c would cross what a Conn does: a message that it has begun, or its reading.
func (c *Command) ofConn() bool {
	switch c.kind {
	case CommandFrame, CommandPrepared:
		return !c.op.isControl()
	}
	return c.kind == CommandActive
}

// sent is what Send posts: commands that borrow nothing.
type sent struct {
	cmds Commands
	one  [1]Command // room for most
}

// own copies commands with their payloads.
func own(cmds Commands) *sent {
	n := 0
	for i := range cmds {
		n += len(cmds[i].data)
	}
	s := new(sent)
	s.cmds = append(s.one[:0], cmds...)
	room := make([]byte, 0, n)
	for i := range s.cmds {
		if c := &s.cmds[i]; c.data != nil {
			from := len(room)
			room = append(room, c.data...)
			c.data = room[from:len(room):len(room)]
		}
	}
	return s
}

// applySent applies what Send has posted. With turn held. A limit of a Conn's messages is its own
// affair: the session has them in pieces.
func (s *Session) applySent(cmds Commands) {
	if h, ok := s.h.(*connHandler); ok {
		for i := range cmds {
			if c, ok := cmds[i].val.(Changes); ok && cmds[i].kind == CommandSetOptions && c.MaxFrameSize != 0 {
				(*Conn)(h).SetReadLimit(c.MaxFrameSize)
			}
		}
	}
	s.m.apply(cmds, s.after(cmds))
	if s.m.out.lent != nil {
		s.flush()
	}
}
