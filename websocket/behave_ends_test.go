package websocket_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"
	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 4: ends; BEHAVIOUR 5: frames.

func TestRemoteEnds(t *testing.T) {
	long := strings.Repeat("x", 126)
	unmasked := wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: wsframe.Text}, []byte("y"))
	raw := func(h wsframe.Header) []byte { return frame(h, "x") }
	for name, row := range map[string]struct {
		send   [][]byte
		code   websocket.CloseCode
		reason string
		got    websocket.CloseCode // the peer's, in the reason
		text   string
	}{
		"6455-5.5.1/close_empty":        {send: [][]byte{closing(0, "")}, reason: "remote"},
		"6455-5.5.1/close_1000":         {send: [][]byte{closing(1000, "")}, code: 1000, reason: "remote", got: 1000},
		"6455-5.5.1/close_text":         {send: [][]byte{closing(3000, "bye")}, code: 3000, reason: "remote", got: 3000, text: "bye"},
		"6455-7.4.1/close_1014":         {send: [][]byte{closing(1014, "")}, code: 1014, reason: "remote", got: 1014},
		"6455-5.4/close_in_message":     {send: [][]byte{begin(wsframe.Text, "x"), closing(1001, "")}, code: 1001, reason: "remote", got: 1001},
		"6455-7.4.1/close_1005":         {send: [][]byte{closing(1005, "")}, code: 1002, reason: "error:badframe"},
		"6455-7.4.2/close_5000":         {send: [][]byte{closing(5000, "")}, code: 1002, reason: "error:badframe"},
		"6455-5.5.1/close_one_octet":    {send: [][]byte{frame(wsframe.Header{Fin: true, Op: wsframe.Close}, "x")}, code: 1002, reason: "error:badframe"},
		"6455-5.5.1/close_text_utf8":    {send: [][]byte{closing(1000, "\xff")}, code: 1007, reason: "error:badencoding"},
		"6455-5.2/rsv1":                 {send: [][]byte{raw(wsframe.Header{Fin: true, RSV1: true, Op: wsframe.Text})}, code: 1002, reason: "error:badframe"},
		"6455-5.2/rsv2":                 {send: [][]byte{raw(wsframe.Header{Fin: true, RSV2: true, Op: wsframe.Text})}, code: 1002, reason: "error:badframe"},
		"6455-5.2/rsv3":                 {send: [][]byte{raw(wsframe.Header{Fin: true, RSV3: true, Op: wsframe.Text})}, code: 1002, reason: "error:badframe"},
		"6455-5.2/opcode_3":             {send: [][]byte{raw(wsframe.Header{Fin: true, Op: 3})}, code: 1002, reason: "error:badframe"},
		"6455-5.2/opcode_11":            {send: [][]byte{raw(wsframe.Header{Fin: true, Op: 11})}, code: 1002, reason: "error:badframe"},
		"6455-5.5/control_fragmented":   {send: [][]byte{raw(wsframe.Header{Op: wsframe.Ping})}, code: 1002, reason: "error:badframe"},
		"6455-5.5/control_over_125":     {send: [][]byte{ping(long)}, code: 1002, reason: "error:badframe"},
		"6455-5.4/continuation_without": {send: [][]byte{last("x")}, code: 1002, reason: "error:badframe"},
		"6455-5.4/data_within":          {send: [][]byte{begin(wsframe.Text, "x"), text("y")}, code: 1002, reason: "error:badframe"},
		"6455-5.2/length_not_shortest":  {send: [][]byte{{0x81, 0xfe, 0, 125}}, code: 1002, reason: "error:badframe"},
		"6455-5.2/length_64_shortest":   {send: [][]byte{{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}, code: 1002, reason: "error:badframe"},
		"6455-5.2/length_top_bit":       {send: [][]byte{{0x81, 0xff, 0x80}}, code: 1002, reason: "error:badframe"},
		"6455-5.1/unmasked":             {send: [][]byte{unmasked}, code: 1002, reason: "error:badframe"},
		"6455-8.1/text_utf8":            {send: [][]byte{text("\xed\xa0\x80")}, code: 1007, reason: "error:badencoding"},
		"6455-8.1/text_inside_char":     {send: [][]byte{text("\xe2\x82")}, code: 1007, reason: "error:badencoding"},
		"6455-8.1/text_in_fragments":    {send: [][]byte{begin(wsframe.Text, "\xe2\x82"), more("\xac"), last("\xac")}, code: 1007, reason: "error:badencoding"},
		"6455-10.4/max_frame_size":      {send: [][]byte{{0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x41}}, code: 1009, reason: "error:badsize"},
		"6455-10.4/fragments":           {send: [][]byte{begin(wsframe.Binary, strings.Repeat("x", 1000)), {0x80, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40}}, code: 1009, reason: "error:badsize"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, modes, func(h *house) {
				a := new(actor)
				c := h.open(a, nil)
				c.send(append([][]byte{text("complete"), ping("answered")}, append(row.send, text("never looked at"))...)...)
				c.wantText("frames before the bad one are delivered", "complete")
				c.want("and answered", wsframe.Pong, "answered")
				c.wantClose("then it ends", row.code, "")
				r := h.wantReason(a, row.reason)
				if r.Code != row.got || r.Text != row.text {
					h.Fatalf("reason %+v", r)
				}
				if strings.Contains(a.told(), "never") {
					h.Fatal(a.told())
				}
			})
		})
	}
}

