package h2_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing/synctest"

	"weir/h2/h2test"
)

// parityTrailers are about trailers, of requests and of answers.
var parityTrailers = []parityCase{
	{
		name: "9110-6.5/a_trailer_set_before_the_content",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.Header().Set("X-Sum", "early")
			io.WriteString(w, "body")
			w.(http.Flusher).Flush()
			w.Header().Set("X-Sum", "late")
		},
		client: wireGET,
		want: `wire: HEADERS 1 :status=200 "content-type=text/plain; ` +
			`charset=utf-8" date=now trailer=X-Sum x-sum=early; DATA 1 "body"; ` +
			`HEADERS 1 END_STREAM x-sum=late`,
	},
	{
		name: "net/http/TrailerPrefix_before_the_content",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
			w.WriteHeader(http.StatusAccepted)
			io.WriteString(w, "body")
			w.(http.Flusher).Flush()
		},
		client: wireGET,
		want: `wire: HEADERS 1 :status=202 "content-type=text/plain; charset=utf-8" date=now; ` +
			`DATA 1 "body"; HEADERS 1 END_STREAM x-sum=1`,
	},
	{
		name: "net/http/TrailerPrefix_of_odd_names_and_values",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "body")
			w.(http.Flusher).Flush()
			h := w.Header()
			h[http.TrailerPrefix+"Bad Name"] = []string{"1"}
			h[http.TrailerPrefix] = []string{"1"}
			h[http.TrailerPrefix+"X-Bad"] = []string{"a\r\nb"}
			h[http.TrailerPrefix+":status"] = []string{"500"}
			h[http.TrailerPrefix+"X-Good"] = []string{"1", "2"}
			h[http.TrailerPrefix+"X-Nil"] = nil
			h[http.TrailerPrefix+"X-Empty"] = []string{""}
		},
		client: wireGET,
		want: `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now; ` +
			`DATA 1 "body"; HEADERS 1 END_STREAM x-empty= x-good=1 x-good=2`,
	},
	{
		name: "9110-6.5/trailers_behind_a_large_answer",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			io.Copy(w, zeros(1<<20))
			w.Header().Set("X-Sum", "abc")
		},
		client: func(p *play) { p.get("/", "Trailer") },
		want:   `client: 200 len=1048576 trailer X-Sum=["abc"]`,
	},
	{
		name: "9110-6.5/large_trailers",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			for i := range 5 {
				w.Header().Set(fmt.Sprint(http.TrailerPrefix, "X-", i), strings.Repeat("t", 10_000))
			}
		},
		client: func(p *play) {
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.t.Fatal(err)
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			n := 0
			for _, v := range resp.Trailer {
				n += len(v[0])
			}
			p.note("client", "%d %d %s", len(resp.Trailer), n, fault(err))
		},
		want: `client: 5 50000 ok`,
	},
	{
		name: "9110-6.5/trailers_with_a_declared_length",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4")
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "body")
			w.Header().Set("X-Sum", "1")
		},
		client: wireGET,
		want: `wire: HEADERS 1 :status=200 content-length=4 "content-type=text/plain; ` +
			`charset=utf-8" date=now trailer=X-Sum; DATA 1 "body"; HEADERS 1 END_STREAM x-sum=1`,
	},
	{
		name: "9110-6.5/trailers_announced_and_deleted",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.Header().Set("X-Sum", "1")
			io.WriteString(w, "body")
			w.(http.Flusher).Flush()
			w.Header().Del("X-Sum")
		},
		client: wireGET,
		want: `wire: HEADERS 1 :status=200 "content-type=text/plain; ` +
			`charset=utf-8" date=now trailer=X-Sum x-sum=1; DATA 1 END_STREAM "body"`,
	},
	{
		name: "net/http/trailers_of_a_panic_are_dropped",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "body")
			w.(http.Flusher).Flush()
			w.Header().Set("X-Sum", "1")
			panic(http.ErrAbortHandler)
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 "body" trailer X-Sum=[] RST_STREAM INTERNAL_ERROR`,
	},
	{
		name:    "9113-8.1/request_trailers_without_content",
		handler: trailersSeen,
		client: func(p *play) {
			p.wire("HEADERS 1 POST trailer=x-sum", "HEADERS 1 END_STREAM x-sum=abc")
		},
		want: `handler: before X-Sum=[]; header ; after X-Sum=["abc"] | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-8.1/request_trailers_with_a_length",
		handler: trailersSeen,
		client: func(p *play) {
			p.wire("HEADERS 1 POST trailer=x-sum content-length=4", `DATA 1 "part"`,
				"HEADERS 1 END_STREAM x-sum=abc")
		},
		want: `handler: before X-Sum=[]; header ; after X-Sum=["abc"] | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "net/http/request_trailers_before_EOF",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			r.Body.Read(make([]byte, 4))
			synctest.Wait() // the trailers have arrived
			p.note("handler", "%s", headerText(r.Trailer))
			_, err := r.Body.Read(make([]byte, 4))
			p.note("handler", "%s %s", fault(err), headerText(r.Trailer))
		},
		client: func(p *play) {
			p.wire("HEADERS 1 POST trailer=x-sum", `DATA 1 "part"`,
				"HEADERS 1 END_STREAM x-sum=abc x-sum=def")
		},
		want: `handler: X-Sum=[]; EOF X-Sum=["abc" "def"] | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "net/http/request_trailers_of_the_client_are_late",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%d %s %s", n, fault(err), headerText(r.Trailer))
		},
		client: func(p *play) {
			pr, pw := io.Pipe()
			r := p.request("POST", "/", pr)
			r.Trailer = http.Header{"X-Sum": nil, "X-Never": nil}
			go func() { // ends with the body
				io.WriteString(pw, "body")
				r.Trailer.Set("X-Sum", "late")
				pw.Close()
			}()
			p.do(r)
		},
		want: `client: 200 | handler: 4 ok X-Never=[] X-Sum=["late"]`,
	},
	{
		name:    "9113-8.1/request_trailers_without_END_STREAM",
		handler: readsUntilBroken,
		client: func(p *play) {
			p.wire("HEADERS 1 POST", `DATA 1 "part"`, "HEADERS 1 x-sum=abc")
		},
		what:    "malformed trailers",
		nethttp: `handler: error | wire: RST_STREAM 1 PROTOCOL_ERROR`,
		weir:    `handler: error | wire: ` + refused400,
		why:     "400 first as well, unless the answer has begun",
	},
	{
		name:    "9113-8.1/request_trailers_with_pseudo_fields",
		handler: readsUntilBroken,
		client: func(p *play) {
			p.wire("HEADERS 1 POST", `DATA 1 "part"`, "HEADERS 1 END_STREAM :path=/x")
		},
		what:    "malformed trailers",
		nethttp: `handler: error | wire: RST_STREAM 1 PROTOCOL_ERROR`,
		weir:    `handler: error | wire: ` + refused400,
		why:     "400 first as well, unless the answer has begun",
	},
	{
		name: "9110-6.5.1/request_trailers_that_frame",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%d %d %s %s %s", n, r.ContentLength, fault(err),
				headerText(r.Header), headerText(r.Trailer))
		},
		client: func(p *play) {
			r := p.request("POST", "/", zeros(4))
			r.Trailer = http.Header{"X-Sum": {"1"}}
			r.Header.Set("User-Agent", "x")
			p.do(r)
			p.ask("POST", "/", "trailer", "content-length, transfer-encoding, x-a")
		},
		want: `client: 200; 200 | ` +
			`handler: 4 -1 ok Accept-Encoding=["gzip"] User-Agent=["x"] X-Sum=["1"]; 0 0 ok  ` +
			`X-A=[]`,
	},
	{
		name: "9113-8.1/trailers_both_ways_at_once",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Back")
			n, _ := io.Copy(w, r.Body)
			w.Header().Set("X-Back", fmt.Sprint(n, r.Trailer.Get("X-Forth")))
		},
		client: func(p *play) {
			r := p.request("POST", "/", zeros(500))
			r.Trailer = http.Header{"X-Forth": {"forth"}}
			p.do(r)
		},
		want: `client: 200 len=500 trailer X-Back=["500forth"]`,
	},
}

