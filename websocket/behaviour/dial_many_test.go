package behaviour_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/h2"
	"weir/stream/streamtest"
	"weir/websocket"
)

// TestDialMany: very many WebSockets on one Dialer, over some 100 HTTP/2 connections. Half of them
// close cleanly; then the server is killed, which ends every other one with an error. Nothing is
// left behind.
func TestDialMany(t *testing.T) {
	many := 10_000
	if raceEnabled {
		many = 1000
	}
	before := goroutines()
	srv := httptest.NewUnstartedServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			return append(out, f.Reply())
		}), nil
	}))
	ws, err := websocket.ConfigureServer(srv.Config, &websocket.Config{HTTP2: h2.Config{MaxConcurrentStreams: many / 100}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	var conns atomic.Int32
	d := &websocket.Dialer{HTTP: websocket.HTTP2, Timeout: -1, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conns.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	ctx := t.Context()
	open := make([]*websocket.Conn, many)
	atOnce(t, many, func(i int) (err error) {
		open[i], _, err = d.Dial(ctx, srv.URL, nil)
		return err
	})
	if t.Failed() {
		t.FailNow()
	}
	// On a busy machine a connection is taken to hang, and another begun beside it. How many there
	// are where none hangs is tested in fake time, in internal/pool.
	if n := conns.Load(); n < 100 || n > 500 {
		t.Errorf("%d connections for %d WebSockets", n, many)
	}
	if n := ws.Group().Len(); n != many {
		t.Errorf("the server has %d WebSockets, want %d", n, many)
	}
	atOnce(t, many, func(i int) error {
		if err := open[i].Write(ctx, websocket.TextFrame, fmt.Append(nil, "hello ", i)); err != nil {
			return err
		}
		if _, msg, err := open[i].Read(ctx); err != nil || string(msg) != fmt.Sprint("hello ", i) {
			return fmt.Errorf("%q, %v", msg, err)
		}
		return nil
	})
	half := many / 2
	atOnce(t, half, func(i int) error { return open[i].Close(1000, "") })

	srv.Config.Close()
	srv.CloseClientConnections()
	atOnce(t, half, func(i int) error {
		_, _, err := open[half+i].Read(ctx)
		if ce, ok := errors.AsType[*websocket.CloseError](err); !ok || ce.Reason.Kind != websocket.ReasonError {
			return fmt.Errorf("the server was killed, and Read gives %w", err)
		}
		return nil
	})
	srv.Close()
	d.CloseIdle()
	clear(open)
	// What has been told to end needs a moment to do it.
	for end := time.Now().Add(streamtest.Patience(t)); goroutines() > before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, there were %d before:\n%s", goroutines(), before, stacks())
		}
	}
}

// atOnce runs f for 0 to n-1, 200 of them at a time.
func atOnce(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	var next atomic.Int32
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() { // ends with the last i
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil && !t.Failed() {
					t.Errorf("%d of %d: %v", i, n, err)
				}
			}
		})
	}
	all.Wait()
}

// goroutines counts those that run code of this module.
func goroutines() int {
	n := 0
	for g := range strings.SplitSeq(stacks(), "\n\n") {
		if strings.Contains(g, "weir/") {
			n++
		}
	}
	return n
}

func stacks() string {
	b := make([]byte, 1<<20)
	for {
		if n := runtime.Stack(b, true); n < len(b) {
			return string(b[:n])
		}
		b = make([]byte, 2*len(b))
	}
}
