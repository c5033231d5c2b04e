package websocket

import (
	"math"
	"sync"
	"time"
)

// scratch is what a runner needs while it runs, and an idle session has not.
type scratch struct {
	work  *work // nil: a session has kept it
	out   []byte
	cmds  Commands
	posts []any // taken from the mailbox, not handled yet
	watch watch
	plain []byte // see deflation
	text  []byte
	vec   [3][]byte
	lent  lent
	now   time.Time // when the turn began
}

// buffer is octets that wait in a mailbox.
type buffer struct {
	b     []byte
	posts []any
	err   error
}

// runner works a session off on a goroutine of its own, which starts without an allocation.
type runner struct {
	s   *Session
	run func() // work, made once
}

func takeRunner(s *Session) *runner {
	r, ok := runners.Get().(*runner)
	if !ok {
		r = new(runner)
		r.run = r.work
	}
	r.s = s
	return r
}

func (r *runner) work() {
	s := r.s
	r.s = nil
	runners.Put(r)
	s.work()
}

// keepOctets is the largest buffer that goes back into a pool: one message of the default
// MaxFrameSize fits.
const keepOctets = 1<<20 + 64<<10

// keepCommands is the longest list that goes back into a pool.
const keepCommands = 1024

var (
	scratches = sync.Pool{New: func() any { return &scratch{cmds: make(Commands, 0, 4)} }}
	buffers   = sync.Pool{New: func() any { return new(buffer) }}
	works     = sync.Pool{New: func() any { return new(work) }}
	runners   sync.Pool
)

func takeWork() *work { return works.Get().(*work) }

// free gives back what nothing is under way in; w may be nil.
func (w *work) free() {
	if w != nil {
		works.Put(w)
	}
}

func takeScratch() *scratch { return scratches.Get().(*scratch) }

// useScratch lends sc to the session, for as long as its turn is held or a callback of it runs.
func (s *Session) useScratch(sc *scratch) {
	s.sc = sc
	if s.m.work == nil {
		if sc.work == nil {
			sc.work = takeWork()
		}
		s.m.takeUp(sc.work)
		sc.work = nil
	}
	s.m.out.b = append(sc.out[:0], s.m.out.b...)
	if s.crewed || s.own { // which write large sends from where they stand
		s.m.out.place = &sc.lent
	}
	if d := s.m.deflation(); d != nil {
		d.plain, d.text = sc.plain, sc.text
	}
}

// dropScratch ends the loan of the scratch, and with it the output's buffer: everything in it has
// been handed over.
func (s *Session) dropScratch() *scratch {
	sc := s.sc
	sc.out, s.m.out.b, s.m.out.place, s.sc = s.m.out.b, nil, nil, nil
	sc.watch.on = false
	if d := s.m.deflation(); d != nil {
		sc.plain, sc.text = d.plain, d.text
		d.plain, d.text = nil, nil
	}
	if w := s.m.layDown(); sc.work == nil {
		sc.work = w
	} else {
		w.free()
	}
	return sc
}

func (sc *scratch) free() {
	if cap(sc.out) > keepOctets {
		sc.out = nil
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

// keep lets go of what applied commands borrowed. A handler that needed more room than the list had
// gets a longer one next time; its own slices are never kept.
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
	if b == nil || cap(b.b) > keepOctets || cap(b.posts) > keepCommands {
		return
	}
	clear(b.posts)
	b.b, b.posts, b.err = b.b[:0], b.posts[:0], nil
	buffers.Put(b)
}

// room is the octets of one message that comes in pieces.
type room struct {
	b     []byte
	class int // of the pool it came from, -1: of none
}

// rooms are the sizes of room, and messageRooms their pools.
var rooms = [...]int{1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20}

var messageRooms [len(rooms)]sync.Pool

// takeRoom gives room for need octets, which have arrived, of announced ones in all, as far as that
// is known. A new one is at most twice as large as need, and from 4 KiB on four times, so that a
// large message is not moved often; one that is there anyway may have room for all that was
// announced. most is the largest message, 0: any.
func takeRoom(need int, announced, most int64) *room {
	class := roomClass(int64(need))
	if class == len(rooms) {
		n := min(2*int64(need), math.MaxInt) // an int may have 32 bits
		if most >= int64(need) {
			n = min(n, most)
		}
		return &room{b: make([]byte, 0, n), class: -1}
	}
	if need >= worthMoving {
		if all := roomClass(announced); all > class && all < len(rooms) {
			if r := messageRooms[all].Get(); r != nil {
				return r.(*room)
			}
		}
		for class+1 < len(rooms) && rooms[class+1] <= 4*need && int64(rooms[class]) < announced {
			class++
		}
	}
	if r := messageRooms[class].Get(); r != nil {
		return r.(*room)
	}
	return &room{b: make([]byte, 0, rooms[class]), class: class}
}

// worthMoving is how much of a message is not moved more often than need be.
const worthMoving = 4 << 10

// roomClass is that of the smallest room for n octets; len(rooms): there is none.
func roomClass(n int64) (class int) {
	for class < len(rooms) && int64(rooms[class]) < n {
		class++
	}
	return class
}

// octets are what is in it; r may be nil.
func (r *room) octets() []byte {
	if r == nil {
		return nil
	}
	return r.b
}

// free gives a room back; r may be nil. Nobody may look at its octets any more.
func (r *room) free() {
	if r != nil && r.class >= 0 {
		messageRooms[r.class].Put(r)
	}
}
