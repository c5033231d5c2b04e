package h2_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
)

// patient bounds what cannot take long in a bubble.
const patient = time.Minute

// zeros gives n octets, and does not say how many.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// echo sends back what it reads, at once.
func echo(p *play, w http.ResponseWriter, r *http.Request) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Body.Read(buf)
		if n > 0 {
			w.Write(buf[:n])
			w.(http.Flusher).Flush()
		}
		if err != nil {
			p.note("handler", "%s", fault(err))
			return
		}
	}
}

// readAll notes how much of the body came, and how it ended.
func readAll(p *play, _ http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	p.note("handler", "length=%d read=%d %s", r.ContentLength, n, fault(err))
}

// traced makes the client note informational answers.
func (p *play) traced(r *http.Request) *http.Request {
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got100Continue: func() { p.note("client", "got 100") },
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			p.note("client", "%d %s", code, headerText(http.Header(h)))
			return nil
		},
	}))
}

var parityBodies = []parityCase{
	{
		name:    "9113-8.1/body_small_large_empty_unknown",
		handler: readAll,
		client: func(p *play) {
			p.do(p.request("POST", "/", strings.NewReader("hello")))
			p.do(p.request("POST", "/", bytes.NewReader(make([]byte, 300_000))))
			p.do(p.request("POST", "/", zeros(0)))
			p.do(p.request("POST", "/", zeros(100_000)))
		},
		want: `client: 200; 200; 200; 200 | handler: length=5 read=5 ok; length=300000 read=300000 ok; length=-1 read=0 ok; length=-1 read=100000 ok`,
	},
	{
		name:    "9113-8.1/full_duplex",
		handler: echo,
		client: func(p *play) {
			r, w := io.Pipe()
			done := make(chan struct{})
			go func() { // ends with the request
				defer close(done)
				resp, err := p.tr.RoundTrip(p.request("POST", "/", r))
				if err != nil {
					p.note("client", "%s", fault(err))
					return
				}
				defer resp.Body.Close()
				buf := make([]byte, 10)
				for {
					n, err := resp.Body.Read(buf)
					if err != nil {
						p.note("client", "%s", fault(err))
						return
					}
					p.note("client", "%s", buf[:n])
				}
			}()
			for _, s := range []string{"one", "two", "three"} {
				io.WriteString(w, s)
				synctest.Wait()
			}
			w.Close()
			<-done
		},
		want: `client: one; two; three; EOF | handler: EOF`,
	},
	{
		name: "9113-8.1.1/body_longer_than_declared",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			p.note("handler", "%s", broken(err))
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/", "content-length", "3")
			tn.Write([]byte("hello"))
			p.told(tn)
			synctest.Wait()
		},
		what:    "a body longer than its content-length",
		nethttp: `client: RST_STREAM PROTOCOL_ERROR | handler: error`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR | handler: error`,
		why:     "400 first, unless the answer has begun, as for every malformed request",
	},
	{
		name: "9113-8.1.1/body_shorter_than_declared",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			p.note("handler", "%s", broken(err))
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/", "content-length", "8")
			tn.Write([]byte("hello"))
			tn.CloseWrite()
			p.told(tn)
			synctest.Wait()
		},
		what:    "a body shorter than its content-length",
		nethttp: `client: 200 | handler: error`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR | handler: error`,
		why:     "malformed (RFC 9113, 8.1.1), as a longer one is; the handler's Read fails on both",
	},
	{
		name: "9113-8.1.1/length_declared_and_no_body",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			p.note("handler", "%d %s", r.ContentLength, broken(err))
		},
		client:  func(p *play) { p.ask("POST", "/", "content-length", "5") },
		what:    "a content-length and no body at all",
		nethttp: `client: 200 | handler: 0 ok`,
		go127:   `client: RST_STREAM PROTOCOL_ERROR`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR`,
		why:     "malformed as well (RFC 9113, 8.1.1)",
	},
	{
		name: "net/http/body_read_after_handler",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			go func() {
				<-p.turn
				_, err := r.Body.Read(make([]byte, 1))
				p.note("handler", "%s", broken(err))
				p.turn <- struct{}{}
			}()
			r.Body.Read(make([]byte, 1)) // the rest has arrived as well
		},
		client: func(p *play) {
			p.wire("HEADERS 1 POST", `DATA 1 END_STREAM "hello"`)
			p.turn <- struct{}{}
			<-p.turn
		},
		what:    "Body.Read after ServeHTTP has returned",
		nethttp: `handler: ok | wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		go127:   `handler: error | wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		weir:    `handler: error | wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		why:     "http.ErrBodyReadAfterClose, whatever had arrived: a handler's mistake shows at once",
	},
	{
		name: "net/http/body_blocked_read_ends_with_handler",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			go func() { // ends when the handler has returned
				_, err := r.Body.Read(make([]byte, 1))
				p.note("handler", "%s", broken(err))
				close(p.turn)
			}()
			synctest.Wait()
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			<-p.turn
			p.note("client", "%s %d", broken(tn.Answer(patient)), tn.Status)
		},
		want: `client: ok 200 | handler: error`,
	},
	{
		name: "net/http/body_closed_then_read",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			err := r.Body.Close()
			_, rerr := r.Body.Read(make([]byte, 1))
			p.note("handler", "%s %s", fault(err), broken(rerr))
		},
		client: func(p *play) { p.do(p.request("POST", "/", strings.NewReader("hello"))) },
		want:   `client: 200 | handler: ok error`,
	},
	{
		name: "9113-8.1/unread_body_is_cut_with_NO_ERROR",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second) // until the part has arrived
			io.WriteString(w, "enough")
		},
		client: func(p *play) { p.wire("HEADERS 1 POST", `DATA 1 "part"`) },
		want:   `wire: HEADERS 1 :status=200 content-length=6 "content-type=text/plain; charset=utf-8" date=now; DATA 1 END_STREAM "enough"; RST_STREAM 1 NO_ERROR`,
	},
	{
		name: "9113-8.1/unread_large_upload_does_not_block",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
		},
		client: func(p *play) {
			p.do(p.request("POST", "/", zeros(10<<20)))
			p.do(p.request("POST", "/", zeros(10<<20))) // the connection's window is whole
		},
		want: `client: 403; 403`,
	},
	{
		name:    "9113-8.1/request_trailers",
		handler: trailersSeen,
		client: func(p *play) {
			r := p.request("POST", "/", zeros(1000))
			r.Trailer = http.Header{"X-Sum": {"abc"}, "X-More": {"1", "2"}}
			p.do(r)
		},
		want: `client: 200 | handler: before X-More=[] X-Sum=[]; header ; after X-More=["1" "2"] X-Sum=["abc"]`,
	},
	{
		name:    "9113-8.1/request_trailers_not_announced",
		handler: trailersSeen,
		client: func(p *play) {
			p.wire("HEADERS 1 POST trailer=x-sum", `DATA 1 "part"`, "HEADERS 1 END_STREAM x-sum=abc x-surprise=1")
		},
		what:    "request trailers that the Trailer field did not announce",
		nethttp: `handler: before X-Sum=[]; header ; after X-Sum=["abc"] | wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		weir:    `handler: before X-Sum=[]; header ; after X-Sum=["abc"] X-Surprise=["1"] | wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		why:     "Request.Trailer has them, as net/http does it over HTTP/1.1: announcing is optional (RFC 9110, 6.6.2)",
	},
	{
		name: "9110-10.1.1/expect_100_continue_read",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			p.note("handler", "%q %q", r.Header["Expect"], b)
		},
		client: func(p *play) {
			p.tr.ExpectContinueTimeout = time.Hour
			p.do(p.traced(p.request("POST", "/", strings.NewReader("hello"), "Expect", "100-continue")))
		},
		want: `client: 100 ; got 100; 200 | handler: [] "hello"`,
	},
	{
		name: "9110-10.1.1/expect_100_continue_not_read",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusExpectationFailed)
		},
		client: func(p *play) {
			p.tr.ExpectContinueTimeout = time.Hour
			start := time.Now()
			p.do(p.traced(p.request("POST", "/", strings.NewReader("hello"), "Expect", "100-continue")))
			p.note("client", "%v", time.Since(start))
		},
		want: `client: 417; 0s`,
	},
	{
		name: "9110-10.1.1/no_100_after_the_answer",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			n, _ := io.Copy(io.Discard, r.Body)
			p.note("handler", "%d", n)
		},
		client: func(p *play) { p.wire("HEADERS 1 POST expect=100-continue", `DATA 1 END_STREAM "late"`) },
		want:   `handler: 4 | wire: HEADERS 1 :status=200 date=now; DATA 1 END_STREAM`,
	},
	{
		name:    "9110-10.1.1/other_expectations_are_the_handlers",
		handler: showHeader,
		client:  func(p *play) { p.ask("POST", "/", "expect", "miracles") },
		want:    `client: 200 | handler: Expect=["miracles"]`,
	},
	{
		name: "net/http/MaxBytesReader",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 1000)
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%d %s", n, fault(err))
			http.Error(w, "too much", http.StatusRequestEntityTooLarge)
		},
		client: func(p *play) {
			p.do(p.request("POST", "/", zeros(1000)))
			p.do(p.request("POST", "/", zeros(4<<20)))
		},
		want: `client: 413 "too much\n"; 413 "too much\n" | handler: 1000 ok; 1000 MaxBytesError`,
	},
	{
		name: "net/http/MaxBytesHandler",
		server: func(p *play, hs *http.Server) {
			hs.Handler = http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(w, r.Body)
				p.note("handler", "%d %s", n, fault(err))
			}), 10)
		},
		client: func(p *play) {
			p.do(p.request("POST", "/", strings.NewReader("just right")))
			p.do(p.request("POST", "/", strings.NewReader("just too much")))
		},
		want: `client: 200 "just right"; 200 "just too m" | handler: 10 ok; 10 MaxBytesError`,
	},
	{
		name:    "9113-6.9/large_upload",
		handler: readAll,
		client:  func(p *play) { p.do(p.request("PUT", "/", zeros(20<<20))) },
		want:    `client: 200 | handler: length=-1 read=20971520 ok`,
	},
	{
		name: "9113-6.9/upload_waits_for_a_slow_handler",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 64<<10)
			n, m := 0, 0
			var err error
			for ; err == nil; n += m {
				time.Sleep(time.Second)
				m, err = r.Body.Read(buf)
			}
			p.note("handler", "%d %s", n, fault(err))
		},
		client: func(p *play) { p.do(p.request("PUT", "/", zeros(2<<20))) },
		want:   `client: 200 | handler: 2097152 EOF`,
	},
}

// trailersSeen notes Request.Trailer before and after the body.
func trailersSeen(p *play, _ http.ResponseWriter, r *http.Request) {
	p.note("handler", "before %s", headerText(r.Trailer))
	p.note("handler", "header %s", strings.Join(r.Header["Trailer"], ","))
	io.Copy(io.Discard, r.Body)
	p.note("handler", "after %s", headerText(r.Trailer))
}
