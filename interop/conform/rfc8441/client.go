package rfc8441

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"weir/h2/h2test"
	"weir/interop/conform"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Bounds of what a case waits for.
const (
	patience = 5 * time.Second       // for something that has to come; less in a case whose time is shorter
	silence  = 60 * time.Millisecond // for something that must not
)

// defaultWindow is the window of a stream and of the connection before anybody says otherwise (RFC
// 9113, 6.9.2).
const defaultWindow = 65535

// client is a case at work: one HTTP/2 connection, what the case knows of it, and how it went. The
// first thing that goes wrong stays, and whatever a case does afterwards does nothing and waits for
// nothing: a case is written as if all went well.
type client struct {
	ctx      context.Context
	target   *conform.Target
	log      *conform.Log
	patience time.Duration // by the target's pace
	outcome  conform.Outcome

	in    *inbox
	enc   h2test.Encoder
	ended error // the connection is over: io.EOF if the server closed it

	preface  bool              // the server's first frame has come
	settings [][]http2.Setting // of the server, in the order in which they came
	acked    int               // our SETTINGS that the server has acknowledged
	sent     int               // our SETTINGS
	onAck    []func()          // what each that is not acknowledged yet will change
	pongs    int               // PING frames of ours that were answered
	goAway   *h2test.Frame
	heard    int  // frames that were about streams
	provoked bool // something was done for which the server may end the connection

	tunnels  map[uint32]*tunnel
	order    []*tunnel
	next     uint32
	send     int64 // octets of DATA that the server's connection window takes
	recv     int64 // octets of DATA that ours takes
	hold     bool  // the connection's window is not given back
	theirs   int64 // the server's SETTINGS_INITIAL_WINDOW_SIZE
	ours     int64 // our own
	maxFrame int   // the server's SETTINGS_MAX_FRAME_SIZE
	key      byte  // of the last frame masked
	spare    int   // frames that may still be taken late
}

// run makes a case's function of its script.
func run(script func(c *client)) func(context.Context, *conform.Target, *conform.Log) conform.Outcome {
	return func(ctx context.Context, t *conform.Target, log *conform.Log) conform.Outcome {
		c := &client{ctx: ctx, target: t, log: log, patience: patience, outcome: conform.Pass(), tunnels: map[uint32]*tunnel{}, next: 1, spare: 10000,
			send: defaultWindow, recv: defaultWindow, theirs: defaultWindow, ours: defaultWindow, maxFrame: maxFrame}
		if d, ok := ctx.Deadline(); ok {
			c.patience = min(patience, time.Until(d)/4/max(t.Pace.Scale(1), 1))
		}
		defer c.close()
		script(c)
		if err := ctx.Err(); err != nil {
			c.fail("not done in time: %v", err)
		}
		return c.outcome
	}
}

func (c *client) close() {
	if c.in != nil {
		c.in.close()
	}
}

// fail says what is wrong. The first to say so counts.
func (c *client) fail(format string, args ...any) {
	if !c.bad() {
		c.outcome = conform.Fail(fmt.Sprintf(format, args...))
	}
}

// judge says what is not as it should be, and is no fault: NON-STRICT, INFORMATIONAL or
// UNIMPLEMENTED.
func (c *client) judge(v conform.Verdict, format string, args ...any) {
	if c.outcome.Body == conform.OK {
		c.outcome.Body, c.outcome.Why = v, fmt.Sprintf(format, args...)
	}
}

func (c *client) nonStrict(format string, args ...any) { c.judge(conform.NonStrict, format, args...) }

func (c *client) bad() bool { return c.outcome.Bad() }

// over says whether there is no use in going on.
func (c *client) over() bool { return c.bad() || c.ended != nil }

// open connects, unless that is done, and waits for the server's SETTINGS. line has ours:
// "INITIAL_WINDOW_SIZE=0".
func (c *client) open(line string) {
	c.dial(line)
	c.until("the server's SETTINGS (RFC 9113, 3.4)", func() bool { return len(c.settings) > 0 })
}

// dial connects, and sends the preface and SETTINGS.
func (c *client) dial(line string) {
	if c.in != nil || c.bad() {
		return
	}
	ctx, cancel := c.target.Pace.WithTimeout(c.ctx, c.patience)
	defer cancel()
	nc, err := c.target.Dial(ctx)
	if err != nil {
		c.fail("no connection: %v", err)
		return
	}
	c.in = newInbox(nc)
	c.log.Add(conform.Sent, nil, "the client's preface")
	c.write([]byte(http2.ClientPreface))
	c.setting(line)
}

// setting sends SETTINGS, "NAME=n …". What they change of our windows counts at once if it widens
// them, otherwise when the server has acknowledged it (RFC 9113, 6.5.3).
func (c *client) setting(line string) {
	after := func() {}
	var words []string
	if line != "" {
		words, _ = h2test.Words(line)
	}
	for _, w := range words {
		var n int64
		if k, _ := fmt.Sscanf(w, "INITIAL_WINDOW_SIZE=%d", &n); k == 1 {
			shift := n - c.ours
			change := func() {
				c.ours += shift
				for _, t := range c.order {
					t.recv += shift
				}
			}
			if shift > 0 || len(c.order) == 0 {
				change()
			} else {
				after = change
			}
		}
	}
	c.sent++
	c.onAck = append(c.onAck, after)
	c.send1("SETTINGS " + line)
}