func TestFragmentsPastTheirNumber(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(begin(wsframe.Text, ""))
		many := []byte(strings.Repeat(string(more("")), 1<<10))
		for range 128 {
			c.send(many)
		}
		c.wantClose("128 Ki fragments are the most", 1008, "")
		h.wantReason(a, "error:badsize")
	})
}

func TestNoValidateUTF8(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{NoValidateUTF8: true})
		c.send(text("\xff"), closing(1000, "\xff"))
		c.wantText("taken as it is", "\xff")
		c.wantClose("taken as it is", 1000, "")
		h.wantReason(a, "remote")
	})
}

func TestIdleTimeout(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{IdleTimeout: 10 * time.Second})
		s := a.session()
		time.Sleep(9 * time.Second)
		c.send(pong("")) // any octet restarts it
		synctest.Wait()
		start := time.Now()
		for range 9 {
			time.Sleep(time.Second)
			s.Post(websocket.Commands{websocket.Text("sends and posts do not")})
			c.wantText("posted", "sends and posts do not")
		}
		c.wantClose("idle", 1000, "")
		if d := time.Since(start); d != 10*time.Second {
			h.Fatalf("after %v", d)
		}
		h.wantReason(a, "timeout")
	})
}

func TestIdleTimeoutRunsWhileInactive(t *testing.T) {
	each(t, modes, func(h *house) {
		a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Active(false))
		}}
		c := h.open(a, nil)
		c.send(text("held"))
		c.wantClose("the default is 60 s", 1000, "")
		h.wantReason(a, "timeout")
		if got := a.told(); got != "init; terminate timeout" {
			h.Fatal(got)
		}
	})
}

func TestPingInterval(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{PingInterval: 20 * time.Second})
		synctest.Wait()
		start := time.Now()
		c.want("first", wsframe.Ping, "")
		c.want("second", wsframe.Ping, "")
		if d := time.Since(start); d != 40*time.Second {
			h.Fatalf("two pings after %v", d)
		}
		c.send(pong(""))
		c.want("third", wsframe.Ping, "")
		if d := time.Since(start); d != 60*time.Second {
			h.Fatalf("the third after %v", d)
		}
	})
}

func TestCrashes(t *testing.T) {
	boom := errors.New("boom")
	for name, row := range map[string]struct {
		crash  func()
		reason string
		value  any
	}{
		"throw":   {func() { panic("thrown") }, "crash:throw", "thrown"},
		"error":   {func() { panic(boom) }, "crash:error", boom},
		"exit":    {runtime.Goexit, "crash:exit", nil},
		"runtime": {func() { var p *websocket.Frame; _ = p.Type }, "crash:error", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, where := range []string{"init", "handle", "info"} {
				t.Run(where, func(t *testing.T) {
					each(t, modes, func(h *house) {
						other := new(actor)
						oc := h.open(other, nil)
						a := new(actor)
						switch where {
						case "init":
							a.onInit = func(*websocket.Session, websocket.Commands) websocket.Commands { row.crash(); return nil }
						case "handle":
							a.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
								if string(f.Payload) == "crash" {
									row.crash()
								}
								return append(out, f.Reply())
							}
						case "info":
							a.onInfo = func(any, websocket.Commands) websocket.Commands { row.crash(); return nil }
						}
						c := h.open(a, nil)
						switch where {
						case "handle":
							c.send(text("fine"), text("crash"), text("never"))
							c.wantText("what was before it is answered", "fine")
						case "info":
							a.session().Post("crash")
						}
						c.wantClose("a crash is 1011", 1011, "")
						r := h.wantReason(a, row.reason)
						if name != "runtime" && r.Value != row.value {
							h.Fatalf("value %v", r.Value)
						}
						oc.send(text("alive"))
						oc.wantText("others do not notice", "alive")
					})
				})
			}
		})
	}
}

