package upgrade_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream"
	"weir/stream/memnet"
	"weir/upgrade"
)

var noStream stream.Info

// held is a server in fake time that switches every request to one protocol.
type held struct {
	*testing.T
	http2 bool
	ln    *memnet.Listener
	log   strings.Builder
	drain chan struct{}
}

// serveHeld runs body against a server over HTTP/1.1, then against one over HTTP/2.
func serveHeld(t *testing.T, sw func() *upgrade.Switch, body func(h *held)) {
	t.Helper()
	init := func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) { return sw(), nil }
	serveHandler(t, upgrade.Handle(init), body)
}

// serveHandler is serveHeld for any handler.
func serveHandler(t *testing.T, handler http.Handler, body func(h *held)) {
	t.Helper()
	for _, http2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "h1", true: "h2c"}[http2], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &held{T: t, http2: http2, ln: memnet.Listen(), drain: make(chan struct{})}
				srv := &http.Server{
					Handler:  handler,
					ErrorLog: log.New(&h.log, "", 0),
				}
				srv.BaseContext = func(net.Listener) context.Context { return upgrade.WithDrain(context.Background(), h.drain) }
				s, err := h2.ConfigureServer(srv, nil)
				if err != nil {
					t.Fatal(err)
				}
				go srv.Serve(h.ln) // ends with srv
				defer func() {     // also of a test that failed
					s.Close()
					srv.Close()
					time.Sleep(10 * time.Second)
				}()
				body(h)
			})
		})
	}
}

func (h *held) dial() net.Conn {
	nc, err := h.ln.Dial(context.Background())
	if err != nil {
		h.Fatal(err)
	}
	return nc
}

// get begins a GET and gives what its body says as it comes, and how to go away.
func (h *held) get() (status int, body *bufio.Reader, leave func()) {
	nc := h.dial()
	if h.http2 {
		p, err := h2test.Dial(nc)
		if err != nil {
			h.Fatal(err)
		}
		tun, err := p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "weir.test", ":path", "/")
		if err != nil {
			h.Fatal(err)
		}
		if err := tun.Answer(time.Hour); err != nil {
			return 0, bufio.NewReader(errorReader{err}), func() { nc.Close() }
		}
		return tun.Status, bufio.NewReader(tun), func() { tun.Reset(8); synctest.Wait(); nc.Close() }
	}
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: weir.test\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return 0, bufio.NewReader(errorReader{err}), func() { nc.Close() }
	}
	return resp.StatusCode, bufio.NewReader(resp.Body), func() { nc.Close() }
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// clock is a loop handler: server-sent events of what is posted.
type clock struct {
	fakeHandler
	q    *upgrade.Queue
	last upgrade.LoopResult
}

func (c *clock) LoopInit(q *upgrade.Queue, w http.ResponseWriter) upgrade.LoopResult {
	c.q = q
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "hello\n")
	return upgrade.LoopOK
}

func (c *clock) LoopInfo(msg any, w http.ResponseWriter) upgrade.LoopResult {
	switch msg {
	case "stop":
		fmt.Fprint(w, "bye\n")
		return upgrade.LoopStop
	case "panic":
		panic("ouch")
	case "goexit":
		runtime.Goexit()
	}
	fmt.Fprintln(w, msg)
	return c.last
}

