package behaviour_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"weir/stream"
	"weir/upgrade"
	"weir/websocket"
)

// answerOf is the answer to an opening handshake that is not accepted, to its end.
func (h *house) answerOf(path string) (status int, body string) {
	h.Helper()
	if h.muxed() {
		tun, err := h.connect(path)
		if err != nil {
			h.Fatal(err)
		}
		b, err := io.ReadAll(tun)
		if code, ok := resetCode(err); err != nil && (!ok || code != stream.NoError) { // the request has not ended (RFC 9113, 8.1)
			h.Fatal(err)
		}
		return tun.status, string(b)
	}
	resp, rest := h.upgrade(h.dial(), strings.Replace(upgradeRequest, " / ", " "+path+" ", 1))
	for resp.StatusCode > 101 && resp.StatusCode < 200 {
		resp = h.response(rest)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// unwraps is a middleware's.
type unwraps struct{ http.ResponseWriter }

func (w unwraps) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hijacker is one that has Hijack and no Unwrap, as many have.
type hijacker struct{ http.ResponseWriter }

func (w *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.ResponseWriter.(http.Hijacker).Hijack()
}

// Behind a middleware that hides the server's http.ResponseWriter but can hijack, too.
func TestAnsweredBehindHijacker(t *testing.T) {
	row(t, "1.answered", overHTTP1, func(h *house) {
		h.mux.HandleFunc("/conn", func(w http.ResponseWriter, r *http.Request) {
			w = unwraps{&hijacker{&hijacker{w}}}
			if r.FormValue("answer") != "" {
				http.Error(w, "no", http.StatusForbidden)
			}
			c, err := websocket.Accept(w, r, nil)
			switch {
			case r.FormValue("answer") == "" && err == nil:
				go echoAll(c) // ends with the WebSocket
			case r.FormValue("answer") == "" || !errors.Is(err, stream.ErrAnswered):
				h.Errorf("%s: %v", r.URL, err)
			}
		})
		if status, body := h.answerOf("/conn?answer=1"); status != 403 || body != "no\n" {
			h.Errorf("%d %q", status, body)
		}
		c, err := h.tryOpenAt("/conn")
		if err != nil {
			h.Fatal(err)
		}
		c.send(text("hello"))
		c.wantText("it works", "hello")
	})
}

// What was answered, be it in part, cannot become a WebSocket: the caller is told, and the answer
// stands.
func TestAnsweredBefore(t *testing.T) {
	for _, r := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		status int // 0: 200, or over HTTP/2 the 501 that a CONNECT gets in its place
		body   string
	}{
		{"header", func(w http.ResponseWriter) { w.WriteHeader(200) }, 0, ""},
		{"refused", func(w http.ResponseWriter) { http.Error(w, "no", http.StatusForbidden) }, 403, "no\n"},
		{"octets", func(w http.ResponseWriter) { io.WriteString(w, "x") }, 0, "x"},
		{"flush", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, 0, ""},
		{"nothing_yet", func(w http.ResponseWriter) { w.Write(nil) }, 0, ""},
		{"behind_early_hints", func(w http.ResponseWriter) { w.WriteHeader(103); w.WriteHeader(403) }, 403, ""},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, "1.answered", overHTTP, func(h *house) {
				status, body := r.status, r.body
				if status == 0 {
					status = 200
					if h.muxed() {
						status, body = 501, ""
					}
				}
				a := new(actor)
				inner := websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) { return a, nil })
				h.mux.HandleFunc("/accept", func(w http.ResponseWriter, req *http.Request) {
					r.answer(w)
					c, err := websocket.Accept(unwraps{w}, req, nil)
					if c != nil || !errors.Is(err, stream.ErrAnswered) {
						h.Errorf("Accept: %v", err)
					}
				})
				h.mux.HandleFunc("/bad", func(w http.ResponseWriter, req *http.Request) {
					r.answer(w)
					req.Header.Set("Sec-Websocket-Version", "99") // nor is it refused once more
					if _, err := websocket.Accept(w, req, nil); !errors.Is(err, stream.ErrAnswered) {
						h.Errorf("Accept: %v", err)
					}
				})
				h.mux.HandleFunc("/handle", func(w http.ResponseWriter, req *http.Request) {
					r.answer(w)
					inner.ServeHTTP(w, req)
				})
				h.mux.HandleFunc("/tunnel", func(w http.ResponseWriter, req *http.Request) {
					r.answer(w)
					if err := (upgrade.Tunnel{Token: "websocket"}).Upgrade(w, req, upgrade.TunnelFunc(nil), nil); !errors.Is(err, stream.ErrAnswered) {
						h.Errorf("Tunnel: %v", err)
					}
				})
				h.mux.Handle("/init", websocket.Handle(func(w http.ResponseWriter, req *http.Request) (websocket.Handler, *websocket.Options) {
					r.answer(w)
					if _, err := websocket.Accept(w, req, nil); !errors.Is(err, stream.ErrAnswered) {
						h.Errorf("Accept in init: %v", err)
					}
					return nil, nil
				}))
				for _, path := range []string{"/accept", "/bad", "/handle", "/tunnel", "/init"} {
					if s, b := h.answerOf(path); s != status || b != body {
						h.Errorf("%s: %d %q, want %d %q", path, s, b, status, body)
					}
				}
				synctest.Wait() // the handler may still be busy when its answer has come
				log := h.log.String()
				if strings.Contains(log, "superfluous") || strings.Contains(log, "hijacked connection") || !strings.Contains(log, "answered or taken over already") {
					h.Errorf("log %q", log)
				}
				if told := a.told(); told != "" {
					h.Error(told)
				}
			})
		})
	}
}

