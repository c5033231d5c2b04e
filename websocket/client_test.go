package websocket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/upgrade"
	"weir/websocket"
	"weir/wsframe"
)

// client speaks frames over a wire. Every want says why.
type client struct {
	*house
	wire wire
	in   []byte
}

// send sends frames in one write.
func (c *client) send(frames ...[]byte) {
	c.Helper()
	if _, err := c.wire.Write(bytes.Join(frames, nil)); err != nil {
		c.Fatal("send:", err)
	}
}

// frame encodes as a client does.
func frame(h wsframe.Header, payload string) []byte {
	h.Masked, h.Key = true, [4]byte{0x9a, 3, 0, 0xff}
	return wsframe.AppendFrame(nil, h, []byte(payload))
}

func text(s string) []byte   { return frame(wsframe.Header{Fin: true, Op: wsframe.Text}, s) }
func binary(s string) []byte { return frame(wsframe.Header{Fin: true, Op: wsframe.Binary}, s) }
func ping(s string) []byte   { return frame(wsframe.Header{Fin: true, Op: wsframe.Ping}, s) }
func pong(s string) []byte   { return frame(wsframe.Header{Fin: true, Op: wsframe.Pong}, s) }
func begin(op wsframe.Opcode, s string) []byte {
	return frame(wsframe.Header{Op: op}, s)
}
func more(s string) []byte { return frame(wsframe.Header{Op: wsframe.Continuation}, s) }
func last(s string) []byte { return frame(wsframe.Header{Fin: true, Op: wsframe.Continuation}, s) }
func closing(code websocket.CloseCode, s string) []byte {
	return frame(wsframe.Header{Fin: true, Op: wsframe.Close}, string(wsframe.AppendClose(nil, code, s)))
}

// next reads one frame: unmasked, unfragmented, in the shortest length form, as everything from the server is.
func (c *client) next(why string) (op wsframe.Opcode, payload string) {
	c.Helper()
	for {
		h, n := wsframe.ParseHeader(c.in)
		if n > 0 && int64(len(c.in)-n) >= h.Length {
			payload = string(c.in[n : n+int(h.Length)])
			if short := wsframe.AppendHeader(nil, wsframe.Header{Fin: true, Op: h.Op, Length: h.Length}); !bytes.Equal(short, c.in[:n]) {
				c.Fatalf("%s: frame header %x, want %x", why, c.in[:n], short)
			}
			c.in = c.in[n+int(h.Length):]
			return h.Op, payload
		}
		if err := c.more(); err != nil {
			c.Fatalf("%s: %v with %x before it", why, err, c.in)
		}
	}
}

