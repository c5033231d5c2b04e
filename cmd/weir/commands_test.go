package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/websocket"
	"weir/websocket/websockettest"
)

// ends are scripts that end their WebSocket, and how.
var ends = []struct {
	script string
	code   int // the server's close code; 0: an empty close frame
	text   string
	before []string // text messages before the close frame
	want   event
}{
	{`[{"close":{}},{"text":"never"}]`, 0, "", nil, event{"reason": "stop"}},
	{`[{"text":"first"},{"close":{"code":4000,"reason":"enough"}},{"text":"never"}]`, 4000, "enough", []string{"first"}, event{"reason": "stop"}},
	{`[{"shutdown_reason":{"why":[1,null]}},{"stop":true},{"text":"never"}]`, 1000, "", nil, event{"reason": "stop", "shutdown_reason": event{"why": []any{1, nil}}}},
	{`[{"panic":"out of rope"}]`, 1011, "", nil, event{"reason": "crash:throw", "crash": "out of rope", "shutdown_reason": nil}},
	{`[{"panic_error":"out of luck"}]`, 1011, "", nil, event{"reason": "crash:error", "crash": "out of luck"}},
	{`[{"goexit":true}]`, 1011, "", nil, event{"reason": "crash:exit"}},
	{`[{"text":"never"},{"close":{"code":1005}}]`, 1011, "", nil, nil},
	{`[{"set_options":{"idle_timeout":10}}]`, 1000, "", nil, event{"reason": "timeout"}},
	{`[{"after":{"ms":1,"commands":[{"text":"later"},{"stop":true}]}},{"text":"now"}]`, 1000, "", []string{"now", "later"}, event{"reason": "stop"}},
	{`[{"active":false},{"hibernate":true},{"deflate":true},{"after":{"ms":1,"commands":[{"active":true},{"close":{"code":1001}}]}}]`, 1001, "", nil, event{"reason": "stop"}},
}

func checkEnd(t *testing.T, p *process, i int) {
	t.Helper()
	e := p.wantEnd("/commands", ends[i].want)
	if ends[i].want == nil && !strings.HasPrefix(fmt.Sprint(e["reason"]), "crash:") {
		t.Errorf("reason %v, want a crash", e["reason"])
	}
	if strings.HasPrefix(fmt.Sprint(e["reason"]), "crash:") && e["crash"] == nil {
		t.Error("a crash without its value")
	}
}

func TestCommandsEnd(t *testing.T) {
	p := start(t)
	for i, c := range ends {
		t.Run("h1/"+c.script, func(t *testing.T) {
			conn := dial(t, p.http, "/commands")
			write(t, conn, c.script)
			for _, text := range c.before {
				wantText(t, conn, text)
			}
			code := c.code
			if code == 0 {
				code = 1005 // what the client makes of an empty close frame (RFC 6455, 7.1.5)
			}
			wantClose(t, conn, code, c.text)
			checkEnd(t, p, i)
		})
	}
	for i, c := range ends {
		t.Run("h2c/"+c.script, func(t *testing.T) {
			var got struct{ Closes []closeResult }
			runPeer(t, p.http, &got, "scripts", c.script)
			want := closeResult{Code: c.code, Text: c.text, Ended: true}
			for _, text := range c.before {
				want.Frames = append(want.Frames, frameResult{"text", text})
			}
			if len(got.Closes) != 1 {
				t.Fatalf("%d answers", len(got.Closes))
			}
			got.Closes[0].check(t, want)
			checkEnd(t, p, i)
		})
	}
}

// What does not end the session: frames, reports, options and mistakes.
func TestCommandsReply(t *testing.T) {
	p := start(t)
	t.Run("frames", func(t *testing.T) {
		c := dial(t, p.http, "/commands")
		write(t, c, `[{"text":"grüße"},{"binary":"AAEC/w=="},{"ping":"p"},{"pong":"q"},{"text":"end"}]`)
		wantText(t, c, "grüße")
		wantBinary(t, c, "\x00\x01\x02\xff")
		wantText(t, c, "end")
	})
	t.Run("report", func(t *testing.T) {
		c := dial(t, p.http, "/commands")
		write(t, c, `[{"report":["ping","pong"]},{"ping":"marco"}]`)
		wantText(t, c, `{"pong":"marco"}`)
		write(t, c, `[{"report":[]},{"ping":"marco"},{"text":"unreported"}]`)
		wantText(t, c, "unreported")
	})
	t.Run("binary", func(t *testing.T) {
		c := dial(t, p.http, "/commands")
		writeBinary(t, c, "[]")
		wantBinary(t, c, "[]")
	})
	t.Run("max_frame_size", func(t *testing.T) {
		p := start(t)
		c := dial(t, p.http, "/commands")
		write(t, c, `[{"set_options":{"max_frame_size":2}},{"text":"set"}]`)
		wantText(t, c, "set")
		write(t, c, `[]`)
		write(t, c, `[{"text":"too long"}]`)
		wantClose(t, c, 1009, "")
		p.wantEnd("/commands", event{"reason": "error:badsize"})
	})
	t.Run("mistakes", func(t *testing.T) {
		c := dial(t, p.http, "/commands")
		for _, script := range []string{`hello`, `{}`, `null`, `[1]`, `[{}]`, `[{"text":"a","ping":"b"}]`, `[{"sing":"a"}]`, `[{"text":1}]`, `[{"text":null}]`,
			`[{"stop":false}]`, `[{"close":{"code":-1}}]`, `[{"close":{"cod":1000}}]`, `[{"set_options":{"idle_timeout":-1}}]`, `[{"report":["close"]}]`,
			`[{"after":{"ms":-1,"commands":[]}}]`, `[{"after":{"ms":1}}]`, `[{"text":"unsent"},{"after":{"ms":1,"commands":[{"stop":1}]}}]`, `[] []`} {
			write(t, c, script)
			got := read(t, c)
			var answer map[string]string
			if err := json.Unmarshal(got, &answer); err != nil || len(answer) != 1 || answer["error"] == "" {
				t.Errorf("%s: answered %s", script, got)
			}
		}
		write(t, c, `[{"text":"alive"}]`)
		wantText(t, c, "alive")
	})
}

// A paused handler is sent nothing until it is active again, and then everything, in order.
func TestCommandsActive(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		p := websockettest.Open(t, tr, new(server).commandsEndpoint(nil, nil), &websocket.Options{IdleTimeout: -1})
		p.SendText(`[{"active":false},{"after":{"ms":3600000,"commands":[{"text":"active"},{"active":true}]}}]`)
		p.SendText(`[{"text":"held 1"}]`)
		p.SendText(`[{"text":"held 2"}]`)
		p.WantSilence(time.Hour - 1)
		p.Want(websockettest.Text("active"), websockettest.Text("held 1"), websockettest.Text("held 2"))
	})
}
