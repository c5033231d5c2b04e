package behaviour_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"weir/stream/streamtest"
	"weir/websocket"
)

// idleClients is the variable that makes the clients of TestIdleTLS of the test program: the
// address of the server.
const idleClients = "WEIR_IDLE_TLS_CLIENTS"

const idleTLS = 500 // WebSockets

// TestIdleTLS: what a server holds for a WebSocket over TLS that has echoed a message and waits for
// the next, on the heap and on stacks, all that crypto/tls keeps included. The clients are another
// process.
func TestIdleTLS(t *testing.T) {
	if addr := os.Getenv(idleClients); addr != "" {
		idleClient(t, addr)
		return
	}
	if raceEnabled {
		t.Skip("the race detector has memory of its own")
	}
	const most = 11_000 // octets
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &websocket.Options{IdleTimeout: -1}
	srv := &http.Server{Handler: websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if f.IsData() {
				out = append(out, f.Reply())
			}
			return out
		}), o
	}), TLSConfig: &tls.Config{Certificates: []tls.Certificate{testCert()}}}
	ws, err := websocket.ConfigureServer(srv, nil)
	if err != nil {
		t.Fatal(err)
	}
	go srv.ServeTLS(l, "", "") // ends with Shutdown
	defer ws.Shutdown(t.Context())

	before, goroutines := heldMemory(), runtime.NumGoroutine()
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdleTLS$")
	cmd.Env = append(os.Environ(), idleClients+"="+l.Addr().String())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); _ = cmd.Wait() }()
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("the clients say %q", line)
	}
	streamtest.Until(t, "the readers leave", func() bool { return runtime.NumGoroutine() <= goroutines+10 })
	each := (heldMemory() - before) / idleTLS
	t.Logf("%d octets a WebSocket", each)
	if each > most {
		t.Errorf("%d octets a WebSocket, want at most %d", each, most)
	}
}

// heldMemory is what is on the heap and on stacks.
func heldMemory() int {
	for range 4 { // pools give up what they hold in two, and stacks shrink by half at each
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// idleClient opens the WebSockets, has a message echoed on each, says so, and holds them until
// standard input ends.
func idleClient(t *testing.T, addr string) {
	const request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	message := strings.Repeat("x", 1000)
	frame := append([]byte{0x81, 0x80 | 126, 1000 >> 8, 1000 & 0xff, 0, 0, 0, 0}, message...)
	for range idleTLS {
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		br := bufio.NewReader(c)
		if _, err := http.ReadResponse(br, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(frame); err != nil {
			t.Fatal(err)
		}
		echo := make([]byte, 4+len(message))
		if _, err := io.ReadFull(br, echo); err != nil || string(echo[4:]) != message {
			t.Fatal("no echo: ", strconv.Quote(string(echo)), err)
		}
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
