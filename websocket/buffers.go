package websocket

import "sync"

// scratch is what a runner needs while it runs, and an idle session has not.
type scratch struct {
	out   []byte
	msg   []byte // see input.spare
	cmds  Commands
	plain []byte // see deflation
	text  []byte
}

// buffer is octets that wait in a mailbox.
type buffer struct{ b []byte }

// keepOctets is the largest buffer that goes back into a pool.
const keepOctets = 256 << 10

// keepMessage is that for messages: the largest there is by default.
const keepMessage = 2 << 20

// keepCommands is the longest list that goes back into a pool.
const keepCommands = 1024

var (
	scratches = sync.Pool{New: func() any { return &scratch{cmds: make(Commands, 0, 4)} }}
	buffers   = sync.Pool{New: func() any { return new(buffer) }}
)

func takeScratch() *scratch { return scratches.Get().(*scratch) }

// useScratch lends sc to the session, for as long as its turn is held or a callback of it runs.
func (s *Session) useScratch(sc *scratch) {
	s.sc = sc
	s.m.out.b, s.m.input.spare = sc.out[:0], sc.msg
	if d := s.m.deflate; d != nil {
		d.plain, d.text = sc.plain, sc.text
	}
}

// dropScratch ends the loan of the scratch, and with it the output's buffer: everything in it has been handed over.
func (s *Session) dropScratch() *scratch {
	sc := s.sc
	sc.out, s.m.out.b, s.sc = s.m.out.b, nil, nil
	sc.msg, s.m.input.spare = s.m.input.spare, nil
	if d := s.m.deflate; d != nil {
		sc.plain, sc.text = d.plain, d.text
		d.plain, d.text = nil, nil
	}
	return sc
}

func (sc *scratch) free() {
	if cap(sc.out) > keepOctets {
		sc.out = nil
	}
	if cap(sc.msg) > keepMessage {
		sc.msg = nil
	}
	if cap(sc.plain) > keepOctets {
		sc.plain = nil
	}
	if cap(sc.text) > keepOctets {
		sc.text = nil
	}
	if cap(sc.cmds) > keepCommands {
		sc.cmds = make(Commands, 0, 4)
	}
	scratches.Put(sc)
}

// keep lets go of what applied commands borrowed. A handler that needed more room than the list had gets a longer one
// next time; its own slices are never kept.
func (sc *scratch) keep(cmds Commands) {
	if len(cmds) == 0 {
		return
	}
	if len(cmds) > cap(sc.cmds) {
		sc.cmds = make(Commands, 0, 2*len(cmds))
		return
	}
	clear(sc.cmds[:min(len(cmds), cap(sc.cmds))])
}

func takeBuffer() *buffer { return buffers.Get().(*buffer) }

func (b *buffer) free() {
	if b == nil || cap(b.b) > keepOctets {
		return
	}
	b.b = b.b[:0]
	buffers.Put(b)
}
