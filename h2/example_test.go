package h2_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"weir/h2"
	"weir/stream"
)

// HTTP/2 of an http.Server becomes this package's; its handlers stay as they are.
func ExampleConfigureServer() {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}))
	s, err := h2.ConfigureServer(srv.Config, &h2.Config{MaxConcurrentStreams: 100, IdleTimeout: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s %s\n", resp.Status, body)

	n := s.Stats()
	fmt.Println("connections", s.Conns(), "requests", n.StreamsTotal)
	fmt.Println("GOAWAY", n.GoAwaysOut.Total(), "RST_STREAM", n.ResetsOut[h2.Cancel], "limits", n.Limits.Total())
	fmt.Println("frames:", n.FramesIn.Total() > 0)

	srv.Client().CloseIdleConnections()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	fmt.Println(s.Shutdown(ctx)) // http.Server.Shutdown brings it about, too
	// Output:
	// 200 OK HTTP/2.0
	// connections 1 requests 1
	// GOAWAY 0 RST_STREAM 0 limits 0
	// frames: true
	// <nil>
}

// A program with an end of its own: no new requests, then the connections that merely wait for
// their peers, then all.
func ExampleServer_GoAway() {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	s, err := h2.ConfigureServer(srv.Config, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	srv.Start()
	defer srv.Close()
	s.GoAway()
	fmt.Println("connections left:", s.CloseEnded())
	s.Close()
	// Output: connections left: 0
}

// exampleServer answers an extended CONNECT with an echo at /echo, over cleartext HTTP/2.
func exampleServer() (address string, stop func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		st, err := w.(stream.Opener).OpenStream(http.Header{})
		if err != nil {
			fmt.Println(err)
			return
		}
		st.Send(nil, false) // the answer leaves
		go func() {         // ends with the stream
			c := stream.NewConn(st, 0)
			defer c.Close()
			io.Copy(c, c)
		}()
	})
	srv := httptest.NewUnstartedServer(mux)
	if _, err := h2.ConfigureServer(srv.Config, nil); err != nil {
		panic(err)
	}
	srv.Start()
	return srv.Listener.Addr().String(), srv.Close
}

// connectTo is the request for a stream at path.
func connectTo(address, path string) *http.Request {
	r, err := http.NewRequest(http.MethodConnect, "http://"+address+path, nil)
	if err != nil {
		panic(err)
	}
	r.Header[":protocol"] = []string{"echo"}
	return r
}

// Many streams on one connection.
func ExampleClient() {
	address, stop := exampleServer()
	defer stop()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := h2.NewClient(nc, &h2.ClientConfig{PingInterval: time.Minute})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := client.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	offered, err := client.ExtendedConnect(ctx)
	fmt.Println("extended CONNECT:", offered, err, "room for", client.Room())

	for i := range 3 {
		st, _, err := client.Open(ctx, connectTo(address, "/echo"))
		if err != nil {
			fmt.Println(err)
			return
		}
		c := stream.NewConn(st, 0)
		fmt.Fprintf(c, "stream %d\n", i+1)
		c.CloseWrite()
		answer, _ := io.ReadAll(c)
		fmt.Printf("%s", answer)
	}
	_, resp, err := client.Open(ctx, connectTo(address, "/other"))
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(resp.Body) // h2.MaxAnswer octets of it at most
	fmt.Println(resp.Status, len(body) < h2.MaxAnswer)
	// Output:
	// extended CONNECT: true <nil> room for 250
	// stream 1
	// stream 2
	// stream 3
	// 404 Not Found true
}

// A pool asks a connection whether it is alive and has room, and lets it go.
func ExampleClient_Reserve() {
	address, stop := exampleServer()
	defer stop()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := h2.NewClient(nc, &h2.ClientConfig{MaxStreams: 1})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := client.Probe(ctx); err != nil { // sends a PING, and waits for whatever comes
		fmt.Println(err)
		return
	}
	client.Ready(ctx)
	fmt.Println("reserved:", client.Reserve(), "room left:", client.Room())
	_, _, err = client.Open(ctx, connectTo(address, "/echo")) // has the room that was reserved
	fmt.Println(err, client.Streams())
	_, _, err = client.Open(ctx, connectTo(address, "/echo"))
	fmt.Println(errors.Is(err, h2.ErrNoRoom), h2.Unprocessed(err))
	client.Release() // what was reserved and is not wanted

	client.Ping() // does not wait
	fmt.Println(client.Heard().IsZero(), time.Since(client.Asked()) < 0)
	client.Leave() // ends with its last stream
	fmt.Println(client.Leaving(), errors.Is(client.Cause(), net.ErrClosed))
	_, _, err = client.Open(ctx, connectTo(address, "/echo"))
	fmt.Println(errors.Is(err, h2.ErrLeaving), errors.Is(err, h2.ErrNoExtendedConnect))
	client.Close()
	<-client.Done()
	fmt.Println(errors.Is(client.Err(), net.ErrClosed))
	// Output:
	// reserved: true room left: 0
	// <nil> 1
	// true true
	// false false
	// true true
	// true false
	// true
}

// Who ended what, and why.
func ExampleStreamError() {
	err := fmt.Errorf("no WebSocket: %w", &h2.StreamError{ID: 1, Code: h2.RefusedStream, Remote: true})
	if e, ok := errors.AsType[*h2.StreamError](err); ok {
		fmt.Println(e.Code, "by the peer:", e.Remote)
	}
	fmt.Println("another connection may have it:", h2.Unprocessed(err))
	if e, ok := errors.AsType[*stream.ResetError](err); ok {
		fmt.Println(e.Code)
	}
	// Output:
	// REFUSED_STREAM by the peer: true
	// another connection may have it: true
	// REFUSED_STREAM
}

// A limit that a peer ran into is named as its field of Config.
func ExampleConnError() {
	var err error = &h2.ConnError{Code: h2.EnhanceYourCalm, Rule: "RFC 9113, 10.5", Msg: "too many PINGs", Limit: h2.LimitPings}
	if e, ok := errors.AsType[*h2.ConnError](err); ok {
		fmt.Println(e.Code, e.Limit)
	}
	fmt.Println(errors.Is(err, net.ErrClosed))
	// Output:
	// ENHANCE_YOUR_CALM MaxPings
	// true
}
