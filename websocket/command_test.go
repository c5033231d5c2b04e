package websocket_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/stream"
	"weir/websocket"
)

// What a command says of itself.
func TestCommandLook(t *testing.T) {
	prepared := websocket.Prepare(websocket.BinaryFrame, "frame")
	changes := websocket.Changes{IdleTimeout: time.Second, MaxFrameSize: 5}
	for _, r := range []struct {
		c       websocket.Command
		kind    websocket.CommandKind
		typ     websocket.FrameType
		payload string
		code    websocket.CloseCode
		text    string
		on      bool
		value   any
		want    string
	}{
		{c: websocket.Command{}, kind: websocket.CommandNone, want: "Command{}"},
		{c: websocket.Text("hi"), kind: websocket.CommandFrame, typ: websocket.TextFrame, payload: "hi", want: `Text("hi")`},
		{c: websocket.Binary([]byte{0, 0xff}), kind: websocket.CommandFrame, typ: websocket.BinaryFrame, payload: "\x00\xff", want: `Binary("\x00\xff")`},
		{c: websocket.Text(strings.Repeat("x", 65)), kind: websocket.CommandFrame, typ: websocket.TextFrame, payload: strings.Repeat("x", 65),
			want: `Text(65 octets, "` + strings.Repeat("x", 64) + `"...)`},
		{c: websocket.Ping(""), kind: websocket.CommandFrame, typ: websocket.PingFrame, want: `Ping("")`},
		{c: websocket.Pong("a"), kind: websocket.CommandFrame, typ: websocket.PongFrame, payload: "a", want: `Pong("a")`},
		{c: websocket.Frame{Type: websocket.PingFrame, Payload: []byte("p")}.Reply(), kind: websocket.CommandFrame, typ: websocket.PongFrame, payload: "p", want: `Pong("p")`},
		{c: websocket.SendPrepared(prepared), kind: websocket.CommandPrepared, typ: websocket.BinaryFrame, payload: "frame", value: prepared, want: `SendPrepared(Binary "frame")`},
		{c: websocket.Close(1001, "bye"), kind: websocket.CommandClose, code: 1001, text: "bye", want: `Close(1001, "bye")`},
		{c: websocket.Active(true), kind: websocket.CommandActive, on: true, want: "Active(true)"},
		{c: websocket.Deflate(false), kind: websocket.CommandDeflate, want: "Deflate(false)"},
		{c: websocket.SetOptions(changes), kind: websocket.CommandSetOptions, value: changes, want: "SetOptions({IdleTimeout:1s MaxFrameSize:5})"},
		{c: websocket.ShutdownReason("why"), kind: websocket.CommandShutdownReason, value: "why", want: "ShutdownReason(why)"},
		{c: websocket.Hibernate(), kind: websocket.CommandHibernate, want: "Hibernate()"},
		{c: websocket.Stop(), kind: websocket.CommandStop, want: "Stop()"},
	} {
		c := r.c
		if c.Kind() != r.kind || c.Type() != r.typ || string(c.Payload()) != r.payload || c.Code() != r.code || c.Text() != r.text || c.On() != r.on ||
			!reflect.DeepEqual(c.Value(), r.value) || c.String() != r.want {
			t.Errorf("%s is %v %v %q %d %q %v %v, want %s", c, c.Kind(), c.Type(), c.Payload(), c.Code(), c.Text(), c.On(), c.Value(), r.want)
		}
		if strings.HasPrefix(c.Kind().String(), "CommandKind(") {
			t.Errorf("%d has no name", c.Kind())
		}
	}
	if got := fmt.Sprint(websocket.Commands{websocket.Text("a"), websocket.Stop()}); got != `[Text("a") Stop()]` {
		t.Errorf("a list is %s", got)
	}
}

// Commands are equal where they want the same, however they were made.
func TestCommandEqual(t *testing.T) {
	different := []websocket.Command{
		{}, websocket.Text("a"), websocket.Text("b"), websocket.Text(""), websocket.Binary("a"), websocket.Ping("a"), websocket.Pong("a"),
		websocket.SendPrepared(websocket.Prepare(websocket.TextFrame, "a")), websocket.SendPrepared(websocket.Prepare(websocket.TextFrame, "b")),
		websocket.SendPrepared(websocket.Prepare(websocket.BinaryFrame, "a")),
		websocket.Close(1000, "a"), websocket.Close(1000, "b"), websocket.Close(1001, "a"), websocket.Close(0, ""),
		websocket.Active(true), websocket.Active(false), websocket.Deflate(true), websocket.Deflate(false),
		websocket.SetOptions(websocket.Changes{IdleTimeout: 1}), websocket.SetOptions(websocket.Changes{MaxFrameSize: 1}),
		websocket.ShutdownReason([]int{1}), websocket.ShutdownReason([]int{2}), websocket.ShutdownReason(nil), websocket.Hibernate(), websocket.Stop(),
	}
	for i, a := range different {
		for k, b := range different {
			if a.Equal(b) != (i == k) {
				t.Errorf("%s and %s: equal is %v", a, b, a.Equal(b))
			}
		}
	}
	for _, same := range [][2]websocket.Command{
		{websocket.Text("a"), websocket.Text([]byte("a"))},
		{websocket.Text(""), websocket.Text([]byte(nil))},
		{websocket.Ping("a"), websocket.Ping([]byte("a"))},
		{websocket.SendPrepared(websocket.Prepare(websocket.TextFrame, "a")), websocket.SendPrepared(websocket.Prepare(websocket.TextFrame, []byte("a")))},
		{websocket.ShutdownReason([]int{1}), websocket.ShutdownReason([]int{1})},
	} {
		if !same[0].Equal(same[1]) {
			t.Errorf("%s and %s are not equal", same[0], same[1])
		}
	}
	a, b := websocket.Commands{websocket.Text("a"), websocket.Stop()}, websocket.Commands{websocket.Text([]byte("a")), websocket.Stop()}
	if !slices.EqualFunc(a, b, websocket.Command.Equal) {
		t.Errorf("%s and %s are not equal", a, b)
	}
}

// A session that was never opened, be it nil or zero, says so and does not panic.
func TestZeroSession(t *testing.T) {
	for name, s := range map[string]*websocket.Session{"nil": nil, "zero": new(websocket.Session)} {
		t.Run(name, func(t *testing.T) {
			typ := reflect.TypeOf(s)
			args := map[string][]reflect.Value{
				"Post": {reflect.ValueOf("x")},
				"Send": {reflect.ValueOf(websocket.Text("x"))},
			}
			for i := range typ.NumMethod() { // all there are
				reflect.ValueOf(s).Method(i).Call(args[typ.Method(i).Name])
			}
			for what, err := range map[string]error{
				"Post": s.Post("x"), "Send": s.Send(websocket.Text("x")), "no command": s.Send(), "Post of a command": s.Post(websocket.Stop()),
			} {
				if !errors.Is(err, websocket.ErrEnded) || !strings.Contains(err.Error(), "never opened") {
					t.Errorf("%s gives %v", what, err)
				}
			}
			if s.Context().Err() == nil || s.StreamInfo() != (stream.Info{}) || *s.Request() != (websocket.PartialRequest{}) || s.Stats() != (websocket.Stats{}) {
				t.Error("it says something of what never was")
			}
		})
	}
}
