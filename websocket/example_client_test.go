package websocket_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"weir/stream"
	"weir/websocket"
)

// exampleEcho serves an echo.
func exampleEcho() (url string, stop func()) {
	return exampleServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if f.IsData() {
				out = append(out, f.Reply())
			}
			return out
		}), nil
	}))
}

// A server that would rather block than be called back.
func ExampleAccept() {
	url, stop := exampleServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // the request has been answered
		}
		ctx := c.Context() // r.Context() ends with the handler
		for {
			kind, msg, err := c.Read(ctx)
			if err != nil {
				return
			}
			if err := c.Write(ctx, kind, []byte(strings.ToUpper(string(msg)))); err != nil {
				return
			}
		}
	}))
	defer stop()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Write(ctx, websocket.TextFrame, []byte("hello"))
	_, msg, err := c.Read(ctx)
	fmt.Printf("%s %v\n", msg, err)
	fmt.Println(c.Close(1000, ""))
	// Output:
	// HELLO <nil>
	// <nil>
}

func ExampleDial() {
	url, stop := exampleEcho()
	defer stop()

	ctx := context.Background()
	c, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		Options: websocket.Options{Compress: true},
		Header:  http.Header{"Authorization": {"Bearer x"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.Status)
	c.Write(ctx, websocket.TextFrame, []byte("hello"))
	kind, msg, err := c.Read(ctx)
	fmt.Printf("%s %s %v\n", kind, msg, err)
	c.Close(1000, "")
	_, _, err = c.Read(ctx)
	fmt.Println(err)
	// Output:
	// 101 Switching Protocols
	// text hello <nil>
	// websocket: ended: stop
}

// Many WebSockets on one HTTP/2 connection.
func ExampleDialer() {
	url, stop := exampleEcho()
	defer stop()

	var connections atomic.Int32
	d := &websocket.Dialer{
		HTTP: websocket.HTTP2, // in cleartext, so by prior knowledge; over TLS HTTPAuto would do
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			connections.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	defer d.CloseIdle()
	ctx := context.Background()
	for i := range 50 {
		c, _, err := d.Dial(ctx, url, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close(1000, "")
		c.Write(ctx, websocket.TextFrame, fmt.Append(nil, i))
		if _, msg, err := c.Read(ctx); err != nil || string(msg) != fmt.Sprint(i) {
			fmt.Printf("%s %v\n", msg, err)
		}
	}
	fmt.Println("50 WebSockets, connections:", connections.Load())
	// Output: 50 WebSockets, connections: 1
}

// greeter is a client's handler: the same callbacks as a server's.
type greeter struct{ over chan websocket.Reason }

func (*greeter) Init(_ *websocket.Session, out websocket.Commands) websocket.Commands {
	return append(out, websocket.Text("hello"))
}

func (*greeter) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	fmt.Printf("%s\n", f.Payload)
	return append(out, websocket.Close(1000, ""))
}

func (g *greeter) Terminate(r websocket.Reason, _ *websocket.PartialRequest) { g.over <- r }

func ExampleDialer_DialHandler() {
	url, stop := exampleEcho()
	defer stop()

	g := &greeter{over: make(chan websocket.Reason)}
	var d websocket.Dialer
	if _, _, err := d.DialHandler(context.Background(), url, g, nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-g.over)
	// Output:
	// hello
	// stop
}

// A message is read as it arrives, whatever its size.
func ExampleConn_Reader() {
	url, stop := exampleEcho()
	defer stop()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(1000, "")
	c.Write(ctx, websocket.TextFrame, []byte("one\ntwo\nthree"))
	_, r, err := c.Reader(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		fmt.Println(lines.Text())
	}
	// Output:
	// one
	// two
	// three
}

// A message is sent as it is written, in fragments.
func ExampleConn_Writer() {
	url, stop := exampleEcho()
	defer stop()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(1000, "")
	w, err := c.Writer(ctx, websocket.BinaryFrame)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 3 {
		fmt.Fprintf(w, "part %d;", i)
		w.Flush()
	}
	w.Close()
	kind, msg, err := c.Read(ctx)
	fmt.Printf("%s %s %v\n", kind, msg, err)
	// Output: binary part 0;part 1;part 2; <nil>
}

// A WebSocket as a net.Conn, for a protocol that knows nothing of messages.
func ExampleConn_NetConn() {
	url, stop := exampleServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		nc := c.NetConn(websocket.BinaryFrame)
		defer nc.Close()
		io.Copy(nc, io.LimitReader(nc, 10))
	}))
	defer stop()

	c, _, err := websocket.Dial(context.Background(), url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	nc := c.NetConn(websocket.BinaryFrame)
	defer nc.Close()
	fmt.Fprint(nc, "hello ")
	fmt.Fprint(nc, "world")
	answer, err := io.ReadAll(nc)
	fmt.Printf("%s %v\n", answer, err)
	// Output: hello worl <nil>
}

func ExampleConn_ReadJSON() {
	url, stop := exampleEcho()
	defer stop()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(1000, "")
	type point struct{ X, Y int }
	c.WriteJSON(ctx, point{1, 2})
	var p point
	err = c.ReadJSON(ctx, &p)
	fmt.Println(p, err)
	// Output: {1 2} <nil>
}

// loggedHTTP3 tells of each connection that another HTTP3Dialer opens.
type loggedHTTP3 struct{ next websocket.HTTP3Dialer }

func (l loggedHTTP3) DialMux(ctx context.Context, addr string, t *tls.Config) (stream.Mux, error) {
	fmt.Println("HTTP/3 with", addr)
	if l.next == nil {
		return nil, errors.ErrUnsupported
	}
	return l.next.DialMux(ctx, addr, t)
}

// HTTP/3 is tried where a server has named it: in an answer to a handshake, or to another request,
// of which the Dialer has to be told. TCP is tried besides.
func ExampleDialer_AltSvc() {
	d := &websocket.Dialer{HTTP3: loggedHTTP3{}} // with new(h3.Dialer) in it
	defer d.Close()

	answer := http.Header{"Alt-Svc": {`h3=":1"; ma=600`}}
	if err := d.AltSvc("wss://127.0.0.1:1/", answer); err != nil {
		fmt.Println(err)
	}
	_, _, err := d.Dial(context.Background(), "wss://127.0.0.1:1/", nil) // nobody is there
	fmt.Println(err != nil)
	// Output:
	// HTTP/3 with 127.0.0.1:1
	// true
}
