package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"weir/internal/reach"
	"weir/stream"
	"weir/websocket"
)

// printer is what `weir connect` shows: data on stdout, everything else on stderr.
type printer struct {
	url      string // without a password
	terminal bool   // somebody types
	screen   bool   // stdout is a terminal, and obeys what is written to it
	json     bool
	verbose  bool
	controls bool // pings and pongs are of interest

	mu             sync.Mutex
	stdout, stderr io.Writer
	lost           error         // what stdout failed with
	gone           chan struct{} // closed when it has
}

// The events of --json.
type (
	connectOpen struct {
		Time        string           `json:"time"`
		Event       string           `json:"event"`
		URL         string           `json:"url"`
		HTTPVersion string           `json:"http_version"`
		Transport   stream.Transport `json:"transport"`
		RemoteAddr  string           `json:"remote_addr"`
		Stream      uint64           `json:"stream"`
		Subprotocol string           `json:"subprotocol"`
		Extensions  string           `json:"extensions"`
	}
	connectFrame struct { // message, ping, pong
		Time   string  `json:"time"`
		Event  string  `json:"event"`
		Type   string  `json:"type,omitempty"` // of a message: text or binary
		Bytes  int     `json:"bytes"`
		Text   *string `json:"text,omitempty"`
		Base64 []byte  `json:"base64,omitempty"` // in place of text: a binary message, or what is not UTF-8
	}
	connectClose struct {
		Time   string  `json:"time"`
		Event  string  `json:"event"`
		Reason string  `json:"reason"`
		Code   int     `json:"code,omitempty"` // the server's
		Text   *string `json:"text,omitempty"` // with Code
		Clean  bool    `json:"clean"`
	}
	connectFault struct {
		Time    string `json:"time"`
		Event   string `json:"event"`
		Message string `json:"message"`
		Status  int    `json:"status,omitempty"`
		// Of a refusal: the first line of its body, its Location, and the URL that would do.
		Reason   string `json:"reason,omitempty"`
		Location string `json:"location,omitempty"`
		Try      string `json:"try,omitempty"`
	}
)

// event writes a line of --json, in one Write.
func (p *printer) event(v any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(reach.JSON(eventLine(v)))
}

// put writes on stdout, with mu held. The first error ends the WebSocket: nobody reads what it
// brings.
func (p *printer) put(b []byte) {
	if _, err := p.stdout.Write(b); err != nil && p.lost == nil {
		p.lost = err
		close(p.gone)
	}
}

// gap is the error of stdout, nil while there is none.
func (p *printer) gap() error {
	select {
	case <-p.gone:
		return p.lost
	default:
		return nil
	}
}

// line writes on stdout, around the prompt.
func (p *printer) line(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		b = append(append([]byte("\r\x1b[K"), b...), "> "...)
	}
	p.put(b)
}

// prompt asks for a line.
func (p *printer) prompt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		p.put([]byte("> "))
	}
}

// say is one line on stderr.
func (p *printer) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := reach.Line(fmt.Sprintf(format, args...)) + "\n" // of what a peer said
	if p.terminal {
		s = "\r\x1b[K" + s
	}
	io.WriteString(p.stderr, s)
}

func (p *printer) open(s *websocket.Session) {
	info := s.StreamInfo()
	e := connectOpen{Time: timestamp(), Event: "open", URL: p.url, HTTPVersion: info.Transport.HTTPVersion(), Transport: info.Transport,
		Stream: info.ID, Subprotocol: s.Subprotocol(), Extensions: s.Extensions()}
	if info.Remote != nil {
		e.RemoteAddr = info.Remote.String()
	}
	if p.json {
		p.event(e)
	}
	if p.terminal || p.verbose {
		words := []string{"connected to " + p.url + " over HTTP/" + e.HTTPVersion}
		if e.Subprotocol != "" {
			words = append(words, "subprotocol "+e.Subprotocol)
		}
		if e.Extensions != "" {
			words = append(words, e.Extensions)
		}
		p.say("* %s", strings.Join(words, ", "))
	}
	p.prompt()
}

// frame shows a message, a ping or a pong.
func (p *printer) frame(f websocket.Frame) {
	switch {
	case p.json:
		p.event(frameEvent(f))
	case !f.IsData():
		if p.terminal || p.verbose || p.controls {
			p.say("< %s %q", f.Type, f.Payload)
			p.prompt()
		}
	case !p.terminal && p.screen:
		p.line([]byte(reach.Text(string(f.Payload)) + "\n"))
	case !p.terminal:
		p.line(append(append([]byte(nil), f.Payload...), '\n'))
	case f.Type == websocket.BinaryFrame:
		p.line(fmt.Appendf(nil, "< binary of %d: %x\n", len(f.Payload), f.Payload))
	default:
		p.line(fmt.Appendf(nil, "< %s\n", reach.Text(string(f.Payload))))
	}
}

func frameEvent(f websocket.Frame) connectFrame {
	e := connectFrame{Time: timestamp(), Event: f.Type.String(), Bytes: len(f.Payload)}
	if f.IsData() {
		e.Event, e.Type = "message", f.Type.String()
	}
	if text := string(f.Payload); f.Type != websocket.BinaryFrame && strings.ToValidUTF8(text, "") == text {
		e.Text = &text
	} else {
		e.Base64 = f.Payload
	}
	return e
}

// end shows how the WebSocket ended; err is what the program ends with.
func (p *printer) end(r websocket.Reason, err error) {
	if p.json {
		e := connectClose{Time: timestamp(), Event: "close", Reason: r.String(), Clean: err == nil}
		if r.Kind == websocket.ReasonRemote && r.Code != 0 {
			e.Code, e.Text = int(r.Code), &r.Text
		}
		p.event(e)
	}
	if err == nil && (p.terminal || p.verbose) {
		if r.Kind == websocket.ReasonRemote {
			p.say("* closed by the server: %s", closeWords(r))
		} else {
			p.say("* closed")
		}
	} else if p.terminal {
		p.line(nil)
	}
}

// fault shows that no WebSocket was opened.
func (p *printer) fault(err error, w why) {
	if !p.json {
		return
	}
	e := connectFault{
		Time: timestamp(), Event: "error", Message: err.Error(),
		Reason: w.said, Location: w.location, Try: w.try,
	}
	if de, ok := errors.AsType[*websocket.DialError](err); ok && de.Response != nil {
		e.Status = de.Response.StatusCode
	}
	p.event(e)
}
