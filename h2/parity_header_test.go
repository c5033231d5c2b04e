package h2_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// whyTrailerLength is the reason of a difference.
const whyTrailerLength = "none unless the handler sets it: with it a gateway to HTTP/1.1 has to drop the " +
	"trailers"

// recovered notes what f panics with.
func (p *play) recovered(f func()) {
	defer func() {
		if r := recover(); r != nil {
			p.note("handler", "panic: %v", r)
		}
	}()
	f()
}

// parityHeaders are about the header of an answer: when it is taken, what is left out, informational ones, trailers.
var parityHeaders = []parityCase{
	{
		name: "9113-8.2/response_header",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Add("X-Two", "a")
			h.Add("X-Two", "b")
			h["x-lower"] = []string{"l"}
			h.Set("X-Empty", "")
			h.Add("Set-Cookie", "a=1")
			h.Add("Set-Cookie", "b=2")
		},
		client: wireGET,
		want:   `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now set-cookie=a=1 set-cookie=b=2 x-empty= x-lower=l x-two=a x-two=b`,
	},
	{
		name: "net/http/header_after_WriteHeader_is_ignored",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-A", "before")
			w.WriteHeader(http.StatusAccepted)
			w.Header().Set("X-A", "after")
			w.Header().Set("X-B", "after")
			io.WriteString(w, "x")
		},
		client: func(p *play) { p.get("/", "X-A", "X-B") },
		want:   `client: 202 X-A=["before"] "x"`,
	},
	{
		name: "net/http/header_after_Write_is_ignored",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "x")
			w.Header().Set("X-A", "after")
		},
		client: func(p *play) { p.get("/", "X-A") },
		want:   `client: 200 "x"`,
	},
	{
		name: "net/http/WriteHeader_twice",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			w.WriteHeader(http.StatusTeapot)
		},
		client: func(p *play) {
			p.get("/")
			p.logged("superfluous")
		},
		what:    "WriteHeader called twice",
		nethttp: `client: 202 | log: 0 superfluous`,
		weir:    `client: 202 | log: 1 superfluous`,
		why:     "the second is ignored, and logged, as net/http does it over HTTP/1.1",
	},
	{
		name: "net/http/WriteHeader_invalid_status",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			for _, n := range []int{0, 99, 1000, -1} {
				p.recovered(func() { w.WriteHeader(n) })
			}
			w.WriteHeader(http.StatusTeapot)
		},
		client: func(p *play) { p.get("/") },
		want: `client: 418 | handler: panic: invalid WriteHeader code 0; panic: invalid WriteHeader code 99; panic: invalid WriteHeader code 1000; ` +
			`panic: invalid WriteHeader code -1`,
	},
	{
		name: "9113-8.2.1/what_cannot_be_sent_is_dropped",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h["X-Values"] = []string{"a\r\nevil: 1", "good", "nul\x00"}
			h["Bad Name"] = []string{"1"}
			h["X-Ümlaut"] = []string{"1"}
			h[""] = []string{"1"}
			h[":status"] = []string{"500"}
			h["X-Latin"] = []string{"\xe9"}
		},
		client: wireGET,
		want:   `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now x-latin=` + "\xe9" + ` x-values=good`,
	},
	{
		name: "9113-8.2.1/white_space_around_a_value",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Space", "  a b\t")
		},
		client:  wireGET,
		what:    "white space around the value of a response field",
		nethttp: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now "x-space=  a b\t"`,
		weir:    `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now "x-space=a b"`,
		why:     "taken off: with it a client has to call the answer malformed (RFC 9113, 8.2.1)",
	},
	{
		name: "9113-8.2.2/connection_fields_of_an_answer",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Keep-Alive", "timeout=5")
			h.Set("Proxy-Connection", "keep-alive")
			h.Set("Transfer-Encoding", "chunked")
			h.Set("Upgrade", "h2c")
			h.Set("Connection", "keep-alive")
		},
		client:  wireGET,
		what:    "Keep-Alive, Proxy-Connection and Upgrade in an answer",
		nethttp: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now keep-alive=timeout=5 proxy-connection=keep-alive upgrade=h2c`,
		weir:    `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		why:     "left out, as Connection and Transfer-Encoding are: clients refuse an answer that has them (RFC 9113, 8.2.2)",
	},
	{
		name: "9113-8.1/large_response_header",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			for i := range 10 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("v", 8000))
			}
		},
		client: func(p *play) {
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.t.Fatal(err)
			}
			defer resp.Body.Close()
			n := 0
			for i := range 10 {
				n += len(resp.Header.Get(fmt.Sprint("X-", i)))
			}
			p.note("client", "%d", n)
		},
		want: `client: 80000`,
	},
	{
		name: "8297-2/103_early_hints",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Add("Link", "</b.js>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("Content-Length", "2")
			w.WriteHeader(http.StatusProcessing)
			w.Header().Del("Link")
			io.WriteString(w, "ok")
		},
		client: func(p *play) { p.do(p.traced(p.request("GET", "/", nil)), "Link", "Content-Length") },
		want: `client: 103 Link=["</a.css>; rel=preload"]; 103 Link=["</a.css>; rel=preload" "</b.js>; rel=preload"]; ` +
			`102 Link=["</a.css>; rel=preload" "</b.js>; rel=preload"]; 200 Content-Length=["2"] "ok"`,
	},
	{
		name: "8297-2/103_leaves_at_once",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			<-p.turn
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.frames(peer)
			p.note("wire", "turn")
			close(p.turn)
			p.frames(peer)
		},
		want: `wire: HEADERS 1 :status=103; turn; HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "9113-8.6/101_is_refused",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			io.WriteString(w, "x")
		},
		client:  wireGET,
		what:    "WriteHeader(101)",
		nethttp: `wire: HEADERS 1 :status=101; HEADERS 1 :status=200 content-length=1 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "x"`,
		weir:    `wire: HEADERS 1 :status=200 content-length=1 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "x"`,
		why:     "not sent: HTTP/2 has no 101 (RFC 9113, 8.6), and clients reset the stream for it",
	},
	{
		name: "9110-6.5/trailers_announced",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum, X-Never")
			w.Header().Add("Trailer", "x-count")
			io.WriteString(w, "body")
			w.Header().Set("X-Sum", "abc")
			w.Header().Set("X-Count", "1")
			w.Header().Add("X-Count", "2")
			w.Header().Set("X-Other", "no")
		},
		client: wireGET,
		what:   "Content-Length of an answer with trailers",
		nethttp: `wire: HEADERS 1 :status=200 content-length=4 "content-type=text/plain; charset=utf-8" date=now "trailer=X-Sum, X-Never" trailer=x-count; ` +
			`DATA 1 "body"; HEADERS 1 END_STREAM x-count=1 x-count=2 x-sum=abc`,
		weir: `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now "trailer=X-Sum, X-Never" trailer=x-count; ` +
			`DATA 1 "body"; HEADERS 1 END_STREAM x-count=1 x-count=2 x-sum=abc`,
		why: whyTrailerLength,
	},
	{
		name: "net/http/TrailerPrefix",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "body")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			w.Header().Set(http.TrailerPrefix+"x-lower", "l")
		},
		client: wireGET,
		want:   `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now; DATA 1 "body"; HEADERS 1 END_STREAM grpc-status=0 x-lower=l`,
	},
	{
		name: "net/http/trailers_without_content",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "12")
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 trailer Grpc-Status=["12"]`,
	},
	{
		name: "9110-6.5.1/forbidden_trailers",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Content-Length, Transfer-Encoding, Trailer, X-Good")
			io.WriteString(w, "body")
			w.(http.Flusher).Flush()
			w.Header().Set("X-Good", "1")
			w.Header().Set("Content-Length", "4")
			w.Header().Set("Transfer-Encoding", "chunked")
			w.Header().Set(http.TrailerPrefix+"Content-Length", "4")
			w.Header().Set(http.TrailerPrefix+"Authorization", "x")
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 "body" trailer Content-Length=[] trailer Trailer=[] trailer Transfer-Encoding=[] trailer X-Good=["1"]`,
	},
	{
		name: "net/http/trailers_of_HEAD_are_dropped",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.Header().Set("X-Sum", "1")
		},
		client: wireHEAD,
		want:   `wire: HEADERS 1 END_STREAM :status=200 date=now trailer=X-Sum x-sum=1`,
	},
	{
		name: "9113-9.1/connection_close",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			io.WriteString(w, "bye")
		},
		client: func(p *play) {
			p.wire("HEADERS 1 END_STREAM GET")
			slices.Sort(p.notes["wire"]) // GOAWAY may overtake
			p.get("/")
		},
		what:    "the GOAWAY of `Connection: close` and Shutdown",
		nethttp: `client: 200 "bye" | wire: DATA 1 END_STREAM "bye"; GOAWAY 1 NO_ERROR; HEADERS 1 :status=200 content-length=3 "content-type=text/plain; charset=utf-8" date=now`,
		weir: `client: 200 "bye" | wire: DATA 1 END_STREAM "bye"; GOAWAY 1 NO_ERROR; GOAWAY 2147483647 NO_ERROR; ` +
			`HEADERS 1 :status=200 content-length=3 "content-type=text/plain; charset=utf-8" date=now`,
		why: "two, a round trip apart (RFC 9113, 6.8): requests that are on their way are served, not lost",
	},
}
