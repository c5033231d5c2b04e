package websockettest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/h2"
	"weir/stream"
	"weir/stream/memnet"
	"weir/websocket"
	"weir/websocket/websockettest"
)

// inTest runs f as a test: what it fails with is printed. A test of yours has its own t.
func inTest(f func(t testing.TB)) {
	for _, failure := range try(new(testing.T), f) {
		_, text, _ := strings.Cut(failure, ": ")
		text, _, _ = strings.Cut(text, "\n")
		fmt.Println("the test fails:", text)
	}
}

// shouter says in capitals what it hears.
type shouter struct{}

func (shouter) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		out = append(out, websocket.Text(strings.ToUpper(string(f.Payload))))
	}
	return out
}

// One WebSocket, and its peer. In a test t is the test's own.
func ExampleOpen() {
	inTest(func(t testing.TB) {
		p := websockettest.Open(t, websockettest.H2, shouter{}, nil)
		p.SendText("hello")
		p.WantText("HELLO")
		p.SendText("hello")
		p.WantText("hello")
	})
	// Output:
	// the test fails: h2: got text "HELLO", want text "hello"
}

// The routes of a program, its origins and its subprotocols.
func ExampleServe() {
	mux := http.NewServeMux()
	mux.Handle("/shout", websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return shouter{}, &websocket.Options{Subprotocols: []string{"loud"}}
	}))
	inTest(func(t testing.TB) {
		host := websockettest.Serve(t, websockettest.H1, mux)
		p := host.Open(websockettest.Request{Path: "/shout", Subprotocols: []string{"soft", "loud"}})
		fmt.Println(p.Subprotocol(), p.Response().Status)
		elsewhere := http.Header{"Origin": {"https://elsewhere.example"}}
		fmt.Println(host.WantRefused(websockettest.Request{Path: "/shout", Header: elsewhere}, 403).Status)
		fmt.Println(host.WantRefused(websockettest.Request{Path: "/"}, 404).Status)
	})
	// Output:
	// loud 101 Switching Protocols
	// 403 Forbidden
	// 404 Not Found
}

// Every transport has the same test.
func ExampleAll() {
	for _, tr := range websockettest.All() {
		inTest(func(t testing.TB) {
			p := websockettest.Open(t, tr, shouter{}, nil)
			p.SendText("hello")
			fmt.Println(tr, p.Next())
		})
	}
	// Output:
	// pipe text "HELLO"
	// h1 text "HELLO"
	// h1tls text "HELLO"
	// h2c text "HELLO"
	// h2 text "HELLO"
}

// The server of code that dials.
func ExampleListen() {
	inTest(func(t testing.TB) {
		l := websockettest.Listen(t, websockettest.H2C)
		done := make(chan error)
		go func() { // the code under test; ends with the WebSocket
			c, _, err := l.Dialer().Dial(context.Background(), l.URL+"news", nil)
			if err == nil {
				_, _, err = c.Read(context.Background())
			}
			done <- err
		}()
		p := l.Accept()
		fmt.Println(p.Request().URL)
		p.Close(4001, "no news")
		fmt.Println(<-done)
	})
	// Output:
	// /news
	// websocket: closed by the peer: 4001 "no news"
}

// What a handshake is answered is the test's to say.
func ExampleListener_Answer() {
	inTest(func(t testing.TB) {
		l := websockettest.Listen(t, websockettest.H1)
		done := make(chan error)
		go func() { // the code under test
			_, _, err := l.Dialer().Dial(context.Background(), l.URL, nil)
			done <- err
			_, _, err = l.Dialer().Dial(context.Background(), l.URL, nil)
			done <- err
		}()
		l.Refuse(503, nil, "not now")
		fmt.Println(<-done)
		l.Answer(websockettest.Answer{Subprotocol: "unheard"})
		fmt.Println(<-done)
	})
	// Output:
	// websocket: dial ws://example.com/: the server answered 503 Service Unavailable: the handshake was refused
	// websocket: dial ws://example.com/: the answer names a subprotocol that was not offered: unheard (RFC 6455, 4.1)
}

// A server on a socket, for other clients. Who forgets to close a WebSocket is told.
func ExampleNewServer() {
	inTest(func(t testing.TB) {
		srv := websockettest.NewServer(t, websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return shouter{}, nil
		}))
		ctx := context.Background()
		c, _, err := srv.Dialer().Dial(ctx, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		c.Write(ctx, websocket.TextFrame, []byte("hello"))
		_, b, _ := c.Read(ctx)
		fmt.Printf("%s, over HTTP/%s\n", b, c.Session().StreamInfo().Transport.HTTPVersion())
	})
	// Output:
	// HELLO, over HTTP/2
}

// Frames as they are on the wire: here a message in two fragments, with a ping between them.
func ExampleFrame() {
	inTest(func(t testing.TB) {
		p := websockettest.Open(t, websockettest.Pipe, shouter{}, nil)
		p.Send(websockettest.Frame{Type: websocket.TextFrame, More: true, Payload: "frag"},
			websockettest.Ping("between"),
			websockettest.Frame{Payload: "ments"})
		p.Want(websockettest.Pong("between"), websockettest.Text("FRAGMENTS"))
		p.Send(websockettest.Close(1000, "bye"))
		fmt.Println(p.Next())
	})
	// Output:
	// close 1000 ""
}

// What callbacks returned shows what a peer does not see.
func ExamplePeer_WantCommands() {
	inTest(func(t testing.TB) {
		p := websockettest.Open(t, websockettest.Pipe, websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			return append(out, f.Reply(), websocket.Active(false))
		}), nil)
		p.SendText("one")
		p.WantText("one")
		p.WantCommands(websocket.Text("one"))
	})
	// Output:
	// the test fails: pipe: the callbacks returned [Text("one") Active(false)], want [Text("one")]
}

// A transport of one's own: here HTTP/2 in cleartext, by the parts that H2C is made of.
func ExampleNewTransport() {
	own := websockettest.NewTransport(stream.H2C, func(srv *http.Server) (websockettest.Client, error) {
		ln := memnet.Listen()
		go srv.Serve(ln) // ends with the listener
		nc, err := ln.Dial(context.Background())
		if err != nil {
			return nil, err
		}
		return h2.NewClient(nc, nil), nil
	})
	inTest(func(t testing.TB) {
		p := websockettest.Open(t, own, shouter{}, nil)
		p.SendText("hello")
		p.WantText("HELLO")
		fmt.Println(p.Session().Request().Version)
	})
	// Output:
	// 2
}

// In a test, Each runs a body over every transport, each in a bubble of testing/synctest.
func ExampleEach() {
	test := func(t *testing.T) {
		websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
			p := websockettest.Open(t, tr, shouter{}, &websocket.Options{PingInterval: time.Minute, IdleTimeout: -1})
			p.AnswerPings()
			time.Sleep(time.Hour) // passes in a moment
			p.SendText("hello")
			p.WantText("HELLO")
		})
	}
	fmt.Println(testing.RunTests(func(pat, str string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "TestShouter", F: test}}))
	// Output:
	// true
}
