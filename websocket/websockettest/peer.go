package websockettest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// Peer is the other side of a WebSocket, played by a test: the client of a handler (Open, Serve),
// or the server of code that dials (Listen). It does nothing by itself: a ping is answered when the
// test says so, and so is a close frame. What it sends may be anything.
//
// Its methods are for the goroutine of the test, as t.Fatal is. What is sent never waits for the
// other side; what is wanted is waited for.
type Peer struct {
	// Patience is how long the methods called Want… wait: unless it is set, 20 s, or 2 minutes of
	// fake time, which are a moment.
	Patience time.Duration

	t        testing.TB
	name     string // of the transport
	host     *Host  // of a peer that is the client
	request  *http.Request
	response *http.Response
	lose     func() // loses the network; nil: there is none
	w        *wire
	record   *record
}

func newPeer(t testing.TB, name string, fake bool) *Peer {
	p := &Peer{Patience: patience(fake), t: t, name: name, w: newWire()}
	p.record = &record{w: p.w}
	return p
}

// Response is the answer to the handshake, of a peer that is the client.
func (p *Peer) Response() *http.Response { return p.response }

// Request is the handshake, of a peer that is the server.
func (p *Peer) Request() *http.Request { return p.request }

// Subprotocol is the subprotocol that was agreed on, "" if none.
func (p *Peer) Subprotocol() string { return p.response.Header.Get("Sec-Websocket-Protocol") }

// Extensions are the extensions that were agreed on, as Sec-WebSocket-Extensions spells them.
func (p *Peer) Extensions() string {
	return strings.Join(p.response.Header["Sec-Websocket-Extensions"], ", ")
}

// Session is the session of the handler. It is there once the WebSocket is open.
func (p *Peer) Session() *websocket.Session {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.observed()
	if !p.await(func() bool { return p.record.session != nil }) {
		p.failf("the session has not begun")
	}
	return p.record.session
}

// Send sends frames, in one write. One that says Compressed is compressed, which must have been
// agreed on.
func (p *Peer) Send(frames ...Frame) {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	var b []byte
	for _, f := range frames {
		if f.Compressed && !p.w.deflate {
			p.failf("cannot send %s: compression was not agreed on", f)
		}
		b = append(b, p.w.encode(f)...)
		p.w.closing = p.w.closing || f.Type == websocket.CloseFrame
		p.w.note("sent  %s", f)
	}
	p.write(b, false)
}

// SendText sends a text message.
func (p *Peer) SendText(s string) { p.t.Helper(); p.Send(Text(s)) }

// SendBinary sends a binary message.
func (p *Peer) SendBinary(s string) { p.t.Helper(); p.Send(Binary(s)) }

// SendOctets sends octets as they are: frames that break the rules, or a part of one.
func (p *Peer) SendOctets(b ...byte) {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.note("sent  %d octets: %x", len(b), b[:min(len(b), shown)])
	p.write(b, false)
}

// write sends; mu is held.
func (p *Peer) write(b []byte, fin bool) {
	p.t.Helper()
	if err := p.w.send(b, fin); err != nil {
		p.failf("cannot be sent: %v", err)
	}
}

// CloseWrite ends the peer's side without a close frame: a FIN, or END_STREAM.
func (p *Peer) CloseWrite() {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.note("sent  the end")
	p.write(nil, true)
}

// Reset gives the WebSocket up: RST_STREAM(CANCEL), or a TCP reset.
func (p *Peer) Reset() {
	p.w.mu.Lock()
	p.w.note("sent  a reset")
	p.w.mu.Unlock()
	p.w.reset()
}

// Lose loses the network: from now on nothing comes through, either way, and nobody is told. Over
// HTTP/2 that is so for all peers on the same connection: those of a Host are.
func (p *Peer) Lose() {
	p.w.sent()
	p.w.mu.Lock()
	p.w.lost = true
	p.w.note("lost  the network")
	p.w.mu.Unlock()
	if p.lose != nil {
		p.lose()
	}
}

// Pause stops reading, and gives no more credit: what the other side sends waits, first on its way
// and then there. A stream takes 64 KiB ahead, and a connection of HTTP/1.1 as much again.
func (p *Peer) Pause() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.paused = true
	p.w.note("pause")
}

// Resume goes on reading, with what has come meanwhile first.
func (p *Peer) Resume() {
	p.w.mu.Lock()
	p.w.paused = false
	p.w.note("resume")
	b, fin := p.w.held, p.w.heldFin
	p.w.held, p.w.heldFin = nil, false
	if len(b) > 0 || fin {
		p.w.take(b, fin)
	}
	p.w.mu.Unlock()
}

// AnswerPings answers pings from now on, as browsers do. Those are not seen by any Want.
func (p *Peer) AnswerPings() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.pings = true
}

// Unsent is how many octets of what the peer has sent still wait for credit: more than nothing if
// the other side reads too little, or is paused by Active(false). What is on its way is not
// counted, see Pause.
func (p *Peer) Unsent() int {
	p.w.sent()
	n, _ := p.w.st.Send(nil, false) // an error says no more than that our end has left
	return n
}

// Drain shuts the peer's Host down and does not wait: its sessions get Drain, or are closed with
// 1001, within 10 s. A session that has a Group of its own by its Options is that Group's to drain.
func (p *Peer) Drain() {
	p.t.Helper()
	if p.host == nil {
		p.t.Fatalf("%s: this peer is the server, and there is no handler to drain", p.name)
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	p.host.shutdowns.begin("")
	go func() { // ends with the Shutdown
		defer p.host.shutdowns.end("")
		defer stop()
		_ = p.host.Shutdown(ctx) // what is left is told when the test ends
	}()
}

// Close closes the WebSocket as a peer does that obeys RFC 6455, 7.1.2: it sends a close frame,
// reads on until one comes, which has the same code, and wants the end behind it. Code 0 is the
// empty close frame. To send the frame alone is Send(Close(code, text)).
func (p *Peer) Close(code websocket.CloseCode, text string) {
	p.t.Helper()
	p.Send(Close(code, text))
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for {
		f := p.next("the answer to " + Close(code, text).String())
		if f.Type != websocket.CloseFrame {
			continue // it was on its way
		}
		if got, _, _ := wsframe.ParseClose([]byte(f.Payload), false); websocket.CloseCode(got) != code {
			p.failf("the answer to %s is %s", Close(code, text), f)
		}
		break
	}
	p.wantEnd()
}
