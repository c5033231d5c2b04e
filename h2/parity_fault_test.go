package h2_test

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing/synctest"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// parityFaults are about what goes wrong: panics, resets, lost connections.
var parityFaults = []parityCase{
	{
		name:    "net/http/panic_before_the_header",
		handler: func(*play, http.ResponseWriter, *http.Request) { panic("broken handler") },
		client: func(p *play) {
			p.get("/")
			p.logged("panic serving 127.0.0.1:49152: broken handler")
			p.logged("[running")
		},
		want: `client: RST_STREAM INTERNAL_ERROR | log: 1 panic serving 127.0.0.1:49152: broken handler; 1 [running`,
	},
	{
		name: "net/http/panic_after_the_header",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "part")
			w.(http.Flusher).Flush()
			panic("broken handler")
		},
		client: func(p *play) {
			p.get("/")
			p.logged("panic serving")
		},
		want: `client: 200 "part" RST_STREAM INTERNAL_ERROR | log: 1 panic serving`,
	},
	{
		name: "net/http/panic_drops_what_was_not_flushed",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "part")
			panic(http.ErrAbortHandler)
		},
		client: wireGET,
		want:   `wire: RST_STREAM 1 INTERNAL_ERROR`,
	},
	{
		name:    "net/http/ErrAbortHandler_is_silent",
		handler: func(*play, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		client: func(p *play) {
			p.get("/")
			synctest.Wait()
			p.note("log", "%q", p.log.text())
		},
		want: `client: RST_STREAM INTERNAL_ERROR | log: ""`,
	},
	{
		name: "net/http/Goexit_resets_the_stream",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				runtime.Goexit()
			}
		},
		client: func(p *play) {
			p.get("/")
			p.get("/after")
		},
		want: `client: RST_STREAM INTERNAL_ERROR; 200`,
	},
	{
		name:   "net/http/Goexit_gives_its_place_back",
		server: func(_ *play, hs *http.Server) { hs.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1} },
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				runtime.Goexit()
			}
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			p.told(p.open(peer, true, "GET", "/"))
			p.told(p.open(peer, true, "GET", "/after"))
		},
		want: `client: RST_STREAM INTERNAL_ERROR; 200`,
	},
	{
		name: "net/http/panic_spares_siblings",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				panic("broken handler")
			}
			io.WriteString(w, "be")
			w.(http.Flusher).Flush()
			<-p.turn
			io.WriteString(w, "fore")
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			sibling := p.open(peer, true, "GET", "/")
			p.told(p.open(peer, true, "GET", "/panic"))
			close(p.turn)
			resp, err := sibling.Response(patient)
			if err != nil {
				p.t.Fatal(err)
			}
			p.note("client", "%d %s", resp.Status, resp.Body)
		},
		want: `client: RST_STREAM INTERNAL_ERROR; 200 before`,
	},
	{
		name: "net/http/context_cancelled_by_a_reset",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			_, err := w.Write(make([]byte, 10_000))
			p.note("handler", "%v, write %s, flush %s", r.Context().Err(), broken(err), broken(http.NewResponseController(w).Flush()))
			_, err = r.Body.Read(make([]byte, 1))
			p.note("handler", "read %s", broken(err))
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			synctest.Wait()
			tn.Reset(http2.ErrCodeCancel)
			synctest.Wait()
		},
		want: `handler: context canceled, write error, flush error; read error`,
	},
	{
		name: "net/http/context_cancelled_by_the_client",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			p.note("handler", "%v %v", r.Context().Err(), context.Cause(r.Context()))
		},
		client: func(p *play) {
			ctx, cancel := context.WithCancel(p.t.Context())
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil).WithContext(ctx))
			if err != nil {
				p.t.Fatal(err)
			}
			cancel()
			_, err = io.ReadAll(resp.Body)
			p.note("client", "%s", fault(err))
			synctest.Wait()
		},
		want: `client: canceled | handler: context canceled context canceled`,
	},
	{
		name: "net/http/context_cancelled_when_the_connection_ends",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			_, err := w.Write(make([]byte, 10_000))
			p.note("handler", "%v %s", r.Context().Err(), broken(err))
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			p.open(peer, true, "GET", "/")
			synctest.Wait()
			peer.Close()
			synctest.Wait()
		},
		want: `handler: context canceled error`,
	},
	{
		name: "net/http/context_lives_beyond_END_STREAM",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			time.Sleep(time.Hour)
			p.note("handler", "%v", r.Context().Err())
			ctx := r.Context()
			go func() { // ends with the request
				<-ctx.Done()
				p.note("after", "%v", ctx.Err())
			}()
		},
		client: func(p *play) {
			p.do(p.request("POST", "/", strings.NewReader("all")))
			synctest.Wait()
		},
		want: `after: context canceled | client: 200 | handler: <nil>`,
	},
	{
		name: "net/http/reset_wakes_a_read",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%d %s", n, broken(err))
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			tn.Write([]byte("part"))
			synctest.Wait()
			tn.Reset(http2.ErrCodeCancel)
			synctest.Wait()
		},
		want: `handler: 4 error`,
	},
	{
		name: "net/http/reset_wakes_a_write",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(w, zeros(1<<20))
			p.note("handler", "%s", broken(err))
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), true, "GET", "/")
			tn.Withhold(true)
			synctest.Wait()
			tn.Reset(http2.ErrCodeCancel)
			synctest.Wait()
		},
		want: `handler: error`,
	},
	{
		name: "net/http/Header_and_Flush_after_the_handler",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			go func() { // ends with the case
				<-p.turn
				p.recovered(func() { w.Header().Set("X-A", "late"); p.note("handler", "header") })
				p.recovered(func() { w.WriteHeader(http.StatusTeapot); p.note("handler", "status") })
				p.recovered(func() { w.(http.Flusher).Flush(); p.note("handler", "flush") })
				close(p.turn)
			}()
		},
		client: func(p *play) {
			p.get("/", "X-A")
			synctest.Wait() // the handler has returned
			p.turn <- struct{}{}
			<-p.turn
		},
		what: "Header, WriteHeader and Flush after ServeHTTP has returned",
		why:  "do nothing, as over HTTP/1.1; they do not end the program either",
		nethttp: `client: 200 | handler: panic: Header called after Handler finished; ` +
			`panic: WriteHeader called after Handler finished; ` +
			`panic: Header called after Handler finished`,
		weir: `client: 200 | handler: header; status; flush`,
	},
	{
		name:    "net/http/panics_by_hundreds",
		handler: func(*play, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			resets := 0
			for range 500 {
				if _, err := p.open(peer, true, "GET", "/").Response(patient); fault(err) == "RST_STREAM INTERNAL_ERROR" {
					resets++
				}
			}
			p.note("client", "%d %v", resets, peer.Err())
		},
		want: `client: 500 <nil>`,
	},
	{
		name:    "net/http/uploads_refused_by_hundreds",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			right := 0
			for range 500 {
				tn := p.open(peer, false, "POST", "/")
				tn.Write(make([]byte, 1000))
				if err := tn.Answer(patient); err == nil && tn.Status == 403 {
					right++
				}
			}
			p.note("client", "%d %v", right, peer.Err())
		},
		want: `client: 500 <nil>`,
	},
	{
		name: "net/http/a_handler_waits_for_another_of_its_connection",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/first" {
				<-p.turn
				return
			}
			close(p.turn)
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			first := p.open(peer, true, "GET", "/first")
			synctest.Wait()
			p.told(p.open(peer, true, "GET", "/second"))
			p.told(first)
		},
		want: `client: 200; 200`,
	},
	{
		name: "net/http/ResponseWriter_after_the_handler",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			go func() { // ends with the case
				<-p.turn
				p.recovered(func() {
					_, err := io.WriteString(w, "late")
					p.note("handler", "%s", broken(err))
				})
				close(p.turn)
			}()
		},
		client: func(p *play) {
			p.get("/")
			synctest.Wait() // the handler has returned
			p.turn <- struct{}{}
			<-p.turn
		},
		what:    "Write after ServeHTTP has returned",
		nethttp: `client: 200 | handler: panic: Write called after Handler finished`,
		weir:    `client: 200 | handler: error`,
		why:     "fails, as over HTTP/1.1; it does not end the program from a goroutine that nobody recovers",
	},
}
