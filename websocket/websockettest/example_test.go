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
	own := websockettest.NewTransport(stream.H2C, func(srv *http.Server, _ *websocket.Server) (websockettest.Client, error) {
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

// Code that dials speaks HTTP: it has no pipe.
func ExampleOverHTTP() {
	for _, tr := range websockettest.OverHTTP() {
		inTest(func(t testing.TB) { fmt.Println(tr, websockettest.Listen(t, tr).URL) })
	}
	fmt.Println(websockettest.OverHTTP()[1] == websockettest.H1TLS)
	// Output:
	// h1 ws://example.com/
	// h1tls wss://example.com/
	// h2c ws://example.com/
	// h2 wss://example.com/
	// true
}

// An http.Client, or any library that can be told how to dial, reaches a Listener.
func ExampleListener_DialContext() {
	inTest(func(t testing.TB) {
		l := websockettest.Listen(t, websockettest.H1TLS)
		client := &http.Client{Transport: &http.Transport{DialContext: l.DialContext, TLSClientConfig: l.TLS()}}
		done := make(chan string)
		go func() { // the code under test
			resp, err := client.Get("https://example.com/login")
			if err != nil {
				done <- err.Error()
				return
			}
			resp.Body.Close()
			client.CloseIdleConnections()
			done <- resp.Status + " " + resp.Header.Get("X-Hint")
		}()
		r := l.Refuse(401, http.Header{"X-Hint": {"try again"}}, "no")
		fmt.Println(r.Method, r.URL)
		fmt.Println(<-done)
	})
	// Output:
	// GET /login
	// 401 Unauthorized try again
}

// Ends that are no close frames.
func ExamplePeer_Reset() {
	inTest(func(t testing.TB) {
		killed := websockettest.Open(t, websockettest.H2, shouter{}, nil)
		killed.Reset()
		fmt.Println(killed.WantReason("error:closed"))

		left := websockettest.Open(t, websockettest.H2, shouter{}, nil)
		left.CloseWrite()
		left.WantEnd()
		fmt.Println(left.WantReason("error:closed"))

		cut := websockettest.Open(t, websockettest.H2, shouter{}, nil)
		cut.Session().Cut() // by the server
		cut.WantReset()

		silent := websockettest.Open(t, websockettest.H2, shouter{}, &websocket.Options{IdleTimeout: time.Millisecond})
		silent.Lose() // nobody is told
		fmt.Println(silent.WantReason("timeout"))
	})
	// Output:
	// error:closed
	// error:closed
	// timeout
}

// What is no frame, or none that a client may send.
func ExamplePeer_SendOctets() {
	inTest(func(t testing.TB) {
		p := websockettest.Open(t, websockettest.H1, shouter{}, nil)
		p.SendOctets(0x81, 0x01, 'x') // a frame without a mask
		p.WantClose(1002, "")
		fmt.Println(p.WantReason("error:badframe").Err)
	})
	// Output:
	// wsframe: unmasked frame from a client (RFC 6455, 5.1)
}

// fragments sends a message in parts.
func fragments(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	_, b, err := c.Read(r.Context())
	if err != nil {
		return
	}
	m, err := c.Writer(c.Context(), websocket.BinaryFrame)
	if err != nil {
		return
	}
	for range 3 {
		m.Write(b)
		m.Flush()
	}
	m.Close()
	c.Close(1000, "")
}

// Messages are put together of their fragments; frames are seen as they come.
func ExamplePeer_Message() {
	inTest(func(t testing.TB) {
		host := websockettest.Serve(t, websockettest.H2C, http.HandlerFunc(fragments))
		p := host.Open(websockettest.Request{})
		p.SendBinary("la ")
		fmt.Println(p.Next(), "...")
		fmt.Println("...", p.Message())
		p.WantClose(1000, "")

		p = host.Open(websockettest.Request{})
		p.Send(websockettest.Binary("la "))
		p.WantBinary("la la la ")
		p.WantClose(1000, "")
		fmt.Printf("compressed by %q\n", p.Extensions())
	})
	// Output:
	// binary "la " and more ...
	// ... continuation "la la "
	// compressed by ""
}

// A peer that does not read, and a handler that does not.
func ExamplePeer_Pause() {
	inTest(func(t testing.TB) {
		p := websockettest.Open(t, websockettest.Pipe, shouter{}, nil)
		p.Pause()
		for range 100 {
			p.SendText(strings.Repeat("x", 10_000))
		}
		p.WantSilence(time.Millisecond) // or longer
		fmt.Println("some octets wait:", p.Unsent() > 0)
		p.Resume()
		for range 100 {
			p.WantText(strings.Repeat("X", 10_000))
		}
		fmt.Println("some octets wait:", p.Unsent() > 0)
		fmt.Println(len(p.Commands()), "commands were returned")
	})
	// Output:
	// some octets wait: true
	// some octets wait: false
	// 100 commands were returned
}

// A server that shuts down ends its WebSockets.
func ExampleHost_Shutdown() {
	inTest(func(t testing.TB) {
		host := websockettest.Serve(t, websockettest.H1, websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return shouter{}, nil
		}))
		p := host.Open(websockettest.Request{})
		fmt.Println("sessions:", host.Sessions())
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		done := make(chan error)
		go func() { done <- host.Shutdown(ctx) }() // ends with the WebSocket
		p.WantClose(1001, "")
		fmt.Println(<-done)
		fmt.Println("sessions:", host.Sessions())
	})
	// Output:
	// sessions: 1
	// <nil>
	// sessions: 0
}

// Drain is Host.Shutdown for a test that has one peer, and goes on to play it.
func ExamplePeer_Drain() {
	inTest(func(t testing.TB) {
		p := websockettest.Open(t, websockettest.H1, shouter{}, nil)
		p.Drain()
		p.WantClose(1001, "")
		fmt.Println("by a drain:", p.WantReason("stop").Drain)
	})
	// Output:
	// by a drain: true
}

// Ordinary requests, and what Close finds.
func ExampleServer_Close() {
	inTest(func(t testing.TB) {
		mux := http.NewServeMux()
		mux.HandleFunc("/plain", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
		mux.Handle("/ws", websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return shouter{}, nil
		}))
		srv := websockettest.NewServer(t, mux)
		resp, err := srv.Client().Get(srv.URL + "/plain")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(resp.Status, resp.Proto)

		c, _, err := srv.Dialer().Dial(context.Background(), srv.URL+"/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("sessions:", srv.Sessions())
		c.Close(1000, "") // without this Close would fail the test
		srv.Close()
	})
	// Output:
	// 200 OK HTTP/2.0
	// sessions: 1
}
