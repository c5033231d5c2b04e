package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// config is what is measured.
type config struct {
	time, pace         time.Duration
	downloads, uploads int
	size               int
	window, connWindow int
	socket             int
	post               bool
}

// result is the latencies of echoes, sorted, and what the others moved meanwhile.
type result struct {
	trip          time.Duration // of a PING, when nothing else is sent
	alone, beside []time.Duration
	down, up      float64 // octets a second
}

// measure does so over a connection of its own.
func measure(addr string, cfg config) (res result, err error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return res, err
	}
	defer nc.Close()
	c := newClient(nc, cfg)
	go c.read()  // ends with the connection
	go c.write() // likewise
	if err := c.open(); err != nil {
		return res, err
	}
	if res.trip, err = c.roundTrip(); err != nil {
		return res, err
	}
	if _, err := c.echoes(cfg.time / 5); err != nil { // warms up
		return res, err
	}
	if res.alone, err = c.echoes(cfg.time); err != nil {
		return res, err
	}
	c.start()
	if _, err := c.echoes(cfg.time / 5); err != nil { // until they are under way
		return res, err
	}
	down, up, began := c.moved()
	if res.beside, err = c.echoes(cfg.time); err != nil {
		return res, err
	}
	downs, ups, ended := c.moved()
	took := ended.Sub(began).Seconds()
	res.down, res.up = float64(downs-down)/took, float64(ups-up)/took
	return res, nil
}

// size of the octets of an echo: its number, and more.
const echoSize = 32

// client is one HTTP/2 connection with one echo stream.
type client struct {
	cfg config
	nc  net.Conn
	fr  *http2.Framer // reads

	mu      sync.Mutex
	changed sync.Cond
	err     error
	urgent  bytes.Buffer // frames that go first
	fw      *http2.Framer
	enc     *hpack.Encoder
	block   bytes.Buffer
	next    uint32
	window  int // of the connection, that the server has given
	initial int // window of a stream
	settled bool
	pong    bool
	streams map[uint32]*transfer
	uploads []*transfer // in turn
	running bool        // what ends is followed by the next one
	due     int         // received octets of the connection that have not been given back
	down    int
	up      int

	echo   *transfer
	opened bool
	part   []byte // of an echo that is on its way
	sent   []time.Time
	times  []time.Duration
}

// transfer is one stream.
type transfer struct {
	id     uint32
	window int // to send
	left   int // to upload
	due    int // received, and not given back
	sends  bool
}

func newClient(nc net.Conn, cfg config) *client {
	lowat(nc)
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetReadBuffer(cfg.socket) // else megabytes wait for the client, and their time would be the server's
	}
	c := &client{cfg: cfg, nc: nc, next: 1, window: 65535, initial: 65535, streams: map[uint32]*transfer{}}
	c.changed.L = &c.mu
	c.fr = http2.NewFramer(nil, bufio.NewReaderSize(nc, 64<<10))
	c.fr.SetReuseFrames()
	c.fw = http2.NewFramer(&c.urgent, nil)
	c.enc = hpack.NewEncoder(&c.block)
	c.urgent.WriteString(http2.ClientPreface)
	_ = c.fw.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(cfg.window)},
		http2.Setting{ID: http2.SettingEnablePush, Val: 0}) // into memory, as all that follows
	_ = c.fw.WriteWindowUpdate(0, uint32(cfg.connWindow-65535))
	return c
}

// begin sends the header of a request; mu is held.
func (c *client) begin(end bool, fields ...string) *transfer {
	t := &transfer{id: c.next, window: c.initial}
	c.next += 2
	c.streams[t.id] = t
	c.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = c.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	_ = c.fw.WriteHeaders(http2.HeadersFrameParam{StreamID: t.id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end})
	c.changed.Broadcast()
	return t
}

// wait waits until done; mu is held.
func (c *client) wait(done func() bool) error {
	late := time.AfterFunc(time.Minute, func() { c.fail(errors.New("nothing happened for a minute")) })
	defer late.Stop()
	for !done() && c.err == nil {
		c.changed.Wait()
	}
	return c.err
}

func (c *client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		c.nc.Close()
	}
	c.changed.Broadcast()
}

// open opens the echo stream.
func (c *client) open() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.wait(func() bool { return c.settled }); err != nil {
		return err
	}
	if c.cfg.post {
		c.echo = c.begin(false, ":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/echo")
	} else {
		c.echo = c.begin(false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "a", ":path", "/ws",
			"sec-websocket-version", "13")
	}
	return c.wait(func() bool { return c.opened })
}

// roundTrip is the time of a PING, the median of some.
func (c *client) roundTrip() (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ds []time.Duration
	for range 21 {
		c.pong = false
		start := time.Now()
		_ = c.fw.WritePing(false, [8]byte{})
		c.changed.Broadcast()
		if err := c.wait(func() bool { return c.pong }); err != nil {
			return 0, err
		}
		ds = append(ds, time.Since(start))
	}
	slices.Sort(ds)
	return ds[len(ds)/2], nil
}

// echoes sends one every pace, for d, and waits for the answers. What it gives is sorted.
func (c *client) echoes(d time.Duration) ([]time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times = nil
	began := time.Now()
	n := int(d / c.cfg.pace)
	for i := range n {
		at := began.Add(time.Duration(i) * c.cfg.pace)
		c.mu.Unlock()
		time.Sleep(time.Until(at))
		c.mu.Lock()
		m := make([]byte, 0, 6+echoSize)
		if !c.cfg.post {
			m = append(m, 0x82, 0x80|echoSize, 0, 0, 0, 0) // a binary message, masked with zeros
		}
		m = binary.BigEndian.AppendUint64(m, uint64(i))
		m = append(m, make([]byte, echoSize-8)...)
		c.sent = append(c.sent, at) // of the time it should have left: what was late because others were counts
		if c.echo.window -= len(m); c.echo.window < 0 {
			return nil, errors.New("no window for an echo")
		}
		if c.window -= len(m); c.window < 0 {
			return nil, errors.New("no window of the connection for an echo")
		}
		_ = c.fw.WriteData(c.echo.id, false, m)
		c.changed.Broadcast()
		if c.err != nil {
			return nil, c.err
		}
	}
	if err := c.wait(func() bool { return len(c.times) >= n }); err != nil {
		return nil, err
	}
	slices.Sort(c.times)
	return c.times, nil
}