func TestLoop(t *testing.T) {
	var c *clock
	var o *upgrade.LoopOptions
	sw := func() *upgrade.Switch { return &upgrade.Switch{Protocol: upgrade.Loop, Handler: c, Options: o} }
	line := func(h *held, r *bufio.Reader, want string) {
		h.Helper()
		if got, err := r.ReadString('\n'); got != want+"\n" {
			h.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	told := func(h *held, want string) {
		h.Helper()
		synctest.Wait()
		if got := strings.Join(c.reasons, "; "); got != want {
			h.Fatalf("told %q, want %q", got, want)
		}
		if err := c.q.Post("late"); err != upgrade.ErrEnded {
			h.Fatalf("Post after the end: %v", err)
		}
	}
	t.Run("messages", func(t *testing.T) {
		c, o = new(clock), nil
		serveHeld(t, sw, func(h *held) {
			c = new(clock)
			status, body, leave := h.get()
			defer leave()
			line(h, body, "hello")
			if status != 200 {
				h.Fatal(status)
			}
			for i, last := range []upgrade.LoopResult{upgrade.LoopOK, upgrade.LoopHibernate, upgrade.LoopOK} {
				c.last = last
				time.Sleep(time.Hour) // nothing bounds the wait
				if err := c.q.Post(i); err != nil {
					h.Fatal(err)
				}
				line(h, body, fmt.Sprint(i))
			}
			c.q.Post("stop")
			line(h, body, "bye")
			if _, err := body.ReadByte(); err != io.EOF {
				h.Fatal("the answer is not complete:", err)
			}
			told(h, "stop /")
		})
	})
	t.Run("idle_timeout", func(t *testing.T) {
		o = &upgrade.LoopOptions{IdleTimeout: time.Minute}
		serveHeld(t, sw, func(h *held) {
			c = new(clock)
			_, body, leave := h.get()
			defer leave()
			line(h, body, "hello")
			time.Sleep(50 * time.Second)
			c.q.Post("again")
			line(h, body, "again")
			start := time.Now()
			if _, err := body.ReadByte(); err != io.EOF || time.Since(start) != time.Minute {
				h.Fatal(err, time.Since(start))
			}
			told(h, "timeout /")
		})
	})
	t.Run("client_leaves", func(t *testing.T) {
		o = nil
		serveHeld(t, sw, func(h *held) {
			c = new(clock)
			_, body, leave := h.get()
			line(h, body, "hello")
			leave()
			told(h, "error:closed /")
		})
	})
	t.Run("backlog", func(t *testing.T) {
		o = &upgrade.LoopOptions{Backlog: 2}
		serveHeld(t, sw, func(h *held) {
			c = new(clock)
			_, body, leave := h.get()
			defer leave()
			line(h, body, "hello")
			var errs []error
			for range 3 {
				errs = append(errs, c.q.Post("x"))
			}
			if errs[0] != nil || errs[2] != nil && !errors.Is(errs[2], upgrade.ErrBacklog) {
				h.Fatal(errs)
			}
		})
	})
	t.Run("drain", func(t *testing.T) {
		o = nil
		serveHeld(t, sw, func(h *held) {
			c = new(clock)
			_, body, leave := h.get()
			defer leave()
			line(h, body, "hello")
			close(h.drain)
			if _, err := body.ReadByte(); err != io.EOF {
				h.Fatal(err)
			}
			told(h, "stop /")
		})
	})
	for msg, reason := range map[string]string{"panic": "crash:throw /", "goexit": "crash:exit /"} {
		t.Run(msg, func(t *testing.T) {
			o = nil
			serveHeld(t, sw, func(h *held) {
				c = new(clock)
				_, body, leave := h.get()
				defer leave()
				line(h, body, "hello")
				c.q.Post(msg)
				if _, err := body.ReadByte(); err == nil || err == io.EOF {
					h.Fatal("the client takes a part for the whole:", err)
				}
				told(h, reason)
			})
		})
	}
}

// tube is a tunnel handler: an echo.
type tube struct {
	fakeHandler
	crash string // when something has come: a reset could overtake the answer
}

func (e *tube) ServeTunnel(c net.Conn, _ *upgrade.PartialRequest) {
	if e.crash != "" {
		_, _ = c.Read(make([]byte, 1)) // whatever it is
		panic(e.crash)
	}
	io.Copy(c, c)
	c.(interface{ CloseWrite() error }).CloseWrite()
}

// tunnel opens one.
func (h *held) tunnel(token string) (int, io.ReadWriter, func()) {
	nc := h.dial()
	if h.http2 {
		p, err := h2test.Dial(nc)
		if err != nil {
			h.Fatal(err)
		}
		tun, err := p.Connect("/", ":protocol", token)
		if err != nil {
			h.Fatal(err)
		}
		return tun.Status, tun, func() { tun.CloseWrite() }
	}
	fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: weir.test\r\nConnection: upgrade\r\nUpgrade: %s\r\n\r\n", token)
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		h.Fatal(err)
	}
	if resp.StatusCode == 101 && resp.Header.Get("Upgrade") != "weir-echo" {
		h.Fatal(resp.Header)
	}
	return resp.StatusCode, struct {
		io.Reader
		io.Writer
	}{r, nc}, func() { nc.(*memnet.Conn).CloseWrite() }
}

func TestTunnel(t *testing.T) {
	var e *tube
	sw := func() *upgrade.Switch {
		return &upgrade.Switch{Protocol: upgrade.Tunnel{Token: "weir-echo"}, Handler: e}
	}
	told := func(h *held, want string) {
		h.Helper()
		synctest.Wait()
		if got := strings.Join(e.reasons, "; "); got != want {
			h.Fatalf("told %q, want %q", got, want)
		}
	}
	t.Run("echo", func(t *testing.T) {
		serveHeld(t, sw, func(h *held) {
			e = new(tube)
			status, rw, end := h.tunnel("Weir-Echo")
			if h.http2 && status != 200 || !h.http2 && status != 101 {
				h.Fatal(status)
			}
			want := strings.Repeat("octets ", 50_000)
			go func() { // ends when all is written
				io.WriteString(rw, want)
				end()
			}()
			if got, err := io.ReadAll(rw); string(got) != want {
				h.Fatal(len(got), err)
			}
			told(h, "stop /")
		})
	})
	t.Run("another_token", func(t *testing.T) {
		serveHeld(t, sw, func(h *held) {
			e = new(tube)
			status, _, _ := h.tunnel("websocket")
			if h.http2 && status != 501 || !h.http2 && status != 426 {
				h.Fatal(status)
			}
			told(h, "")
		})
	})
	t.Run("panic", func(t *testing.T) {
		serveHeld(t, sw, func(h *held) {
			e = &tube{crash: "ouch"}
			_, rw, _ := h.tunnel("weir-echo")
			io.WriteString(rw, "x")
			if _, err := io.ReadAll(rw); err == nil {
				h.Fatal("a crash looks like an end")
			}
			told(h, "crash:throw /")
			if !strings.Contains(h.log.String(), "ouch") {
				h.Fatalf("logged %q", &h.log)
			}
		})
	})
	t.Run("drain", func(t *testing.T) {
		serveHeld(t, sw, func(h *held) {
			e = new(tube)
			_, rw, end := h.tunnel("weir-echo")
			synctest.Wait()
			close(h.drain)
			if _, err := io.ReadAll(rw); err != nil {
				h.Fatal(err)
			}
			end()
			told(h, "stop /")
		})
	})
}
