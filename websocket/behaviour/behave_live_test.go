package behaviour_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// What may be asked of a Conn, and changed, while it runs.

func TestIsWebSocket(t *testing.T) {
	row(t, "1.asks", overHTTP, func(h *house) {
		h.mux.HandleFunc("/both", func(w http.ResponseWriter, r *http.Request) {
			if !websocket.IsWebSocket(r) {
				fmt.Fprint(w, "a page")
				return
			}
			if c, err := websocket.Accept(w, r, nil); err == nil {
				go c.Close(4000, "") // ends in 5 s
			}
		})
		if body := h.page("/both"); body != "a page" {
			h.Errorf("an ordinary request is answered %q", body)
		}
		c, err := h.tryOpenAt("/both")
		if err != nil {
			h.Fatal(err)
		}
		c.wantClose("it was accepted", 4000, "")
	})
}

// page is the body of the answer to an ordinary request.
func (h *house) page(path string) string {
	h.Helper()
	if h.http3() {
		_, b, err := h.shared3().Get(path)
		if err != nil {
			h.Fatal(err)
		}
		return string(b)
	}
	if h.http2() {
		r, err := h.peer().Get(path)
		if err != nil {
			h.Fatal(err)
		}
		return string(r.Body)
	}
	resp, _ := h.upgrade(h.dial(), "GET "+path+" HTTP/1.1\r\nHost: weir.test\r\n\r\n")
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.Fatal(err)
	}
	return string(b)
}

func TestConnAddr(t *testing.T) {
	row(t, "6.conn.addr", overTCP, func(h *house) {
		c, s := h.pair(&websocket.Options{})
		for _, conn := range []*websocket.Conn{c, s} {
			for range 2 {
				info := conn.Session().StreamInfo()
				if got := conn.RemoteAddr(); got == nil || got.String() != info.Remote.String() {
					h.Errorf("RemoteAddr is %v, want %v", got, info.Remote)
				}
				if got := conn.LocalAddr(); got == nil || got.String() != info.Local.String() {
					h.Errorf("LocalAddr is %v, want %v", got, info.Local)
				}
				conn.CloseNow()
				<-conn.Context().Done()
				settle()
			}
		}
	})
}

func TestConnReadLimit(t *testing.T) {
	row(t, "6.conn.read_limit", overHTTP, func(h *house) {
		s, c := h.accept(&websocket.Options{MaxFrameSize: 1000})
		read := func(n int) {
			h.Helper()
			c.send(binary(strings.Repeat("x", n)))
			if _, msg, err := s.Read(background); err != nil || len(msg) != n {
				h.Fatalf("%d octets and %v, want %d", len(msg), err, n)
			}
		}
		read(1000)
		s.SetReadLimit(5000)
		read(5000)
		s.SetReadLimit(-1)
		read(60_000)
		s.SetReadLimit(10)
		go func() { // ends when it has raised the limit of the Read that waits
			time.Sleep(time.Second)
			s.SetReadLimit(20)
			c.send(binary(strings.Repeat("y", 20)))
		}()
		if _, msg, err := s.Read(background); err != nil || len(msg) != 20 {
			h.Fatalf("%d octets and %v: the message began behind the change", len(msg), err)
		}
		s.SetReadLimit(0)
		read(1001)
		s.SetReadLimit(10)
		c.send(binary(strings.Repeat("z", 11)))
		_, _, err := s.Read(background)
		if e, ok := errors.AsType[*websocket.CloseError](err); !ok || e.Reason.String() != "error:badsize" {
			h.Fatal(err)
		}
		c.wantClose("over the limit", 1009, "")
	})
}

// SetOptions, which all sessions of a Group may be sent, limits a Conn's messages as SetReadLimit
// does.
func TestConnReadLimitBySend(t *testing.T) {
	row(t, "6.conn.read_limit", overHTTP, func(h *house) {
		s, c := h.accept(nil)
		if err := s.Session().Send(websocket.SetOptions(websocket.Changes{MaxFrameSize: 10})); err != nil {
			h.Fatal(err)
		}
		synctest.Wait()
		c.send(binary(strings.Repeat("x", 11)))
		_, _, err := s.Read(background)
		if e, ok := errors.AsType[*websocket.CloseError](err); !ok || e.Reason.String() != "error:badsize" {
			h.Fatal(err)
		}
		c.wantClose("over the limit", 1009, "")
	})
}