// readsUntilBroken notes whether the body ended well, and answers all the same.
func readsUntilBroken(p *play, w http.ResponseWriter, r *http.Request) {
	_, err := io.ReadAll(r.Body)
	p.note("handler", "%s", broken(err))
}

// grpcMessage is a message with gRPC's prefix.
func grpcMessage(s string) string {
	n := len(s)
	return string([]byte{0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + s
}

// grpcRead reads one message.
func grpcRead(r io.Reader) (string, error) {
	var h [5]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return "", err
	}
	b := make([]byte, int(h[1])<<24|int(h[2])<<16|int(h[3])<<8|int(h[4]))
	_, err := io.ReadFull(r, b)
	return string(b), err
}

// grpcAsk sends the HEADERS of a call.
func (p *play) grpcAsk(peer *h2test.Peer, path string, fields ...string) *h2test.Tunnel {
	return p.open(peer, false, "POST", path, append([]string{"content-type", "application/grpc",
		"te", "trailers"}, fields...)...)
}

// grpcEnd notes the answer to a call: its fields, content and trailers.
func (p *play) grpcEnd(tn *h2test.Tunnel) {
	resp, err := tn.Response(patient)
	if resp == nil {
		p.note("client", "%s", fault(err))
		return
	}
	p.note("client", "%d %s len=%d status=%q message=%q %s", resp.Status,
		resp.Header["content-type"], len(resp.Body),
		resp.Header["grpc-status"]+resp.Trailer["grpc-status"],
		resp.Header["grpc-message"]+resp.Trailer["grpc-message"], fault(err))
}
