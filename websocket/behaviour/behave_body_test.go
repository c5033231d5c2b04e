package behaviour_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/websocket"
)

// BEHAVIOUR 1: the body of a request over HTTP/1.1 that does not come, on a server without
// timeouts.

// lateBody is a request whose body stays out, and what becomes of it.
type lateBody struct {
	id, name, request string
	status            int
	answered, ended   time.Duration // at most
	fields            http.Header
}

func TestLateBody(t *testing.T) {
	const moment = time.Second
	upgradeFields := http.Header{"Upgrade": {"websocket"}} // ReadResponse takes Connection away
	for _, r := range []lateBody{
		{"1.h1.body_late", "silent", request("Content-Length: 10"), 408, 10 * time.Second, 10*time.Second + moment, nil},
		{"1.h1.body_late", "partly", request("Content-Length: 10") + "abc", 408, 10 * time.Second, 10*time.Second + moment, nil},
		{"1.h1.body_refused", "expect", request("Expect: 100-continue", "Content-Length: 3"), 400, moment, 6 * time.Second, nil},
		{"1.h1.body_refused", "chunked", request("Transfer-Encoding: chunked"), 400, moment, 6 * time.Second, nil},
		{"1.h1.body_refused", "large", request("Content-Length: 65537"), 400, moment, 6 * time.Second, nil},
		{"1.h1.body_refused", "very_large", request("Content-Length: 1000000"), 400, moment, 6 * time.Second, nil},
		{"1.h1.refused_body", "no_upgrade", request("-Upgrade", "Content-Length: 10"), 426, moment, 6 * time.Second, upgradeFields},
		{"1.h1.refused_body", "partly", request("-Upgrade", "Content-Length: 10") + "abc", 426, moment, 6 * time.Second, upgradeFields},
		{"1.h1.refused_body", "chunked", request("-Upgrade", "Transfer-Encoding: chunked"), 426, moment, 6 * time.Second, upgradeFields},
		{"1.h1.refused_body", "expect", request("-Upgrade", "Expect: 100-continue", "Content-Length: 10"), 426, moment, 6 * time.Second, upgradeFields},
		{"1.h1.refused_body", "large", request("-Upgrade", "Content-Length: 1000000"), 426, moment, 6 * time.Second, upgradeFields},
		{"1.h1.refused_body", "origin", request("Origin: http://evil.test", "Content-Length: 10"), 403, moment, 6 * time.Second, nil},
		{"1.h1.refused_body", "http_1_0", request("GET / HTTP/1.0", "Content-Length: 10"), 400, moment, 6 * time.Second, nil},
		{"1.h1.refused_body", "Conn", strings.Replace(request("-Upgrade", "Content-Length: 10"), "GET /", "GET /conn", 1), 426, moment, 6 * time.Second, upgradeFields},
		{"1.h1.refused_body", "init_answers", strings.Replace(request("Content-Length: 10"), "GET /", "GET /no", 1), 401, 5 * time.Second, 6 * time.Second, nil},
	} {
		t.Run(r.id+"/"+r.name, func(t *testing.T) { row(t, r.id, overHTTP1, func(h *house) { h.lateBody(r) }) })
	}
	timeout := func(srv *http.Server, _ *websocket.Config) { srv.ReadTimeout = 3 * time.Second }
	rowWith(t, "1.h1.body_late", overHTTP1, timeout, func(h *house) {
		h.lateBody(lateBody{request: request("Content-Length: 10"), status: 408, answered: 3 * time.Second, ended: 3*time.Second + moment})
	})
}

func (h *house) lateBody(r lateBody) {
	h.handler, h.opts = new(actor), nil
	h.mux.HandleFunc("/conn", func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			c.CloseNow()
		}
	})
	h.mux.Handle("/no", websocket.Handle(func(w http.ResponseWriter, _ *http.Request) (websocket.Handler, *websocket.Options) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return nil, nil
	}))
	nc := h.dial()
	start := time.Now()
	resp, rest := h.upgrade(nc, r.request)
	if resp.StatusCode != r.status || !resp.Close || time.Since(start) > r.answered {
		h.Errorf("%s after %v, closes: %v; want %d after %v", resp.Status, time.Since(start), resp.Close, r.status, r.answered)
	}
	for name, want := range r.fields {
		if got := resp.Header[name]; strings.Join(got, ", ") != strings.Join(want, ", ") {
			h.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	_, _ = io.Copy(io.Discard, rest)
	if d := time.Since(start); d > r.ended {
		h.Errorf("the end after %v, want %v at most", d, r.ended)
	}
}

// A refusal whose request's body has come, or comes soon, leaves the connection to the next
// request.
func TestRefusedWithBody(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late_%v", late), func(t *testing.T) {
			row(t, "1.failed_check", overHTTP1, func(h *house) {
				h.handler = new(actor)
				nc := h.dial()
				head, body := request("-Upgrade", "Content-Length: 10"), "0123456789"
				if _, err := io.WriteString(nc, head); err != nil {
					h.Fatal(err)
				}
				if late {
					time.Sleep(100 * time.Millisecond)
				}
				resp, _ := h.upgrade(nc, body)
				if resp.StatusCode != 426 || resp.Close {
					h.Fatal(resp.Status, resp.Close)
				}
				time.Sleep(time.Hour) // no time of the body's counts any more
				if _, err := io.WriteString(nc, "GET /plain HTTP/1.1\r\nHost: weir.test\r\n\r\n"); err != nil {
					h.Fatal(err)
				}
				nc.SetReadDeadline(time.Now().Add(time.Hour))
				if resp, err := http.ReadResponse(bufio.NewReader(nc), nil); err != nil || resp.StatusCode != 200 {
					h.Fatal("the next request:", resp, err)
				}
			})
		})
	}
}