// A message that a Read has begun keeps the limit that it began with.
func TestConnReadLimitOfOneUnderWay(t *testing.T) {
	row(t, "6.conn.read_limit", overHTTP, func(h *house) {
		s, c := h.accept(nil)
		c.send(begin(wsframe.Text, strings.Repeat("a", 5000)))
		go func() { // ends with the message
			time.Sleep(time.Second)
			s.SetReadLimit(10)
			c.send(last("b"))
		}()
		if _, msg, err := s.Read(background); err != nil || len(msg) != 5001 {
			h.Fatalf("%d octets and %v", len(msg), err)
		}
	})
}

func TestConnHooks(t *testing.T) {
	row(t, "6.conn.hooks", overTCP, func(h *house) {
		c, s := h.pair(&websocket.Options{})
		var got []string // of the goroutine that works for s; read when that is idle
		note := func(what string) func([]byte) {
			return func(p []byte) { got = append(got, what+" "+string(p)) }
		}
		want := func(want ...string) {
			h.Helper()
			synctest.Wait()
			if !slices.Equal(got, want) {
				h.Errorf("told %q, want %q", got, want)
			}
			got = nil
		}
		ping, pong := websocket.Prepare(websocket.PingFrame, "hi"), websocket.Prepare(websocket.PongFrame, "ho")
		send := func(p *websocket.Prepared) {
			h.Helper()
			if err := c.WritePrepared(background, p); err != nil {
				h.Fatal(err)
			}
		}
		send(ping)
		want()
		s.OnPing(note("ping"))
		s.OnPong(note("pong"))
		send(ping)
		send(pong)
		want("ping hi", "pong ho")
		if err := s.Ping(background); err != nil {
			h.Fatal("a hook takes no pong from a Ping:", err)
		}
		if synctest.Wait(); len(got) != 1 {
			h.Errorf("told %q, want one pong", got)
		}
		got = nil
		s.OnPing(nil)
		send(ping)
		send(pong)
		want("pong ho")
		if err := c.Ping(background); err != nil {
			h.Fatal("a ping is answered without a hook:", err)
		}
	})
}

// TestConnHookAfterEnd: a hook that runs while the WebSocket ends elsewhere may call what waits for
// nobody. It hears of the end, and does not wait for Terminate, which waits for it.
func TestConnHookAfterEnd(t *testing.T) {
	ends := map[string]struct {
		end func(*websocket.Conn)
		why string
	}{
		"SendClose": {func(s *websocket.Conn) { s.SendClose(4000, "") }, "stop"},
		"CloseNow":  {(*websocket.Conn).CloseNow, "error:closed"},
	}
	calls := map[string]func(*websocket.Conn) error{
		"SendClose":      func(s *websocket.Conn) error { return s.SendClose(4001, "") },
		"SetIdleTimeout": func(s *websocket.Conn) error { return s.SetIdleTimeout(time.Hour) },
		"Write":          func(s *websocket.Conn) error { return s.Write(background, websocket.TextFrame, nil) },
	}
	for how, end := range ends {
		for what, call := range calls {
			t.Run(what+" after "+how, func(t *testing.T) {
				row(t, "6.conn.hooks", overTCP, func(h *house) {
					s, c := h.accept(nil)
					runs, goOn := make(chan struct{}), make(chan struct{})
					var said error
					s.OnPing(func([]byte) {
						close(runs)
						<-goOn
						said = call(s)
					})
					c.send(ping("p"))
					<-runs
					end.end(s)
					close(goOn)
					_, _, err := s.Read(h.within(time.Minute))
					for who, err := range map[string]error{"Read": err, "the hook": said} {
						if e, ok := errors.AsType[*websocket.CloseError](err); !ok || e.Reason.String() != end.why {
							h.Errorf("%s was told %v, want %s", who, err, end.why)
						}
					}
				})
			})
		}
	}
}

func TestConnWritePrepared(t *testing.T) {
	row(t, "6.conn.prepared", overTCP, func(h *house) {
		for _, compress := range []bool{false, true} {
			c, s := h.pair(&websocket.Options{Compress: compress})
			msg := strings.Repeat("news ", 1000)
			p := websocket.Prepare(websocket.TextFrame, msg)
			for range 2 {
				if err := s.WritePrepared(background, p); err != nil {
					h.Fatal(err)
				}
				if kind, got, err := c.Read(background); kind != websocket.TextFrame || string(got) != msg || err != nil {
					h.Fatalf("%s, %d octets, %v", kind, len(got), err)
				}
			}
			w, err := s.Writer(background, websocket.BinaryFrame)
			if err != nil {
				h.Fatal(err)
			}
			if err := s.WritePrepared(h.within(time.Second), p); err == nil {
				h.Fatal("a message within a message")
			}
			if err := s.WritePrepared(background, websocket.Prepare(websocket.PingFrame, "")); err != nil {
				h.Fatal("a ping may stand within a message:", err)
			}
			w.Close()
			for _, bad := range []*websocket.Prepared{
				websocket.Prepare(websocket.PingFrame, strings.Repeat("x", 126)),
				websocket.Prepare(websocket.CloseFrame, ""),
			} {
				if err := s.WritePrepared(background, bad); err == nil || errors.Is(err, websocket.ErrEnded) {
					h.Fatal("it cannot be sent:", err)
				}
			}
			if err := s.Ping(background); err != nil {
				h.Fatal("the WebSocket goes on:", err)
			}
		}
	})
}

