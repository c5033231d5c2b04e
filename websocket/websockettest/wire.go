package websockettest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"weir/stream"
	"weir/upgrade"
	"weir/websocket"
	"weir/wsframe"
	"weir/wsframe/deflate"
)

// wire is a peer's end of a stream: octets become frames as they come, unless it is paused.
type wire struct {
	client bool // we are the client

	mu      sync.Mutex
	changed chan struct{} // closed when anything below changes
	st      stream.Stream // nil: there is none yet
	read    wsframe.Reader
	payload []byte // of the frame that has begun
	frames  []Frame
	fault   error // the other side broke RFC 6455
	fin     bool  // the other side has ended
	over    bool  // Closed was told
	err     error // and what it said
	closing bool  // we have sent a close frame
	ended   bool  // we have ended our side
	paused  bool
	lost    bool
	held    []byte // arrived while paused: no credit went back for it
	heldFin bool
	pings   bool // are answered
	deflate bool
	comp    deflate.Writer
	in      deflate.Reader

	out     []byte // is to be sent
	outFin  bool
	sending chan struct{} // closed when nothing is left to be sent; nil: nothing is

	begun time.Time
	told  []told
}

// begin runs over st from now on; answer are the fields of the response.
func (w *wire) begin(st stream.Stream, answer http.Header) {
	w.mu.Lock()
	w.st = st
	w.read = wsframe.Reader{Client: w.client, MaxFragments: -1}
	if p, ok := agreedDeflate(answer); ok {
		w.deflate, w.read.Deflate = true, true
		if w.client {
			w.comp, w.in = p.Client(0)
		} else {
			w.comp, w.in = p.Server(0)
		}
	}
	w.mu.Unlock()
	st.Attach(w, stream.Limits{WriteTimeout: -1}) // a test that sends too much is not cut off
}

// agreedDeflate is what the answer to a handshake says of permessage-deflate.
func agreedDeflate(answer http.Header) (p deflate.Params, ok bool) {
	list, ok := upgrade.ParseExtensions(answer["Sec-Websocket-Extensions"])
	if !ok || len(list) == 0 || list[0].Name != deflate.Name {
		return p, false
	}
	var params []deflate.Param
	for _, param := range list[0].Params {
		params = append(params, deflate.Param(param))
	}
	p, err := deflate.Accept(new(deflate.Options), params)
	return p, err == nil
}

// change wakes who waits; mu is held.
func (w *wire) change() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// note tells that something happened; mu is held.
func (w *wire) note(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if n := len(w.told); n > 0 && w.told[n-1].what == what {
		w.told[n-1].more++
		return
	}
	if len(w.told) >= mostTold {
		w.told = append(w.told[:0], w.told[1:]...)
	}
	w.told = append(w.told, told{at: time.Since(w.begun), what: what})
}

// told is something that has happened, for messages.
type told struct {
	at   time.Duration
	what string
	more int // so many times more, one behind the other
}

// story is what has happened, in lines; mu is held.
func (w *wire) story() string {
	var b strings.Builder
	for _, e := range w.told {
		fmt.Fprintf(&b, "\n\t%10v  %s", e.at.Round(time.Millisecond), e.what)
		if e.more > 0 {
			fmt.Fprintf(&b, ", %d times", e.more+1)
		}
	}
	if b.Len() == 0 {
		return "\n\t(nothing has happened)"
	}
	return b.String()
}

// mostTold is how many events are kept for messages.
const mostTold = 40

// Data implements stream.Sink.
func (w *wire) Data(b []byte, fin bool) {
	w.mu.Lock()
	if w.paused || w.lost {
		w.held, w.heldFin = append(w.held, b...), w.heldFin || fin
	} else {
		w.take(b, fin)
	}
	w.mu.Unlock()
}

// take reads what has arrived; mu is held.
func (w *wire) take(b []byte, fin bool) {
	n := len(b)
	for len(b) > 0 && w.fault == nil {
		ev, k, err := w.read.Next(b)
		if err != nil {
			w.broken(err)
			break
		}
		b = b[k:]
		if !ev.None() {
			w.event(ev)
		}
	}
	w.st.Release(n)
	if fin {
		w.fin = true
		w.note("came  the end")
	}
	w.change()
}