func (c *client) more() error {
	c.wire.SetReadDeadline(time.Now().Add(time.Hour))
	b := make([]byte, 64<<10)
	n, err := c.wire.Read(b)
	c.in = append(c.in, b[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

func (c *client) want(why string, op wsframe.Opcode, payload string) {
	c.Helper()
	gotOp, got := c.next(why)
	if gotOp != op || got != payload {
		if len(got)+len(payload) > 200 {
			got, payload = fmt.Sprintf("%d octets", len(got)), fmt.Sprintf("%d octets", len(payload))
		}
		c.Fatalf("%s: got %s %q, want %s %q", why, gotOp, got, op, payload)
	}
}

func (c *client) wantText(why, payload string) { c.Helper(); c.want(why, wsframe.Text, payload) }

// wantClose wants a close frame, and that the server's side ends behind it. Code 0: the empty close frame.
func (c *client) wantClose(why string, code websocket.CloseCode, text string) {
	c.Helper()
	c.want(why, wsframe.Close, string(wsframe.AppendClose(nil, code, text)))
	c.wantEnd(why)
}

// wantEnd wants the server's END_STREAM or FIN, and nothing before it.
func (c *client) wantEnd(why string) {
	c.Helper()
	if err := c.more(); err != io.EOF || len(c.in) > 0 {
		c.Fatalf("%s: got %x, %v; want the server's end", why, c.in, err)
	}
}

// wantReset wants the stream to be cut: RST_STREAM(CANCEL), or a TCP reset.
func (c *client) wantReset(why string) {
	c.Helper()
	err := error(nil)
	for err == nil {
		err = c.more()
	}
	if re, ok := errors.AsType[*h2test.ResetError](err); ok && re.Code != 8 || err == io.EOF {
		c.Fatalf("%s: got %v, want a reset", why, err)
	}
}

// wantQuiet wants nothing to arrive once everything has come to rest.
func (c *client) wantQuiet(why string) {
	c.Helper()
	synctest.Wait()
	c.wire.SetReadDeadline(time.Now().Add(time.Microsecond))
	b := make([]byte, 1024)
	if n, _ := c.wire.Read(b); n > 0 || len(c.in) > 0 {
		c.Fatalf("%s: got %x", why, append(c.in, b[:n]...))
	}
	c.wire.SetReadDeadline(time.Time{})
}

// actor is a handler that a test drives by functions, and that notes what it was told.
type actor struct {
	onInit   func(s *websocket.Session, out websocket.Commands) websocket.Commands
	onHandle func(f websocket.Frame, out websocket.Commands) websocket.Commands
	onInfo   func(msg any, out websocket.Commands) websocket.Commands

	mu      sync.Mutex
	s       *websocket.Session
	log     []string
	reasons []websocket.Reason
	reqs    []*websocket.PartialRequest
	running int
}

func (a *actor) enter(format string, args ...any) func() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, fmt.Sprintf(format, args...))
	if a.running++; a.running > 1 {
		panic("two callbacks at once")
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.running--
	}
}

func (a *actor) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	a.s = s
	defer a.enter("init")()
	if a.onInit != nil {
		return a.onInit(s, out)
	}
	return out
}

func (a *actor) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	p := string(f.Payload)
	if len(p) > 40 {
		p = fmt.Sprintf("%d octets", len(p))
	}
	defer a.enter("%s %s", f.Type, p)()
	if a.onHandle != nil {
		return a.onHandle(f, out)
	}
	if f.IsData() {
		out = append(out, f.Reply())
	}
	return out
}

func (a *actor) Info(msg any, out websocket.Commands) websocket.Commands {
	if cmds, ok := msg.(websocket.Commands); ok {
		defer a.enter("info")()
		return cmds
	}
	defer a.enter("info %v", msg)()
	if a.onInfo != nil {
		return a.onInfo(msg, out)
	}
	return out
}

func (a *actor) Terminate(r websocket.Reason, p *websocket.PartialRequest) {
	defer a.enter("terminate %s", r)()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reasons = append(a.reasons, r)
	a.reqs = append(a.reqs, p)
}

// session is the actor's session, once it is there.
func (a *actor) session() *websocket.Session {
	synctest.Wait()
	return a.s
}

// told is what the actor has been told, once everything has come to rest.
func (a *actor) told() string {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.log, "; ")
}

// wantReason wants that Terminate ran once, with this reason, as the last callback.
func (h *house) wantReason(a *actor, want string) websocket.Reason {
	h.Helper()
	told := a.told()
	if len(a.reasons) != 1 {
		h.Fatalf("Terminate ran %d times; told: %s", len(a.reasons), told)
	}
	if got := a.reasons[0].String(); got != want {
		h.Fatalf("reason %s (%v), want %s", got, a.reasons[0].Err, want)
	}
	if !strings.HasSuffix(told, "terminate "+want) {
		h.Fatalf("Terminate was not the last: %s", told)
	}
	return a.reasons[0]
}

var _ upgrade.Terminator = (*actor)(nil)

// withhold stops reading; on HTTP/2 no credit goes back.
func (c *client) withhold() {
	if t, ok := c.wire.(*h2test.Tunnel); ok {
		t.Withhold(true)
	}
}

func (c *client) allow() {
	if t, ok := c.wire.(*h2test.Tunnel); ok {
		t.Withhold(false)
	}
}