// An informational answer is none (RFC 9110, 15.2): the WebSocket opens behind it.
func TestAcceptBehindEarlyHints(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		h.mux.HandleFunc("/init", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			if _, err := websocket.Accept(w, r, nil); err != nil {
				h.Error(err)
			}
		})
		if got := h.ask("/init"); got.status != h.accepted() {
			h.Errorf("status %d", got.status)
		}
	})
}

// What was taken over stays what it is: whoever comes second is told, and the WebSocket lives.
func TestTakenOverBefore(t *testing.T) {
	type second func(h *house, w http.ResponseWriter, r *http.Request)
	accept := func(h *house, w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); c != nil || !errors.Is(err, stream.ErrAnswered) {
			h.Errorf("Accept: %v", err)
		}
	}
	handle := func(h *house, w http.ResponseWriter, r *http.Request) {
		websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return websocket.HandlerFunc(func(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }), nil
		}).ServeHTTP(w, r)
		if log := h.log.String(); !strings.Contains(log, "taken over already") {
			h.Errorf("log %q", log)
		}
	}
	for name, second := range map[string]second{"accept": accept, "handle": handle} {
		for _, when := range []string{"in_the_handler", "in_another_goroutine", "behind_its_return", "in_init"} {
			t.Run(name+"_"+when, func(t *testing.T) {
				row(t, "1.answered", overHTTP, func(h *house) {
					a := new(actor)
					again := make(chan func(), 1)
					first := func(w http.ResponseWriter, r *http.Request) {
						c, err := websocket.Accept(w, r, nil)
						if err != nil {
							h.Error(err)
							return
						}
						go echoAll(c) // ends with the WebSocket
						switch when {
						case "behind_its_return":
							again <- func() { second(h, w, r) }
						case "in_another_goroutine":
							done := make(chan struct{})
							go func() { // ends at once; the handler waits
								defer close(done)
								second(h, w, r)
							}()
							<-done
						default:
							second(h, w, r)
						}
					}
					h.mux.HandleFunc("/conn", first)
					if when == "in_init" {
						h.mux.Handle("/init", websocket.Handle(func(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
							first(w, r)
							return a, nil // told that the request was answered
						}))
					}
					path := "/conn"
					if when == "in_init" {
						path = "/init"
					}
					c, err := h.tryOpenAt(path)
					if err != nil {
						h.Fatal(err)
					}
					c.send(text("one"))
					c.wantText("it lives", "one")
					if when == "behind_its_return" {
						synctest.Wait()
						(<-again)()
					}
					if when == "in_init" {
						h.wantReason(a, "normal")
					}
					c.send(text("two"))
					c.wantText("it still lives", "two")
					if log := h.log.String(); strings.Contains(log, "superfluous") || strings.Contains(log, "panic") {
						h.Errorf("log %q", log)
					}
				})
			})
		}
	}
}

func echoAll(c *websocket.Conn) {
	for {
		kind, msg, err := c.Read(background)
		if err != nil || c.Write(background, kind, msg) != nil {
			return
		}
	}
}

// A handler that has returned without a WebSocket has answered: there is nothing left to accept.
func TestAcceptBehindTheHandler(t *testing.T) {
	row(t, "1.answered", overHTTP, func(h *house) {
		late := make(chan func() error, 1)
		h.mux.HandleFunc("/late", func(w http.ResponseWriter, r *http.Request) {
			late <- func() error {
				_, err := websocket.Accept(w, r, nil)
				return err
			}
		})
		h.answerOf("/late")
		synctest.Wait()
		if err := (<-late)(); !errors.Is(err, stream.ErrAnswered) {
			h.Error(err)
		}
	})
}

// While the handler waits, Accept may run on another goroutine.
func TestAcceptOnAnotherGoroutine(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		h.mux.HandleFunc("/conn", func(w http.ResponseWriter, r *http.Request) {
			done := make(chan error)
			go func() { // ends when it is accepted
				c, err := websocket.Accept(w, r, nil)
				if err == nil {
					go echoAll(c) // ends with the WebSocket
				}
				done <- err
			}()
			if err := <-done; err != nil {
				h.Error(err)
			}
		})
		c, err := h.tryOpenAt("/conn")
		if err != nil {
			h.Fatal(err)
		}
		c.send(text("hello"))
		c.wantText("it works", "hello")
	})
}