func TestConnSendClose(t *testing.T) {
	row(t, "6.conn.close", overTCP, func(h *house) {
		s, c := h.accept(nil)
		c.send(text("before"))
		synctest.Wait()
		before := time.Now()
		if err := s.SendClose(1006, ""); err == nil || errors.Is(err, websocket.ErrEnded) {
			h.Fatal("1006 is no code to send:", err)
		}
		if err := s.SendClose(4000, "bye"); err != nil {
			h.Fatal(err)
		}
		if _, msg, err := s.Read(background); string(msg) != "before" || err != nil {
			h.Fatal("what was received is there to be read:", string(msg), err)
		}
		_, _, err := s.Read(background)
		if e, ok := errors.AsType[*websocket.CloseError](err); !ok || e.Reason.String() != "stop" {
			h.Fatal(err)
		}
		if waited := time.Since(before); waited > 0 {
			h.Errorf("it waited for %v", waited)
		}
		c.wantClose("it was sent", 4000, "bye")
		<-s.Context().Done()
		if waited := time.Since(before); waited > 5*time.Second {
			h.Errorf("the stream ended after %v", waited)
		}
	})
}

// TestDialJar: the cookies of a Jar go out, and those of the answer come in, be it a WebSocket or
// not.
func TestDialJar(t *testing.T) {
	each(t, overTCP, func(h *house) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			h.Fatal(err)
		}
		var got []string
		h.mux.HandleFunc("/jar", func(w http.ResponseWriter, r *http.Request) {
			got = r.Header["Cookie"]
			http.SetCookie(w, &http.Cookie{Name: "plain", Value: "1", Path: "/"})
			http.SetCookie(w, &http.Cookie{Name: "tls", Value: "2", Path: "/", Secure: true})
			if r.URL.Query().Has("refuse") {
				http.SetCookie(w, &http.Cookie{Name: "refused", Value: "3", Path: "/"})
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			if c, err := websocket.Accept(w, r, nil); err == nil {
				c.SendClose(1000, "")
			}
		})
		d := h.dialer()
		d.Jar = jar
		dial := func(path string, header http.Header, want ...string) {
			h.Helper()
			c, _, err := d.Dial(background, h.url(path), &websocket.DialOptions{Header: header})
			if err == nil {
				c.CloseNow()
			}
			// Over HTTP/2 it may be cut into more lines (RFC 9113, 8.2.3).
			if sent := strings.Join(got, "; "); sent != strings.Join(want, "; ") {
				h.Errorf("sent %q, want %q", got, want)
			}
		}
		dial("/jar?refuse", nil)
		all := []string{"plain=1", "refused=3"}
		if h.tls() {
			all = []string{"plain=1", "tls=2", "refused=3"}
		}
		dial("/jar", nil, all...)
		given := http.Header{"Cookie": {"own=0"}}
		dial("/jar", given, append([]string{"own=0"}, all...)...)
		if !slices.Equal(given["Cookie"], []string{"own=0"}) {
			h.Errorf("the caller's header became %q", given)
		}
		dial("/jar", http.Header{"Cookie": {""}}, all...) // an empty field says nothing
		scheme := "http"
		if h.tls() {
			scheme = "https"
		}
		if kept := jar.Cookies(&url.URL{Scheme: scheme, Host: "weir.test", Path: "/"}); len(kept) != len(all) {
			h.Errorf("kept %v", kept)
		}
		if _, _, err := d.Dial(background, h.url("/jar"), &websocket.DialOptions{Host: "other.test"}); err != nil {
			h.Fatal(err)
		}
		if got != nil {
			h.Errorf("sent %q to another host", got)
		}
		if kept := jar.Cookies(&url.URL{Scheme: scheme, Host: "other.test", Path: "/"}); len(kept) == 0 {
			h.Error("cookies belong to the host that the request names")
		}
	})
}
