package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net/http/httptrace"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"weir/websocket"
)

const (
	maxMessage  = 64 << 20        // octets of a message received, and of a line
	pongTime    = 2 * time.Second // how long the pong that ends a script may take
	stuckWait   = time.Second     // for the last callback, once the session is cut
	connectWait = 6 * time.Second // how long the end may take once we have closed: more than a session gives its peer
)

// connection is one run of `weir connect`. It is the handler of its WebSocket.
type connection struct {
	*connectConfig
	out *printer

	session     *websocket.Session
	interrupted bool // while the WebSocket was opened
	ended       chan websocket.Reason
	message     chan struct{} // the first message has come
	got         bool          // it has; the session's callbacks alone
	farewell    string        // the payload of the ping that ends a script
	pong        chan struct{} // it was answered
	read        chan struct{} // closed when all that there is to say has been said
	badInput    atomic.Bool   // some of it could not be
}

// post is what Info sends.
type post struct {
	cmd  websocket.Command
	sent chan struct{} // closed when it goes out
}

func newConnection(c *connectConfig, out *printer) *connection {
	return &connection{connectConfig: c, out: out, ended: make(chan websocket.Reason, 1),
		message: make(chan struct{}, 1), farewell: rand.Text(), pong: make(chan struct{}, 1), read: make(chan struct{})}
}

// run opens the WebSocket and stays until it has ended. The error has the exit code.
func (c *connection) run(stdin *os.File) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	defer c.http3.leave(connectWait)
	if err := c.open(signals); err != nil {
		return err
	}
	go c.speak(stdin) // ends with what there is to say; a terminal that nobody types on holds it to the end of the process
	return c.listen(signals)
}

// open opens the WebSocket, unless a signal comes before.
func (c *connection) open(signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	watched := make(chan struct{})
	go func() { // ends with ctx
		defer close(watched)
		select {
		case <-signals:
			c.interrupted = true
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	}()
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	s, res, err := c.dialer.DialHandler(traced, c.url, c, &c.options)
	cancel(nil)
	<-watched
	if err != nil {
		w := whyNot(err)
		c.out.fault(err, w)
		return w.explain(dialExit(err, connected.Load()))
	}
	c.session = s
	if c.out.verbose {
		for name, values := range res.Header {
			for _, v := range values {
				c.out.say("* %s: %s", name, v)
			}
		}
	}
	return nil
}

// listen waits for the end, and brings it about when it is time.
func (c *connection) listen(signals <-chan os.Signal) error {
	var leave, late, cut, stuck <-chan time.Time
	read, gone := c.read, c.out.gone
	if c.one && c.timeout > 0 {
		late = time.After(c.timeout)
	}
	closing, missed := false, false
	shut := func() {
		if !closing {
			closing, leave, late, cut = true, nil, nil, time.After(connectWait)
			_ = c.session.Post(post{cmd: websocket.Close(1000, "")}) // it may have ended already
		}
	}
	if c.interrupted {
		shut()
	}
	for {
		select {
		case r := <-c.ended:
			return c.end(r, missed, signals)
		case <-signals:
			if closing {
				c.session.Cut()
				return exitWith(exitAbnormal, "interrupted twice")
			}
			shut()
		case <-c.message:
			shut()
		case <-gone:
			gone = nil
			shut()
		case <-read:
			read = nil
			switch {
			case closing || c.one || c.noClose:
			case c.waitSet:
				leave = time.After(c.wait)
			default:
				leave = time.After(pongTime)
				_ = c.session.Post(post{cmd: websocket.Ping(c.farewell)}) // it may have ended already
			}
		case <-c.pong:
			shut()
		case <-leave:
			shut()
		case <-late:
			missed = true
			shut()
		case <-cut: // a server that reads nothing
			c.session.Cut()
			cut, stuck = nil, time.After(stuckWait)
		case <-stuck:
			return exitWith(exitFail, "standard output: nobody reads it")
		}
	}
}

// end waits for the end of the stream, which a session sees to, and judges.
func (c *connection) end(r websocket.Reason, missed bool, signals <-chan os.Signal) error {
	select {
	case <-c.session.Context().Done():
	case <-signals:
	case <-time.After(connectWait):
	}
	err := endExit(r)
	lost := c.out.gap()
	switch {
	case err != nil:
	case lost != nil:
		err = exitWith(exitFail, "standard output: %w", lost)
	case missed:
		err = exitWith(exitTimeout, "no message came within %v", c.timeout)
	case c.badInput.Load() && !c.out.terminal:
		err = exitWith(exitUsage, "some of the input was not sent")
	}
	c.out.end(r, err)
	return err
}

// speak sends what there is to say.
func (c *connection) speak(stdin *os.File) {
	defer close(c.read)
	if len(c.execute) > 0 {
		for _, line := range c.execute {
			c.say(line)
		}
		return
	}
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, maxMessage)
	if c.binary {
		lines.Split(scanOctets)
	}
	for lines.Scan() {
		if !c.say(lines.Text()) {
			return
		}
		c.out.prompt()
	}
	if err := lines.Err(); err != nil {
		c.badInput.Store(true)
		c.out.say("weir: standard input: %v", err)
	}
}

// say sends one line, and waits until it goes out. False: nothing more can be said.
func (c *connection) say(line string) bool {
	cmd, err := c.command(line)
	if err != nil {
		c.badInput.Store(true)
		c.out.say("weir: %v", err)
		return true
	}
	p := post{cmd: cmd, sent: make(chan struct{})}
	if c.session.Post(p) != nil {
		return false
	}
	select {
	case <-p.sent:
		return true
	case <-c.session.Context().Done():
		return false
	}
}

// command is what a line asks for.
func (c *connection) command(line string) (websocket.Command, error) {
	switch {
	case c.slash && len(line) > 0 && line[0] == '/':
		return slashCommand(line)
	case c.binary:
		return websocket.Binary(line), nil
	case !utf8.ValidString(line):
		return websocket.Command{}, fmt.Errorf("%.40q is not UTF-8 and was not sent; --binary sends any octets", line)
	}
	return websocket.Text(line), nil
}

// Init shows that the WebSocket is open.
func (c *connection) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	c.out.open(s)
	return out
}

// Handle shows what comes. A reader of standard output that is slow holds the server back.
func (c *connection) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	switch {
	case f.Type == websocket.PongFrame && string(f.Payload) == c.farewell:
		select {
		case c.pong <- struct{}{}:
		default: // it has been seen
		}
	case c.one && c.got:
	default:
		c.out.frame(f)
		if c.one && f.IsData() {
			c.got = true
			c.message <- struct{}{}
		}
	}
	return out
}

// Info sends what was posted.
func (c *connection) Info(msg any, out websocket.Commands) websocket.Commands {
	p := msg.(post)
	if p.sent != nil {
		close(p.sent)
	}
	return append(out, p.cmd)
}

// Terminate tells listen.
func (c *connection) Terminate(r websocket.Reason, _ *websocket.PartialRequest) { c.ended <- r }
