package upgrade_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/upgrade"
)

// answer is what a request came to.
type answer struct {
	status int
	body   string
	err    error // of the body
}

// post sends a POST with a body, and gives where its answer will be.
func (h *held) post(body string) <-chan answer {
	nc := h.dial()
	got := make(chan answer, 1)
	if h.http2 {
		p, err := h2test.Dial(nc)
		if err != nil {
			h.Fatal(err)
		}
		go func() { // ends with the answer
			defer nc.Close()
			tun, err := p.Open(false, ":method", "POST", ":scheme", "http", ":authority", "weir.test", ":path", "/")
			if err != nil {
				got <- answer{err: err}
				return
			}
			io.WriteString(tun, body)
			tun.CloseWrite()
			if err := tun.Answer(24 * time.Hour); err != nil {
				got <- answer{err: err}
				return
			}
			b, err := io.ReadAll(tun)
			got <- answer{tun.Status, string(b), err}
		}()
		return got
	}
	fmt.Fprintf(nc, "POST / HTTP/1.1\r\nHost: weir.test\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	go func() { // ends with the answer
		defer nc.Close()
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			got <- answer{err: err}
			return
		}
		b, err := io.ReadAll(resp.Body)
		got <- answer{resp.StatusCode, string(b), err}
	}()
	return got
}

// Middlewares, by what their http.ResponseWriter offers.
var wrappers = map[string]func(http.ResponseWriter) http.ResponseWriter{
	"plain":   func(w http.ResponseWriter) http.ResponseWriter { return w },
	"unwraps": func(w http.ResponseWriter) http.ResponseWriter { return unwrapping{w} },
	"flushes": func(w http.ResponseWriter) http.ResponseWriter { return flushing{w} },
	"neither": func(w http.ResponseWriter) http.ResponseWriter { return opaque{w} },
}

type opaque struct{ http.ResponseWriter }

type unwrapping struct{ http.ResponseWriter }

func (w unwrapping) Unwrap() http.ResponseWriter { return w.ResponseWriter }

type flushing struct{ http.ResponseWriter }

func (w flushing) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

// poll is a long poll: it writes nothing before it is posted something, and then reads the body.
type poll struct {
	fakeHandler
	r     *http.Request
	q     *upgrade.Queue
	crash map[string]func() // by callback
}

func (p *poll) LoopInit(q *upgrade.Queue, _ http.ResponseWriter) upgrade.LoopResult {
	p.q = q
	p.at("LoopInit")
	return upgrade.LoopOK
}

func (p *poll) at(callback string) {
	if crash := p.crash[callback]; crash != nil {
		crash()
	}
}

func (p *poll) LoopInfo(msg any, w http.ResponseWriter) upgrade.LoopResult {
	p.at("LoopInfo")
	switch msg {
	case "nothing":
		return upgrade.LoopOK
	case "header":
		w.WriteHeader(http.StatusConflict)
		return upgrade.LoopOK
	}
	body, err := io.ReadAll(p.r.Body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(http.StatusConflict)
	fmt.Fprintf(w, "%v %s", msg, body)
	return upgrade.LoopStop
}

func (p *poll) LoopDrain(http.ResponseWriter) upgrade.LoopResult {
	p.at("LoopDrain")
	return upgrade.LoopStop
}

// pollHandler switches every request to Loop, behind a middleware; p is the request's.
func pollHandler(p **poll, wrap func(http.ResponseWriter) http.ResponseWriter) http.Handler {
	inner := upgrade.Handle(func(_ http.ResponseWriter, r *http.Request) (*upgrade.Switch, error) {
		(*p).r = r
		return &upgrade.Switch{Protocol: upgrade.Loop, Handler: *p}, nil
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(wrap(w), r) })
}

// What a callback of a Loop did not write is not answered: a later one has the status, and the
// request's body.
func TestLoopAnswersWhatWasWritten(t *testing.T) {
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			var p *poll
			serveHandler(t, pollHandler(&p, wrap), func(h *held) {
				p = new(poll)
				body := strings.Repeat("body ", 5000)
				got := h.post(body)
				synctest.Wait()
				for range 3 {
					p.q.Post("nothing")
					time.Sleep(time.Hour)
					select {
					case a := <-got:
						h.Fatalf("answered before anything was written: %d %.100s %v", a.status, a.body, a.err)
					default:
					}
				}
				p.q.Post("conflict")
				want := answer{409, "conflict " + body, nil}
				if a := <-got; a != want {
					h.Fatalf("%d %.100s %v", a.status, a.body, a.err)
				}
			})
		})
	}
}

// A header without a body leaves when its callback returns, where the writer can flush.
func TestLoopSendsAHeader(t *testing.T) {
	for _, name := range []string{"plain", "unwraps", "flushes"} {
		t.Run(name, func(t *testing.T) {
			var p *poll
			serveHandler(t, pollHandler(&p, wrappers[name]), func(h *held) {
				p = new(poll)
				done := make(chan int, 1)
				go func() { // ends with the header
					status, _, leave := h.get()
					done <- status
					leave()
				}()
				synctest.Wait()
				p.q.Post("header")
				select {
				case status := <-done:
					if status != 409 {
						h.Fatal(status)
					}
				case <-time.After(time.Minute):
					h.Error("the header waits")
					p.q.Post("end") // so that the bubble ends
					<-done
				}
			})
		})
	}
}

// A crash before anything was written is 500, and is told and logged once.
func TestLoopCrashBeforeTheAnswer(t *testing.T) {
	for what, crash := range map[string]func(){"throw": func() { panic("ouch") }, "exit": runtime.Goexit} {
		for _, callback := range []string{"LoopInit", "LoopInfo", "LoopDrain"} {
			for name, wrap := range wrappers {
				if what == "exit" && name == "neither" {
					continue // nobody sends the buffer of a goroutine that ends, if it cannot be flushed
				}
				t.Run(what+"_in_"+callback+"/"+name, func(t *testing.T) {
					var p *poll
					serveHandler(t, pollHandler(&p, wrap), func(h *held) {
						p = &poll{crash: map[string]func(){callback: crash}}
						got := h.post("body")
						synctest.Wait()
						switch callback {
						case "LoopInfo":
							p.q.Post("crash")
						case "LoopDrain":
							close(h.drain)
						}
						a := <-got
						if a.status != 500 || a.body != "Internal Server Error\n" {
							h.Fatalf("%+v", a)
						}
						synctest.Wait()
						if told := strings.Join(p.reasons, "; "); told != "crash:"+what+" /" {
							h.Fatalf("told %q", told)
						}
						if n := strings.Count(h.log.String(), "upgrade: "); n != 1 {
							h.Fatalf("logged %d times: %.300s", n, &h.log)
						}
					})
				})
			}
		}
	}
}

// http.ErrAbortHandler of a callback is net/http's: no answer, and no line in the log.
func TestLoopAborts(t *testing.T) {
	var p *poll
	serveHandler(t, pollHandler(&p, wrappers["plain"]), func(h *held) {
		p = &poll{crash: map[string]func(){"LoopInfo": func() { panic(http.ErrAbortHandler) }}}
		got := h.post("body")
		synctest.Wait()
		p.q.Post("abort")
		if a := <-got; a.err == nil || a.status != 0 {
			h.Fatalf("%+v", a)
		}
		synctest.Wait()
		if told := strings.Join(p.reasons, "; "); told != "crash:error /" || h.log.Len() > 0 {
			h.Fatalf("told %q, logged %q", told, &h.log)
		}
	})
}
