package h2test

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"weir/flow"

	"golang.org/x/net/http2"
)

// ResetError says that the server reset a stream.
type ResetError struct{ Code http2.ErrCode }

func (e *ResetError) Error() string { return "h2test: RST_STREAM " + e.Code.String() }

// What a server that minds no window can have a Peer keep.
const (
	maxUnread = 64 << 20 // octets of a stream
	maxBlocks = 1000     // header blocks of a stream
)

// Tunnel is one stream of a Peer: an extended CONNECT, or any other request.
type Tunnel struct {
	ID     uint32
	Status int     // of the answer
	Header []Frame // the header blocks received, the informational ones and trailers too

	p        *Peer
	window   flow.Window
	buf      []byte // received and not read
	held     int    // read, and withheld from the server
	withhold bool
	charged  int   // of DATA received: payload with padding
	ending   bool  // END_STREAM received, perhaps on a block that goes on
	fin      bool  // END_STREAM received
	err      error // reset, or the connection's end
	sentFin  bool
	deadline time.Time
}

// Connect opens an extended CONNECT and waits at most a minute for the answer, whatever its status.
// fields are names and values in turn, added to :method, :protocol websocket, :scheme, :authority
// and :path; one of these names replaces the value, and as its value "-" leaves the field out. The
// name END_STREAM, with any value, ends our side at once.
func (p *Peer) Connect(path string, fields ...string) (*Tunnel, error) {
	head := []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", p.opts.Scheme, ":authority", p.opts.Host, ":path", path}
	return p.request(head, fields)
}

func (p *Peer) request(head, fields []string) (*Tunnel, error) {
	t, err := p.start(head, fields)
	if err != nil {
		return nil, err
	}
	return t, t.Answer(patience)
}

func (p *Peer) start(head, fields []string) (*Tunnel, error) {
	fin := false
next:
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "END_STREAM" {
			fin = true
			continue
		}
		for j := 0; j < len(head); j += 2 {
			if head[j] == fields[i] && head[j][0] == ':' {
				head[j+1] = fields[i+1]
				continue next
			}
		}
		head = append(head, fields[i], fields[i+1])
	}
	var all []string
	for j := 0; j < len(head); j += 2 {
		if head[j+1] != "-" {
			all = append(all, head[j], head[j+1])
		}
	}
	return p.Open(fin, all...)
}

// Open opens a stream with exactly these fields, and does not wait for the answer.
func (p *Peer) Open(fin bool, fields ...string) (*Tunnel, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil, p.err
	}
	t := &Tunnel{ID: p.nextID, p: p, window: flow.NewWindow(p.initial), sentFin: fin}
	p.nextID += 2
	p.streams[t.ID] = t
	flags := http2.FlagHeadersEndHeaders
	if fin {
		flags |= http2.FlagHeadersEndStream
	}
	p.write(AppendFrame(nil, http2.FrameHeaders, flags, t.ID, p.enc.Block(fields...)))
	return t, nil
}

// Answer waits for the final answer's header, at most for d.
func (t *Tunnel) Answer(d time.Duration) error {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	err := t.p.wait(time.Now().Add(d), func() bool { return t.Status >= 200 || t.err != nil })
	if t.Status >= 200 {
		return nil
	}
	if t.err != nil {
		return t.err
	}
	return err
}

// Field is the value of a field of the final answer, or "".
func (t *Tunnel) Field(name string) string {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	for _, f := range t.Header {
		if f.Field(":status") == strconv.Itoa(t.Status) {
			return f.Field(name)
		}
	}
	return ""
}

// frame takes a frame of the stream; the caller holds mu.
func (t *Tunnel) frame(f Frame) {
	switch f.Type {
	case http2.FrameHeaders, http2.FrameContinuation:
		if f.Fields != nil {
			if t.Header = append(t.Header, f); len(t.Header) > maxBlocks {
				t.p.must(fmt.Errorf("more than %d header blocks on a stream", maxBlocks))
			}
			if s, err := strconv.Atoi(f.Field(":status")); err == nil {
				t.Status = s
			}
		}
	case http2.FrameData:
		if t.buf = append(t.buf, f.Data...); len(t.buf) > maxUnread {
			t.p.must(fmt.Errorf("more than %d octets on a stream that nobody has read", maxUnread))
		}
		t.charged += len(f.Payload)
		t.give(len(f.Payload) - len(f.Data))
	case http2.FrameRSTStream:
		t.end(&ResetError{f.Code})
	}
	t.ending = t.ending || f.Fin()
	if f.Type == http2.FrameData || f.Flags.Has(http2.FlagHeadersEndHeaders) { // a block ends with its last CONTINUATION
		t.fin = t.ending
	}
}

