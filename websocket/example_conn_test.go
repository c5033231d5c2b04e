package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"time"

	"weir/upgrade"
	"weir/websocket"
)

// examplePair is a WebSocket on loopback, both ends of it.
func examplePair(o *websocket.Options) (client, server *websocket.Conn, stop func()) {
	accepted := make(chan *websocket.Conn, 1)
	address, stop := exampleServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, o)
		if err != nil {
			fmt.Println(err)
		}
		accepted <- c
	}))
	client, _, err := websocket.Dial(context.Background(), address, nil)
	if err != nil {
		panic(err)
	}
	return client, <-accepted, stop
}

// A page, and a WebSocket at the same path.
func ExampleIsWebSocket() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocket(r) {
			fmt.Fprint(w, "a page")
			return
		}
		c, err := websocket.Accept(w, r, &websocket.Options{Subprotocols: []string{"chat"}})
		if err != nil {
			return
		}
		c.WriteJSON(c.Context(), c.Subprotocol())
		c.SendClose(1000, "")
	}))
	defer srv.Close()

	resp, err := http.Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s\n", body)
	o := &websocket.DialOptions{Options: websocket.Options{Subprotocols: []string{"news", "chat"}}}
	c, _, err := websocket.Dial(context.Background(), srv.URL, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	_, msg, _ := c.Read(context.Background())
	fmt.Printf("%s\n", msg)
	// Output:
	// a page
	// "chat"
}

// An answer of one's own to a handshake that is refused: it is judged before Accept.
func ExampleAccept_refuse() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := &websocket.Options{Origins: []string{"https://example.com"}}
		_, err := upgrade.WebSocket(r, &upgrade.WebSocketConfig{Origins: o.Origins}) // answers nothing
		if e, ok := errors.AsType[*upgrade.HandshakeError](err); ok {
			maps.Copy(w.Header(), e.Header)
			w.WriteHeader(e.Status)
			fmt.Fprintf(w, `{"error": %q}`, e.Msg)
			return
		}
		if c, err := websocket.Accept(w, r, o); err == nil {
			c.SendClose(websocket.CloseNormalClosure, "")
		}
	}))
	defer srv.Close()
	for _, origin := range []string{"https://example.org", "https://example.com"} {
		c, resp, err := websocket.Dial(context.Background(), srv.URL, &websocket.DialOptions{Header: http.Header{"Origin": {origin}}})
		if err != nil {
			body, _ := io.ReadAll(resp.Body)
			fmt.Printf("%s %s\n", resp.Status, body)
			continue
		}
		fmt.Println(resp.Status)
		c.CloseNow()
	}
	// Output:
	// 403 Forbidden {"error": "origin not allowed"}
	// 101 Switching Protocols
}

// The addresses of a WebSocket can be asked for also when it has ended.
func ExampleConn_RemoteAddr() {
	client, server, stop := examplePair(nil)
	defer stop()
	client.CloseNow()
	<-server.Context().Done()
	fmt.Println(server.RemoteAddr().String() == client.LocalAddr().String())
	fmt.Println(server.Session().Request().Peer == server.RemoteAddr().String())
	// Output:
	// true
	// true
}

// Ping asks whether the peer is there. Hooks see what is answered by itself.
func ExampleConn_Ping() {
	client, server, stop := examplePair(nil)
	defer stop()
	defer client.CloseNow()
	pinged, ponged := make(chan string, 1), make(chan string, 1)
	server.OnPing(func(payload []byte) { pinged <- string(payload) })
	client.OnPong(func(payload []byte) { ponged <- string(payload) })

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(client.Ping(ctx))
	fmt.Println("the pong says what the ping said:", <-pinged == <-ponged)
	// Output:
	// <nil>
	// the pong says what the ping said: true
}

// OnPong may keep a note of when a peer was heard last; Options.PingInterval sends the pings.
func ExampleConn_OnPong() {
	client, server, stop := examplePair(&websocket.Options{PingInterval: time.Millisecond})
	defer stop()
	defer client.CloseNow()
	heard := make(chan time.Time, 1)
	server.OnPong(func([]byte) {
		select {
		case heard <- time.Now():
		default: // a hook is not to wait
		}
	})
	fmt.Println((<-heard).IsZero())
	// Output: false
}

// A client may say more once it has said who it is.
func ExampleConn_SetReadLimit() {
	client, server, stop := examplePair(&websocket.Options{MaxFrameSize: 10})
	defer stop()
	ctx := context.Background()
	client.Write(ctx, websocket.TextFrame, []byte("password"))
	_, msg, err := server.Read(ctx)
	fmt.Printf("%s %v\n", msg, err)

	server.SetReadLimit(20)
	client.Write(ctx, websocket.TextFrame, []byte("a longer message"))
	_, msg, err = server.Read(ctx)
	fmt.Printf("%s %v\n", msg, err)

	client.Write(ctx, websocket.TextFrame, []byte("one that is even longer"))
	_, _, err = server.Read(ctx)
	fmt.Println(err)
	_, _, err = client.Read(ctx)
	fmt.Println(err)
	// Output:
	// password <nil>
	// a longer message <nil>
	// websocket: ended: error:badsize: wsframe: message over MaxFrameSize (RFC 6455, 10.4)
	// websocket: closed by the peer: 1009 ""
}

