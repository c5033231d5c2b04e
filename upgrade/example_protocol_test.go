package upgrade_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"weir/stream"
	"weir/upgrade"
)

// shout answers each line in capitals.
type shout struct{ over chan upgrade.Reason }

func (shout) ServeTunnel(c net.Conn, req *upgrade.PartialRequest) {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		fmt.Fprintln(c, strings.ToUpper(lines.Text()))
	}
}

// Terminate is told how the tunnel ended.
func (s shout) Terminate(r upgrade.Reason, req *upgrade.PartialRequest) { s.over <- r }

// talk asks for token on a new connection of HTTP/1.1, sends text, and prints what comes.
func talk(srv *httptest.Server, token, text string) {
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	fmt.Fprintf(nc, "GET /room HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", token)
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.Status)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return
	}
	io.WriteString(nc, text)
	nc.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(r)
	fmt.Printf("%s", answer)
}

// Tunnel is for protocols of one's own: the stream of a request, as a net.Conn.
func ExampleTunnel() {
	over := make(chan upgrade.Reason, 1)
	srv := httptest.NewServer(upgrade.Handle(func(w http.ResponseWriter, r *http.Request) (*upgrade.Switch, error) {
		return upgrade.Tunnel{Token: "shout"}.Switch(shout{over}, &upgrade.TunnelOptions{Window: 1 << 20}), nil
	}))
	talk(srv, "whisper", "")
	talk(srv, "Shout", "hello\n")
	srv.Close()
	fmt.Println("ended:", <-over)
	// Output:
	// 426 Upgrade Required
	// 101 Switching Protocols
	// HELLO
	// ended: stop
}

func ExampleTunnelFunc() {
	srv := httptest.NewServer(upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
		return &upgrade.Switch{
			Protocol: upgrade.Tunnel{Token: "time"},
			Handler: upgrade.TunnelFunc(func(c net.Conn, req *upgrade.PartialRequest) {
				fmt.Fprintln(c, "half past, in", req.URL().Path)
			}),
		}, nil
	}))
	defer srv.Close()
	talk(srv, "time", "")
	// Output:
	// 101 Switching Protocols
	// half past, in /room
}

// A handler that does all by itself: it judges the opening handshake, refuses it or takes the
// request over as a stream.
func ExampleAccept() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := upgrade.Unanswered(w); err != nil {
			return // a middleware has answered
		}
		hs, err := upgrade.WebSocket(r, &upgrade.WebSocketConfig{Origins: []string{"https://example.com"}})
		if e, ok := errors.AsType[*upgrade.HandshakeError](err); ok {
			fmt.Println(e.Status, e.Msg)
			upgrade.RefuseRequest(w, r, e)
			return
		}
		header := http.Header{}
		hs.Header(header)
		st, err := upgrade.Accept(w, r, header)
		if err != nil {
			upgrade.Refuse(w, err)
			return
		}
		fmt.Println("accepted", header.Get("Sec-Websocket-Accept"))
		st.Send(nil, false)     // the answer leaves
		st.Reset(stream.Cancel) // what a WebSocket would do from here on is another matter
	}))
	defer srv.Close()
	get := func(fields ...string) {
		r, err := http.NewRequest("GET", srv.URL, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		for i := 0; i < len(fields); i += 2 {
			r.Header.Set(fields[i], fields[i+1])
		}
		if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
			resp.Body.Close()
		}
	}
	get()
	get("Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	// Output:
	// 426 this resource is a WebSocket
	// accepted s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
}

// AcceptKey proves to a client that its handshake was understood.
func ExampleAcceptKey() {
	fmt.Println(upgrade.AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="))
	// Output: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
}

func ExampleAsks() {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Connection", "keep-alive, Upgrade")
	r.Header.Set("Upgrade", "websocket")
	fmt.Println(upgrade.Asks(r, "websocket"), upgrade.Asks(r, "shout"))
	fmt.Printf("by extended CONNECT: %q\n", upgrade.Token(r))
	// Output:
	// true false
	// by extended CONNECT: ""
}

func ExampleParseExtensions() {
	list, ok := upgrade.ParseExtensions([]string{"permessage-deflate; client_max_window_bits", "x-mine; level=3"})
	for _, e := range list {
		for _, p := range e.Params {
			fmt.Printf("%s %s=%q\n", e.Name, p.Name, p.Value)
		}
	}
	fmt.Println(ok)
	// Output:
	// permessage-deflate client_max_window_bits=""
	// x-mine level="3"
	// true
}

// A pattern that can match no origin is found when the program starts.
func ExampleWebSocketConfig_Check() {
	c := &upgrade.WebSocketConfig{Origins: []string{"*.example.com", "https://example.com/chat"}}
	if e, ok := errors.AsType[*upgrade.PatternError](c.Check()); ok {
		fmt.Println(e.Pattern)
	}
	// Output: https://example.com/chat
}

// counter is a protocol of one's own, with options that say what is kept of the request.
type counter struct{ count int }

type counterOptions struct{ tenant string }

// FilterRequest makes counterOptions a Filter.
func (o counterOptions) FilterRequest(_ *http.Request, p *upgrade.PartialRequest) { p.Extra = o.tenant }

func (c *counter) Upgrade(w http.ResponseWriter, r *http.Request, handler, opts any) error {
	o, err := upgrade.OptionsOf[counterOptions](opts)
	if err != nil {
		return err
	}
	kept := upgrade.Partial(r, stream.Info{Transport: stream.H1})
	if o != nil {
		if kept, err = upgrade.Filtered(w, r, o); err != nil {
			return err
		}
	}
	c.count++
	fmt.Fprintf(w, "%d from %v", c.count, kept.Extra)
	upgrade.Terminate(upgrade.Reason{Kind: upgrade.Stop}, kept, handler)
	return nil
}

// End makes a counter an Ender: it is told of handlers that init named and then did not need.
func (c *counter) End(r upgrade.Reason, _ *upgrade.PartialRequest, handler any) {
	fmt.Println(handler, "was not needed:", r)
}

func ExampleEnder() {
	h := upgrade.Handle(func(w http.ResponseWriter, _ *http.Request) (*upgrade.Switch, error) {
		http.Error(w, "closed on Mondays", http.StatusForbidden)
		return &upgrade.Switch{Protocol: new(counter), Handler: "a handler"}, nil
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// a handler was not needed: normal
	// 403 closed on Mondays
}

func ExampleOptionsOf() {
	c := new(counter)
	for _, opts := range []any{nil, counterOptions{"acme"}, &counterOptions{"acme"}} {
		h := upgrade.Handle(func(w http.ResponseWriter, _ *http.Request) (*upgrade.Switch, error) {
			return &upgrade.Switch{Protocol: c, Handler: "a handler", Options: opts}, nil
		})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		fmt.Println(w.Code, w.Body)
	}
	_, err := upgrade.OptionsOf[counterOptions]("acme")
	fmt.Println(err) // it would be answered 500
	// Output:
	// 200 1 from <nil>
	// 200 2 from acme
	// 200 3 from acme
	// upgrade: options are a string, not a upgrade_test.counterOptions
}

// Watch notes whether an inner handler has answered.
func ExampleWatch() {
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/known" {
			w.WriteHeader(http.StatusNoContent)
		}
	})
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := upgrade.Watch(w)
		if inner.ServeHTTP(watched, r); !watched.Answered() {
			http.Error(w, "nobody answered", http.StatusNotFound)
		}
	})
	for _, path := range []string{"/known", "/unknown"} {
		w := httptest.NewRecorder()
		outer.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(w.Code)
	}
	// Output:
	// 204
	// 404
}