func (t *Tunnel) end(err error) {
	if t.err == nil {
		t.err = err
	}
}

// give returns credit for n octets, or keeps it back.
func (t *Tunnel) give(n int) {
	if t.withhold {
		t.held += n
	} else if !t.fin {
		t.p.credit(t.ID, n)
	}
}

// Withhold says whether the stream's credit is kept back from now on. Its end gives back what was
// kept.
func (t *Tunnel) Withhold(on bool) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.withhold = on
	if !on {
		n := t.held
		t.held = 0
		t.give(n)
	}
}

// Received is how many octets of DATA payload came, padding too.
func (t *Tunnel) Received() int {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	return t.charged
}

// Fin says whether END_STREAM has come.
func (t *Tunnel) Fin() bool {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	return t.fin
}

// Read reads what the server sent: io.EOF after END_STREAM, a *ResetError after RST_STREAM, at
// once.
func (t *Tunnel) Read(b []byte) (int, error) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	err := t.p.wait(t.deadline, func() bool { return len(t.buf) > 0 || t.fin || t.err != nil })
	if len(t.buf) > 0 {
		n := copy(b, t.buf)
		t.buf = t.buf[n:]
		t.give(n)
		return n, nil
	}
	switch {
	case t.err != nil:
		return 0, t.err
	case t.fin:
		return 0, io.EOF
	}
	return 0, err
}

// Write sends b as DATA as the server's windows allow.
func (t *Tunnel) Write(b []byte) (int, error) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	sent := 0
	for sent < len(b) {
		room := func() int { return min(t.window.Available(), t.p.window.Available(), t.p.maxFrame, len(b)-sent) }
		if err := t.p.wait(t.deadline, func() bool { return room() > 0 || t.err != nil }); err != nil {
			return sent, err
		}
		if t.err != nil {
			return sent, t.err
		}
		n := room()
		t.window.Spend(n)
		t.p.window.Spend(n)
		t.p.write(AppendFrame(nil, http2.FrameData, 0, t.ID, b[sent:sent+n]))
		sent += n
	}
	return sent, nil
}

// CloseWrite sends END_STREAM, once.
func (t *Tunnel) CloseWrite() error {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if t.sentFin {
		return fmt.Errorf("h2test: END_STREAM was sent")
	}
	t.sentFin = true
	t.p.write(AppendFrame(nil, http2.FrameData, http2.FlagDataEndStream, t.ID, nil))
	return t.err
}

// Reset sends RST_STREAM. Read gives os.ErrClosed afterwards.
func (t *Tunnel) Reset(c http2.ErrCode) {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.p.write(AppendFrame(nil, http2.FrameRSTStream, 0, t.ID, []byte{0, 0, 0, byte(c)}))
	t.end(os.ErrClosed)
	t.p.changed.Broadcast()
}

// SetReadDeadline bounds Read and Write; zero: no bound.
func (t *Tunnel) SetReadDeadline(d time.Time) error {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.deadline = d
	t.p.changed.Broadcast()
	return nil
}

// Response is the whole answer to a request.
type Response struct {
	Status   int
	Header   map[string]string // of the final block; several values are joined with ", "
	Trailer  map[string]string
	Informed []int // informational statuses before it
	Body     []byte
}

// Get makes a GET and reads the whole answer, at most for a minute. fields are as with Connect.
func (p *Peer) Get(path string, fields ...string) (*Response, error) {
	head := []string{":method", "GET", ":scheme", p.opts.Scheme, ":authority", p.opts.Host, ":path", path}
	t, err := p.start(head, append([]string{"END_STREAM", ""}, fields...))
	if err != nil {
		return nil, err
	}
	return t.Response(patience)
}

// Response reads the whole answer, at most for d.
func (t *Tunnel) Response(d time.Duration) (*Response, error) {
	_ = t.SetReadDeadline(time.Now().Add(d)) // cannot fail
	if err := t.Answer(d); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(t)
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	r := &Response{Status: t.Status, Body: body}
	for _, f := range t.Header {
		switch s, aerr := strconv.Atoi(f.Field(":status")); {
		case aerr != nil:
			r.Trailer = fieldMap(f)
		case s < 200:
			r.Informed = append(r.Informed, s)
		default:
			r.Header = fieldMap(f)
		}
	}
	return r, err
}

func fieldMap(f Frame) map[string]string {
	m := map[string]string{}
	for _, h := range f.Fields {
		if v, ok := m[h.Name]; ok {
			h.Value = v + ", " + h.Value
		}
		m[h.Name] = h.Value
	}
	return m
}