// settled waits until the server has acknowledged all SETTINGS.
func (c *client) settled() {
	c.until("SETTINGS with ACK (RFC 9113, 6.5.3)", func() bool { return c.acked == c.sent })
}

// send1 sends one frame in the text form of h2test.
func (c *client) send1(line string) {
	if c.over() {
		return
	}
	b, err := c.enc.Append(nil, line)
	if err != nil {
		panic(err) // a slip in a case
	}
	c.log.Add(conform.Sent, b, "%s", line)
	c.write(b)
}

// frames sends frames in text form.
func (c *client) frames(lines ...string) {
	for _, l := range lines {
		c.send1(l)
	}
}

// raw sends a frame of any type.
func (c *client) raw(kind http2.FrameType, flags http2.Flags, id uint32, payload []byte, format string, args ...any) {
	if c.over() {
		return
	}
	c.log.Add(conform.Sent, payload, format, args...)
	c.write(h2test.AppendFrame(nil, kind, flags, id, payload))
}

func (c *client) write(b []byte) {
	if c.over() || c.in == nil {
		return
	}
	if err := c.in.write(b, c.target.Pace.Scale(c.patience)); err != nil {
		c.log.Notef("not sent: %v", err)
	}
}

// until waits for what has to come. It has failed if the connection ends, or nothing comes for too
// long.
func (c *client) until(what string, ok func() bool) bool {
	if c.wait(ok) {
		return true
	}
	switch {
	case c.bad():
	case c.ended != nil:
		c.fail("the connection ended (%s) before %s", c.end(), what)
	case c.ctx.Err() != nil:
		c.fail("the time was over before %s", what)
	default:
		c.fail("not within %v: %s", c.target.Pace.Scale(c.patience), what)
	}
	return false
}

// wait takes frames until ok says so, the connection ends, or nothing comes for too long.
func (c *client) wait(ok func() bool) bool { return c.waitFor(c.patience, ok) }

// waitFor is wait with a time of its own.
func (c *client) waitFor(d time.Duration, ok func() bool) bool {
	due, heard := c.target.Pace.Deadline(d), c.heard
	for !ok() {
		if c.heard != heard { // it goes on, slow as it may be
			due, heard = c.target.Pace.Deadline(d), c.heard
		}
		if !c.step(due) {
			return !c.bad() && ok()
		}
	}
	return !c.bad()
}

// quietly takes frames for a short while, or until ok says so.
func (c *client) quietly(ok func() bool) bool {
	for due := c.target.Pace.Deadline(silence); !ok(); {
		if !c.step(due) {
			return ok()
		}
	}
	return true
}

// step takes one frame.
func (c *client) step(due conform.Deadline) bool {
	if c.over() || c.in == nil || c.ctx.Err() != nil {
		return false
	}
	if due.Left() <= 0 { // what is here counts as in time, unless there is no end to it
		if c.spare--; c.spare < 0 {
			return false
		}
	}
	f, err := c.in.take(c.ctx, due)
	switch {
	case err == nil:
		c.take(f)
		return true
	case errors.Is(err, os.ErrDeadlineExceeded) || c.ctx.Err() != nil:
	default:
		c.ended = err
		c.log.Add(conform.Received, nil, "the end of the connection: %v", err)
	}
	return false
}

// end says how the connection ended.
func (c *client) end() string {
	s := "closed"
	if !errors.Is(c.ended, io.EOF) {
		s = c.ended.Error()
	}
	if c.goAway != nil {
		s = fmt.Sprintf("GOAWAY %v %q, then %s", c.goAway.Code, c.goAway.Data, s)
	}
	return s
}

// ping sends a PING and waits for its answer: whatever the server said to what came before it, and
// says at once, is here then.
func (c *client) ping() {
	n := c.pongs + 1
	c.send1(pingLine(n))
	c.until("PING with ACK (RFC 9113, 6.7)", func() bool { return c.pongs >= n })
}

// pingLine is the PING of that number.
func pingLine(n int) string { return fmt.Sprintf("PING %016x", 0x7765697200000000+uint64(n)) }

