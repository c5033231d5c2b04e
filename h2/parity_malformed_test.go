package h2_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/h2/h2test"
)

// askFields makes a raw request of these fields alone, on a connection of its own, and notes what
// becomes of it.
func (p *play) askFields(fields ...string) {
	tn, err := p.peer(h2test.Options{}).Open(true, fields...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.told(tn)
}

// askPath is askFields for a target.
func (p *play) askPath(method, scheme, authority, path string) {
	p.askFields(":method", method, ":scheme", scheme, ":authority", authority, ":path", path)
}

// served notes that a handler was called, and for what.
func served(p *play, _ http.ResponseWriter, r *http.Request) {
	p.note("handler", "%s %s %q %q", r.Method, r.Host, r.URL.String(), r.Header["X"])
}

// dials counts the connections to the server from now on.
func (p *play) dials() (count func() int) {
	n := 0
	dial := p.tr.DialContext
	p.tr.DialContext = countDials(&n, dial)
	return func() int { return n }
}

// refused400 is the answer to a malformed request on the wire, and refused400Why the reason.
const (
	refused400    = `HEADERS 1 END_STREAM :status=400 content-length=0 date=now; RST_STREAM 1 PROTOCOL_ERROR`
	refused400Why = "400 before RST_STREAM (RFC 9113, 8.1.1): http.Transport makes a request that " +
		"PROTOCOL_ERROR ended without an answer again, without end"
)

// parityMalformed are about requests that are malformed, or nearly.
var parityMalformed = []parityCase{
	{
		name:    "9113-8.1.1/malformed_requests",
		handler: served,
		client: func(p *play) {
			p.ask("GET", "/", "X-Upper", "1")
			p.ask("GET", "/", "x", "a\x00b")
			p.askFields(":method", "GET", ":scheme", p.scheme(), ":authority", "a.test")
			p.askFields(":method", "GET", ":path", "/", ":authority", "a.test")
			p.askFields(":scheme", p.scheme(), ":path", "/", ":authority", "a.test")
			p.askPath("GET", p.scheme(), "user@a.test", "/")
			p.askPath("GET", "ftp", "a.test", "/")
		},
		what: "a malformed request",
		nethttp: `client: RST_STREAM PROTOCOL_ERROR; RST_STREAM PROTOCOL_ERROR; RST_STREAM PROTOCOL_ERROR; RST_STREAM PROTOCOL_ERROR; RST_STREAM PROTOCOL_ERROR; ` +
			`RST_STREAM PROTOCOL_ERROR; RST_STREAM PROTOCOL_ERROR`,
		weir: `client: 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; ` +
			`400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR`,
		why: refused400Why,
	},
	{
		name: "9113-8.1.1/malformed_trailers",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			p.note("handler", "%s", broken(err))
		},
		client: func(p *play) {
			p.wire("HEADERS 1 POST", `DATA 1 "part"`, "HEADERS 1 END_STREAM :path=/")
		},
		what:    "malformed trailers",
		nethttp: `handler: error | wire: RST_STREAM 1 PROTOCOL_ERROR`,
		weir:    `handler: error | wire: HEADERS 1 END_STREAM :status=400 content-length=0 date=now; RST_STREAM 1 PROTOCOL_ERROR`,
		why:     "400 first as well, unless the answer has begun",
	},
	{
		name:    "9110-5.5/white_space_around_a_request_value",
		handler: served,
		client: func(p *play) {
			p.ask("GET", "/", "x", "v ")
			p.ask("GET", "/", "x", "\t v")
			p.ask("GET", "/", "x", " ")
			p.do(p.request("GET", "/", nil, "X", "Bearer "))
		},
		what:    "white space around the value of a request field",
		nethttp: `client: 200; 200; 200; 200 | handler: GET example.test "/" ["v "]; GET example.test "/" ["\t v"]; GET example.test "/" [" "]; GET example.test "/" ["Bearer "]`,
		weir:    `client: 200; 200; 200; 200 | handler: GET example.test "/" ["v"]; GET example.test "/" ["v"]; GET example.test "/" [""]; GET example.test "/" ["Bearer"]`,
		why:     "taken off, as over HTTP/1.1 (RFC 9110, 5.5), in trailers too",
	},
	{
		name: "9110-5.5/white_space_in_request_trailers",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			p.note("handler", "%s %q", broken(err), strings.TrimSpace(r.Trailer.Get("X-Sum")))
		},
		client: func(p *play) {
			r := p.request("POST", "/", zeros(10))
			r.Trailer = http.Header{"X-Sum": {" abc\t"}}
			p.do(r)
		},
		want: `client: 200 | handler: ok "abc"`,
	},
	{
		name: "9113-8.1.1/no_client_hammers",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		},
		client: func(p *play) {
			dials := p.dials()
			for range 10 {
				resp, err := p.tr.RoundTrip(p.request("GET", "/", nil, "Te", "gzip"))
				if err != nil {
					p.note("client", "%s", fault(err))
					return
				}
				resp.Body.Close()
			}
			// Each may be dialled for twice: the connection that a request was to leave on may be
			// given up for the request before.
			p.note("client", "10 answers, hammered: %v", dials() > 20)
		},
		want: `client: 10 answers, hammered: false`,
	},
	{
		name:    "9110-8.6/content_length_twice",
		handler: readAll,
		client: func(p *play) {
			p.wire("HEADERS 1 POST content-length=5 content-length=5", `DATA 1 END_STREAM "hello"`)
		},
		want: `handler: length=5 read=5 ok | wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-8.1.1/content_lengths_that_are_none",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) { p.note("handler", "%d", r.ContentLength) },
		client: func(p *play) {
			p.ask("GET", "/", "content-length", "many")
			p.ask("GET", "/", "content-length", "0", "content-length", "5")
		},
		what:    "a content-length that is no number, or two that differ",
		nethttp: `client: 200; 200 | handler: 0; 0`,
		go127:   `client: 200; RST_STREAM PROTOCOL_ERROR | handler: 0`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR`,
		why:     "malformed (RFC 9110, 8.6): nobody behind can take the one and weir the other",
	},
	{
		name:    "9113-8.2.2/te",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) { p.note("handler", "%q", r.Header["Te"]) },
		client:  func(p *play) { p.ask("GET", "/", "te", "") },
		want:    `client: 200 | handler: [""]`,
	},
	{
		name:    "3986-3.3/paths_with_a_space_or_a_fragment",
		handler: served,
		client: func(p *play) {
			p.ask("GET", "/a b")
			p.ask("GET", "/a#b")
			p.ask("GET", "/a?b c")
		},
		what:    "a path with a space or a `#`",
		nethttp: `client: 200; 200; 200 | handler: GET example.test "/a%20b" []; GET example.test "/a%23b" []; GET example.test "/a?b c" []`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR`,
		why:     "malformed (RFC 9113, 8.3.1, and RFC 3986, 3.3): no URL has one, and whoever writes the path into a line of HTTP/1.1 or of a log is told another",
	},
	{
		name:    "9110-7.1/targets_of_other_forms",
		handler: served,
		client: func(p *play) {
			p.ask("GET", "*")
			p.ask("GET", "http://other.test/x")
			p.ask("GET", "x:y")
		},
		what:    "`GET *`, and a `:path` that is a whole URL",
		nethttp: `client: 200; 200; 200 | handler: GET example.test "*" []; GET example.test "http://other.test/x" []; GET example.test "x:y" []`,
		go127:   `client: 200; RST_STREAM PROTOCOL_ERROR; RST_STREAM PROTOCOL_ERROR | handler: GET example.test "*" []`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR`,
		why:     "malformed: `:path` begins with a slash, and is `*` for OPTIONS alone (RFC 9113, 8.3.1)",
	},
	{
		name:    "9110-9.1/methods_that_are_no_token",
		handler: served,
		client: func(p *play) {
			p.ask("G T", "/")
			p.ask("GET/", "/")
			p.ask("GÉT", "/")
		},
		what:    "a method that is no token",
		nethttp: `client: 200; 200; 200 | handler: G T example.test "/" []; GET/ example.test "/" []; GÉT example.test "/" []`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR`,
		why:     "malformed (RFC 9110, 9.1)",
	},
	{
		name:    "9110-4.2.1/no_host",
		handler: served,
		client: func(p *play) {
			p.askPath("GET", p.scheme(), "", "/")
			p.askFields(":method", "GET", ":scheme", p.scheme(), ":path", "/")
		},
		what:    "a request without a host: `:authority` empty, or neither it nor `host`",
		nethttp: `client: 200; 200 | handler: GET  "/" []; GET  "/" []`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR`,
		why:     "malformed: an http URI has a host (RFC 9110, 4.2.1), and HTTP/1.1 has 400 for it, too",
	},
	{
		name:    "3986-3.2/odd_authorities",
		handler: served,
		client: func(p *play) {
			for _, a := range []string{"a b", "a/b", "a?b", "a#b", "a,b.test", "[::1", "a:port", "ä.test"} {
				p.askPath("GET", p.scheme(), a, "/")
			}
		},
		what: "an authority that is none",
		nethttp: `client: 200; 200; 200; 200; 200; 200; 200; 200 | handler: GET a b "/" []; GET a/b "/" []; GET a?b "/" []; GET a#b "/" []; GET a,b.test "/" []; ` +
			`GET [::1 "/" []; GET a:port "/" []; GET ä.test "/" []`,
		weir: `client: 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; 200; 200; 200; ` +
			`400 RST_STREAM PROTOCOL_ERROR | handler: GET a,b.test "/" []; GET [::1 "/" []; GET a:port "/" []`,
		why: "with octets that no authority has it is malformed (RFC 3986, 3.2); no more is looked at",
	},
	{
		name:    "3986-3.1/scheme_in_upper_case",
		handler: served,
		client:  func(p *play) { p.askPath("GET", strings.ToUpper(p.scheme()), "a.test", "/") },
		what:    "`:scheme` in upper case",
		nethttp: `client: RST_STREAM PROTOCOL_ERROR`,
		weir:    `client: 200 | handler: GET a.test "/" []`,
		why:     "served: case means nothing in a scheme (RFC 3986, 3.1)",
	},
	{
		name:    "6585-5/too_large_POST",
		server:  func(_ *play, hs *http.Server) { hs.MaxHeaderBytes = 8192 },
		handler: served,
		client: func(p *play) {
			big := []string{"x-one", strings.Repeat("a", 5000), "x-two", strings.Repeat("b", 5000)}
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/", append(big, "content-length", "15")...)
			tn.Write([]byte("fifteen octets."))
			p.note("client", "%s %d", broken(tn.Answer(patient)), tn.Status)
			tn.CloseWrite()
		},
		want: `client: ok 431`,
	},
	{
		name:    "6585-5/body_behind_431",
		server:  func(_ *play, hs *http.Server) { hs.MaxHeaderBytes = 8192 },
		handler: served,
		client: func(p *play) {
			for _, late := range []time.Duration{500 * time.Millisecond, 2 * time.Second} {
				tn := p.open(p.peer(h2test.Options{}), false, "POST", "/", "x-one", strings.Repeat("a", 5000), "x-two", strings.Repeat("b", 5000))
				tn.Answer(patient)
				time.Sleep(late)
				tn.Write([]byte("hello"))
				tn.CloseWrite()
				p.told(tn)
			}
		},
		what:    "the body of a request that was answered 431",
		nethttp: `client: 431 RST_STREAM NO_ERROR; 431 RST_STREAM NO_ERROR`,
		weir:    `client: 431; 431 RST_STREAM NO_ERROR`,
		why:     "taken for a second before RST_STREAM(NO_ERROR): curl takes that for a failure, and forgets the answer",
	},
	{
		name:    "6585-5/HEAD_gets_no_DATA",
		server:  func(_ *play, hs *http.Server) { hs.MaxHeaderBytes = 8192 },
		handler: served,
		client: func(p *play) {
			p.wire("HEADERS 1 END_STREAM HEAD a=" + strings.Repeat("a", 5000) + " b=" + strings.Repeat("b", 5000))
			p.notes["wire"] = []string{fmt.Sprint(len(p.notes["wire"])), p.notes["wire"][0][:len("HEADERS 1 END_STREAM :status=431")]}
		},
		want: `wire: 1; HEADERS 1 END_STREAM :status=431`,
	},
	{
		name:   "net/http/MaxHeaderBytes_slop",
		server: func(_ *play, hs *http.Server) { hs.MaxHeaderBytes = 8192 },
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "called")
		},
		client: func(p *play) {
			head := 0
			for _, kv := range [][2]string{{":method", "GET"}, {":scheme", p.scheme()}, {":authority", "example.test"}, {":path", "/"}, {"x", ""}} {
				head += len(kv[0]) + len(kv[1]) + 32
			}
			for _, n := range []int{8192 + 320 - head, 8192 + 320 - head + 1} {
				p.ask("GET", "/", "x", strings.Repeat("a", n))
			}
		},
		want: `client: 200; 431 | handler: called`,
	},
	{
		name: "net/http/more_than_500_fields",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%d", len(r.Header["X"]))
		},
		client: func(p *play) {
			var fields []string
			for range 600 {
				fields = append(fields, "x", "1")
			}
			p.ask("GET", "/", fields...)
		},
		what:    "a request with more than 500 fields",
		nethttp: `client: 200 | handler: 600`,
		go127:   `client: 431`,
		weir:    `client: 431`,
		why:     "431: a field costs more than its octets; Config.MaxHeaderFields raises it",
	},
	{
		name: "9113-6.8/GOAWAY_of_the_client",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			served(p, w, r)
		},
		client: func(p *play) {
			p.wire("HEADERS 1 POST", "GOAWAY 0 NO_ERROR", "HEADERS 3 END_STREAM GET", "DATA 1 END_STREAM")
			slices.Sort(p.notes["handler"])
			slices.Sort(p.notes["wire"])
		},
		what:    "GOAWAY from the client",
		nethttp: `handler: POST example.test "/" [] | wire: GOAWAY 1 NO_ERROR; HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		weir: `handler: GET example.test "/" []; POST example.test "/" [] | wire: GOAWAY 3 NO_ERROR; HEADERS 1 END_STREAM :status=200 content-length=0 date=now; ` +
			`HEADERS 3 END_STREAM :status=200 content-length=0 date=now`,
		why: "streams that it opens behind it are served, and ours follows when the last has ended (RFC 9113, 6.8)",
	},
}
