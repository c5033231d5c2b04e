package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"weir/stream"
	"weir/websocket"
)

// events writes what happens, one JSON object a line.
type events struct {
	out    *outlet
	lastID atomic.Int64
}

// address is one entry of the listening event.
type address struct {
	URL       string   `json:"url"`
	Protocols []string `json:"protocols"`
}

type listeningEvent struct {
	Event     string    `json:"event"`
	Addresses []address `json:"addresses"`
}

type openEvent struct {
	Time        string           `json:"time"`
	Event       string           `json:"event"`
	ID          int64            `json:"id"`
	HTTPVersion string           `json:"http_version"`
	Transport   stream.Transport `json:"transport"`
	Path        string           `json:"path"`
	RemoteAddr  string           `json:"remote_addr"`
	Stream      uint64           `json:"stream"`
	Subprotocol string           `json:"subprotocol"`
	Extensions  string           `json:"extensions"`
}

type terminateEvent struct {
	Time           string  `json:"time"`
	Event          string  `json:"event"`
	ID             int64   `json:"id"`
	Path           string  `json:"path"`
	Reason         string  `json:"reason"`
	Code           int     `json:"code,omitempty"`
	Text           *string `json:"text,omitempty"`      // with Code, also when empty
	SentCode       int     `json:"sent_code,omitempty"` // of our close frame
	SentText       *string `json:"sent_text,omitempty"` // with SentCode, also when empty
	Drain          bool    `json:"drain,omitempty"`     // the server was draining, and had asked it to end
	ShutdownReason any     `json:"shutdown_reason"`
	DurationMS     float64 `json:"duration_ms"`
	In             counts  `json:"in"`
	Out            counts  `json:"out"`
	Crash          string  `json:"crash,omitempty"`
	Cut            string  `json:"cut,omitempty"` // why the server gave it up: backlog
}

type counts struct {
	Messages int64 `json:"messages"`
	Bytes    int64 `json:"bytes"`
}

// droppedEvent stands where events are missing, because nobody has read standard output for too
// long.
type droppedEvent struct {
	Time  string `json:"time"`
	Event string `json:"event"`
	Count int64  `json:"count"`
}

func newEvents(w io.Writer) *events {
	return &events{out: newOutlet(w, func(n int64) []byte {
		return eventLine(droppedEvent{timestamp(), "dropped", n})
	})}
}

// write emits v, and does not wait for who reads it.
func (e *events) write(v any) {
	e.out.Write(eventLine(v)) // it never fails
}

// eventLine is v as a line. What a peer sent must not fail it: a value that JSON cannot say never
// gets into an event.
func eventLine(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("weir: BUG: event: " + err.Error())
	}
	return b.Bytes()
}

// nextID numbers the sessions, from 1.
func (e *events) nextID() int64 { return e.lastID.Add(1) }

func (e *events) listening(addresses []address) {
	e.write(listeningEvent{Event: "listening", Addresses: addresses})
}

// watched is a handler whose open and end are events.
type watched struct {
	websocket.Handler
	events  *events
	path    string
	begin   time.Time
	session *websocket.Session // nil until Init
	id      int64              // 0 until Init
}

// watch puts h under observation. Its session gets a number once there is one: a handshake that
// fails has none.
func (e *events) watch(h websocket.Handler, path string) *watched {
	return &watched{Handler: h, events: e, path: path, begin: time.Now()}
}

// Init reports the WebSocket as open before its handler may say anything.
func (w *watched) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	w.session, w.id = s, w.events.nextID()
	info := s.StreamInfo()
	e := openEvent{
		Time:        timestamp(),
		Event:       "open",
		ID:          w.id,
		HTTPVersion: info.Transport.HTTPVersion(),
		Transport:   info.Transport,
		Path:        w.path,
		Stream:      info.ID,
		Subprotocol: s.Subprotocol(),
		Extensions:  s.Extensions(),
	}
	if info.Remote != nil {
		e.RemoteAddr = info.Remote.String()
	}
	w.events.write(e)
	if h, ok := w.Handler.(websocket.Initer); ok {
		return h.Init(s, out)
	}
	return out
}

// Info passes a posted message on.
func (w *watched) Info(msg any, out websocket.Commands) websocket.Commands {
	if h, ok := w.Handler.(websocket.Informer); ok {
		return h.Info(msg, out)
	}
	return out
}

// Terminate reports the end, once the handler has been told.
func (w *watched) Terminate(r websocket.Reason, req *websocket.PartialRequest) {
	if h, ok := w.Handler.(websocket.Terminator); ok {
		h.Terminate(r, req)
	}
	e := terminateEvent{
		Time:           timestamp(),
		Event:          "terminate",
		ID:             w.id,
		Path:           w.path,
		Reason:         r.String(),
		ShutdownReason: r.Shutdown,
		DurationMS:     float64(time.Since(w.begin).Microseconds()) / 1000,
		Drain:          r.Drain,
	}
	if r.Sent.Code != 0 {
		e.SentCode, e.SentText = int(r.Sent.Code), &r.Sent.Text
	}
	if w.session == nil {
		e.ID = w.events.nextID()
	} else {
		st := w.session.Stats()
		e.In, e.Out = counts(st.In), counts(st.Out)
	}
	if h, ok := w.Handler.(interface{ whyCut() string }); ok {
		e.Cut = h.whyCut()
	}
	switch r.Kind {
	case websocket.ReasonRemote:
		if r.Code != 0 {
			e.Code, e.Text = int(r.Code), &r.Text
		}
	case websocket.ReasonCrash:
		e.Crash = fmt.Sprint(r.Value)
	}
	w.events.write(e)
}

func timestamp() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00") }