// A WebSocket that may be silent for longer than others.
func ExampleConn_SetIdleTimeout() {
	client, server, stop := examplePair(&websocket.Options{IdleTimeout: time.Minute})
	defer stop()
	fmt.Println(server.SetIdleTimeout(time.Hour))
	client.CloseNow()
	<-server.Context().Done()
	fmt.Println(errors.Is(server.SetIdleTimeout(time.Hour), websocket.ErrEnded))
	// Output:
	// <nil>
	// true
}

// SendClose says goodbye and waits for nobody.
func ExampleConn_SendClose() {
	client, server, stop := examplePair(nil)
	defer stop()
	fmt.Println(server.SendClose(4000, "moved"))
	_, _, err := client.Read(context.Background())
	code, ok := websocket.CloseStatus(err)
	fmt.Println(code, ok)
	// Output:
	// <nil>
	// 4000 true
}

// One frame for many, with a Conn for each.
func ExampleConn_WritePrepared() {
	client, server, stop := examplePair(nil)
	defer stop()
	defer client.CloseNow()
	ctx := context.Background()
	news := websocket.Prepare(websocket.TextFrame, "news")
	for _, c := range []*websocket.Conn{server} {
		if err := c.WritePrepared(ctx, news); err != nil {
			fmt.Println(err)
		}
	}
	_, msg, _ := client.Read(ctx)
	fmt.Printf("%s\n", msg)
	// Output: news
}

// However a WebSocket ends, the error says so.
func ExampleCloseError() {
	client, server, stop := examplePair(nil)
	defer stop()
	client.SendClose(1001, "the tab was closed")
	_, _, err := server.Read(context.Background())

	if code, ok := websocket.CloseStatus(err); ok {
		fmt.Println("the peer's code:", code)
	}
	if e, ok := errors.AsType[*websocket.CloseError](err); ok {
		fmt.Println(e.Reason.Kind == websocket.ReasonRemote, e.Reason.Text)
	}
	fmt.Println(errors.Is(err, websocket.ErrEnded))
	// Output:
	// the peer's code: 1001
	// true the tab was closed
	// true
}

// Only one message at a time can be sent: one whose Writer was forgotten holds up the next, for as
// long as SendTimeout.
func ExampleConn_Writer_forgotten() {
	client, server, stop := examplePair(&websocket.Options{SendTimeout: time.Millisecond})
	defer stop()
	defer client.CloseNow()
	ctx := context.Background()
	forgotten, err := server.Writer(ctx, websocket.BinaryFrame)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = server.Write(ctx, websocket.TextFrame, []byte("next"))
	fmt.Println(errors.Is(err, websocket.ErrWriterOpen))
	forgotten.Close()
	fmt.Println(server.Write(ctx, websocket.TextFrame, []byte("next")))
	// Output:
	// true
	// <nil>
}

// What the server answered in place of a WebSocket.
func ExampleDialError() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "members only", http.StatusForbidden)
	}))
	defer srv.Close()
	ctx := context.Background()
	var d websocket.Dialer
	_, _, err := d.Dial(ctx, srv.URL, nil)
	if e, ok := errors.AsType[*websocket.DialError](err); ok && e.Response != nil {
		body, _ := io.ReadAll(e.Response.Body)
		fmt.Printf("%s: %s", e.Response.Status, body)
	}

	_, _, err = d.Dial(ctx, "ftp://example.com/", nil)
	fmt.Println("nothing was sent:", errors.Is(err, websocket.ErrRequest))

	d.Close()
	_, _, err = d.Dial(ctx, srv.URL, nil)
	fmt.Println("too late:", errors.Is(err, websocket.ErrDialerClosed))
	// Output:
	// 403 Forbidden: members only
	// nothing was sent: true
	// too late: true
}

// A cookie that a server set comes back with the next handshake.
func ExampleDialer_jar() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("cookies:", r.Header["Cookie"])
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "42"})
		if c, err := websocket.Accept(w, r, nil); err == nil {
			c.SendClose(1000, "")
		}
	}))
	defer srv.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	d := &websocket.Dialer{Jar: jar}
	for range 2 {
		c, _, err := d.Dial(context.Background(), srv.URL, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		c.CloseNow()
	}
	// Output:
	// cookies: []
	// cookies: [session=42]
}

// A reverse proxy passes WebSockets on, over whatever version of HTTP its server speaks.
func ExampleTransport() {
	address, stop := exampleEcho()
	defer stop()
	backend, err := url.Parse("http" + address[len("ws"):])
	if err != nil {
		fmt.Println(err)
		return
	}
	transport := &websocket.Transport{Dialer: &websocket.Dialer{HTTP: websocket.HTTP2}}
	defer transport.CloseIdleConnections()
	front := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(backend) },
	})
	defer front.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, front.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	c.Write(ctx, websocket.TextFrame, []byte("hello"))
	_, msg, err := c.Read(ctx)
	fmt.Printf("%s %v\n", msg, err)
	// Output: hello <nil>
}
