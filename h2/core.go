package h2

import (
	"time"

	"weir/flow"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// core is one HTTP/2 connection as a pure machine, the server's side of it or the client's. It owns no socket, clock, lock or goroutine:
//
//	feed    octets that arrived, lent until next has said that there is nothing more
//	next    what follows from them, one event at a time
//	…       what the user wants: answer, send, release, reset, goAway (core_user.go)
//	swap    the octets to write
//	deadline, tick: the only notion of time besides the now of feed
//
// After every call the connection is in order: whoever serialises the calls may interleave them freely, so that sinks run
// between two calls of next without a lock.
type core struct {
	cfg   coreConfig
	began time.Time // a little before the first now
	now   time.Time

	// In.
	preface int    // octets of the client preface still to come
	in      []byte // fed, not parsed; lent
	rest    []byte // the beginning of a frame or of its header, kept from earlier feeds
	framed  bool   // head is the header of a frame whose payload has not been taken
	head    http2.FrameHeader
	skip    int // octets of payload nobody wants
	data    dataIn
	block   blockIn
	reader  octets
	fr      *http2.Framer // parses payloads from reader, writes into out
	hdec    *hpack.Decoder
	credit  flow.Credit // of the connection: what the peer may send
	held    int         // octets that wait on the streams, either way, see core_memory.go
	queues  int         // those of them that wait to be sent
	granted int         // octets that the windows of bodies have grown by, see growth
	trip    trip
	events  queue

	// Streams.
	streams map[uint32]*coreStream
	oldest  *coreStream // of streams, in the order they were opened
	newest  *coreStream
	maxID   uint32 // the highest stream the client has opened
	gone    goneRing

	// Out.
	out      []byte  // frames to write, in wire order
	lent     []piece // octets that belong into out, and stay where they are
	control  int     // octets of out that are answers the peer provoked
	turn     uint32  // how often swap was called: out is the write that comes next
	written  uint32  // the turn up to which all is written
	copied   uint32  // the turn up to which nothing of a loan is needed any more
	dataTurn uint32  // of the write that the last DATA belongs to
	window   flow.Window
	loans    []loan
	portion  int        // octets of a loan in one write, see pump
	sched    *scheduler // of streams with something that can leave; nil: there was none yet
	blocked  ring       // streams that wait for the connection's window alone
	hbuf     appender
	henc     *hpack.Encoder
	spare    []byte // one empty send queue, kept for the next stream that needs one

	peer   peerSettings
	mine   mySettings
	leave  leaving
	timers timers
	stalls stalls
	keep   keepalive

	budgets [rates]budget
	counts  counts
	kinds   []string // of errors, for whoever counts them
	trace   *tracer  // nil: nobody traces

	err error // why the connection is over; nothing is parsed any more
}

// coreConfig is what the core needs to know; all of it is set.
type coreConfig struct {
	client          bool // the role; fields that say so are for one of the two
	connect         bool // ENABLE_CONNECT_PROTOCOL
	plainConnect    bool // CONNECT without :protocol reaches the handler
	maxStreams      int
	maxHeaderList   int
	maxHeaderFields int
	maxFrame        int
	initialWindow   int
	connWindow      int
	maxWindow       int           // what the window of a body grows to that is being read; negative: it does not
	maxConnWindow   int           // what the connection's grows to, and by how much those of all bodies may grow
	idle            time.Duration // 0: none
	handshake       time.Duration // for the preface, the first SETTINGS, the ACK of ours, and each header block; 0: none
	stall           time.Duration // an answer of which nothing can be sent is given up after it; 0: never, but for hold
	hold            time.Duration // the same, while more than holdFree octets of the connection wait; 0: never
	blockFrames     int           // HEADERS and CONTINUATIONs of one block; 0: any
	memory          int           // octets that may wait on all streams, either way; 0: any
	unread          int           // octets of answers that the peer provoked and does not read; 0: any
	rates           [rates]int    // in 10 s; 0: any
	pingInterval    time.Duration // without an octet from the peer for so long it is sent a PING; 0: never
	pingTimeout     time.Duration // without an octet for so long after it the connection is lost
	decoderTable    int           // octets of HPACK's table for what the peer sends
	encoderTable    int           // octets of HPACK's table for what we send
	kinds           bool          // somebody counts kinds of errors
}

// newCore begins a connection: the first octets out are our SETTINGS. greeted: the client preface has been read.
func newCore(cfg coreConfig, greeted bool, trace *tracer, now time.Time) *core {
	c := &core{cfg: cfg, began: now.Add(-1), now: now, trace: trace, preface: len(http2.ClientPreface), streams: map[uint32]*coreStream{},
		credit: flow.NewCredit(flow.DefaultWindow), window: flow.NewWindow(flow.DefaultWindow)}
	if greeted || cfg.client {
		c.preface = 0
	}
	c.fr = http2.NewFramer(&outWriter{c}, &c.reader)
	c.fr.AllowIllegalReads = true // the order of frames is checked here, with its rule
	c.hdec = hpack.NewDecoder(initialTable, c.field)
	c.hdec.SetAllowedMaxDynamicTableSize(uint32(max(cfg.decoderTable, initialTable)))
	c.hdec.SetMaxStringLength(2 * cfg.maxHeaderList) // as much as a block may have: a field over the limit is answered with 431
	c.henc = hpack.NewEncoder(&c.hbuf)
	c.henc.SetMaxDynamicTableSizeLimit(uint32(cfg.encoderTable))
	c.peer = peerSettings{initialWindow: flow.DefaultWindow, maxFrame: 16384, maxStreams: unnamedStreams}
	c.stalls.least = cfg.stall
	c.portion = largeCopy
	c.timers.start(c)
	c.keep.heardAt(now)
	c.sendSettings()
	return c
}

// age is how old the connection is at t: a time in 8 octets, and never 0.
func (c *core) age(t time.Time) time.Duration { return t.Sub(c.began) }

// outWriter is where the Framer writes.
type outWriter struct{ c *core }

func (w *outWriter) Write(b []byte) (int, error) {
	w.c.countOut(headOf(b), b[9:]) // the Framer writes frame by frame
	w.c.out = append(w.c.out, b...)
	return len(b), nil
}

// appender is where the HPACK encoder writes.
type appender struct{ b []byte }

func (a *appender) Write(b []byte) (int, error) {
	a.b = append(a.b, b...)
	return len(b), nil
}

// feed takes what arrived. b is lent until next returns false; payloads are given out as parts of it.
func (c *core) feed(b []byte, now time.Time) {
	c.now = now
	c.in = b
	c.keep.heardAt(now)
}

// next gives the next event. ev.data points into what was fed and ev.req.fields into the core, until the next call.
// False: nothing more until something is fed or done.
func (c *core) next() (ev event, ok bool) {
	c.block.forget()
	for {
		if ev, ok := c.events.pop(); ok {
			return ev, true
		}
		if c.err != nil {
			c.in = nil
			return event{}, false
		}
		if !c.parse() {
			c.in, c.reader.b = nil, nil // looked at to the end
			return event{}, false
		}
	}
}

// pop gives an event that is waiting, without parsing: for whoever did something to the connection beside its reader.
func (c *core) pop() (event, bool) { return c.events.pop() }

// fail ends the connection for a fault: GOAWAY, and every stream is told.
func (c *core) fail(code Code, rule, msg string) {
	c.end(&ConnError{Code: code, Rule: rule, Msg: msg})
}

func (c *core) end(err *ConnError) {
	if c.err != nil {
		return
	}
	if err.Limit != 0 {
		c.counts.hit(err.Limit)
	}
	c.noteKind("conn", err.Code, err.Rule)
	c.writeGoAway(c.peerID(), err.Code, err.Msg)
	c.lost(err)
}

// lost ends the connection without a word to the peer.
func (c *core) lost(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	for s := c.oldest; s != nil; s = c.oldest {
		c.close(s, goneByUs, err)
	}
}

// over says that nothing is left to do but to write what is there and to close the socket.
func (c *core) over() bool {
	return c.err != nil || len(c.streams) == 0 && c.leave.final()
}
