package h3_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/quic-go/quic-go/http3"

	"weir/h3"
	"weir/h3/h3test"
	"weir/websocket"
)

// One handler over HTTP/1.1, HTTP/2 and HTTP/3. Answers over TCP say where HTTP/3 is.
func ExampleConfigureServer() {
	var q *h3.Server
	srv := &http.Server{TLSConfig: h3test.ServerTLS(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 3 {
			q.SetAltSvc(w.Header())
		}
		fmt.Fprint(w, r.Proto)
	})}
	ws, err := websocket.ConfigureServer(srv, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if q, err = h3.ConfigureServer(srv, &h3.Config{MaxConns: 1000}); err != nil {
		fmt.Println(err)
		return
	}
	ws.Add(q) // ws.Shutdown drains it, too
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- q.Serve(pc) }() // ends with Shutdown; srv serves TCP beside it

	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	resp, err := (&http.Client{Transport: transport}).Get("https://" + pc.LocalAddr().String() + "/")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s %s\n", resp.Status, body)
	n := q.Stats()
	fmt.Println("connections", q.Conns(), "in all", n.ConnsTotal)
	fmt.Println("refused", n.Limits[h3.LimitConns], "limits run into", n.Limits.Total())
	transport.Close()

	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	fmt.Println(ws.Shutdown(ctx))
	<-served
	// Output:
	// 200 OK HTTP/3.0
	// connections 1 in all 1
	// refused 0 limits run into 0
	// <nil>
}

// A program that ends HTTP/3 by itself: no new requests, then those that are open, then all.
func ExampleServer_Shutdown() {
	srv := &http.Server{TLSConfig: h3test.ServerTLS(), Handler: http.NotFoundHandler()}
	q, err := h3.ConfigureServer(srv, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	q.GoAway()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	fmt.Println(q.Shutdown(ctx))
	fmt.Println(q.Close()) // cuts what is left
	h := httptest.NewRecorder().Header()
	q.SetAltSvc(h)
	fmt.Println(h)
	// Output:
	// <nil>
	// <nil>
	// map[]
}

// A fault of a peer's names the code that its connection ended with, and the rule.
func ExampleConnError() {
	var err error = &h3.ConnError{Code: h3.FrameUnexpected, Rule: "RFC 9114, 7.2.4", Text: "a second SETTINGS"}
	if e, ok := errors.AsType[*h3.ConnError](err); ok {
		fmt.Println(e.Code, e.Rule)
	}
	fmt.Println(errors.Is(err, net.ErrClosed))
	// Output:
	// H3_FRAME_UNEXPECTED RFC 9114, 7.2.4
	// true
}