// broken notes a breach; mu is held.
func (w *wire) broken(err error) {
	w.fault = err
	w.note("came  what is no frame: %v", err)
}

// event takes a piece of a frame; mu is held.
func (w *wire) event(ev wsframe.Event) {
	w.payload = append(w.payload, ev.Payload...)
	if !ev.End {
		return
	}
	if ev.Compressed && !ev.Op.IsControl() {
		if err := w.inflate(ev.EndsMessage()); err != nil {
			w.broken(err)
			return
		}
	}
	f := Frame{Type: websocket.FrameType(ev.Header.Op), More: !ev.Header.Fin,
		Compressed: ev.Header.RSV1, Payload: string(w.payload)}
	w.payload = w.payload[:0]
	w.note("came  %s", f)
	if w.pings && f.Type == websocket.PingFrame {
		w.note("sent  %s, by itself", Pong(f.Payload))
		_ = w.send(w.encode(Pong(f.Payload)), false) // a stream that has ended has no use for it
		return
	}
	w.frames = append(w.frames, f)
}

// inflate makes of the payload what it was; mu is held.
func (w *wire) inflate(last bool) error {
	w.in.Feed(w.payload, last)
	w.payload = nil
	for {
		buf := make([]byte, 16<<10)
		n, more, err := w.in.Next(buf)
		w.payload = append(w.payload, buf[:n]...)
		if err != nil || !more {
			return err
		}
	}
}

// Drained implements stream.Sink.
func (w *wire) Drained() {}

// Closed implements stream.Sink.
func (w *wire) Closed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over, w.err = true, err
	if err != nil {
		w.note("came  %v", err)
	}
	w.change()
}

// encode is f on the wire; mu is held.
func (w *wire) encode(f Frame) []byte {
	p := []byte(f.Payload)
	if f.Compressed {
		p = w.comp.Append(nil, p)
	}
	h := wsframe.Header{Fin: !f.More, RSV1: f.Compressed, Op: wsframe.Opcode(f.Type),
		Masked: w.client}
	if w.client {
		h.Key = [4]byte{0x37, 0xfa, 0x21, 0x3d}
	}
	return wsframe.AppendFrame(nil, h, p)
}

// newWire makes a wire without a stream.
func newWire() *wire { return &wire{changed: make(chan struct{}), begun: time.Now()} }

// errOver is what send gives when nothing can be sent any more.
var errOver = errors.New("the stream is over")

// send sends b, and with fin our end behind it. mu is held. Nobody waits: a transport may take a
// moment to send, and a test that only sends must not see its clock move. Over a network that is
// lost nothing goes.
func (w *wire) send(b []byte, fin bool) error {
	switch {
	case w.over && w.err != nil:
		return w.err
	case w.over:
		return errOver
	case w.ended:
		return errors.New("the peer has ended its side")
	}
	w.ended = fin
	if w.lost {
		return nil
	}
	w.out, w.outFin = append(w.out, b...), fin
	if w.sending == nil {
		w.sending = make(chan struct{})
		go w.sendAll() // ends when nothing is left to be sent
	}
	return nil
}

func (w *wire) sendAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.out) > 0 || w.outFin {
		b, fin := w.out, w.outFin
		w.out, w.outFin = nil, false
		w.mu.Unlock()
		_, err := w.st.Send([][]byte{b}, fin)
		w.mu.Lock()
		if err != nil {
			w.note("lost  what was sent: %v", err)
		}
	}
	close(w.sending)
	w.sending = nil
}

// sent waits until the transport has taken what was sent.
func (w *wire) sent() {
	w.mu.Lock()
	sending := w.sending
	w.mu.Unlock()
	if sending != nil {
		<-sending
	}
}

// reset gives the stream up, behind what was sent.
func (w *wire) reset() {
	w.sent()
	w.mu.Lock()
	st, over := w.st, w.over
	w.lost, w.held = false, nil
	w.mu.Unlock()
	if st != nil && !over {
		st.Reset(stream.Cancel)
	}
}

// isReset says that err is what the other side's reset gives.
func isReset(err error) bool {
	if re, ok := errors.AsType[*stream.ResetError](err); ok {
		return re.Remote
	}
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.ErrUnexpectedEOF)
}
