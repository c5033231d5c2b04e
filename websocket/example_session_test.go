package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"weir/h2"
	"weir/stream"
	"weir/upgrade"
	"weir/websocket"
)

// The defaults, and a mistake that is found when the program starts.
func ExampleOptions() {
	fmt.Println("IdleTimeout", websocket.DefaultIdleTimeout)
	fmt.Println("SendTimeout", websocket.DefaultSendTimeout)
	fmt.Println("MaxFrameSize", websocket.DefaultMaxFrameSize)
	fmt.Println("SendHigh", websocket.DefaultSendHigh)
	fmt.Println("Backlog", websocket.DefaultBacklog)
	fmt.Println("Dialer.Timeout", websocket.DefaultDialTimeout)

	o := &websocket.Options{
		IdleTimeout: 5 * time.Minute,
		Compress:    true,
		Deflate:     websocket.DeflateOptions{Level: 1},
		Origins:     []string{"https://example.com/"},
	}
	fmt.Println(o.Check())
	fmt.Println(o.Deflate.Check()) // a part of that
	// Output:
	// IdleTimeout 1m0s
	// SendTimeout 30s
	// MaxFrameSize 1000000
	// SendHigh 65536
	// Backlog 1024
	// Dialer.Timeout 30s
	// upgrade: origin pattern "https://example.com/": an origin ends with its host and port: no path, query or fragment, not even a slash
	// <nil>
}

// Trace tells what happens to a session, for logs and counts.
func ExampleEvent() {
	var received atomic.Int64
	over := make(chan websocket.Reason, 1)
	trace := func(e websocket.Event) {
		switch e.Kind {
		case websocket.EventMessage:
			if !e.Sent {
				received.Add(int64(e.Bytes))
			}
		case websocket.EventTerminate:
			over <- e.Reason
		}
	}
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Stop())
		}), &websocket.Options{Trace: trace}
	}))
	defer stop()
	ask(url, "hello")
	fmt.Println(websocket.EventTerminate, <-over, received.Load())
	// Output:
	// websocket: closed by the peer: 1000 ""
	// terminate stop 5
}

// Each callback returns what is to be done, in order.
func ExampleCommand() {
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if !f.IsData() {
				return out // a ping, which has been answered, or a pong
			}
			switch string(f.Payload) {
			case "frames":
				return append(out,
					websocket.Text("a text"),
					websocket.Binary([]byte("octets")),
					websocket.Ping("are you there?"),
					websocket.Pong(""), // nobody asked
				)
			case "options":
				return append(out,
					websocket.SetOptions(websocket.Changes{IdleTimeout: time.Hour, MaxFrameSize: 10 << 20}),
					websocket.Deflate(false), // what follows is not worth it
					websocket.Hibernate(),
					websocket.Text("for an hour"),
				)
			}
			return append(out, websocket.ShutdownReason("as asked"), websocket.Close(4001, "bye"))
		}), nil
	}))
	defer stop()
	ask(url, "frames", "options", "end")
	// Output:
	// a text
	// octets
	// for an hour
	// websocket: closed by the peer: 4001 "bye"
}

// greets says hello, and tells its session to who waits for it.
type greets struct{ sessions chan *websocket.Session }

func (g greets) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	g.sessions <- s
	return append(out, websocket.Text("hello"))
}

func (greets) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }

// What a program may ask a session, from any goroutine.
func ExampleSession() {
	g := greets{make(chan *websocket.Session, 1)}
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return g, nil
	}))
	defer stop()
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, msg, _ := c.Read(ctx)
	s := <-g.sessions
	r := s.Request()
	fmt.Println(r.Method, r.Path, "HTTP/"+r.Version, "over", s.StreamInfo().Transport)
	fmt.Printf("subprotocol %q, extensions %q\n", s.Subprotocol(), s.Extensions())
	fmt.Printf("sent %s: %+v\n", msg, s.Stats().Out)
	fmt.Println(s.Post("a question"))
	s.Cut() // at once, and without a close frame
	<-s.Context().Done()
	_, _, err = c.Read(ctx)
	_, closed := websocket.CloseStatus(err)
	fmt.Println(errors.Is(s.Post("too late"), websocket.ErrNoInfo), closed)
	// Output:
	// GET / HTTP/1.1 over h1
	// subprotocol "", extensions ""
	// sent hello: {Messages:1 Bytes:5}
	// websocket: the handler has no Info
	// true false
}

