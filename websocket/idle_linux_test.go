package websocket_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"weir/h2"
	"weir/h2/h2test"
	"weir/websocket"
	"weir/wsframe"
)

// TestIdleStack: what a WebSocket holds that has echoed a message and waits for the next, from the socket to the handler, with
// the default options: its timer too. Resident memory is about a third more. The clients are bare descriptors, so that the heap is the server's.
func TestIdleStack(t *testing.T) {
	if websocket.RaceEnabled {
		t.Skip("the race detector has memory of its own")
	}
	const n = 1000
	for _, c := range []struct {
		name              string
		octets, goroutine int // at most: of heap each, and in all
		per               int // WebSockets on a connection
		open              func(t *testing.T, to *syscall.SockaddrInet4, path string, per int) (fd int)
	}{
		{"h1", 1229, 2*runtime.GOMAXPROCS(0) + 4, 1, openH1},
		{"h2", 1024, n/100 + 4, 100, openH2}, // each connection's reader
	} {
		t.Run(c.name, func(t *testing.T) {
			to := echoServer(t)
			clients := make([]int, 0, 2*n)
			defer func() {
				for _, fd := range clients {
					syscall.Close(fd)
				}
			}()
			open := func(k int) {
				for range k / c.per {
					clients = append(clients, c.open(t, to, "/chat?room=1", c.per))
				}
			}
			open(c.per) // what is there once
			heap := func() int {
				for range 3 { // pools give up what they hold in two
					runtime.GC()
				}
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return int(m.HeapAlloc)
			}
			before, goroutines := heap(), runtime.NumGoroutine()
			open(n)
			each := (heap() - before) / n
			t.Logf("%d octets each", each)
			if each > c.octets {
				t.Errorf("%d octets each, want at most %d", each, c.octets)
			}
			if more := runtime.NumGoroutine() - goroutines; more > c.goroutine {
				t.Errorf("%d goroutines more, want at most %d", more, c.goroutine)
			}
		})
	}
}

func echoServer(t *testing.T) *syscall.SockaddrInet4 {
	echo := websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
		if f.IsData() {
			out = append(out, f.Reply())
		}
		return out
	})
	srv := &http.Server{Handler: websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) { return echo, nil })}
	if _, err := websocket.ConfigureServer(srv, &websocket.Config{HTTP2: h2.Config{MaxConcurrentStreams: 1000}}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l) // ends with Close
	t.Cleanup(func() { srv.Close() })
	return &syscall.SockaddrInet4{Port: l.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
}

// bare is a client's descriptor.
type bare struct {
	t   *testing.T
	fd  int
	got []byte
}

func dialBare(t *testing.T, to *syscall.SockaddrInet4) *bare {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 10})
	}
	if err == nil {
		err = syscall.Connect(fd, to)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &bare{t: t, fd: fd}
}

func (b *bare) write(p []byte) {
	for len(p) > 0 {
		n, err := syscall.Write(b.fd, p)
		if err != nil {
			b.t.Fatal(err)
		}
		p = p[n:]
	}
}

// until reads until done.
func (b *bare) until(done func() bool) {
	for buf := make([]byte, 4<<10); !done(); {
		n, err := syscall.Read(b.fd, buf)
		if err != nil || n == 0 {
			b.t.Fatalf("%v, and %d octets before: %q", err, len(b.got), b.got)
		}
		b.got = append(b.got, buf[:n]...)
	}
}

// hello is a client's message, and its echo.
func hello() (message, echo []byte) {
	p := []byte("hello, hello")
	echo = wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: wsframe.Text}, p)
	message = wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: wsframe.Text, Masked: true, Key: [4]byte{1, 2, 3, 4}}, p)
	return message, echo
}

func openH1(t *testing.T, to *syscall.SockaddrInet4, path string, _ int) int {
	b := dialBare(t, to)
	message, echo := hello()
	b.write(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path))
	b.until(func() bool { return bytes.HasSuffix(b.got, []byte("\r\n\r\n")) })
	b.got = b.got[:0]
	b.write(message)
	b.until(func() bool { return bytes.Equal(b.got, echo) })
	return b.fd
}

func openH2(t *testing.T, to *syscall.SockaddrInet4, path string, per int) int {
	b := dialBare(t, to)
	message, echo := hello()
	out := h2test.AppendFrame([]byte(http2.ClientPreface), http2.FrameSettings, 0, 0, nil)
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for i := range per {
		block.Reset()
		for _, f := range []hpack.HeaderField{{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: "websocket"}, {Name: ":scheme", Value: "http"},
			{Name: ":path", Value: path}, {Name: ":authority", Value: "example.com"}, {Name: "sec-websocket-version", Value: "13"}} {
			if err := enc.WriteField(f); err != nil {
				t.Fatal(err)
			}
		}
		id := uint32(2*i + 1)
		out = h2test.AppendFrame(out, http2.FrameHeaders, http2.FlagHeadersEndHeaders, id, block.Bytes())
		out = h2test.AppendFrame(out, http2.FrameData, 0, id, message)
	}
	b.write(out)
	b.until(func() bool { return bytes.Count(b.got, echo) == per })
	return b.fd
}
