package h2test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"weir/flow"

	"golang.org/x/net/http2"
)

// Options change what a Peer does.
type Options struct {
	Settings  []http2.Setting // in the peer's first SETTINGS
	Manual    bool            // nothing is answered, and no credit given, by itself
	NoPreface bool            // send nothing at the start, not even SETTINGS
	Server    bool            // play the server: take the client's preface, and send none; Manual, for it knows no requests
	Host      string          // :authority; "example.test" if empty
	Scheme    string          // :scheme; "http" if empty
}

// Peer is the client side of one HTTP/2 connection, or with Options.Server the other. Its methods
// may be called from any goroutine.
type Peer struct {
	nc   net.Conn
	opts Options

	preface string // of the client, still to come; the reader's

	mu       sync.Mutex
	changed  sync.Cond // anything below changed
	out      []byte    // waits for the writer
	writing  bool
	enc      Encoder
	frames   []Frame // received and not yet taken by Next; Manual peers keep all, others what is not a stream's or a WINDOW_UPDATE
	nextID   uint32
	streams  map[uint32]*Tunnel
	settings map[http2.SettingID]uint32 // the server's, nil until they came
	window   flow.Window                // of the connection, to the server
	initial  int                        // the server's SETTINGS_INITIAL_WINDOW_SIZE
	maxFrame int
	mine     int // our own INITIAL_WINDOW_SIZE
	goAway   *Frame
	closed   bool
	err      error // why the connection ended
}

// New starts a client connection over nc, which it owns: the preface and SETTINGS are sent at once.
func New(nc net.Conn, o Options) *Peer {
	if o.Host == "" {
		o.Host = "example.test"
	}
	if o.Scheme == "" {
		o.Scheme = "http"
	}
	p := &Peer{nc: nc, opts: o, nextID: 1, streams: map[uint32]*Tunnel{}, window: flow.NewWindow(flow.DefaultWindow),
		initial: flow.DefaultWindow, maxFrame: 16384, mine: flow.DefaultWindow}
	p.changed.L = &p.mu
	for _, s := range o.Settings {
		if s.ID == http2.SettingInitialWindowSize {
			p.mine = int(s.Val)
		}
	}
	if o.Server {
		p.opts.Manual = true
		p.preface = http2.ClientPreface
	}
	if !o.NoPreface {
		var first []byte
		if !o.Server {
			first = []byte(http2.ClientPreface)
		}
		p.WriteRaw(append(first, settingsFrame(o.Settings)...))
	}
	go p.read() // ends with the connection
	return p
}

// Dial is New with default options, and waits for the server's SETTINGS.
func Dial(nc net.Conn) (*Peer, error) {
	p := New(nc, Options{})
	if _, err := p.Settings(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func settingsFrame(ss []http2.Setting) []byte {
	var p []byte
	for _, s := range ss {
		p = append(p, byte(s.ID>>8), byte(s.ID), byte(s.Val>>24), byte(s.Val>>16), byte(s.Val>>8), byte(s.Val))
	}
	return AppendFrame(nil, http2.FrameSettings, 0, 0, p)
}

// Settings are those of the server's first SETTINGS, for which it waits at most a minute.
func (p *Peer) Settings() (map[http2.SettingID]uint32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.wait(time.Now().Add(patience), func() bool { return p.settings != nil })
	return p.settings, err
}

// wait returns once ok, the connection ended, or the deadline passed; the caller holds mu.
func (p *Peer) wait(deadline time.Time, ok func() bool) error {
	if !deadline.IsZero() {
		t := time.AfterFunc(time.Until(deadline), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.changed.Broadcast()
		})
		defer t.Stop()
	}
	for !ok() {
		if p.err != nil {
			return p.err
		}
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			return os.ErrDeadlineExceeded
		}
		p.changed.Wait()
	}
	return nil
}

// Close ends the connection once what was written has left, or 1 s has passed.
func (p *Peer) Close() error {
	p.mu.Lock()
	_ = p.wait(time.Now().Add(time.Second), func() bool { return !p.writing }) // the connection closes all the same
	p.closed = true
	p.mu.Unlock()
	return p.nc.Close()
}

// Err is why the connection has ended, nil while it has not; io.EOF if the server closed it.
func (p *Peer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Wait waits until the connection has ended, at most for d, and gives the GOAWAY received last, if
// any.
func (p *Peer) Wait(d time.Duration) (*Frame, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.wait(time.Now().Add(d), func() bool { return p.err != nil })
	return p.goAway, err
}

// GoAway is the GOAWAY received last, nil if none was.
func (p *Peer) GoAway() *Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.goAway
}