// start begins the downloads and uploads.
func (c *client) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = true
	for range c.cfg.downloads {
		c.download()
	}
	for range c.cfg.uploads {
		c.upload()
	}
}

func (c *client) download() {
	c.begin(true, ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/download/"+strconv.Itoa(c.cfg.size))
}

func (c *client) upload() {
	t := c.begin(false, ":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/upload")
	t.left, t.sends = c.cfg.size, true
	c.uploads = append(c.uploads, t)
}

// moved is how many octets the others have moved until now.
func (c *client) moved() (down, up int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down, c.up, time.Now()
}

// reserve is how much of the connection's window the client's uploads leave to its echoes.
const reserve = 16 << 10

// write sends frames that go first, and one of an upload when there are none.
func (c *client) write() {
	var out []byte
	zeros := make([]byte, 16<<10)
	for {
		c.mu.Lock()
		var t *transfer
		n := 0
		err := c.wait1(func() bool {
			if c.urgent.Len() > 0 {
				return true
			}
			for range c.uploads {
				t = c.uploads[0]
				c.uploads = append(c.uploads[:0], c.uploads[1:]...)
				c.uploads = append(c.uploads, t)
				if n = min(t.left, t.window, c.window-reserve, len(zeros)); n > 0 {
					return true
				}
			}
			return false
		})
		if err != nil {
			c.mu.Unlock()
			return
		}
		out = append(out[:0], c.urgent.Bytes()...)
		c.urgent.Reset()
		if n > 0 {
			t.left -= n
			t.window -= n
			c.window -= n
			c.up += n
			flags := byte(0)
			if t.left == 0 {
				flags = byte(http2.FlagDataEndStream)
				c.uploads = slices.DeleteFunc(c.uploads, func(u *transfer) bool { return u == t })
			}
			out = append(out, byte(n>>16), byte(n>>8), byte(n), byte(http2.FrameData), flags)
			out = binary.BigEndian.AppendUint32(out, t.id)
			out = append(out, zeros[:n]...)
		}
		c.mu.Unlock()
		if _, err := c.nc.Write(out); err != nil {
			c.fail(err)
			return
		}
		runtime.Gosched() // likewise
	}
}

// wait1 is wait without a limit of time; mu is held.
func (c *client) wait1(done func() bool) error {
	for c.err == nil && !done() {
		c.changed.Wait()
	}
	return c.err
}

func (c *client) read() {
	for n := 0; ; n++ {
		if n%8 == 7 { // there is always more to read, and others wait for the processor
			runtime.Gosched()
		}
		f, err := c.fr.ReadFrame()
		if err != nil {
			c.fail(err)
			return
		}
		if err := c.frame(f); err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *client) frame(f http2.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := f.Header().StreamID
	t := c.streams[id]
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return nil
		}
		if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
			c.initial = int(v)
		}
		_ = c.fw.WriteSettingsAck()
		c.settled = true
	case *http2.PingFrame:
		if f.IsAck() {
			c.pong = true
		} else {
			_ = c.fw.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		if id == 0 {
			c.window += int(f.Increment)
		} else if t != nil {
			t.window += int(f.Increment)
		}
	case *http2.HeadersFrame:
		if t == c.echo {
			c.opened = true
		}
		c.ended(t, f.StreamEnded())
	case *http2.DataFrame:
		c.data(t, f)
	case *http2.RSTStreamFrame:
		return fmt.Errorf("stream %d was reset: %v", id, f.ErrCode)
	case *http2.GoAwayFrame:
		return fmt.Errorf("GOAWAY: %v %s", f.ErrCode, f.DebugData())
	}
	c.changed.Broadcast()
	return nil
}

// data takes octets, and gives them back when half of a window is due.
func (c *client) data(t *transfer, f *http2.DataFrame) {
	n := int(f.Length)
	if c.due += n; c.due >= c.cfg.connWindow/2 {
		_ = c.fw.WriteWindowUpdate(0, uint32(c.due))
		c.due = 0
	}
	if t == nil {
		return
	}
	if t.due += n; t.due >= c.cfg.window/2 && !f.StreamEnded() {
		_ = c.fw.WriteWindowUpdate(t.id, uint32(t.due))
		t.due = 0
	}
	if t == c.echo {
		c.answers(f.Data())
	} else {
		c.down += n
	}
	c.ended(t, f.StreamEnded())
}

// answers takes a part of the stream of echoes.
func (c *client) answers(b []byte) {
	size := echoSize
	if !c.cfg.post {
		size += 2
	}
	c.part = append(c.part, b...)
	now := time.Now()
	for ; len(c.part) >= size; c.part = c.part[size:] {
		c.times = append(c.times, now.Sub(c.sent[0]))
		c.sent = c.sent[1:]
	}
}

// ended begins the next stream of the kind that has ended.
func (c *client) ended(t *transfer, fin bool) {
	if t == nil || !fin {
		return
	}
	delete(c.streams, t.id)
	switch {
	case t == c.echo:
		c.err = errors.New("the stream of echoes has ended")
	case !c.running:
	case !t.sends:
		c.download()
	default:
		c.upload()
	}
}
