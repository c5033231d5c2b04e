package websocket_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"weir/websocket"
)

// exampleServer serves h on loopback, over HTTP/1.1 and HTTP/2.
func exampleServer(h http.Handler) (url string, stop func()) {
	srv := httptest.NewUnstartedServer(h)
	if _, err := websocket.ConfigureServer(srv.Config, nil); err != nil {
		panic(err)
	}
	srv.Start()
	return "ws" + strings.TrimPrefix(srv.URL, "http"), srv.Close
}

// ask opens a WebSocket, sends what is to be said, and prints the answers until the end.
func ask(url string, say ...string) {
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range say {
		c.Write(ctx, websocket.TextFrame, []byte(s))
	}
	for {
		_, msg, err := c.Read(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s\n", msg)
	}
}

func ExampleHandlerFunc() {
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if string(f.Payload) == "bye" {
				return append(out, websocket.Close(1000, "until next time"))
			}
			return append(out, f.Reply())
		}), nil
	}))
	defer stop()
	ask(url, "hello", "bye")
	// Output:
	// hello
	// websocket: closed by the peer: 1000 "until next time"
}

// counter counts what its session has received.
type counter struct {
	n     int
	ended chan<- websocket.Reason
}

func (c *counter) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	return append(out, websocket.Text("welcome to "+s.Request().Path))
}

func (c *counter) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands {
	c.n++
	out = append(out, websocket.Text(fmt.Sprint(c.n)))
	if c.n == 2 {
		out = append(out, websocket.Stop())
	}
	return out
}

func (c *counter) Terminate(r websocket.Reason, _ *websocket.PartialRequest) { c.ended <- r }

// A handler with state and the optional callbacks. init may also answer the request itself.
func ExampleHandle() {
	ended := make(chan websocket.Reason, 1)
	mux := http.NewServeMux()
	// No method: over HTTP/2 the request is a CONNECT.
	mux.Handle("/count", websocket.Handle(func(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
		if r.URL.Query().Get("key") != "secret" {
			http.Error(w, "who are you?", http.StatusForbidden)
			return nil, nil
		}
		return &counter{ended: ended}, &websocket.Options{IdleTimeout: 5 * time.Minute}
	}))
	url, stop := exampleServer(mux)
	defer stop()
	_, resp, _ := websocket.Dial(context.Background(), url+"/count", nil)
	fmt.Println(resp.Status)
	ask(url+"/count?key=secret", "one", "two")
	fmt.Println("the server's reason:", <-ended)
	// Output:
	// 403 Forbidden
	// welcome to /count
	// 1
	// 2
	// websocket: closed by the peer: 1000 ""
	// the server's reason: stop
}

// HTTP/2 of an http.Server becomes weir's: ordinary requests go on as before, and WebSockets come
// over both versions.
func ExampleConfigureServer() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	mux.Handle("/version", websocket.Handle(func(_ http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(_ websocket.Frame, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Text(r.Method+" "+r.Proto), websocket.Stop())
		}), nil
	}))
	srv := httptest.NewUnstartedServer(mux)
	if _, err := websocket.ConfigureServer(srv.Config, nil); err != nil {
		fmt.Println(err)
		return
	}
	srv.Start()
	defer srv.Close()

	ctx := context.Background()
	for _, version := range []websocket.HTTPVersion{websocket.HTTP1, websocket.HTTP2} {
		d := &websocket.Dialer{HTTP: version}
		c, _, err := d.Dial(ctx, srv.URL+"/version", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		c.Write(ctx, websocket.TextFrame, []byte("which?"))
		_, msg, _ := c.Read(ctx)
		fmt.Printf("%s\n", msg)
		d.CloseIdle()
	}
	// Output:
	// GET HTTP/1.1
	// GET HTTP/2.0
}

// draining says goodbye in its own words when the server shuts down.
type draining struct{}

func (draining) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }

func (draining) Drain(out websocket.Commands) websocket.Commands {
	return append(out, websocket.Text("we restart"), websocket.Close(1012, "back in a minute"))
}

// Shutdown refuses new requests, then ends every WebSocket, then the server.
func ExampleServer_Shutdown() {
	srv := httptest.NewUnstartedServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return draining{}, nil
	}))
	ws, err := websocket.ConfigureServer(srv.Config, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	srv.Start()
	defer srv.Close()
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	over := make(chan error)
	go func() { // ends with the server
		ctx, stop := context.WithTimeout(ctx, 10*time.Second)
		defer stop()
		over <- ws.Shutdown(ctx)
	}()
	_, msg, _ := c.Read(ctx)
	fmt.Printf("%s\n", msg)
	_, _, err = c.Read(ctx)
	fmt.Println(err)
	fmt.Println(<-over)
	// Output:
	// we restart
	// websocket: closed by the peer: 1012 "back in a minute"
	// <nil>
}

