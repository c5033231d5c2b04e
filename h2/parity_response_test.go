package h2_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
)

// What differences that several cases show, or long ones, are about, and why.
const (
	whyShort = "the stream is reset: END_STREAM would call a malformed answer whole (RFC 9113, " +
		"8.1.1)"
	whyTooLong = "the Write that is too much fails with http.ErrContentLength, as over HTTP/1.1, and " +
		"what was written before it arrives"
)

// writer is a handler that writes s.
func writes(s string) func(*play, http.ResponseWriter, *http.Request) {
	return func(_ *play, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
}

// wireGET notes the frames that answer a GET.
func wireGET(p *play) { p.wire("HEADERS 1 END_STREAM GET") }

// wireHEAD notes the frames that answer a HEAD.
func wireHEAD(p *play) { p.wire("HEADERS 1 END_STREAM HEAD") }

// parityResponses are about content, and what is said of it.
var parityResponses = []parityCase{
	{
		name:    "net/http/small_answer",
		handler: writes("<html>hello"),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 content-length=11 "content-type=text/html; charset=utf-8" date=now; DATA 1 END_STREAM "<html>hello"`,
	},
	{
		name:    "net/http/empty_answer",
		handler: func(*play, http.ResponseWriter, *http.Request) {},
		client:  wireGET,
		want:    `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "net/http/flushed_answer",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "one")
			w.(http.Flusher).Flush()
			io.WriteString(w, "two")
		},
		client: wireGET,
		want:   `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "onetwo"`,
	},
	{
		name: "net/http/flush_before_anything",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.Header().Set("X-Late", "1")
			io.WriteString(w, "body")
		},
		client: wireGET,
		want:   `wire: HEADERS 1 :status=200 date=now; DATA 1 END_STREAM "body"`,
	},
	{
		name: "net/http/flush_twice_sends_nothing",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				w.(http.Flusher).Flush()
			}
		},
		client: wireGET,
		want:   `wire: HEADERS 1 :status=200 date=now; DATA 1 END_STREAM`,
	},
	{
		name: "net/http/large_answer_has_no_length",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.Copy(w, zeros(10_000))
		},
		client: func(p *play) {
			p.get("/", "Content-Length", "Content-Type")
		},
		want: `client: 200 Content-Type=["application/octet-stream"] len=10000`,
	},
	{
		name: "net/http/more_than_the_buffer_leaves_at_once",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, 5000))
			<-p.turn
			w.Write(make([]byte, 100))
			w.Write(make([]byte, 9000))
			<-p.turn
		},
		client: func(p *play) {
			ctx, cancel := context.WithTimeout(p.t.Context(), patient)
			defer cancel()
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil).WithContext(ctx))
			if err != nil {
				p.t.Fatal(err)
			}
			defer resp.Body.Close()
			for _, n := range []int{5000, 9100} {
				n, err := io.ReadFull(resp.Body, make([]byte, n))
				p.note("client", "%d %s", n, fault(err))
				p.turn <- struct{}{}
			}
		},
		want: `client: 5000 ok; 9100 ok`,
	},
	{
		name: "net/http/declared_length",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			n, err := io.WriteString(w, "hello")
			p.note("handler", "%d %s", n, fault(err))
		},
		client: wireGET,
		want:   `handler: 5 ok | wire: HEADERS 1 :status=200 content-length=5 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
	},
	{
		name: "net/http/ErrContentLength_too_much",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			n, err := io.WriteString(w, "hello")
			p.note("handler", "%d %s", n, fault(err))
			n, err = io.WriteString(w, " world")
			p.note("handler", "%d %s", n, fault(err))
		},
		client:  func(p *play) { p.get("/", "Content-Length") },
		what:    "an answer longer than its Content-Length",
		nethttp: `client: 200 Content-Length=["5"] "hello" error | handler: 5 ok; 6 ok`,
		weir:    `client: 200 Content-Length=["5"] "hello" | handler: 5 ok; 0 http: wrote more than the declared Content-Length`,
		why:     whyTooLong,
	},
	{
		name: "9113-8.1.1/answer_shorter_than_declared",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
		},
		client:  wireGET,
		what:    "an answer shorter than its Content-Length",
		nethttp: `wire: HEADERS 1 :status=200 content-length=9 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
		weir:    `wire: HEADERS 1 :status=200 content-length=9 "content-type=text/plain; charset=utf-8" date=now; DATA 1 "hello"; RST_STREAM 1 INTERNAL_ERROR`,
		why:     whyShort,
	},
	{
		name: "net/http/bad_length_is_dropped",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "many")
			io.WriteString(w, "hello")
		},
		client: func(p *play) { p.get("/", "Content-Length") },
		want:   `client: 200 Content-Length=["5"] "hello"`,
	},
	{
		name: "9110-9.3.2/HEAD_with_content",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			n, err := io.WriteString(w, "hello")
			p.note("handler", "%d %s", n, fault(err))
		},
		client: wireHEAD,
		want:   `handler: 5 ok | wire: HEADERS 1 END_STREAM :status=200 content-length=5 "content-type=text/plain; charset=utf-8" date=now`,
	},
	{
		name:    "9110-9.3.2/HEAD_without_content",
		handler: func(*play, http.ResponseWriter, *http.Request) {},
		client:  wireHEAD,
		want:    `wire: HEADERS 1 END_STREAM :status=200 date=now`,
	},
	{
		name: "9110-9.3.2/HEAD_with_declared_length",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1234")
			w.Header().Set("Content-Type", "x/y")
		},
		client: wireHEAD,
		want:   `wire: HEADERS 1 END_STREAM :status=200 content-length=1234 content-type=x/y date=now`,
	},
	{
		name: "9110-9.3.2/HEAD_large",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			n, err := io.Copy(w, zeros(100_000))
			p.note("handler", "%d %s", n, fault(err))
		},
		client: wireHEAD,
		want:   `handler: 100000 ok | wire: HEADERS 1 END_STREAM :status=200 content-type=application/octet-stream date=now`,
	},
	{
		name: "9110-15.3.5/204",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			n, err := io.WriteString(w, "hello")
			p.note("handler", "%d %s", n, fault(err))
		},
		client: wireGET,
		want:   `handler: 0 http: request method or response status code does not allow body | wire: HEADERS 1 END_STREAM :status=204 date=now`,
	},
	{
		name: "9113-8.1/204_flushed_before_the_body_is_read",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			w.(http.Flusher).Flush()
			close(p.turn)
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%d %s %v", n, fault(err), r.Context().Err())
		},
		client: func(p *play) {
			r, w := io.Pipe()
			go func() { // ends with the request
				<-p.turn
				time.Sleep(time.Second) // until the header has arrived
				io.WriteString(w, "hello")
				w.Close()
			}()
			p.do(p.request("POST", "/", r))
		},
		want: `client: 204 | handler: 5 ok <nil>`,
	},
	{
		name: "9110-15.4.5/304_keeps_fields",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"x"`)
			w.Header().Set("Content-Length", "77")
			w.WriteHeader(http.StatusNotModified)
			n, err := io.WriteString(w, "hello")
			p.note("handler", "%d %s", n, fault(err))
		},
		client: wireGET,
		want:   `handler: 0 http: request method or response status code does not allow body | wire: HEADERS 1 END_STREAM :status=304 content-length=77 date=now "etag=\"x\""`,
	},
	{
		name: "9110-8.6/204_with_content_length",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(http.StatusNoContent)
		},
		client:  wireGET,
		what:    "Content-Length on a 204",
		nethttp: `wire: HEADERS 1 END_STREAM :status=204 content-length=5 date=now`,
		weir:    `wire: HEADERS 1 END_STREAM :status=204 date=now`,
		why:     "dropped (RFC 9110, 8.6)",
	},
	{
		name: "net/http/statuses",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			n, _ := strconv.Atoi(r.URL.Path[1:])
			w.WriteHeader(n)
		},
		client: func(p *play) {
			for _, n := range []int{201, 299, 301, 418, 503, 599, 600, 999} {
				p.get(fmt.Sprintf("/%d", n))
			}
		},
		want: `client: 201; 299; 301; 418; 503; 599; 600; 999`,
	},
	{
		name: "net/http/sniffing_is_switched_off",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/nil":
				w.Header()["Content-Type"] = nil
			case "/coded":
				w.Header().Set("Content-Encoding", "br")
			case "/set":
				w.Header().Set("Content-Type", "a/b")
			case "/empty":
				w.Header().Set("Content-Type", "")
			}
			io.WriteString(w, "<html>")
		},
		client: func(p *play) {
			for _, path := range []string{"/", "/nil", "/coded", "/set", "/empty"} {
				p.get(path, "Content-Type")
			}
		},
		want: `client: 200 Content-Type=["text/html; charset=utf-8"] "<html>"; 200 "<html>"; 200 "<html>"; 200 Content-Type=["a/b"] "<html>"; 200 Content-Type=[""] "<html>"`,
	},
	{
		name: "9110-6.6.1/Date",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/set":
				w.Header().Set("Date", "long ago")
			case "/none":
				w.Header()["Date"] = nil
			}
		},
		client: func(p *play) {
			for _, path := range []string{"/", "/set", "/none"} {
				p.get(path, "Date")
			}
		},
		want: `client: 200 Date=["Sat, 01 Jan 2000 00:00:00 GMT"]; 200 Date=["long ago"]; 200`,
	},
	{
		name: "net/http/Write_forms",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			n, err := w.Write(nil)
			p.note("handler", "%d %s", n, fault(err))
			n, err = w.Write([]byte("bytes "))
			p.note("handler", "%d %s", n, fault(err))
			n, err = w.(io.StringWriter).WriteString("string ")
			p.note("handler", "%d %s", n, fault(err))
			m, err := io.Copy(w, strings.NewReader("copied "))
			p.note("handler", "%d %s", m, fault(err))
			n, err = fmt.Fprintf(w, "%d", 42)
			p.note("handler", "%d %s", n, fault(err))
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 "bytes string copied 42" | handler: 0 ok; 6 ok; 7 ok; 7 ok; 2 ok`,
	},
	{
		name: "net/http/interfaces_of_ResponseWriter",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			_, flusher := w.(http.Flusher)
			_, str := w.(io.StringWriter)
			_, hijacker := w.(http.Hijacker)
			_, from := w.(io.ReaderFrom)
			_, pusher := w.(http.Pusher)
			//lint:ignore SA1019 whether it is there is the question
			_, notifier := w.(http.CloseNotifier)
			p.note("handler", "Flusher=%v StringWriter=%v Hijacker=%v ReaderFrom=%v Pusher=%v CloseNotifier=%v", flusher, str, hijacker, from, pusher, notifier)
		},
		client:  func(p *play) { p.get("/") },
		what:    "http.Pusher and http.CloseNotifier",
		nethttp: `client: 200 | handler: Flusher=true StringWriter=true Hijacker=false ReaderFrom=false Pusher=true CloseNotifier=true`,
		weir:    `client: 200 | handler: Flusher=true StringWriter=true Hijacker=false ReaderFrom=false Pusher=false CloseNotifier=false`,
		why:     "absent: browsers have dropped push, and 103 Early Hints does its work; Request.Context replaced CloseNotifier",
	},
	{
		name: "net/http/gzip_stream",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Type", "text/plain")
			z := gzip.NewWriter(w)
			for _, s := range []string{"one ", "two ", "three"} {
				io.WriteString(z, s)
				z.Flush()
				w.(http.Flusher).Flush()
			}
			z.Close()
		},
		client: func(p *play) { p.get("/", "Content-Encoding", "Content-Length") },
		want:   `client: 200 "one two three"`,
	},
	{
		name: "9110-14/ServeContent_ranges",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"v1"`)
			http.ServeContent(w, r, "a.txt", time.Unix(1e9, 0), strings.NewReader("0123456789"))
		},
		client: func(p *play) {
			fields := []string{"Content-Length", "Content-Range", "Content-Type"}
			p.get("/", fields...)
			for _, kv := range [][]string{{"Range", "bytes=2-4"}, {"Range", "bytes=-3"}, {"Range", "bytes=20-"}, {"If-None-Match", `"v1"`}, {"If-Match", `"v2"`}} {
				p.do(p.request("GET", "/", nil, kv...), fields...)
			}
			p.do(p.request("HEAD", "/", nil, "Range", "bytes=2-4"), fields...)
		},
		want: `client: 200 Content-Length=["10"] Content-Type=["text/plain; charset=utf-8"] "0123456789"; ` +
			`206 Content-Length=["3"] Content-Range=["bytes 2-4/10"] Content-Type=["text/plain; charset=utf-8"] "234"; ` +
			`206 Content-Length=["3"] Content-Range=["bytes 7-9/10"] Content-Type=["text/plain; charset=utf-8"] "789"; ` +
			`416 Content-Length=["33"] Content-Range=["bytes */10"] Content-Type=["text/plain; charset=utf-8"] "invalid range: failed to overlap\n"; ` +
			`304; 412 Content-Length=["0"]; 206 Content-Length=["3"] Content-Range=["bytes 2-4/10"] Content-Type=["text/plain; charset=utf-8"]`,
	},
	{
		name: "9113-6.9/large_download_to_a_slow_reader",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			buf := bytes.Repeat([]byte("0123456789abcdef"), 4096)
			n := 0
			for range 50 << 20 / len(buf) {
				m, err := w.Write(buf)
				if n += m; err != nil {
					p.note("handler", "%s", fault(err))
					return
				}
			}
			p.note("handler", "%d", n)
		},
		client: func(p *play) {
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.t.Fatal(err)
			}
			defer resp.Body.Close()
			buf := make([]byte, 256<<10)
			n, wrong := 0, 0
			for {
				m, err := io.ReadFull(resp.Body, buf)
				for i := 0; i < m; i += 4093 {
					if buf[i] != "0123456789abcdef"[(n+i)%16] {
						wrong++
					}
				}
				n += m
				if err != nil {
					p.note("client", "%d %s wrong=%d", n, fault(err), wrong)
					return
				}
				time.Sleep(time.Millisecond)
			}
		},
		want: `client: 52428800 EOF wrong=0 | handler: 52428800`,
	},
	{
		name: "9113-6.9/a_reader_that_stops_holds_the_handler",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			io.Copy(w, zeros(1<<20))
			p.note("handler", "done")
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), true, "GET", "/")
			tn.Withhold(true)
			synctest.Wait()
			p.note("client", "%d", tn.Received())
			p.mu.Lock()
			stopped := len(p.notes["handler"]) == 0
			p.mu.Unlock()
			n, _ := io.CopyN(io.Discard, tn, 65535)
			tn.Withhold(false)
			m, err := io.Copy(io.Discard, tn)
			p.note("client", "%v %d %s", stopped, n+m, fault(err))
			synctest.Wait()
		},
		want: `client: 65535; true 1048576 ok | handler: done`,
	},
	{
		name: "9113-5.1.2/100_streams_at_once",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			<-p.turn
			io.WriteString(w, r.URL.Path)
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			var tns []*h2test.Tunnel
			for i := range 100 {
				tns = append(tns, p.open(peer, true, "GET", fmt.Sprint("/", i)))
			}
			synctest.Wait()
			close(p.turn)
			right := 0
			for i, tn := range tns {
				if resp, err := tn.Response(patient); err == nil && string(resp.Body) == fmt.Sprint("/", i) {
					right++
				}
			}
			p.note("client", "%d", right)
		},
		want: `client: 100`,
	},
	{
		name: "net/http/100_requests_share_a_connection",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.notes["addresses"] = []string{r.RemoteAddr}
		},
		client: func(p *play) {
			for range 100 {
				resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
				if err != nil {
					p.t.Fatal(err)
				}
				resp.Body.Close()
			}
		},
		want: `addresses: 127.0.0.1:49152`,
	},
}