// longPoll is a long poll that ends when the server shuts down.
type longPoll struct{ queues chan *upgrade.Queue }

func (p longPoll) LoopInit(q *upgrade.Queue, _ http.ResponseWriter) upgrade.LoopResult {
	p.queues <- q
	return upgrade.LoopOK
}

func (longPoll) LoopInfo(msg any, w http.ResponseWriter) upgrade.LoopResult {
	fmt.Fprint(w, msg)
	return upgrade.LoopStop
}

func (longPoll) LoopDrain(w http.ResponseWriter) upgrade.LoopResult {
	http.Error(w, "come back later", http.StatusServiceUnavailable)
	return upgrade.LoopStop
}

// A server says by the request's context that it shuts down; websocket.ConfigureServer does.
func ExampleWithDrain() {
	draining := make(chan struct{})
	p := longPoll{make(chan *upgrade.Queue, 1)}
	h := upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
		return upgrade.LoopSwitch(p, &upgrade.LoopOptions{IdleTimeout: time.Minute}), nil
	})
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(upgrade.WithDrain(r.Context(), draining))
	fmt.Println(upgrade.Draining(r.Context()) != nil, upgrade.Draining(context.Background()) == nil)
	close(draining)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// true true
	// 503 come back later
}

// Post never waits: its error says that nobody keeps up, or that nobody will see it.
func ExampleQueue_Post() {
	p := longPoll{make(chan *upgrade.Queue, 1)}
	h := upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
		return upgrade.LoopSwitch(p, &upgrade.LoopOptions{Backlog: 2 * upgrade.DefaultBacklog}), nil
	})
	answered := make(chan string)
	go func() { // ends with the answer
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		answered <- w.Body.String()
	}()
	q := <-p.queues
	switch err := q.Post("news"); {
	case errors.Is(err, upgrade.ErrBacklog):
		fmt.Println("too much waits")
	case err != nil:
		fmt.Println(err)
	}
	fmt.Println(<-answered)
	fmt.Println(errors.Is(q.Post("more"), upgrade.ErrEnded), q.Context().Err())
	// Output:
	// news
	// true <nil>
}

// A reason in one word, for logs.
func ExampleReason() {
	for _, r := range []upgrade.Reason{
		{Kind: upgrade.Stop},
		{Kind: upgrade.Error, Name: upgrade.Closed},
		upgrade.Crashed("a value that is no error"),
	} {
		fmt.Println(r, r.Class == upgrade.ClassThrow)
	}
	// Output:
	// stop false
	// error:closed false
	// crash:throw true
}

// greeting is a protocol that is a function, with handlers and options of types of its own.
var greeting upgrade.ProtocolFunc[string, greetingOptions] = func(w http.ResponseWriter, _ *http.Request, name string, o *greetingOptions) error {
	word := "hello"
	if o != nil {
		word = o.word
	}
	fmt.Fprintf(w, "%s, %s", word, name)
	return nil
}

type greetingOptions struct{ word string }

func ExampleProtocolFunc() {
	h := upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
		return greeting.Switch("Ada", &greetingOptions{"good morning"}), nil
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Body)
	// Output: good morning, Ada
}

// notes is told how a request ended, whoever answered it.
type notes struct{}

func (notes) Terminate(r upgrade.Reason, req *upgrade.PartialRequest) { fmt.Println(req.Path, r) }

// An init that answers by itself may have its handler told all the same.
func ExampleAnswered() {
	h := upgrade.Handle(func(w http.ResponseWriter, _ *http.Request) (*upgrade.Switch, error) {
		http.Error(w, "closed on Mondays", http.StatusForbidden)
		return upgrade.Answered(notes{}), nil
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/room", nil))
	fmt.Println(w.Code)
	// Output:
	// /room normal
	// 403
}
