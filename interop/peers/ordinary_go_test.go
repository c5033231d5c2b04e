package peers

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

var streamID = regexp.MustCompile(`stream ID \d+`)

// goSaw is what Go's client sees of the answer to req: informational answers, status, fields, body,
// trailers and the error.
func goSaw(c *http.Client, req *http.Request) string {
	var early strings.Builder
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		fmt.Fprintf(&early, "%d %s ", code, fields(http.Header(h)))
		return nil
	}})
	resp, err := c.Do(req.WithContext(ctx))
	if err != nil {
		return early.String() + goFault(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if resp.Header.Get("Content-Range") != "" && strings.HasPrefix(resp.Header.Get("Content-Type"), "multipart/") {
		resp.Header.Del("Content-Type")
	}
	return fmt.Sprintf("%s%s %d %s length %d, %s %s, trailers %s", early.String(), resp.Proto, resp.StatusCode, fields(resp.Header), resp.ContentLength, summary(b), fault(err), fields(resp.Trailer))
}

// goFault is an error of Go's client without the URL.
func goFault(err error) string {
	var inner interface{ Unwrap() error }
	for errors.As(err, &inner) && strings.Contains(err.Error(), "127.0.0.1") {
		err = inner.Unwrap()
	}
	return fault(err)
}

// goAct is an act of one request.
func goAct(name, method, path string, body func() io.Reader, set func(*http.Request), want string) act {
	return act{name: name, want: want, do: func(s *site) string {
		c := &http.Client{Transport: s.transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		return goSaw(c, s.request(method, path, body, set))
	}}
}

func (s *site) request(method, path string, body func() io.Reader, set func(*http.Request)) *http.Request {
	s.t.Helper()
	var r io.Reader
	if body != nil {
		r = body()
	}
	req, err := http.NewRequestWithContext(bounded(s.t), method, s.origin+path, r)
	if err != nil {
		s.t.Fatal(err)
	}
	if set != nil {
		set(req)
	}
	return req
}

// differs makes a documented difference of it.
func (a act) differs(why, nethttp, weir string) act {
	a.why, a.nethttp, a.weir = why, nethttp, weir
	return a
}

// octets is a body that the client knows the length of; chunks is one that it does not.
func octets(n int) func() io.Reader { return func() io.Reader { return bytes.NewReader(pattern(n)) } }
func chunks(n int) func() io.Reader {
	return func() io.Reader { return struct{ io.Reader }{bytes.NewReader(pattern(n))} }
}

func header(pairs ...string) func(*http.Request) {
	return func(r *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			r.Header.Add(pairs[i], pairs[i+1])
		}
	}
}

func TestOrdinaryGo(t *testing.T) {
	acts := []act{
		goAct("GET", "GET", "/saw?q=1&r=a+b", nil, header("X-A", "1", "X-A", "2", "Cookie", "a=1; b=2"), ""),
		goAct("GET_declared", "GET", "/declared?n=100000", nil, nil, ""),
		goAct("HEAD", "HEAD", "/bytes?n=100", nil, nil, ""),
		goAct("HEAD_declared", "HEAD", "/declared?n=100000", nil, nil, ""),
		goAct("OPTIONS", "OPTIONS", "/saw", nil, nil, ""),
		goAct("DELETE", "DELETE", "/saw", nil, nil, ""),
		goAct("PATCH", "PATCH", "/saw", octets(10), nil, ""),
		goAct("method_of_its_own", "PROPFIND", "/saw", octets(10), header("Depth", "1"), ""),
		goAct("GET_with_a_body", "GET", "/saw", octets(10), nil, ""),
		goAct("POST_empty", "POST", "/upload", octets(0), nil, ""),
		goAct("POST_unknown_length", "POST", "/upload", chunks(300_000), nil, ""),
		goAct("PUT_20_MiB", "PUT", "/upload", octets(20<<20), nil, ""),
		goAct("GET_20_MiB", "GET", "/bytes?n=20971520", nil, nil, ""),
		goAct("echo_5_MiB", "POST", "/echo", octets(5<<20), nil, ""),
		goAct("redirect", "GET", "/redirect?code=302&to=/saw", nil, nil, ""),
		goAct("range", "GET", "/content", nil, header("Range", "bytes=10-19"), ""),
		goAct("range_to_the_end", "GET", "/content", nil, header("Range", "bytes=-5"), ""),
		goAct("range_beyond", "GET", "/content", nil, header("Range", "bytes=200000-"), ""),
		goAct("not_modified", "GET", "/content", nil, header("If-None-Match", `"v1"`), ""),
		goAct("precondition_failed", "PUT", "/content", octets(3), header("If-Match", `"v0"`), ""),
		goAct("gzip", "GET", "/gzip", nil, nil, ""),
		goAct("gzip_as_it_is", "GET", "/gzip", nil, header("Accept-Encoding", "gzip"), ""),
		goAct("204", "GET", "/status?code=204", nil, nil, ""),
		goAct("304", "GET", "/status?code=304", nil, nil, ""),
		goAct("404", "GET", "/nowhere", nil, nil, ""),
		goAct("418", "POST", "/status?code=418", octets(10), nil, ""),
		goAct("500", "GET", "/status?code=500", nil, nil, ""),
		goAct("599", "GET", "/status?code=599", nil, nil, ""),
		goAct("103", "GET", "/hints", nil, nil, ""),
		goAct("trailers", "GET", "/trailers", nil, nil, "").differs("Content-Length of an answer with trailers",
			`HTTP/2.0 200 [Content-Length=["4"] Content-Type=["text/plain; charset=utf-8"] Date] length 4, "body" whole, trailers [X-Announced=["yes"] X-Late=["too"]]`,
			`HTTP/2.0 200 [Content-Type=["text/plain; charset=utf-8"] Date] length -1, "body" whole, trailers [X-Announced=["yes"] X-Late=["too"]]`),
		goAct("trailers_without_body", "GET", "/trailers/only", nil, nil, "").differs("Content-Length of an answer with trailers",
			`HTTP/2.0 200 [Content-Length=["0"] Date] length 0, "" whole, trailers [X-Announced=["yes"]]`,
			`HTTP/2.0 200 [Date] length -1, "" whole, trailers [X-Announced=["yes"]]`),
		goAct("trailers_of_HEAD", "HEAD", "/trailers", nil, nil, "").differs("Content-Length of an answer with trailers",
			`HTTP/2.0 200 [Content-Length=["4"] Content-Type=["text/plain; charset=utf-8"] Date] length 4, "" whole, trailers [X-Announced=[]]`,
			`HTTP/2.0 200 [Content-Type=["text/plain; charset=utf-8"] Date] length -1, "" whole, trailers [X-Announced=[]]`),
		goAct("trailers_of_the_request", "POST", "/upload", chunks(1000), func(r *http.Request) {
			r.Trailer = http.Header{"X-Sent": {"later"}}
		}, ""),
		goAct("aborted_answer", "GET", "/abort", nil, nil, ""),
		goAct("aborted_before", "POST", "/abort/first", octets(10), nil, ""),
		goAct("expect_continue", "POST", "/upload", octets(100_000), header("Expect", "100-continue"), ""),
		goAct("expect_refused", "POST", "/early?code=403", octets(100_000), header("Expect", "100-continue"), ""),
		goAct("many_fields", "GET", "/fields?n=200", nil, nil, ""),
		goAct("large_field", "GET", "/saw", nil, header("X-Large", strings.Repeat("x", 30_000)), ""),
		{name: "white_space_around_a_value", do: func(s *site) string {
			return goStatus(&http.Client{Transport: s.transport()}, s.request("GET", "/saw", nil, header("Authorization", "Bearer ")))
		}, want: "200"},
		goAct("Connection_close", "GET", "/saw", nil, func(r *http.Request) { r.Close = true }, ""),
		goAct("obs_text_in_a_value", "GET", "/saw", nil, header("X-Text", "gr\xfc\xdfe"), ""),
		goAct("odd_path", "GET", "/saw/../saw", nil, nil, ""),
		goAct("escaped_path", "GET", "/saw%2fx", nil, nil, ""),
		{
			name: "path_with_a_space", // url.URL escapes it
			do: func(s *site) string {
				return goSaw(&http.Client{Transport: s.transport()}, s.request("GET", "/saw", nil, func(r *http.Request) { r.URL.RawQuery = "a%20b=c" }))
			},
		},
		{
			name: "short_answer", // on weir the reset, on net/http the length tells it
			do: func(s *site) string {
				_, err := fetch((&http.Client{Transport: s.transport()}).Do(s.request("GET", "/short", nil, nil)))
				return bad(err)
			},
			want: "failed",
		},
		{name: "PUT_of_many_at_once", do: func(s *site) string {
			c := &http.Client{Transport: s.transport()}
			seen := map[string]int{}
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					got := goSaw(c, s.request("PUT", "/upload", octets(200_000), nil))
					mu.Lock()
					defer mu.Unlock()
					seen[got]++
				})
			}
			wg.Wait()
			return fmt.Sprint(seen)
		}},
		{name: "form", do: func(s *site) string {
			body := func() io.Reader { return strings.NewReader("a=1&b=x+y") }
			return goSaw(&http.Client{Transport: s.transport()}, s.request("POST", "/form?c=3", body, header("Content-Type", "application/x-www-form-urlencoded")))
		}},
		{name: "multipart", do: func(s *site) string {
			var b bytes.Buffer
			m := multipart.NewWriter(&b)
			m.WriteField("a", "1")
			f, _ := m.CreateFormFile("file", "name.bin")
			f.Write(pattern(500_000))
			m.Close()
			return goSaw(&http.Client{Transport: s.transport()}, s.request("POST", "/form", func() io.Reader { return &b }, header("Content-Type", m.FormDataContentType())))
		}},
		{name: "early_answer_to_a_large_upload", do: func(s *site) string {
			c := &http.Client{Transport: s.transport()}
			first := goSaw(c, s.request("POST", "/early?code=413", chunks(20<<20), nil))
			return first + "; then " + goSaw(c, s.request("GET", "/saw", nil, nil))
		}},
		{name: "413", do: func(s *site) string {
			c := &http.Client{Transport: s.transport()}
			first := goSaw(c, s.request("POST", "/limit", octets(20<<20), nil))
			return first + "; then " + goSaw(c, s.request("POST", "/limit", octets(1<<20), nil))
		}},
		{name: "more_fields_than_advertised", serve: func(hs *http.Server) { hs.MaxHeaderBytes = 8 << 10 }, do: func(s *site) string {
			c := &http.Client{Transport: s.transport()}
			first := goStatus(c, s.request("GET", "/saw", nil, nil)) // by then the client has the server's SETTINGS
			return first + ", " + goStatus(c, s.request("GET", "/saw", nil, header("X-A", strings.Repeat("a", 5000), "X-B", strings.Repeat("b", 5000))))
		}, want: "200, http2: request header list larger than peer's advertised limit"},
		{name: "cancelled_while_waiting", do: func(s *site) string {
			ctx, cancel := context.WithCancel(s.t.Context())
			defer cancel()
			resp, err := (&http.Client{Transport: s.transport()}).Do(s.request("GET", "/wait", nil, nil).WithContext(ctx))
			if err != nil {
				return goFault(err)
			}
			defer resp.Body.Close()
			resp.Body.Read(make([]byte, 7))
			cancel()
			_, err = resp.Body.Read(make([]byte, 1))
			return fmt.Sprintf("%s, %s", fault(err), s.noted(1))
		}, want: "context canceled, the client has gone: context canceled, read EOF"},
		{name: "answer_dropped_half_way", do: func(s *site) string {
			c := &http.Client{Transport: s.transport()}
			resp, err := c.Do(s.request("GET", "/endless", nil, nil))
			if err != nil {
				return goFault(err)
			}
			io.CopyN(io.Discard, resp.Body, 100_000)
			resp.Body.Close()
			return s.noted(1) + ", then " + goStatus(c, s.request("GET", "/saw", nil, nil))
		}, want: "write failed: context canceled, then 200"},
		{name: "upload_given_up", do: func(s *site) string {
			c := &http.Client{Transport: s.transport()}
			r, w := io.Pipe()
			go func() { // ends with the upload
				w.Write(pattern(100_000))
				w.CloseWithError(errors.New("given up"))
			}()
			_, err := c.Do(s.request("POST", "/swallow", func() io.Reader { return r }, nil))
			return goFault(err) + ", " + s.noted(1)
		}, want: "given up, body ended: failed"},
		{name: "upload_shorter_than_it_said", do: func(s *site) string {
			req := s.request("POST", "/swallow", chunks(100), func(r *http.Request) { r.ContentLength = 200 })
			_, err := (&http.Client{Transport: s.transport()}).Do(req)
			return bad(err) + ", " + s.noted(1)
		}, want: "whole, body ended: failed"},
		{name: "server_sent_events", do: func(s *site) string {
			resp, err := (&http.Client{Transport: s.transport()}).Do(s.request("GET", "/events", nil, nil))
			if err != nil {
				return goFault(err)
			}
			defer resp.Body.Close()
			var all strings.Builder
			buf := make([]byte, 100)
			for {
				n, err := resp.Body.Read(buf)
				fmt.Fprintf(&all, "%q %s, ", buf[:n], fault(err))
				if err != nil {
					return all.String()
				}
				if n > 0 {
					all.WriteString(s.step())
				}
			}
		}, want: `"data: 0\n\n" whole, "data: 1\n\n" whole, "data: 2\n\n" whole, "" EOF, `},
		{name: "both_ways_at_once", do: func(s *site) string {
			r, w := io.Pipe()
			resp, err := (&http.Client{Transport: s.transport()}).Do(s.request("POST", "/echo", func() io.Reader { return r }, nil))
			if err != nil {
				return goFault(err)
			}
			defer resp.Body.Close()
			buf := make([]byte, 1000)
			for i := range 200 {
				w.Write(pattern(1 + i))
				if _, err := io.ReadFull(resp.Body, buf[:1+i]); err != nil || !bytes.Equal(buf[:1+i], pattern(1+i)) {
					return fmt.Sprintf("%d: %q %s", i, buf[:1+i], fault(err))
				}
			}
			w.Close()
			b, err := io.ReadAll(resp.Body)
			return fmt.Sprintf("%q %s %s", b, fault(err), fields(resp.Trailer))
		}, want: `"" whole [X-Sum=["20100 EOF []"]]`},
		{name: "connection_of_Connection_close", do: func(s *site) string {
			c := &http.Client{Transport: s.transport()}
			get := func(path string) string {
				resp, err := c.Do(s.request("GET", path, nil, nil))
				b, err := fetch(resp, err)
				return string(b) + fmt.Sprint(err)
			}
			a, b := get("/address"), get("/close")
			return fmt.Sprintf("the same %t, then %t", a == b, b == get("/address"))
		}, want: "the same true, then false"},
		{name: "shutdown_while_streaming", do: func(s *site) string {
			c := &http.Client{Transport: s.transport()}
			resp, err := c.Do(s.request("GET", "/events", nil, nil))
			if err != nil {
				return goFault(err)
			}
			down := make(chan error)
			go func() { down <- s.hs.Shutdown(bounded(s.t)) }() // ends with the stream
			var seen strings.Builder
			for range 3 {
				buf := make([]byte, 9)
				_, err := io.ReadFull(resp.Body, buf)
				fmt.Fprintf(&seen, "%q %s, %s", buf, fault(err), s.step())
			}
			rest, err := io.ReadAll(resp.Body)
			fmt.Fprintf(&seen, "%q %s", rest, fault(err))
			return seen.String() + fmt.Sprintf(", shutdown %v, ", <-down) + bad(errOf(c.Do(s.request("GET", "/saw", nil, nil))))
		}, want: `"data: 0\n\n" whole, "data: 1\n\n" whole, "data: 2\n\n" whole, "" whole, shutdown <nil>, failed`},
		{name: "more_than_MaxConcurrentStreams", serve: func(hs *http.Server) { hs.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 5} }, do: func(s *site) string {
			tr := s.transport()
			tr.MaxConnsPerHost = 1
			c := &http.Client{Transport: tr}
			done := make(chan string, 100)
			for range cap(done) {
				go func() { done <- goStatus(c, s.request("POST", "/echo", octets(10_000), nil)) }() // ends with its request
			}
			seen := map[string]int{}
			for range cap(done) {
				seen[<-done]++
			}
			return fmt.Sprint(seen)
		}, want: "map[200:100]"},
		{name: "pings_of_the_client", do: func(s *site) string {
			tr := s.transport()
			tr.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Millisecond}
			resp, err := (&http.Client{Transport: tr}).Do(s.request("GET", "/events", nil, nil))
			if err != nil {
				return goFault(err)
			}
			defer resp.Body.Close()
			var seen strings.Builder
			for range 3 {
				buf := make([]byte, 9)
				_, err := io.ReadFull(resp.Body, buf)
				time.Sleep(100 * time.Millisecond) // some ten pings
				fmt.Fprintf(&seen, "%q %s, %s", buf, fault(err), s.step())
			}
			return seen.String()
		}, want: `"data: 0\n\n" whole, "data: 1\n\n" whole, "data: 2\n\n" whole, `},
		{name: "small_windows_and_frames", do: func(s *site) string {
			tr := s.transport()
			tr.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 4096, MaxReceiveBufferPerConnection: 65_535, MaxReadFrameSize: 16_384}
			return goSaw(&http.Client{Transport: tr}, s.request("POST", "/echo", octets(1<<20), nil))
		}},
		{name: "HTTP_1.1_beside_it", do: func(s *site) string {
			tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols)}
			tr.Protocols.SetHTTP1(true)
			defer tr.CloseIdleConnections()
			return goSaw(&http.Client{Transport: tr}, s.request("POST", "/upload", octets(100_000), nil))
		}},
	}
	sameOnBoth(t, acts)
}

func goStatus(c *http.Client, req *http.Request) string {
	resp, err := c.Do(req)
	if err != nil {
		return goFault(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Sprintf("%d %s", resp.StatusCode, fault(err))
	}
	return fmt.Sprint(resp.StatusCode)
}

func errOf(resp *http.Response, err error) error {
	if err == nil {
		resp.Body.Close()
	}
	return err
}
