package h3_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/quic-go/quic-go"

	"weir/h3"
	"weir/h3/h3test"
	"weir/stream"
	"weir/websocket"
)

// exampleEcho serves an echo over HTTP/3 alone.
func exampleEcho() (addr string, stop func()) {
	srv := &http.Server{TLSConfig: h3test.ServerTLS(), Handler: websocket.Handle(
		func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
				if f.IsData() {
					out = append(out, f.Reply())
				}
				return out
			}), nil
		})}
	q, err := h3.ConfigureServer(srv, nil)
	if err != nil {
		panic(err)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	served := make(chan error, 1)
	go func() { served <- q.Serve(pc) }() // ends with Close
	return pc.LocalAddr().String(), func() {
		q.Close()
		<-served
	}
}

// WebSockets over HTTP/3 alone. Without HTTP the Dialer uses it where a server has named it.
func ExampleDialer() {
	addr, stop := exampleEcho()
	defer stop()

	d := &websocket.Dialer{
		HTTP:  websocket.HTTP3,
		HTTP3: &h3.Dialer{Config: h3.ClientConfig{MaxStreams: 100}},
		TLS:   &tls.Config{InsecureSkipVerify: true},
	}
	defer d.Close()
	ctx := context.Background()
	c, resp, err := d.Dial(ctx, "wss://"+addr+"/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(1000, "")
	c.Write(ctx, websocket.TextFrame, []byte("hello"))
	_, msg, err := c.Read(ctx)
	fmt.Printf("%s %s %v\n", resp.Proto, msg, err)
	// Output: HTTP/3.0 hello <nil>
}

// Streams below WebSockets: one connection, and what its errors say.
func ExampleClient() {
	addr, stop := exampleEcho()
	defer stop()

	d := new(h3.Dialer)
	ctx := context.Background()
	cl, err := d.Dial(ctx, addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cl.Close()
	if err := cl.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	request := func(path string) *http.Request {
		return &http.Request{
			Method: http.MethodConnect, URL: &url.URL{Scheme: "https", Host: addr, Path: path},
			Header: http.Header{":protocol": {"websocket"}, "Sec-Websocket-Version": {"13"}},
		}
	}
	st, resp, err := cl.Open(ctx, request("/"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.StatusCode, st.Info().Transport, cl.Streams())
	st.Reset(stream.Cancel)

	cl.Leave()
	_, _, err = cl.Open(ctx, request("/"))
	switch {
	case errors.Is(err, h3.ErrNoRoom), errors.Is(err, h3.ErrNoExtendedConnect):
		fmt.Println("elsewhere")
	case errors.Is(err, h3.ErrLeaving):
		fmt.Println("it leaves")
	}
	fmt.Println(len(resp.Status) < h3.MaxAnswer)
	// Output:
	// 200 h3 1
	// it leaves
	// true
}

// A connection of QUIC that a program has dialled by itself, on a socket of its own.
func ExampleNewClient() {
	addr, stop := exampleEcho()
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cfg := new(h3.ClientConfig)
	t := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}
	qc, err := quic.DialAddr(ctx, addr, t, cfg.QUIC())
	if err != nil {
		fmt.Println(err)
		return
	}
	cl := h3.NewClient(qc, cfg)
	offered, err := cl.ExtendedConnect(ctx)
	fmt.Println(offered, err, cl.Conn() == qc)
	cl.Close()
	<-cl.Done()
	// Output: true <nil> true
}

// A reset tells who has given the request up, and whether it may be made again.
func ExampleStreamError() {
	var err error = &h3.StreamError{ID: 4, Code: h3.RequestRejected, Remote: true}
	if e, ok := errors.AsType[*h3.StreamError](err); ok {
		fmt.Println(e.ID, e.Code)
	}
	fmt.Println(errors.Is(err, stream.ErrUnprocessed))
	// Output:
	// 4 H3_REQUEST_REJECTED
	// true
}