// ticker sends what others post.
type ticker struct{ started func(*websocket.Session) }

func (t *ticker) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	t.started(s)
	return out
}

func (t *ticker) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }

func (t *ticker) Info(msg any, out websocket.Commands) websocket.Commands {
	if n := msg.(int); n < 3 {
		return append(out, websocket.Text(fmt.Sprint("tick ", n)))
	}
	return append(out, websocket.Close(1000, "enough"))
}

// Whatever is posted, from any goroutine, arrives at the handler's Info.
func ExampleSession_Post() {
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return &ticker{started: func(s *websocket.Session) {
			go func() { // ends behind the last tick
				for i := range 4 {
					if err := s.Post(i); err != nil {
						return // the session has ended, or does not keep up
					}
				}
			}()
		}}, nil
	}))
	defer stop()
	ask(url)
	// Output:
	// tick 0
	// tick 1
	// tick 2
	// websocket: closed by the peer: 1000 "enough"
}

// A frame for many is encoded once, and compressed once.
func ExamplePrepare() {
	news := websocket.Prepare(websocket.TextFrame, "the same for everybody")
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(_ websocket.Frame, out websocket.Commands) websocket.Commands {
			return append(out, websocket.SendPrepared(news), websocket.Stop())
		}), &websocket.Options{Compress: true}
	}))
	defer stop()
	for range 2 {
		ask(url, "news?")
	}
	// Output:
	// the same for everybody
	// websocket: closed by the peer: 1000 ""
	// the same for everybody
	// websocket: closed by the peer: 1000 ""
}

// worker takes one job at a time: while it works nothing is read, and the peer has to wait.
type worker struct{ s *websocket.Session }

func (w *worker) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	w.s = s
	return out
}

func (w *worker) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	job := string(f.Payload) // the payload is lent
	go func() {              // ends with the job
		w.s.Post("done: " + job)
	}()
	return append(out, websocket.Active(false))
}

func (w *worker) Info(msg any, out websocket.Commands) websocket.Commands {
	out = append(out, websocket.Text(msg.(string)), websocket.Active(true))
	if msg == "done: last" {
		out = append(out, websocket.Stop())
	}
	return out
}

// Flow control: Active(false) stops the delivery of frames, and the peer's credit with it.
func ExampleActive() {
	url, stop := exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return new(worker), nil
	}))
	defer stop()
	ask(url, "first", "second", "last")
	// Output:
	// done: first
	// done: second
	// done: last
	// websocket: closed by the peer: 1000 ""
}

// Under any server of net/http, a Group ends the WebSockets that belong to it.
func ExampleGroup() {
	var group websocket.Group
	srv := httptest.NewServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }),
			&websocket.Options{Group: &group}
	}))
	defer srv.Close()
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(group.Len())
	over := make(chan error)
	go func() { // ends with the group's last session
		ctx, stop := context.WithTimeout(ctx, 10*time.Second)
		defer stop()
		over <- group.Shutdown(ctx)
	}()
	_, _, err = c.Read(ctx)
	fmt.Println(err)
	fmt.Println(<-over, group.Len())
	// Output:
	// 1
	// websocket: closed by the peer: 1001 ""
	// <nil> 0
}

// beside is a server that drains with the http.Server, as h3.Server does.
type beside struct{}

func (beside) GoAway()                        { fmt.Println("peers are asked to leave") }
func (beside) Shutdown(context.Context) error { fmt.Println("they have gone"); return nil }
func (beside) Close() error                   { return nil }

// HTTP/3 beside HTTP/1.1 and HTTP/2: one Shutdown for all three.
//
//	q, err := h3.ConfigureServer(srv, nil)
//	...
//	ws.Add(q)
//	go q.Serve(socket)
func ExampleServer_Add() {
	srv := &http.Server{Handler: http.NotFoundHandler()}
	ws, err := websocket.ConfigureServer(srv, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ws.Add(beside{})
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	fmt.Println(ws.Shutdown(ctx))
	// Output:
	// peers are asked to leave
	// they have gone
	// <nil>
}