// A panic or Goexit in Terminate is caught.
func TestCrashInTerminate(t *testing.T) {
	for name, crash := range map[string]func(){"panic": func() { panic("late") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			each(t, modes, func(h *house) {
				c := h.open(&crasher{crash: crash}, nil)
				c.send(closing(1000, ""))
				c.wantClose("the close was handed over before", 1000, "")
				c = h.open(new(actor), nil)
				c.send(text("alive"))
				c.wantText("others do not notice", "alive")
			})
		})
	}
}

type crasher struct{ crash func() }

func (*crasher) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }
func (c *crasher) Terminate(websocket.Reason, *websocket.PartialRequest)             { c.crash() }

// An end without a close frame is error closed: pending answers leave, then our end.
func TestHalfCloseOfPeer(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(text("a"), begin(wsframe.Text, "unfinished"))
		c.wire.CloseWrite()
		c.wantText("pending answers", "a")
		c.wantEnd("then our end")
		h.wantReason(a, "error:closed")
	})
}

func TestResetByPeer(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(text("a"))
		c.wantText("echo", "a")
		c.reset()
		h.wantReason(a, "error:closed")
	})
}

// After our close frame the peer has 5 s for its end; what it sends meanwhile is dropped.
func TestLinger(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		s := a.session()
		s.Post(websocket.Commands{websocket.Close(1000, "")})
		c.wantClose("our close", 1000, "")
		h.wantReason(a, "stop")
		start := time.Now()
		for range 4 {
			time.Sleep(time.Second)
			c.send(text("dropped"))
		}
		if s.Context().Err() != nil {
			h.Fatal("the stream did not wait")
		}
		<-s.Context().Done()
		if d := time.Since(start); d != 5*time.Second {
			h.Fatalf("the stream was over after %v", d)
		}
		h.wantReason(a, "stop")
	})
}

// The peer's end in time is the end of the stream.
func TestOrderlyEnd(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(closing(1000, ""))
		c.wantClose("our close", 1000, "")
		start := time.Now()
		c.wire.CloseWrite()
		<-a.s.Context().Done()
		if d := time.Since(start); d > 0 {
			h.Fatalf("the stream was over after %v", d)
		}
	})
}

// A peer that does not read: nothing could be written for SendTimeout.
func TestSendTimeout(t *testing.T) {
	each(t, []string{"pipe", "h1", "h2c"}, func(h *house) {
		a := new(actor)
		var s *websocket.Session
		if h.mode == "pipe" {
			near, far := stream.Pipe()
			s = websocket.Open(near, a, &websocket.Options{SendTimeout: 10 * time.Second, IdleTimeout: -1}, new(websocket.PartialRequest))
			far.Attach(deaf{}, stream.Limits{})
			defer far.Reset(stream.Cancel)
		} else {
			c := h.open(a, &websocket.Options{SendTimeout: 10 * time.Second, IdleTimeout: -1})
			c.withhold()
			s = a.session()
		}
		synctest.Wait()
		start := time.Now()
		for range 40 {
			s.Post(websocket.Commands{websocket.Binary(strings.Repeat("x", 64<<10))})
		}
		<-s.Context().Done()
		h.wantReason(a, "error:timeout")
		if d := time.Since(start); d < 10*time.Second || d > 21*time.Second {
			h.Fatalf("after %v", d)
		}
	})
}

type deaf struct{}

func (deaf) Data([]byte, bool) {}
func (deaf) Drained()          {}
func (deaf) Closed(error)      {}

// SendHigh: with a peer that reads slowly nothing is lost, and the session takes no more than fits.
func TestSendHigh(t *testing.T) {
	each(t, overHTTP, func(h *house) { // the pipe's client always reads
		a := new(actor)
		c := h.open(a, &websocket.Options{SendTimeout: -1})
		c.withhold()
		s := a.session()
		const n = 40
		for range n {
			s.Post(websocket.Commands{websocket.Binary(strings.Repeat("x", 64<<10))})
		}
		synctest.Wait()
		if m := strings.Count(a.told(), "info"); m > 6 {
			h.Fatalf("%d messages were taken with nobody reading", m)
		}
		c.allow()
		for range n {
			c.want("all arrive", wsframe.Binary, strings.Repeat("x", 64<<10))
		}
	})
}
