package h2_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
)

// brokenReader gives some octets and then an error.
type brokenReader struct{ n int }

func (b *brokenReader) Read(p []byte) (int, error) {
	if b.n == 0 {
		time.Sleep(time.Second) // until they have been read
		return 0, errors.New("broken")
	}
	n := min(len(p), b.n)
	b.n -= n
	return n, nil
}

// parityReads are about Request.Body.
var parityReads = []parityCase{
	{
		name: "net/http/Read_of_nothing",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			synctest.Wait() // until the part has arrived
			for range 2 {
				n, err := r.Body.Read(nil)
				p.note("handler", "%d %s", n, fault(err))
			}
			n, err := r.Body.Read(make([]byte, 9))
			p.note("handler", "%d %s", n, fault(err))
		},
		client: func(p *play) { p.wire("HEADERS 1 POST", `DATA 1 "hello"`) },
		want: `handler: 0 ok; 0 ok; 5 ok | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now; RST_STREAM 1 ` +
			`NO_ERROR`,
	},
	{
		name: "net/http/Read_of_nothing_before_anything_has_come",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			start := time.Now()
			n, err := r.Body.Read(nil)
			p.note("handler", "%d %s %v", n, fault(err), time.Since(start))
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			time.Sleep(pause)
			tn.Write([]byte("late"))
			synctest.Wait()
		},
		what:    "Body.Read with an empty buffer, and nothing there",
		why:     "returns at once, as over HTTP/1.1",
		nethttp: `handler: 0 ok 5s`,
		weir:    `handler: 0 ok 0s`,
	},
	{
		name: "net/http/Read_after_EOF",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			for _, size := range []int{1, 0, 1} {
				n, err := r.Body.Read(make([]byte, size))
				p.note("handler", "%s %d %d %s", b, size, n, fault(err))
			}
		},
		client: func(p *play) { p.do(p.request("POST", "/", strings.NewReader("hello"))) },
		want:   `client: 200 | handler: hello 1 0 EOF; hello 0 0 EOF; hello 1 0 EOF`,
	},
	{
		name: "net/http/EOF_comes_by_itself",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			synctest.Wait() // all of it has arrived
			for {
				n, err := r.Body.Read(make([]byte, 3))
				p.note("handler", "%d %s", n, fault(err))
				if err != nil {
					return
				}
			}
		},
		client: func(p *play) {
			p.ask("GET", "/")
			p.wire("HEADERS 1 POST", `DATA 1 END_STREAM "hello!"`)
		},
		want: `client: 200 | handler: 0 EOF; 3 ok; 3 ok; 0 EOF | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "net/http/Close_twice",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			for range 2 {
				p.note("handler", "%s", fault(r.Body.Close()))
			}
			n, err := r.Body.Read(make([]byte, 1))
			p.note("handler", "%d %s", n, broken(err))
			n, err = r.Body.Read(nil)
			p.note("handler", "%d %s", n, broken(err))
		},
		client: func(p *play) { p.do(p.request("POST", "/", strings.NewReader("hello"))) },
		want:   `client: 200 | handler: ok; ok; 0 error; 0 error`,
	},
	{
		name: "net/http/Close_after_EOF",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			p.note("handler", "%s", fault(r.Body.Close()))
			_, err := r.Body.Read(make([]byte, 1))
			p.note("handler", "%s", broken(err))
		},
		client: func(p *play) { p.do(p.request("POST", "/", strings.NewReader("hello"))) },
		want:   `client: 200 | handler: ok; error`,
	},
	{
		name: "net/http/Close_wakes_a_Read",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			done := make(chan struct{})
			go func() { // ends with Close
				defer close(done)
				n, err := r.Body.Read(make([]byte, 1))
				p.note("handler", "%d %s", n, broken(err))
			}()
			synctest.Wait()
			r.Body.Close()
			<-done
		},
		client: func(p *play) { p.told(p.open(p.peer(h2test.Options{}), false, "POST", "/")) },
		want:   `client: 200 RST_STREAM NO_ERROR | handler: 0 error`,
	},
	{
		name: "net/http/Close_lets_the_answer_go_on",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			r.Body.Close()
			n, err := io.Copy(w, zeros(200_000))
			p.note("handler", "%d %s", n, fault(err))
		},
		client: func(p *play) { p.do(p.request("POST", "/", zeros(1<<20))) },
		want:   `client: 200 len=200000 | handler: 200000 ok`,
	},
	{
		name: "net/http/a_large_body_closed_at_once",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			r.Body.Close()
			time.Sleep(time.Second)
			p.note("handler", "%v", r.Context().Err())
		},
		client: func(p *play) {
			p.do(p.request("POST", "/", zeros(5<<20)))
			p.do(p.request("POST", "/", zeros(5<<20)))
		},
		want: `client: 200; 200 | handler: <nil>; <nil>`,
	},
	{
		name: "net/http/Body_taken_away_by_the_handler",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/nil" {
				r.Body = nil
			} else {
				r.Body = io.NopCloser(strings.NewReader("other"))
			}
		},
		client: func(p *play) {
			p.do(p.request("POST", "/nil", strings.NewReader("hello")))
			p.do(p.request("POST", "/", zeros(1<<20)))
			p.do(p.request("GET", "/", nil))
		},
		want: `client: 200; 200; 200`,
	},
	{
		name: "net/http/Body_is_never_nil",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			n, err := r.Body.Read(make([]byte, 1))
			p.note("handler", "%s %v %d %s %s", r.Method, r.Body != nil, n, fault(err),
				fault(r.Body.Close()))
		},
		client: func(p *play) {
			for _, m := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS"} {
				p.ask(m, "/")
			}
		},
		want: `client: 200; 200; 200; 200; 200 | handler: GET true 0 EOF ok; HEAD true 0 EOF ok; ` +
			`POST true 0 EOF ok; DELETE true 0 EOF ok; OPTIONS true 0 EOF ok`,
	},
	{
		name:    "9110-9.3.1/content_of_GET_HEAD_and_DELETE",
		handler: readAll,
		client: func(p *play) {
			for _, m := range []string{"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"} {
				p.do(p.request(m, "/", strings.NewReader("hello")))
			}
		},
		want: `client: 200; 200; 200; 200; 200 | handler: length=5 read=5 ok; length=5 read=5 ` +
			`ok; ` +
			`length=5 read=5 ok; length=5 read=5 ok; length=5 read=5 ok`,
	},
	{
		name:    "9113-8.1/empty_DATA_and_END_STREAM",
		handler: readAll,
		client: func(p *play) {
			p.wire("HEADERS 1 POST", "DATA 1 END_STREAM")
			p.wire("HEADERS 1 POST", "DATA 1", `DATA 1 "hello"`, "DATA 1", "DATA 1 END_STREAM")
			p.wire("HEADERS 1 POST content-length=5", `DATA 1 "hello"`, "DATA 1 END_STREAM")
		},
		want: `handler: length=-1 read=0 ok; length=-1 read=5 ok; length=5 read=5 ok | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-6.1/padded_DATA",
		handler: readAll,
		client: func(p *play) {
			p.wire("HEADERS 1 POST content-length=10", `DATA 1 PAD=255 "hello"`, "DATA 1 PAD=100",
				`DATA 1 END_STREAM PAD=0 "world"`)
		},
		want: `handler: length=10 read=10 ok | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "net/http/octets_in_order_and_whole",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			wrong := 0
			for i := range b {
				if b[i] != byte(i%251) {
					wrong++
				}
			}
			p.note("handler", "%d wrong=%d %s", len(b), wrong, fault(err))
		},
		client: func(p *play) {
			b := make([]byte, 3<<20)
			for i := range b {
				b[i] = byte(i % 251)
			}
			p.do(p.request("POST", "/", bytes.NewReader(b)))
		},
		want: `client: 200 | handler: 3145728 wrong=0 ok`,
	},
	{
		name: "net/http/a_client_whose_body_breaks",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%d %s", n, broken(err))
			<-r.Context().Done()
			p.note("handler", "%v", r.Context().Err())
		},
		client: func(p *play) {
			_, err := p.tr.RoundTrip(p.request("POST", "/", &brokenReader{10}))
			p.note("client", "%v", err)
			synctest.Wait()
		},
		want: `client: broken | handler: 10 error; context canceled`,
	},
	{
		name: "net/http/reading_and_writing_at_once",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			done := make(chan string)
			go func() { // ends with the body
				n, err := io.Copy(io.Discard, r.Body)
				done <- fmt.Sprint(n, " ", fault(err))
			}()
			n, err := io.Copy(w, zeros(2<<20))
			p.note("handler", "%d %s read %s", n, fault(err), <-done)
		},
		client: func(p *play) { p.do(p.request("POST", "/", zeros(2<<20))) },
		want:   `client: 200 len=2097152 | handler: 2097152 ok read 2097152 ok`,
	},
	{
		name: "net/http/a_body_is_echoed_through_io_Copy",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(w, r.Body)
			p.note("handler", "%d %s", n, fault(err))
		},
		client: func(p *play) { p.do(p.request("POST", "/", zeros(4<<20))) },
		want:   `client: 200 len=4194304 | handler: 4194304 ok`,
	},
	{
		name: "net/http/what_was_not_read_gives_its_window_back",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/read" {
				n, err := io.Copy(io.Discard, r.Body)
				p.note("handler", "%d %s", n, fault(err))
			}
			synctest.Wait()
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			for range 40 { // more than the connection's window
				tn := p.open(peer, false, "POST", "/")
				tn.Write(make([]byte, 50_000))
				tn.CloseWrite()
				if err := tn.Answer(patient); err != nil {
					p.note("client", "%s", fault(err))
				}
			}
			tn := p.open(peer, false, "POST", "/read")
			tn.Write(make([]byte, 2<<20))
			tn.CloseWrite()
			p.told(tn)
		},
		want: `client: 200 | handler: 2097152 ok`,
	},
	{
		name: "net/http/a_reset_gives_its_window_back",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/read" {
				n, err := io.Copy(io.Discard, r.Body)
				p.note("handler", "%d %s", n, fault(err))
				return
			}
			<-r.Context().Done()
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			for range 40 {
				tn := p.open(peer, false, "POST", "/")
				tn.Write(make([]byte, 50_000))
				time.Sleep(time.Second)
				tn.Reset(8)
			}
			tn := p.open(peer, false, "POST", "/read")
			tn.Write(make([]byte, 2<<20))
			tn.CloseWrite()
			p.told(tn)
		},
		want: `client: 200 | handler: 2097152 ok`,
	},
	{
		name: "9113-6.9/a_body_that_is_not_read_holds_its_stream_alone",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/held" {
				<-p.turn
			}
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%s %d %s", r.URL.Path, n, fault(err))
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			held := p.open(peer, false, "POST", "/held")
			held.Write(make([]byte, 60_000))
			free := p.open(peer, false, "POST", "/free")
			free.Write(make([]byte, 4<<20))
			free.CloseWrite()
			p.told(free)
			close(p.turn)
			held.CloseWrite()
			p.told(held)
		},
		want: `client: 200; 200 | handler: /free 4194304 ok; /held 60000 ok`,
	},
	{
		name: "9110-10.1.1/100_once",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			for {
				n, err := r.Body.Read(make([]byte, 3))
				p.note("handler", "%d %s", n, fault(err))
				if err != nil {
					return
				}
			}
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 POST expect=100-continue")
			p.frames(peer)
			p.send(peer, `DATA 1 "hello"`)
			p.frames(peer)
			p.send(peer, `DATA 1 END_STREAM "w"`)
			p.frames(peer)
		},
		want: `handler: 3 ok; 2 ok; 1 ok; 0 EOF | wire: HEADERS 1 :status=100; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9110-10.1.1/expect_in_capitals",
		handler: readAll,
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 POST expect=100-Continue")
			p.frames(peer)
			p.send(peer, `DATA 1 END_STREAM "w"`)
			p.frames(peer)
		},
		want: `handler: length=-1 read=1 ok | wire: HEADERS 1 :status=100; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9110-10.1.1/expect_without_content",
		handler: readAll,
		client:  func(p *play) { p.wire("HEADERS 1 END_STREAM POST expect=100-continue") },
		what:    "100 Continue for content that has come already, or that there is none of",
		why:     "not sent: nobody waits for it (RFC 9110, 10.1.1)",
		nethttp: `handler: length=0 read=0 ok | wire: HEADERS 1 :status=100; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		weir: `handler: length=0 read=0 ok | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "9110-10.1.1/expect_and_content_that_came_at_once",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			synctest.Wait()
			readAll(p, w, r)
		},
		client: func(p *play) {
			p.wire("HEADERS 1 POST expect=100-continue", `DATA 1 END_STREAM "here"`)
		},
		what: "100 Continue for content that has come already, or that there is none of",
		why:  "not sent: nobody waits for it (RFC 9110, 10.1.1)",
		nethttp: `handler: length=-1 read=4 ok | wire: HEADERS 1 :status=100; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		weir: `handler: length=-1 read=4 ok | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "9110-10.1.1/expect_and_a_body_that_is_closed",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			r.Body.Close()
			w.WriteHeader(http.StatusForbidden)
		},
		client: func(p *play) { p.wire("HEADERS 1 POST expect=100-continue") },
		want: `wire: HEADERS 1 END_STREAM :status=403 content-length=0 date=now; RST_STREAM 1 ` +
			`NO_ERROR`,
	},
	{
		name: "9110-10.1.1/expect_and_early_hints",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			readAll(p, w, r)
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 POST expect=100-continue")
			p.frames(peer)
			p.send(peer, `DATA 1 END_STREAM "w"`)
			p.frames(peer)
		},
		what: "100 Continue after another informational answer",
		why:  "sent when the handler reads, as over HTTP/1.1: 103 does not ask for the content",
		nethttp: `handler: length=-1 read=1 ok | wire: HEADERS 1 :status=103; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		weir: `handler: length=-1 read=1 ok | wire: HEADERS 1 :status=103; HEADERS 1 ` +
			`:status=100; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "9110-10.1.1/100_by_the_handler_itself",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusContinue)
			readAll(p, w, r)
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 POST expect=100-continue")
			p.frames(peer)
			p.send(peer, `DATA 1 END_STREAM "w"`)
			p.frames(peer)
		},
		want: `handler: length=-1 read=1 ok | wire: HEADERS 1 :status=100; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "9110-10.1.1/expect_and_a_read_after_the_answer",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "early")
			w.(http.Flusher).Flush()
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second))
			readAll(p, w, r)
		},
		client: func(p *play) {
			p.tr.ExpectContinueTimeout = time.Hour
			p.do(p.request("POST", "/", strings.NewReader("hello"), "Expect", "100-continue"))
		},
		want: `client: 200 "early" | handler: length=5 read=0 deadline`,
	},
}