// slow works for as long as it is told to.
type slow struct {
	sessions chan *websocket.Session
	work     chan bool
}

func (l slow) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	l.sessions <- s
	return out
}

func (slow) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }

func (l slow) Info(_ any, out websocket.Commands) websocket.Commands {
	<-l.work
	return out
}

// Post never waits: an error says who does not keep up, or has gone.
func ExampleSession_Post_errors() {
	l := slow{make(chan *websocket.Session, 1), make(chan bool)}
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return l, &websocket.Options{Backlog: 10}
	}))
	defer stop()
	c, _, err := websocket.Dial(context.Background(), url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	s := <-l.sessions
	for err == nil {
		err = s.Post("work")
	}
	fmt.Println(errors.Is(err, websocket.ErrBacklog))
	s.Cut()
	close(l.work)
	for !errors.Is(err, websocket.ErrEnded) {
		err = s.Post("work")
	}
	fmt.Println(err)
	// Output:
	// true
	// websocket: the session has ended
}

// A route that speaks WebSocket or another protocol, as the request asks.
func ExampleSwitch() {
	h := upgrade.Handle(func(w http.ResponseWriter, r *http.Request) (*upgrade.Switch, error) {
		if !websocket.IsWebSocket(r) {
			return upgrade.LoopSwitch(ticks{}, nil), nil
		}
		return websocket.Switch(draining{}, &websocket.Options{Compress: true}), nil
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 tick
}

// ticks is a LoopHandler that answers once.
type ticks struct{}

func (ticks) LoopInit(_ *upgrade.Queue, w http.ResponseWriter) upgrade.LoopResult {
	fmt.Fprint(w, "tick")
	return upgrade.LoopStop
}

func (ticks) LoopInfo(any, http.ResponseWriter) upgrade.LoopResult { return upgrade.LoopStop }

// HTTP/2 of the server with options of its own, and what a program may ask it.
func ExampleServer() {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	ws, err := websocket.ConfigureServer(srv.Config, &websocket.Config{
		HTTP2: h2.Config{MaxConcurrentStreams: 1000},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	srv.Start()
	defer srv.Close()
	fmt.Println("sessions:", ws.Group().Len())
	fmt.Println("connections over HTTP/2:", ws.HTTP2().Stats().Conns)
	fmt.Println("time for http.Server.Shutdown alone:", websocket.DefaultDrain)
	// Output:
	// sessions: 0
	// connections over HTTP/2: 0
	// time for http.Server.Shutdown alone: 10s
}

// The codes that a close frame may carry, and a program's own: 4000 to 4999.
func ExampleCloseCode() {
	for _, code := range []websocket.CloseCode{websocket.CloseGoingAway, websocket.CloseAbnormalClosure, 4001} {
		fmt.Println(code, code.Sendable())
	}
	// Output:
	// 1001 true
	// 1006 false
	// 4001 true
}

// logs says in one line how a session ended.
type logs struct{ line chan string }

func (logs) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands {
	return append(out, websocket.Close(4000, "enough"))
}

func (l logs) Terminate(r websocket.Reason, req *websocket.PartialRequest) {
	line := fmt.Sprintf("%s: %s", req.URL().Path, r)
	switch {
	case r.Kind == websocket.ReasonRemote:
		line += fmt.Sprintf(", the peer said %d", r.Code)
	case r.Kind == websocket.ReasonError && r.Name == websocket.NameClosed:
		line += ", it has gone"
	case r.Kind == websocket.ReasonCrash && r.Class == websocket.ClassError:
		line += fmt.Sprintf(", %v", r.Value)
	}
	if r.Drain {
		line += ", in a drain"
	}
	var sent websocket.SentClose = r.Sent
	if sent.Frame {
		line += fmt.Sprintf(", we said %d %q", sent.Code, sent.Text)
	}
	l.line <- line
}

// A Reason says who ended the WebSocket, and what each side said.
func ExampleReason() {
	l := logs{make(chan string, 1)}
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return l, nil
	}))
	defer stop()
	ask(url+"/room", "hello")
	fmt.Println(<-l.line)
	// Output:
	// websocket: closed by the peer: 4000 "enough"
	// /room: stop, we said 4000 "enough"
}

// A message for all that are open, and their end, from any goroutine.
func ExampleSession_Send() {
	var group websocket.Group
	g := greets{make(chan *websocket.Session, 1)}
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return g, &websocket.Options{Group: &group}
	}))
	defer stop()
	go func() { // ends when all have been told
		<-g.sessions
		for s := range group.Sessions() {
			if err := s.Send(websocket.Text("we move"), websocket.Close(websocket.CloseServiceRestart, "")); err != nil {
				fmt.Println(err) // it has ended, or does not keep up
			}
		}
	}()
	ask(url)
	// Output:
	// hello
	// we move
	// websocket: closed by the peer: 1012 ""
}

