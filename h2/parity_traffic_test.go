package h2_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing/synctest"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// parityTraffics are what TestTraffic has found.
var parityTraffics = []parityCase{
	{
		name: "net/http/read_deadline_ends_an_upload_that_goes_on",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(1005 * time.Millisecond))
			n, m := 0, 0
			var err error
			for ; err == nil; n += m {
				m, err = r.Body.Read(make([]byte, 50))
				time.Sleep(10 * time.Millisecond)
			}
			p.note("handler", "%d %s", n, fault(err)) // all that was there at the deadline, and no more
			_, err = r.Body.Read(make([]byte, 50))
			p.note("handler", "%s", fault(err))
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			for range 300 {
				time.Sleep(10 * time.Millisecond)
				tn.Write(make([]byte, 100))
			}
			p.told(tn)
			synctest.Wait()
		},
		want: `client: 200 RST_STREAM NO_ERROR | handler: 10000 deadline; deadline`,
	},
	{
		name: "net/http/read_deadline_and_then_a_reset",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second))
			time.Sleep(3 * time.Second)
			_, err := r.Body.Read(make([]byte, 1))
			p.note("handler", "%s %v", fault(err), r.Context().Err())
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			time.Sleep(2 * time.Second)
			tn.Reset(http2.ErrCodeCancel)
			time.Sleep(2 * time.Second)
		},
		want: `handler: deadline context canceled`,
	},
	{
		name: "net/http/reset_and_then_a_read_deadline",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			time.Sleep(time.Millisecond) // net/http ends the context before the body
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(-time.Second))
			_, err := r.Body.Read(make([]byte, 1))
			p.note("handler", "%s, deadline %v", broken(err), errors.Is(err, os.ErrDeadlineExceeded))
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			time.Sleep(time.Second)
			tn.Reset(http2.ErrCodeCancel)
			time.Sleep(time.Second)
		},
		want: `handler: error, deadline false`,
	},
	{
		name: "net/http/no_body_is_NoBody",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%v", r.Body == http.NoBody)
		},
		client: func(p *play) {
			p.get("/")
			p.do(p.request("POST", "/", strings.NewReader("body")))
		},
		what:    "Request.Body where there is none",
		nethttp: `client: 200; 200 | handler: false; false`,
		weir:    `client: 200; 200 | handler: true; false`,
		why:     "http.NoBody, as over HTTP/1.1: a client that the request is given to sends no body",
	},
	{
		name: "9110-9.3.2/HEAD_goes_on_behind_its_header",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.Write(make([]byte, 5000))
			time.Sleep(time.Second) // until the header has left
			p.note("handler", "%v", r.Context().Err())
		},
		client:  wireHEAD,
		what:    "HEAD whose handler goes on behind the header",
		nethttp: `handler: context canceled | wire: HEADERS 1 END_STREAM :status=200 content-type=application/octet-stream date=now`,
		weir:    `handler: <nil> | wire: HEADERS 1 END_STREAM :status=200 content-type=application/octet-stream date=now`,
		why:     "the context lives, and Write goes on, as over HTTP/1.1: the handler of a GET need not know of HEAD",
	},
	{
		name: "9113-8.1/END_STREAM_behind_Body_Close",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			r.Body.Close()
			time.Sleep(2 * time.Second) // until the rest has arrived
			io.WriteString(w, "enough")
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 POST", `DATA 1 "part"`)
			time.Sleep(time.Second)
			p.send(peer, `DATA 1 END_STREAM "rest"`)
			p.frames(peer)
		},
		what:    "END_STREAM behind Body.Close, or behind a read deadline",
		nethttp: `wire: HEADERS 1 :status=200 content-length=6 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "enough"; RST_STREAM 1 NO_ERROR`,
		weir:    `wire: HEADERS 1 :status=200 content-length=6 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "enough"`,
		why:     "ends the stream: no RST_STREAM follows the answer, for there is nothing to cut off",
	},
}
