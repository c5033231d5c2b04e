package h2_test

import (
	"io"
	"net/http"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
)

// answers is a handler that sets the header h and writes body.
func answers(body string, h map[string][]string) func(*play, http.ResponseWriter, *http.Request) {
	return func(_ *play, w http.ResponseWriter, _ *http.Request) {
		for k, v := range h {
			w.Header()[k] = v
		}
		io.WriteString(w, body)
	}
}

// kind notes what CountError is told.
func (p *play) kind(kind string) { p.note("kinds", "%s", kind) }

// parityFields are about what a handler can do to its header, and about fields of http.Server.HTTP2.
var parityFields = []parityCase{
	{
		name:    "9110-8.6/content_length_set_twice",
		handler: answers("hello", map[string][]string{"Content-Length": {"5", "7"}}),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 content-length=5 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
	},
	{
		name:    "9110-8.6/content_length_equal_twice",
		handler: answers("hello", map[string][]string{"Content-Length": {"5", "5"}}),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 content-length=5 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
	},
	{
		name:    "9110-8.6/content_length_bad_then_good",
		handler: answers("hello", map[string][]string{"Content-Length": {"many", "7"}}),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 content-length=5 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
	},
	{
		name:    "9110-8.6/content_length_good_then_bad",
		handler: answers("hello", map[string][]string{"Content-Length": {"5", "many"}}),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 content-length=5 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
	},
	{
		name:    "9110-8.6/content_length_signed",
		handler: answers("hello", map[string][]string{"Content-Length": {"+5"}}),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 content-length=5 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
	},
	{
		name:    "9110-8.6/content_length_nil",
		handler: answers("hello", map[string][]string{"Content-Length": nil}),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
	},
	{
		name:    "9110-8.6/content_length_without_values",
		handler: answers("hello", map[string][]string{"Content-Length": {}}),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
	},
	{
		name:    "9110-8.6/content_length_empty",
		handler: answers("hello", map[string][]string{"Content-Length": {""}}),
		client:  wireGET,
		what:    "a Content-Length that is the empty string",
		nethttp: `wire: HEADERS 1 :status=200 content-length= "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
		weir:    `wire: HEADERS 1 :status=200 content-length=5 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
		why:     "left out as any other that is no number: an answer with it is malformed (RFC 9113, 8.1.1)",
	},
	{
		name:    "9110-8.6/content_length_in_lower_case",
		handler: answers("hello", map[string][]string{"content-length": {"5"}}),
		client:  wireGET,
		what:    "Content-Length under a key that is not canonical",
		nethttp: `wire: HEADERS 1 :status=200 content-length=5 content-length=5 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
		weir:    `wire: HEADERS 1 :status=200 content-length=5 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "hello"`,
		why:     "the same as Content-Length: with two of them an answer is malformed",
	},
	{
		name:    "9110-7.6.1/connection_lists_fields",
		handler: answers("x", map[string][]string{"Connection": {"X-Hop, keep-alive", "x-other"}, "X-Hop": {"1"}, "X-Other": {"2"}, "X-Keep": {"3"}}),
		client:  wireGET,
		what:    "fields that a Connection field of an answer lists",
		nethttp: `wire: HEADERS 1 :status=200 content-length=1 "content-type=text/plain; charset=utf-8" date=now x-hop=1 x-keep=3 x-other=2; DATA 1 END_STREAM "x"`,
		weir:    `wire: HEADERS 1 :status=200 content-length=1 "content-type=text/plain; charset=utf-8" date=now x-keep=3; DATA 1 END_STREAM "x"`,
		why:     "left out, of trailers and informational answers too: they are the connection's (RFC 9110, 7.6.1)",
	},
	{
		name:    "9110-7.6.1/connection_without_close",
		handler: answers("x", map[string][]string{"Connection": {"closed, x-close", ""}}),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 content-length=1 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "x"`,
	},
	{
		name: "9110-7.6.1/connection_of_an_informational_answer",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close, X-Hop")
			w.Header().Set("X-Hop", "1")
			w.Header().Set("Transfer-Encoding", "chunked")
			w.Header().Set("Content-Length", "7")
			w.Header().Set("Link", "</a>")
			w.WriteHeader(http.StatusEarlyHints)
			clear(w.Header())
		},
		client:  wireGET,
		what:    "Connection, and what it lists, in an informational answer",
		nethttp: `wire: HEADERS 1 :status=103 "connection=close, X-Hop" link=</a> x-hop=1; HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		weir:    `wire: HEADERS 1 :status=103 link=</a>; HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		why:     "left out as in the final one",
	},
	{
		name: "9110-7.6.1/connection_lists_a_trailer",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "X-Hop")
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"X-Hop", "1")
			w.Header().Set(http.TrailerPrefix+"X-Sum", "2")
		},
		client:  wireGET,
		what:    "a trailer that Connection lists",
		nethttp: `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now; DATA 1 "x"; HEADERS 1 END_STREAM x-hop=1 x-sum=2`,
		weir:    `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now; DATA 1 "x"; HEADERS 1 END_STREAM x-sum=2`,
		why:     "the same",
	},
	{
		name:    "9112-6.1/transfer_encoding",
		handler: answers("x", map[string][]string{"Transfer-Encoding": {"identity"}, "transfer-encoding": {"chunked"}}),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 content-length=1 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "x"`,
	},
	{
		name: "net/http/values_nil_and_without",
		handler: answers("<html>", map[string][]string{
			"X-Nil": nil, "X-None": {}, "Content-Type": {}, "Date": {}, "Trailer": nil, "Connection": nil,
		}),
		client: wireGET,
		want:   `wire: HEADERS 1 :status=200 content-length=6; DATA 1 END_STREAM "<html>"`,
	},
	{
		name:    "net/http/Content-Type_and_Date_twice",
		handler: answers("x", map[string][]string{"Content-Type": {"a/b", "c/d"}, "Date": {"then", "later"}}),
		client:  wireGET,
		want:    `wire: HEADERS 1 :status=200 content-length=1 content-type=a/b content-type=c/d date=now date=now; DATA 1 END_STREAM "x"`,
	},
	{
		name: "9110-6.5.1/trailer_names_that_cannot_be",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Content-Length, X Y, , Host, X-Sum, x-sum")
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			w.Header()["Content-Length"] = []string{"1"}
			w.Header()["X Y"] = []string{"1"}
			w.Header()["Host"] = []string{"1"}
			w.Header()["X-Sum"] = []string{"1"}
		},
		client: wireGET,
		want: `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now "trailer=Content-Length, X Y, , Host, X-Sum, x-sum"; ` +
			`DATA 1 "x"; HEADERS 1 END_STREAM x-sum=1`,
	},
	{
		name: "9110-6.5/trailer_set_before_the_header",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.Header().Set("X-Sum", "early")
			w.Header().Set(http.TrailerPrefix+"X-More", "1")
			w.(http.Flusher).Flush()
			w.Header().Set("X-Sum", "late")
		},
		client: wireGET,
		want:   `wire: HEADERS 1 :status=200 date=now trailer=X-Sum x-sum=early; HEADERS 1 END_STREAM x-more=1 x-sum=late`,
	},
	{
		name: "9110-6.5/trailer_without_values",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			w.Header()["X-Sum"] = nil
		},
		client:  wireGET,
		what:    "an announced trailer that is nil",
		nethttp: `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now trailer=X-Sum; DATA 1 "x"`,
		weir:    `wire: HEADERS 1 :status=200 "content-type=text/plain; charset=utf-8" date=now trailer=X-Sum; DATA 1 END_STREAM "x"`,
		why:     "the answer ends; that of net/http never does",
	},
	{
		name: "9110-15.3.5/trailers_of_204_and_304",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(map[string]int{"/": 204, "/304": 304}[r.URL.Path])
			w.Header().Set("X-Sum", "1")
		},
		client: func(p *play) {
			wireGET(p)
			p.wire("HEADERS 1 END_STREAM :method=GET :scheme=" + p.scheme() + " :authority=example.test :path=/304")
		},
		what:    "trailers of a 204 and a 304",
		nethttp: `wire: HEADERS 1 :status=204 date=now trailer=X-Sum; HEADERS 1 END_STREAM x-sum=1; HEADERS 1 :status=304 date=now trailer=X-Sum; HEADERS 1 END_STREAM x-sum=1`,
		weir:    `wire: HEADERS 1 END_STREAM :status=204 date=now trailer=X-Sum; HEADERS 1 END_STREAM :status=304 date=now trailer=X-Sum`,
		why:     "left out: both end with their header (RFC 9110, 15.3.5 and 15.4.5)",
	},
	{
		name: "9110-15.3.5/fields_of_204",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Transfer-Encoding", "chunked")
			w.Header().Set("Content-Type", "a/b")
			w.WriteHeader(204)
		},
		client: wireGET,
		want:   `wire: HEADERS 1 END_STREAM :status=204 content-type=a/b date=now`,
	},
	{
		name: "9110-9.3.2/HEAD_with_a_bad_length",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Length"] = []string{"many"}
			w.WriteHeader(200)
		},
		client: wireHEAD,
		want:   `wire: HEADERS 1 END_STREAM :status=200 date=now`,
	},
	{
		name: "9110-9.3.2/HEAD_flushed_with_trailers",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.(http.Flusher).Flush()
			io.WriteString(w, "dropped")
			w.Header().Set("X-Sum", "1")
			w.Header().Set(http.TrailerPrefix+"X-More", "1")
		},
		client: wireHEAD,
		want:   `wire: HEADERS 1 END_STREAM :status=200 date=now trailer=X-Sum`,
	},
	{
		name: "9110-15.2/100_by_the_handler",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(100)
			io.Copy(io.Discard, r.Body)
		},
		client: func(p *play) { p.wire("HEADERS 1 POST", `DATA 1 END_STREAM "x"`) },
		want:   `wire: HEADERS 1 :status=100; HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "9110-15.2/informational_behind_the_final",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(202)
			w.WriteHeader(103)
		},
		client: wireGET,
		want:   `wire: HEADERS 1 END_STREAM :status=202 content-length=0 date=now`,
	},
	{
		name: "9110-7.6.1/connection_close_in_a_list",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Connection", "X-Hop,  Close")
		},
		client: func(p *play) {
			p.wire("HEADERS 1 END_STREAM GET")
			goAways := 0
			for _, f := range p.notes["wire"] {
				if len(f) > 6 && f[:6] == "GOAWAY" {
					goAways++
				}
			}
			p.notes["wire"] = nil
			p.note("client", "closes: %v", goAways > 0)
		},
		what:    "`Connection: Close` in a list, or in another case",
		nethttp: `client: closes: false | wire: `,
		weir:    `client: closes: true | wire: `,
		why:     "closes, as over HTTP/1.1",
	},
	{
		name:    "net/http/CountError",
		server:  func(p *play, hs *http.Server) { hs.HTTP2 = &http.HTTP2Config{CountError: p.kind} },
		handler: served,
		client: func(p *play) {
			p.askFields(":method", "GET", ":path", "/", ":authority", "a.test")
			synctest.Wait()
			p.wire("PING ACK 0000000000000000", "RAW 3 0 1 00000008")
			p.notes["client"], p.notes["wire"] = nil, nil
		},
		what:    "the last part of what http.Server.HTTP2.CountError is told",
		nethttp: `client:  | kinds: stream_PROTOCOL_ERROR_bad_path_method; conn_PROTOCOL_ERROR_reset_idle_stream | wire: `,
		weir:    `client:  | kinds: stream_PROTOCOL_ERROR_rfc9113_8_3_1; conn_PROTOCOL_ERROR_rfc9113_5_1_1 | wire: `,
		why:     "is the section that the peer broke",
	},
	{
		name: "9113-6.7/SendPingTimeout_and_PingTimeout",
		server: func(p *play, hs *http.Server) {
			hs.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 3 * time.Second, CountError: p.kind}
		},
		handler: served,
		client: func(p *play) {
			peer := p.manual()
			start := time.Now()
			peer.Wait(patient)
			p.note("client", "%v", time.Since(start))
			synctest.Wait()
		},
		want: `client: 13s | kinds: conn_close_lost_ping`,
	},
	{
		name: "9113-6.7/SendPingTimeout_and_a_peer_that_answers",
		server: func(p *play, hs *http.Server) {
			hs.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Second, CountError: p.kind}
		},
		handler: served,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			time.Sleep(time.Hour)
			p.told(p.open(peer, true, "GET", "/"))
		},
		want: `client: 200 | handler: GET example.test "/" []`,
	},
}