// A callback can be tested without a session: what it returns says what it is.
func ExampleCommand_Kind() {
	for _, c := range (websocket.Commands{
		websocket.Text("hello"),
		websocket.Active(false),
		websocket.SetOptions(websocket.Changes{MaxFrameSize: 1 << 20}),
		websocket.Close(4000, "bye"),
	}) {
		switch c.Kind() {
		case websocket.CommandFrame:
			fmt.Printf("%s: %s %s\n", c, c.Type(), c.Payload())
		case websocket.CommandActive:
			fmt.Printf("%s: %t\n", c, c.On())
		case websocket.CommandSetOptions:
			fmt.Printf("%s: %d\n", c.Kind(), c.Value().(websocket.Changes).MaxFrameSize)
		case websocket.CommandClose:
			fmt.Printf("%s: %d %s\n", c, c.Code(), c.Text())
		}
	}
	fmt.Println(websocket.Text("hello").Equal(websocket.Text([]byte("hello"))))
	// Output:
	// Text("hello"): text hello
	// Active(false): false
	// SetOptions: 1048576
	// Close(4000, "bye"): 4000 bye
	// true
}

// A handler that keeps a payload finds it overwritten: PoisonPayloads is for tests, and on by itself
// under the race detector.
func ExamplePoison() {
	var kept []byte
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if kept != nil {
				return append(out, websocket.Text(fmt.Sprintf("still there: %t", string(kept) == "remember this")), websocket.Stop())
			}
			kept = f.Payload // lent until the callback returns
			return out
		}), &websocket.Options{PoisonPayloads: true}
	}))
	defer stop()
	ask(url, "remember this", "what was it?")
	fmt.Printf("in its place: %q, or what came later\n", websocket.Poison)
	// Output:
	// still there: false
	// websocket: closed by the peer: 1000 ""
	// in its place: "lent payload! ", or what came later
}

// A WebSocket on a stream that the program has opened by itself, here one in memory: a handler on
// one end, a Conn on the other.
func ExampleNewSession() {
	a, b := stream.Pipe()
	if _, err := websocket.NewSession(a, draining{}, nil); err != nil {
		fmt.Println(err)
		return
	}
	c, err := websocket.NewConn(b, &websocket.StreamOptions{Client: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Ping(context.Background()))
	c.SendClose(websocket.CloseNormalClosure, "")
	// Output: <nil>
}

// Switch is this, with types that fit.
func ExampleProtocol() {
	h := upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
		return &upgrade.Switch{Protocol: websocket.Protocol, Handler: draining{}, Options: &websocket.Options{}}, nil
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output: 426 this resource is a WebSocket (RFC 6455, 4.2.1)
}