// take does what every client does with a frame, and fails the case at what no client may get.
func (c *client) take(f h2test.Frame) {
	c.log.Add(conform.Received, f.Payload, "%v", f)
	if !c.preface {
		c.preface = true
		if f.Type != http2.FrameSettings || f.Flags.Has(http2.FlagSettingsAck) {
			c.fail("the first frame is %v, not SETTINGS (RFC 9113, 3.4)", f)
			return
		}
	}
	switch f.Type {
	case http2.FrameSettings:
		c.takeSettings(f)
	case http2.FramePing:
		if f.Flags.Has(http2.FlagPingAck) {
			if n := binary.BigEndian.Uint64(f.Payload); n != 0x7765697200000000+uint64(c.pongs)+1 {
				c.fail("PING with ACK has other octets than the PING: %x (RFC 9113, 6.7)", n)
			}
			c.pongs++
		} else {
			c.raw(http2.FramePing, http2.FlagPingAck, 0, f.Payload, "PING ACK")
		}
	case http2.FrameGoAway:
		c.goAway = &f
	case http2.FramePushPromise:
		c.fail("PUSH_PROMISE (RFC 9113, 8.4)")
	case http2.FrameWindowUpdate, http2.FrameData, http2.FrameHeaders, http2.FrameContinuation, http2.FrameRSTStream:
		c.heard++
		t := c.tunnels[f.Stream]
		switch {
		case f.Stream == 0 && f.Type == http2.FrameWindowUpdate:
			c.send = c.grow(c.send, f.Inc, "the connection")
		case t == nil:
			c.fail("%v, and nobody opened that stream (RFC 9113, 5.1)", f)
		default:
			t.take(f)
		}
	}
}

// grow is a window after a WINDOW_UPDATE.
func (c *client) grow(window int64, inc uint32, of string) int64 {
	if window += int64(inc); inc == 0 || window > 1<<31-1 {
		c.fail("WINDOW_UPDATE %d makes the window of %s %d (RFC 9113, 6.9.1)", inc, of, window)
	}
	return window
}

func (c *client) takeSettings(f h2test.Frame) {
	if f.Flags.Has(http2.FlagSettingsAck) {
		if c.acked == c.sent {
			c.fail("SETTINGS with ACK, and none of ours is open (RFC 9113, 6.5.3)")
			return
		}
		c.acked++
		c.onAck[0]()
		c.onAck = c.onAck[1:]
		return
	}
	c.settings = append(c.settings, f.Settings)
	for _, s := range f.Settings {
		switch s.ID {
		case http2.SettingInitialWindowSize:
			for _, t := range c.order {
				t.send += int64(s.Val) - c.theirs
			}
			c.theirs = int64(s.Val)
		case http2.SettingMaxFrameSize:
			c.maxFrame = int(s.Val)
		}
	}
	c.raw(http2.FrameSettings, http2.FlagSettingsAck, 0, nil, "SETTINGS ACK")
}

// setting's last value that the server sent, if it sent any.
func (c *client) serverSetting(id http2.SettingID) (value uint32, ok bool) {
	for _, ss := range c.settings {
		for _, s := range ss {
			if s.ID == id {
				value, ok = s.Val, true
			}
		}
	}
	return value, ok
}

// credit gives n octets of a window back; 0 is the connection.
func (c *client) credit(id uint32, n int) {
	if n <= 0 || c.over() {
		return
	}
	if t := c.tunnels[id]; t != nil {
		t.recv += int64(n)
	} else {
		c.recv += int64(n)
	}
	c.send1(fmt.Sprintf("WINDOW_UPDATE %d %d", id, n))
}

// headers opens a stream, split over as many frames as there are blocks.
func (c *client) headers(fin bool, fields []hpack.HeaderField) *tunnel {
	t := c.tunnel(fin)
	flags := http2.FlagHeadersEndHeaders
	if fin {
		flags |= http2.FlagHeadersEndStream
	}
	b := c.block(fields)
	c.raw(http2.FrameHeaders, flags, t.id, b, "%v", h2test.Frame{Type: http2.FrameHeaders, Flags: flags, Stream: t.id, Fields: fields})
	return t
}

// block is the HPACK block of fields.
func (c *client) block(fields []hpack.HeaderField) []byte {
	var kv []string
	for _, f := range fields {
		kv = append(kv, f.Name, f.Value)
	}
	return c.enc.Block(kv...)
}

// tunnel makes the next stream, of which nothing is said yet.
func (c *client) tunnel(fin bool) *tunnel {
	t := &tunnel{c: c, id: c.next, sentFin: fin, send: c.theirs, recv: c.ours}
	c.next += 2
	c.tunnels[t.id] = t
	c.order = append(c.order, t)
	return t
}

// wantConnError waits for the connection to end with GOAWAY and one of the codes.
func (c *client) wantConnError(codes ...http2.ErrCode) {
	if !c.until(fmt.Sprintf("the end of the connection, GOAWAY %v", codes), func() bool { return c.goAway != nil && c.goAway.Code != http2.ErrCodeNo || c.ended != nil }) {
		return
	}
	if !c.preface {
		c.fail("the connection ended (%s) before the server's SETTINGS (RFC 9113, 3.4)", c.end())
		return
	}
	if c.goAway == nil || c.goAway.Code == http2.ErrCodeNo {
		c.nonStrict("the connection was closed, and no GOAWAY with %v came before (RFC 9113, 5.4.1)", codes)
		return
	}
	for _, code := range codes {
		if c.goAway.Code == code {
			return
		}
	}
	c.nonStrict("GOAWAY %v, not %v", c.goAway.Code, codes)
}
