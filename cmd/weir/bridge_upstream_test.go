package main

//lint:file-ignore SA1019 the module lives on under another path; it is a peer here, whatever its name

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"nhooyr.io/websocket"
)

// saysTo is a server that says one thing to everybody, and counts them.
func saysTo(t *testing.T, what string) (addr string, dialled, open *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	dialled, open = new(atomic.Int32), new(atomic.Int32)
	go func() { // ends with the listener
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			open.Add(1)
			go func() { // ends with the connection
				defer open.Add(-1)
				defer nc.Close()
				_, _ = io.WriteString(nc, what)
				_, _ = io.Copy(io.Discard, nc)
			}()
		}
	}()
	return l.Addr().String(), dialled, open
}

// A WebSocket for a server that allows no stream costs one connection, and the client is told why.
func TestBridgeNoStreams(t *testing.T) {
	const settings = "\x00\x00\x0c\x04\x00\x00\x00\x00\x00" + "\x00\x08\x00\x00\x00\x01" + "\x00\x03\x00\x00\x00\x00"
	addr, dialled, open := saysTo(t, settings)
	b := startCommand(t, "bridge", "127.0.0.1:0", "http://"+addr)
	for n := range int32(3) {
		_, res, err := websocket.Dial(testContext(t), b.http+"/echo", nil)
		if err == nil || res == nil || res.StatusCode != http.StatusBadGateway {
			t.Fatalf("%v, %v", res, err)
		}
		if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), "MAX_CONCURRENT_STREAMS is 0") {
			t.Errorf("the body is %q", body)
		}
		if got := dialled.Load(); got != n+1 {
			t.Errorf("%d WebSockets made %d connections", n+1, got)
		}
	}
	b.signal(syscall.SIGTERM)
	b.wantExit(0)
	waitUntil(t, "its connections end with it", func() bool { return open.Load() == 0 })
}

// A signal is heard while the server is being dialled: who waits gets an answer.
func TestBridgeSignalWhileDialling(t *testing.T) {
	addr, dialled, _ := saysTo(t, "")
	b := startCommand(t, "bridge", "127.0.0.1:0", "http://"+addr, "--drain", "1h")
	answered := make(chan int, 1)
	go func() { // ends with the answer
		_, res, err := websocket.Dial(testContext(t), b.http+"/echo", nil)
		if err == nil || res == nil {
			answered <- 0
			return
		}
		answered <- res.StatusCode
	}()
	waitUntil(t, "it dials", func() bool { return dialled.Load() > 0 })
	b.signal(syscall.SIGTERM)
	b.wantExit(0)
	if status := <-answered; status != http.StatusBadGateway {
		t.Errorf("who waited got %d", status)
	}
}

// waitUntil waits for what others do.
func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for ctx := testContext(t); !done(); time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("this does not happen: %s", what)
		}
	}
}
