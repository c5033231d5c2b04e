package main

import (
	"strings"
	"testing"
)

// exchange is one row of the contract: what a client sends, what it gets, and how the server tells
// of the end.
type exchange struct {
	name string
	path string // /commands if empty
	ext  string // the client's Sec-WebSocket-Extensions
	send []byte
	fin  bool     // the client ends its side behind it, without a close frame
	want []string // everything, to the end
	end  event    // fields of the terminate event
}

// run plays the row. A row that ends nothing itself is closed by its client with 1000.
func (x exchange) run(t *testing.T, l *lane) {
	t.Helper()
	path := x.path
	if path == "" {
		path = "/commands"
	}
	var fields []string
	if x.ext != "" {
		fields = []string{"Sec-WebSocket-Extensions", x.ext}
	}
	r := l.open(t, path, fields...)
	end, want, send := x.end, x.want, x.send
	if end == nil {
		end = event{"reason": "remote", "code": 1000, "text": ""}
		send = frames(send, closing(1000, ""))
		want = append(want[:len(want):len(want)], `close 1000 ""`, "end")
	}
	r.said = make(chan struct{})
	go func() { // ends when all is said, or the server has ended; the server may want to be read before
		defer close(r.said)
		r.say(send)
		if x.fin {
			r.CloseWrite()
		}
	}()
	r.wantAll(want...)
	<-r.said
	r.CloseWrite() // it may have gone
	bare, _, _ := strings.Cut(path, "?")
	l.wantEnd(bare, end)
}

// runAll plays rows over every transport.
func runAll(t *testing.T, rows []exchange) {
	t.Helper()
	p := start(t)
	eachLane(t, p, func(t *testing.T, l *lane) {
		for _, x := range rows {
			t.Run(x.name, func(t *testing.T) { x.run(t, l) })
		}
	})
}

// script is a text message for /commands.
func script(s string) []byte { return text(s) }

// ended are the lines of a close by the server that carries no text.
func ended(code string) []string { return []string{"close " + code + ` ""`, "end"} }