// WriteRaw sends octets as they are. Writes never block: a goroutine writes them out.
func (p *Peer) WriteRaw(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write(b)
}

// Send sends frames in text form (see Encoder.Append); it panics on a line it cannot read.
func (p *Peer) Send(lines ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range lines {
		b, err := p.enc.Append(nil, l)
		if err != nil {
			panic(err)
		}
		p.write(b)
	}
}

// Backlog is how many octets wait to be written.
func (p *Peer) Backlog() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.out)
}

func (p *Peer) write(b []byte) {
	p.out = append(p.out, b...)
	if !p.writing && len(p.out) > 0 {
		p.writing = true
		go p.flush() // ends when nothing waits, or when the connection ends
	}
}

func (p *Peer) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.out) > 0 {
		b := p.out
		p.out = nil
		p.mu.Unlock()
		_, err := p.nc.Write(b)
		p.mu.Lock()
		if err != nil {
			p.out = nil
			break
		}
	}
	p.writing = false
	p.changed.Broadcast()
}

func (p *Peer) read() {
	var dec Decoder
	buf := make([]byte, 32<<10)
	for {
		n, err := p.nc.Read(buf)
		b, perr := p.greeting(buf[:n])
		fs, ferr := dec.Feed(b)
		p.mu.Lock()
		for _, f := range fs {
			p.frame(f)
		}
		if err = errors.Join(perr, ferr, err); err != nil {
			p.err = err
			if errors.Is(err, io.EOF) {
				p.err = io.EOF
			}
			for _, t := range p.streams {
				t.end(p.err)
			}
		}
		p.changed.Broadcast()
		p.mu.Unlock()
		if err != nil {
			p.nc.Close()
			return
		}
	}
}

// greeting takes the client's preface off what was read.
func (p *Peer) greeting(b []byte) ([]byte, error) {
	n := min(len(b), len(p.preface))
	if string(b[:n]) != p.preface[:n] {
		return nil, fmt.Errorf("h2test: no client preface but %q", b)
	}
	p.preface = p.preface[n:]
	return b[n:], nil
}

// frame takes one frame; the caller holds mu.
func (p *Peer) frame(f Frame) {
	if f.Type == http2.FrameGoAway {
		p.goAway = &f
	}
	if p.opts.Manual {
		p.note(f)
		if f.Type == http2.FrameSettings && p.settings == nil {
			p.takeSettings(f)
		}
		return
	}
	switch f.Type {
	case http2.FrameSettings:
		if !f.Flags.Has(http2.FlagSettingsAck) {
			p.takeSettings(f)
			p.write(AppendFrame(nil, http2.FrameSettings, http2.FlagSettingsAck, 0, nil))
		}
	case http2.FramePing:
		if !f.Flags.Has(http2.FlagPingAck) {
			p.write(AppendFrame(nil, http2.FramePing, http2.FlagPingAck, 0, f.Payload))
		}
	case http2.FrameWindowUpdate:
		if t := p.streams[f.Stream]; f.Stream == 0 {
			p.must(p.window.Grow(f.Inc))
		} else if t != nil {
			p.must(t.window.Grow(f.Inc))
		}
		return
	case http2.FrameData, http2.FrameHeaders, http2.FrameContinuation, http2.FrameRSTStream:
		if f.Type == http2.FrameData && len(f.Payload) > 0 {
			p.credit(0, len(f.Payload))
		}
		if t := p.streams[f.Stream]; t != nil {
			t.frame(f)
			return
		}
	}
	p.note(f)
}

// note keeps a frame for Next, the latest 4096 of them.
func (p *Peer) note(f Frame) {
	if len(p.frames) == 4096 && !p.opts.Manual {
		p.frames = slices.Delete(p.frames, 0, 1)
	}
	p.frames = append(p.frames, f)
}

func (p *Peer) takeSettings(f Frame) {
	m := map[http2.SettingID]uint32{}
	for _, s := range f.Settings {
		m[s.ID] = s.Val
		switch s.ID {
		case http2.SettingInitialWindowSize:
			for _, t := range p.streams {
				p.must(t.window.Shift(int(s.Val) - p.initial))
			}
			p.initial = int(s.Val)
		case http2.SettingMaxFrameSize:
			p.maxFrame = int(s.Val)
		}
	}
	if p.settings == nil {
		p.settings = m
	}
}

// must ends the connection on a breach of flow control, or of reason, by the server.
func (p *Peer) must(err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("h2test: the server broke flow control: %w", err)
		p.nc.Close()
	}
}

func (p *Peer) credit(id uint32, n int) {
	if n > 0 {
		p.write(AppendFrame(nil, http2.FrameWindowUpdate, 0, id, []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}))
	}
}
