package wire

import (
	"bufio"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"sync"
	"time"

	"weir/interop/conform"
)

const (
	maxPayload   = 64 << 20         // of a frame that arrives; a longer one loses the connection
	maxHeld      = 32 << 20         // octets of payload that wait to be taken: past it nothing is read
	maxQueue     = 64 << 10         // frames that wait likewise
	writeTimeout = 30 * time.Second // of one Write: a peer that does not read so long is given up
)

// link is what a Conn runs over.
type link interface {
	io.ReadWriter
	CloseWrite() error // FIN, END_STREAM
	Reset()            // a TCP reset, RST_STREAM(CANCEL)
	Close() error      // leaves nothing behind; what blocks on the link returns
}

// Conn is an opened WebSocket as raw octets. A goroutine reads, from the start, so that a Write never waits for a peer that waits for us to read. One
// goroutine may write and take events; Close may come from any.
type Conn struct {
	Client bool        // our role: a client masks its frames
	HTTP2  bool        // what it runs over
	Header http.Header // of the answer, if we are the client, else of the request

	link link
	log  *conform.Log
	stop func() bool // takes the context off

	out []byte // scratch space of Send

	ready chan struct{} // 1: there is something to take
	room  chan struct{} // 1: the reader may go on
	done  chan struct{} // closed when the reader has ended
	once  sync.Once     // of Close

	mu    sync.Mutex
	queue []Event
	held  int // octets of payload in queue
	over  bool
}

// newConn starts the reader over what r reads of the link. The end of ctx ends it all.
func newConn(ctx context.Context, l link, r *bufio.Reader, log *conform.Log) *Conn {
	c := &Conn{link: l, log: log, ready: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{})}
	c.stop = context.AfterFunc(ctx, func() { c.shut() })
	go c.read(r) // ends with the link, which Close or the end of ctx ends
	return c
}

// Write sends octets as they are: one write to the socket, or one DATA frame where the windows allow it. A peer that takes none for 30 s is
// reset.
func (c *Conn) Write(b []byte) error {
	c.log.Add(conform.Sent, b, "%d octets", len(b))
	return c.Pass(b)
}

// Pass is Write without a line in the log: for octets of Append.
func (c *Conn) Pass(b []byte) error {
	t := time.AfterFunc(writeTimeout, c.link.Reset)
	defer t.Stop()
	_, err := c.link.Write(b)
	return err
}

// Send sends frames in one write. A client's are masked, each with a key of its own, unless they are already.
func (c *Conn) Send(fs ...Frame) error {
	c.out = c.Append(c.out[:0], fs...)
	err := c.Pass(c.out)
	if cap(c.out) > 1<<20 {
		c.out = nil
	}
	return err
}

// Append appends the octets of frames as Send sends them, to be cut and written by hand, and logs them as sent.
func (c *Conn) Append(dst []byte, fs ...Frame) []byte {
	for i := range fs {
		f := fs[i]
		c.log.Add(conform.Sent, f.Payload, "%v", f)
		if c.Client && !f.Masked {
			f.Masked = true
			rand.Read(f.Key[:])
		}
		dst = f.Append(dst)
	}
	return dst
}

// CloseWrite ends our side: FIN, or END_STREAM.
func (c *Conn) CloseWrite() error {
	c.log.Add(conform.Sent, nil, "end of our side")
	return c.link.CloseWrite()
}

// Reset gives the stream up: a TCP reset, or RST_STREAM(CANCEL). Close is still to be called.
func (c *Conn) Reset() {
	c.log.Add(conform.Sent, nil, "reset")
	c.link.Reset()
}

// Close drops the connection, whatever its state, and returns when nothing of it is left.
func (c *Conn) Close() {
	c.stop()
	c.shut()
	<-c.done
}

func (c *Conn) shut() {
	c.once.Do(func() {
		c.link.Close() // an error says that it was gone already
		c.mu.Lock()
		c.over = true
		c.mu.Unlock()
		signal(c.room)
	})
}

// Ready has a value when there may be something to Take.
func (c *Conn) Ready() <-chan struct{} { return c.ready }

// Take takes the next event, if there is one. After one that is not Arrived there are no more.
func (c *Conn) Take() (Event, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return Event{}, false
	}
	e := c.queue[0]
	c.queue[0] = Event{}
	c.queue = c.queue[1:]
	c.held -= len(e.Frame.Payload)
	if c.held <= maxHeld {
		signal(c.room)
	}
	return e, true
}

// Next takes the next event, and waits for it at most for d. false: there was none, or ctx has ended.
func (c *Conn) Next(ctx context.Context, d time.Duration) (Event, bool) {
	if e, ok := c.Take(); ok {
		return e, true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-c.ready:
		case <-t.C:
			return c.Take()
		case <-ctx.Done():
			return c.Take()
		}
		if e, ok := c.Take(); ok {
			return e, true
		}
	}
}

// put queues an event, and waits while too much waits. false: nobody will take it.
func (c *Conn) put(e Event) bool {
	if e.Kind == Arrived {
		c.log.Add(conform.Received, e.Frame.Payload, "%v", e.Frame)
	} else {
		c.log.Add(conform.Received, nil, "%v", e)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.over && (c.held > maxHeld || len(c.queue) > maxQueue) {
		c.mu.Unlock()
		<-c.room
		c.mu.Lock()
	}
	c.queue = append(c.queue, e)
	c.held += len(e.Frame.Payload)
	signal(c.ready)
	return !c.over
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
