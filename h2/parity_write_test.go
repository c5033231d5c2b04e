package h2_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing/synctest"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// plainReader hides every method of a reader but Read.
type plainReader struct{ io.Reader }

// parityWrites are about how a handler writes its answer.
var parityWrites = []parityCase{
	{
		name: "net/http/Write_of_nothing_takes_the_header",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			n, err := w.Write(nil)
			p.note("handler", "%d %s", n, fault(err))
			w.Header().Set("X-Late", "1")
			w.WriteHeader(http.StatusTeapot)
			n, err = io.WriteString(w, "")
			p.note("handler", "%d %s", n, fault(err))
		},
		client: wireGET,
		want: `handler: 0 ok; 0 ok | wire: HEADERS 1 END_STREAM :status=200 content-length=0 ` +
			`date=now`,
	},
	{
		name: "net/http/WriteHeader_after_Flush",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.WriteHeader(http.StatusTeapot)
			w.Header().Set("X-Late", "1")
			io.WriteString(w, "x")
		},
		client: wireGET,
		want:   `wire: HEADERS 1 :status=200 date=now; DATA 1 END_STREAM "x"`,
	},
	{
		name: "net/http/Flush_sends_each_time",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			for i := range 3 {
				fmt.Fprint(w, i)
				w.(http.Flusher).Flush()
				<-p.turn
			}
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 END_STREAM GET")
			for range 3 {
				p.frames(peer)
				p.note("wire", "turn")
				p.turn <- struct{}{}
			}
			p.frames(peer)
		},
		want: `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now; ` +
			`DATA 1 "0"; turn; DATA 1 "1"; turn; DATA 1 "2"; turn; DATA 1 END_STREAM`,
	},
	{
		name: "net/http/what_was_not_flushed_waits",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "held")
			<-p.turn
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.frames(peer)
			p.note("wire", "turn")
			p.turn <- struct{}{}
			p.frames(peer)
		},
		want: `wire: turn; HEADERS 1 :status=200 content-length=4 "content-type=text/plain; ` +
			`charset=utf-8" date=now; DATA 1 END_STREAM "held"`,
	},
	{
		name: "net/http/WriteHeader_alone_sends_nothing",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			<-p.turn
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.frames(peer)
			p.note("wire", "turn")
			p.turn <- struct{}{}
			p.frames(peer)
		},
		want: `wire: turn; HEADERS 1 END_STREAM :status=202 content-length=0 date=now`,
	},
	{
		name: "net/http/4096_octets_and_one_more",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			n := 4096
			if r.URL.Path == "/more" {
				n++
			}
			w.Write(bytes.Repeat([]byte("x"), n))
		},
		client: func(p *play) {
			p.get("/", "Content-Length")
			p.get("/more", "Content-Length")
			p.do(p.request("HEAD", "/", nil), "Content-Length")
			p.do(p.request("HEAD", "/more", nil), "Content-Length")
		},
		want: `client: 200 Content-Length=["4096"] len=4096; 200 len=4097; ` +
			`200 Content-Length=["4096"]; 200`,
	},
	{
		name: "net/http/one_large_Write",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			n, err := w.Write(make([]byte, 5<<20))
			p.note("handler", "%d %s", n, fault(err))
			n, err = io.WriteString(w, strings.Repeat("y", 5<<20))
			p.note("handler", "%d %s", n, fault(err))
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 len=10485760 | handler: 5242880 ok; 5242880 ok`,
	},
	{
		name: "net/http/a_buffer_written_is_the_callers_again",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			buf := make([]byte, 100_000)
			for i := range 30 {
				for j := range buf {
					buf[j] = byte('a' + i)
				}
				w.Write(buf)
			}
		},
		client: func(p *play) {
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			wrong := 0
			for i := range b {
				if b[i] != byte('a'+i/100_000) {
					wrong++
				}
			}
			p.note("client", "%d wrong=%d %s", len(b), wrong, fault(err))
		},
		want: `client: 3000000 wrong=0 ok`,
	},
	{
		name: "net/http/io_Copy_forms",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			for _, r := range []io.Reader{bytes.NewReader(make([]byte, 70_000)),
				plainReader{zeros(70_000)}} {
				n, err := io.Copy(w, r)
				p.note("handler", "%d %s", n, fault(err))
			}
			n, err := io.CopyN(w, zeroReader{}, 10)
			p.note("handler", "%d %s", n, fault(err))
			n, err = io.CopyBuffer(w, zeros(1000), make([]byte, 7))
			p.note("handler", "%d %s", n, fault(err))
			fmt.Fprintln(w, "end")
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 len=141014 | handler: 70000 ok; 70000 ok; 10 ok; 1000 ok`,
	},
	{
		name: "net/http/Write_from_other_goroutines",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					for range 50 {
						mu.Lock()
						io.WriteString(w, "0123456789")
						w.(http.Flusher).Flush()
						mu.Unlock()
					}
				})
			}
			wg.Wait()
		},
		client: func(p *play) {
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			p.note("client", "%v %s", string(b) == strings.Repeat("0123456789", 1000), fault(err))
		},
		want: `client: true ok`,
	},
	{
		name: "net/http/Write_after_a_reset_fails_for_good",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			for range 3 {
				n, err := w.Write(make([]byte, 100_000))
				p.note("handler", "%v %s", n < 100_000, broken(err))
			}
			p.note("handler", "%s", broken(http.NewResponseController(w).Flush()))
		},
		client: func(p *play) {
			p.wire("HEADERS 1 END_STREAM GET", "RST_STREAM 1 CANCEL", "PING")
		},
		want: `handler: true error; true error; true error; error`,
	},
	{
		name: "net/http/small_Writes_after_a_reset_are_buffered",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			n, err := io.WriteString(w, "small")
			p.note("handler", "%d %s", n, fault(err))
			p.note("handler", "%s", broken(http.NewResponseController(w).Flush()))
			n, err = io.WriteString(w, "small")
			p.note("handler", "%v %s", n == 0, broken(err))
		},
		client: func(p *play) {
			p.wire("HEADERS 1 END_STREAM GET", "RST_STREAM 1 CANCEL")
		},
		want: `handler: 5 ok; error; true error`,
	},
	{
		name: "net/http/error_of_a_Write_that_a_reset_ends",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(w, zeros(1<<20))
			p.note("handler", "%s canceled=%v", r.URL.Path, errors.Is(err, r.Context().Err()))
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			for _, code := range []http2.ErrCode{http2.ErrCodeNo, http2.ErrCodeCancel,
				http2.ErrCodeInternal} {
				tn := p.open(peer, true, "GET", "/"+code.String())
				tn.Withhold(true)
				synctest.Wait()
				tn.Reset(code)
				synctest.Wait()
			}
		},
		want: `handler: /NO_ERROR canceled=false; /CANCEL canceled=false; ` +
			`/INTERNAL_ERROR canceled=false`,
	},
	{
		name: "net/http/header_values_that_are_none",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h["X-Nil"] = nil
			h["X-None"] = []string{}
			h["X-Empty"] = []string{""}
			h["X-Some"] = []string{"", "a", ""}
			h["Content-Length"] = nil
			io.WriteString(w, "x")
		},
		client: wireGET,
		want: `wire: HEADERS 1 :status=200 "content-type=text/plain; ` +
			`charset=utf-8" date=now x-empty= x-some= x-some= x-some=a; DATA 1 END_STREAM "x"`,
	},
	{
		name: "net/http/header_map_is_the_handlers",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("X-A", "1")
			io.WriteString(w, "<html>")
			w.(http.Flusher).Flush()
			p.note("handler", "%s", headerText(w.Header()))
			h.Set("X-B", "2")
			p.note("handler", "%s", headerText(w.Header()))
			h["X-A"][0] = "changed"
		},
		client: func(p *play) { p.get("/", "X-A", "X-B") },
		want:   `client: 200 X-A=["1"] "<html>" | handler: X-A=["1"]; X-A=["1"] X-B=["2"]`,
	},
	{
		name: "net/http/header_values_changed_after_WriteHeader",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			v := []string{"before"}
			w.Header()["X-A"] = v
			w.Header()["X-B"] = v
			w.WriteHeader(http.StatusOK)
			v[0] = "after"
			delete(w.Header(), "X-B")
			clear(w.Header())
		},
		client: func(p *play) { p.get("/", "X-A", "X-B") },
		want:   `client: 200 X-A=["before"] X-B=["before"]`,
	},
	{
		name: "net/http/two_spellings_of_a_name",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header()["x-a"] = []string{"lower"}
			w.Header()["X-A"] = []string{"canonical"}
			w.Header()["X-a"] = []string{"odd"}
		},
		client: wireGET,
		want: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now x-a=canonical ` +
			`x-a=lower x-a=odd`,
	},
	{
		name: "9110-8.6/lengths_that_are_odd",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", r.URL.Query().Get("n"))
			n, err := io.WriteString(w, "hello")
			p.note("handler", "%d %s", n, fault(err))
		},
		client: func(p *play) {
			for _, n := range []string{"5", "-5", "x5", "5.0", "99999999999999999999"} {
				p.get("/?n="+n, "Content-Length")
			}
		},
		want: `client: 200 Content-Length=["5"] "hello"; 200 Content-Length=["5"] "hello"; ` +
			`200 Content-Length=["5"] "hello"; 200 Content-Length=["5"] "hello"; ` +
			`200 Content-Length=["5"] "hello" | handler: 5 ok; 5 ok; 5 ok; 5 ok; 5 ok`,
	},
	{
		name: "9110-8.6/length_of_zero",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0")
			w.Header().Set("Content-Type", "a/b")
		},
		client: wireGET,
		want:   `wire: HEADERS 1 END_STREAM :status=200 content-length=0 content-type=a/b date=now`,
	},
	{
		name: "9110-8.6/a_declared_length_written_in_pieces",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			for range 100 {
				n, err := w.Write(make([]byte, 1000))
				if n != 1000 || err != nil {
					p.note("handler", "%d %s", n, fault(err))
				}
				w.(http.Flusher).Flush()
			}
		},
		client: func(p *play) { p.get("/", "Content-Length") },
		want:   `client: 200 Content-Length=["100000"] len=100000`,
	},
	{
		name: "9110-15.3.5/204_with_a_type",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/x")
			w.WriteHeader(http.StatusNoContent)
			w.(http.Flusher).Flush()
		},
		client: wireGET,
		want:   `wire: HEADERS 1 :status=204 content-type=text/x date=now; DATA 1 END_STREAM`,
	},
	{
		name: "9110-15.4.5/304_flushed",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/x")
			w.Header().Set("X-A", "1")
			w.WriteHeader(http.StatusNotModified)
			w.(http.Flusher).Flush()
			w.(http.Flusher).Flush()
		},
		client: wireGET,
		want:   `wire: HEADERS 1 :status=304 content-type=text/x date=now x-a=1; DATA 1 END_STREAM`,
	},
	{
		name: "9110-9.3.2/HEAD_of_many_answers",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/error":
				http.Error(w, "no", http.StatusInternalServerError)
			case "/204":
				w.WriteHeader(http.StatusNoContent)
			case "/304":
				w.WriteHeader(http.StatusNotModified)
			case "/flush":
				w.(http.Flusher).Flush()
				io.WriteString(w, "more")
			case "/short":
				w.Header().Set("Content-Length", "30")
				io.WriteString(w, "short")
			}
		},
		client: func(p *play) {
			for _, path := range []string{"/error", "/204", "/304", "/flush", "/short"} {
				p.do(p.request("HEAD", path, nil), "Content-Length", "Content-Type")
			}
		},
		want: `client: 500 Content-Length=["3"] Content-Type=["text/plain; charset=utf-8"]; 204; ` +
			`304; ` +
			`200; 200 Content-Length=["30"] Content-Type=["text/plain; charset=utf-8"]`,
	},
	{
		name: "9110-9.3.2/HEAD_longer_than_declared",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			n, err := io.WriteString(w, "too long")
			p.note("handler", "%d %s", n, fault(err))
		},
		client:  func(p *play) { p.do(p.request("HEAD", "/", nil), "Content-Length") },
		what:    "an answer longer than its Content-Length",
		why:     whyTooLong,
		nethttp: `client: 200 Content-Length=["3"] | handler: 8 ok`,
		weir: `client: 200 Content-Length=["3"] | ` +
			`handler: 0 http: wrote more than the declared Content-Length`,
	},
	{
		name: "net/http/one_Write_longer_than_declared",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			n, err := io.WriteString(w, "too long")
			p.note("handler", "%d %s", n, fault(err))
		},
		client:  func(p *play) { p.get("/", "Content-Length") },
		what:    "an answer longer than its Content-Length",
		why:     whyTooLong,
		nethttp: `client: 200 Content-Length=["3"] "too" error | handler: 8 ok`,
		weir: `client: 200 Content-Length=["3"] RST_STREAM INTERNAL_ERROR | ` +
			`handler: 0 http: wrote more than the declared Content-Length`,
	},
	{
		name: "net/http/ErrContentLength_with_a_length_of_zero",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0")
			n, err := io.WriteString(w, "x")
			p.note("handler", "%d %s", n, fault(err))
		},
		client:  func(p *play) { p.get("/", "Content-Length") },
		what:    "an answer longer than its Content-Length",
		why:     whyTooLong,
		nethttp: `client: 200 Content-Length=["0"] error | handler: 1 ok`,
		weir: `client: 200 Content-Length=["0"] | ` +
			`handler: 0 http: wrote more than the declared Content-Length`,
	},
	{
		name: "9110-9.3.2/HEAD_with_informational_answers",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(http.StatusEarlyHints)
			io.WriteString(w, "content")
		},
		client: wireHEAD,
		want: `wire: HEADERS 1 :status=103 link=</a>; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=7 "content-type=text/plain; ` +
			`charset=utf-8" date=now link=</a>`,
	},
	{
		name: "9110-15.2/informational_answers_and_no_final_one",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusProcessing)
			w.WriteHeader(199)
		},
		client: wireGET,
		want: `wire: HEADERS 1 :status=102; HEADERS 1 :status=199; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "9110-15.2.1/WriteHeader_100",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusContinue)
			b, err := io.ReadAll(r.Body)
			p.note("handler", "%q %s", b, fault(err))
		},
		client: func(p *play) {
			p.wire("HEADERS 1 POST", `DATA 1 END_STREAM "late"`)
		},
		want: `handler: "late" ok | wire: HEADERS 1 :status=100; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "9110-15.2/informational_answers_after_the_final_one",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			w.WriteHeader(http.StatusEarlyHints)
			io.WriteString(w, "y")
		},
		client: wireGET,
		want: `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now; ` +
			`DATA 1 END_STREAM "xy"`,
	},
	{
		name: "9110-8.3/kinds_that_are_sniffed",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, map[string]string{
				"/pdf": "%PDF-1.4", "/gzip": "\x1f\x8b\x08", "/png": "\x89PNG\r\n\x1a\n",
				"/json": `{"a":1}`,
				"/xml":  "<?xml version=1>", "/text": "plain", "/bin": "\x00\x01",
				"/utf16": "\xff\xfea",
			}[r.URL.Path])
		},
		client: func(p *play) {
			for _, path := range []string{"/pdf", "/gzip", "/png", "/json", "/xml", "/text", "/bin",
				"/utf16", "/none"} {
				p.do(p.request("HEAD", path, nil), "Content-Type")
			}
		},
		want: `client: 200 Content-Type=["application/pdf"]; 200 ` +
			`Content-Type=["application/x-gzip"]; ` +
			`200 Content-Type=["image/png"]; 200 Content-Type=["text/plain; charset=utf-8"]; ` +
			`200 Content-Type=["text/xml; charset=utf-8"]; 200 Content-Type=["text/plain; ` +
			`charset=utf-8"]; 200 Content-Type=["application/octet-stream"]; ` +
			`200 Content-Type=["text/plain; charset=utf-8"]; 200`,
	},
	{
		name: "9110-8.3/sniffing_sees_what_was_collected",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<ht")
			if r.URL.Path == "/flush" {
				w.(http.Flusher).Flush()
			}
			io.WriteString(w, "ml>")
		},
		client: func(p *play) {
			p.get("/", "Content-Type")
			p.get("/flush", "Content-Type")
		},
		want: `client: 200 Content-Type=["text/html; charset=utf-8"] "<html>"; ` +
			`200 Content-Type=["text/plain; charset=utf-8"] "<html>"`,
	},
	{
		name: "9110-8.4/gzip_by_the_client_alone",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%q", r.Header["Accept-Encoding"])
			w.Header().Set("Content-Length", "3")
			io.WriteString(w, "raw")
		},
		client: func(p *play) {
			p.get("/", "Content-Length", "Content-Encoding")
			p.do(p.request("GET", "/", nil, "Accept-Encoding", "br"), "Content-Length")
			p.do(p.request("GET", "/", nil, "Range", "bytes=0-"), "Content-Length")
		},
		want: `client: 200 Content-Length=["3"] "raw"; 200 Content-Length=["3"] "raw"; ` +
			`200 Content-Length=["3"] "raw" | handler: ["gzip"]; ["br"]; []`,
	},
	{
		name: "9113-8.1/an_answer_before_the_request_is_whole",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "early")
			w.(http.Flusher).Flush()
			b, err := io.ReadAll(r.Body)
			p.note("handler", "%q %s", b, fault(err))
			io.WriteString(w, "late")
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 POST")
			p.frames(peer)
			p.send(peer, `DATA 1 "one"`, `DATA 1 END_STREAM "two"`)
			p.frames(peer)
		},
		want: `handler: "onetwo" ok | wire: HEADERS 1 :status=200 "content-type=text/plain; ` +
			`charset=utf-8" date=now; DATA 1 "early"; DATA 1 END_STREAM "late"`,
	},
}
