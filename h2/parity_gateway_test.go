package h2_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing/synctest"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// gateway makes the server a ReverseProxy of a server of HTTP/1.1 whose handler is backend.
func gateway(change func(*play, *httputil.ReverseProxy), backend http.HandlerFunc) func(*play,
	*http.Server) {
	return func(p *play, hs *http.Server) {
		hop := p.hop(backend)
		p.cleanup = hop.close
		target, err := url.Parse("http://backend.test")
		if err != nil {
			p.t.Fatal(err)
		}
		rp := &httputil.ReverseProxy{
			Transport: hop.tr, ErrorLog: hs.ErrorLog,
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		}
		if change != nil {
			change(p, rp)
		}
		hs.Handler = rp
	}
}

// front makes a server of HTTP/1.1 that is a ReverseProxy of the one that is tried.
func (p *play) front(change func(*httputil.ReverseProxy)) *parityHop {
	target, err := url.Parse(p.url(""))
	if err != nil {
		p.t.Fatal(err)
	}
	rp := &httputil.ReverseProxy{
		Transport: p.tr, ErrorLog: p.hs.ErrorLog,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}
	if change != nil {
		change(rp)
	}
	return p.hop(rp)
}

// through sends a request by way of a server in front.
func (p *play) through(hop *parityHop, method, path string, body io.Reader,
	kv ...string) *http.Response {
	r := p.request(method, path, body, kv...)
	r.URL.Scheme, r.URL.Host = "http", "proxy.test"
	resp, err := hop.tr.RoundTrip(r)
	if err != nil {
		p.note("client", "%s", broken(err))
		return nil
	}
	return resp
}

// broke notes an answer and whether its content ended well.
func (p *play) broke(resp *http.Response) {
	if resp == nil {
		return
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	p.note("client", "%d %d %s", resp.StatusCode, len(b), broken(err))
}

// parityGateways have a httputil.ReverseProxy before the server, or are one: headers, lengths, faults.
var parityGateways = []parityCase{
	{
		name: "net/http/ReverseProxy_headers_in_front",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s %s %s", r.Proto, r.Host, headerText(r.Header))
			w.Header().Set("X-Back", "1")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
		},
		client: func(p *play) {
			hop := p.front(nil)
			defer hop.close()
			resp := p.through(hop, "GET", "/x?y=1", nil, "Connection", "X-Hop, keep-alive", "X-Hop",
				"1", "Te", "trailers", "Keep-Alive", "1",
				"X-End", "2", "User-Agent", "me", "X-Forwarded-For", "9.9.9.9", "Cookie", "a=1",
				"Cookie", "b=2")
			p.answer(resp, "X-Back", "Set-Cookie")
		},
		want: `client: 200 X-Back=["1"] Set-Cookie=["a=1" "b=2"] | ` +
			`handler: HTTP/2.0 example.test Accept-Encoding=["gzip"] Cookie=["a=1; ` +
			`b=2"] Te=["trailers"] User-Agent=["me"] X-End=["2"]`,
	},
	{
		name: "net/http/ReverseProxy_headers_behind",
		server: gateway(nil, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Seen", fmt.Sprint(r.Proto, " ", r.Host, " ", headerText(r.Header)))
			w.Header().Set("Connection", "X-Hop")
			w.Header().Set("X-Hop", "1")
			w.Header().Set("Keep-Alive", "timeout=5")
		}),
		client: func(p *play) {
			p.do(p.request("GET", "/x", nil, "Te", "trailers", "User-Agent", "me", "X-End", "2",
				"Cookie", "a=1"),
				"X-Seen", "Connection", "X-Hop", "Keep-Alive", "Content-Length")
		},
		want: `client: 200 X-Seen=["HTTP/1.1 backend.test Accept-Encoding=[\"gzip\"] ` +
			`Cookie=[\"a=1\"] ` +
			`Te=[\"trailers\"] User-Agent=[\"me\"] X-End=[\"2\"]"] Content-Length=["0"]`,
	},
	{
		name: "net/http/ReverseProxy_methods_and_lengths_in_front",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%s %d %d %s", r.Method, r.ContentLength, n, fault(err))
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "hello")
		},
		client: func(p *play) {
			hop := p.front(nil)
			defer hop.close()
			for _, m := range []string{"GET", "HEAD", "DELETE"} {
				p.answer(p.through(hop, m, "/", nil), "Content-Length")
			}
			for _, m := range []string{"POST", "PUT"} {
				p.answer(p.through(hop, m, "/", strings.NewReader("body")), "Content-Length")
				p.answer(p.through(hop, m, "/", zeros(5)), "Content-Length")
			}
		},
		want: `client: 200 Content-Length=["5"] "hello"; 200 Content-Length=["5"]; ` +
			`200 Content-Length=["5"] "hello"; 200 Content-Length=["5"] "hello"; ` +
			`200 Content-Length=["5"] "hello"; 200 Content-Length=["5"] "hello"; ` +
			`200 Content-Length=["5"] "hello" | handler: GET 0 0 ok; HEAD 0 0 ok; DELETE 0 0 ok; ` +
			`POST 4 4 ok; POST -1 5 ok; PUT 4 4 ok; PUT -1 5 ok`,
	},
	{
		name: "net/http/ReverseProxy_methods_and_lengths_behind",
		server: gateway(nil, func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			w.Header().Set("X-Seen", fmt.Sprint(r.Method, r.ContentLength, r.TransferEncoding, n))
			io.WriteString(w, "hello")
		}),
		client: func(p *play) {
			for _, m := range []string{"GET", "HEAD", "DELETE"} {
				p.do(p.request(m, "/", nil), "X-Seen", "Content-Length")
			}
			p.do(p.request("POST", "/", strings.NewReader("body")), "X-Seen")
			p.do(p.request("POST", "/", zeros(5)), "X-Seen")
			p.do(p.request("POST", "/", nil), "X-Seen")
		},
		want: `client: 200 X-Seen=["GET0 [] 0"] Content-Length=["5"] "hello"; ` +
			`200 X-Seen=["HEAD0 [] 0"] Content-Length=["5"]; ` +
			`200 X-Seen=["DELETE0 [] 0"] Content-Length=["5"] "hello"; ` +
			`200 X-Seen=["POST4 [] 4"] "hello"; 200 X-Seen=["POST-1 [chunked] 5"] "hello"; ` +
			`200 X-Seen=["POST0 [] 0"] "hello"`,
	},
	{
		name: "net/http/ReverseProxy_large_both_ways_in_front",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%d %s", n, fault(err))
			io.Copy(w, zeros(3<<20))
		},
		client: func(p *play) {
			hop := p.front(nil)
			defer hop.close()
			p.broke(p.through(hop, "POST", "/", zeros(3<<20)))
		},
		want: `client: 200 3145728 ok | handler: 3145728 ok`,
	},
	{
		name: "net/http/ReverseProxy_large_both_ways_behind",
		server: gateway(nil, func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			w.Header().Set("X-Seen", fmt.Sprint(n))
			io.Copy(w, zeros(3<<20))
		}),
		client: func(p *play) { p.do(p.request("POST", "/", zeros(3<<20)), "X-Seen") },
		want:   `client: 200 X-Seen=["3145728"] len=3145728`,
	},
	{
		name: "net/http/ReverseProxy_of_a_handler_that_aborts",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/length":
				w.Header().Set("Content-Length", "100")
				fallthrough
			case "/chunked":
				io.WriteString(w, "part")
				w.(http.Flusher).Flush()
			}
			panic(http.ErrAbortHandler)
		},
		client: func(p *play) {
			hop := p.front(nil)
			defer hop.close()
			for _, path := range []string{"/length", "/chunked", "/before"} {
				p.broke(p.through(hop, "GET", path, nil))
			}
		},
		want: `client: error; 200 4 error; 502 0 ok`,
	},
	{
		name: "net/http/ReverseProxy_of_a_backend_that_aborts",
		server: gateway(nil, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/length":
				w.Header().Set("Content-Length", "100")
				fallthrough
			case "/chunked":
				io.WriteString(w, "part")
				w.(http.Flusher).Flush()
			}
			panic(http.ErrAbortHandler)
		}),
		client: func(p *play) {
			for _, path := range []string{"/length", "/chunked", "/before"} {
				p.get(path, "Content-Length")
			}
		},
		want: `client: RST_STREAM INTERNAL_ERROR; 200 "part" RST_STREAM INTERNAL_ERROR; ` +
			`502 Content-Length=["0"]`,
	},
	{
		name: "net/http/ReverseProxy_ModifyResponse_and_ErrorHandler",
		server: gateway(func(p *play, rp *httputil.ReverseProxy) {
			rp.ModifyResponse = func(resp *http.Response) error {
				if resp.StatusCode == http.StatusTeapot {
					return errors.New("no tea")
				}
				resp.Header.Set("X-Modified", "1")
				resp.Body = io.NopCloser(strings.NewReader("other"))
				resp.Header.Set("Content-Length", "5")
				resp.ContentLength = 5
				return nil
			}
			rp.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
				p.note("proxy", "%v", err)
				http.Error(w, "by hand", http.StatusBadGateway)
			}
		}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/tea" {
				w.WriteHeader(http.StatusTeapot)
			}
			io.WriteString(w, "content")
		}),
		client: func(p *play) {
			p.get("/", "X-Modified", "Content-Length")
			p.get("/tea", "X-Modified", "Content-Length")
		},
		want: `client: 200 X-Modified=["1"] Content-Length=["5"] "other"; ` +
			`502 Content-Length=["8"] "by hand\n" | proxy: no tea`,
	},
	{
		name: "net/http/ReverseProxy_of_server_sent_events",
		server: gateway(nil, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
				time.Sleep(time.Second)
			}
		}),
		client: func(p *play) {
			start := time.Now()
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.t.Fatal(err)
			}
			defer resp.Body.Close()
			buf := make([]byte, 100)
			for {
				n, err := resp.Body.Read(buf)
				if n > 0 {
					p.note("client", "%q %v", buf[:n], time.Since(start))
				}
				if err != nil {
					p.note("client", "%s %v", fault(err), time.Since(start))
					break
				}
			}
		},
		want: `client: "data: 0\n\n" 0s; "data: 1\n\n" 1s; "data: 2\n\n" 2s; EOF 3s`,
	},
	{
		name: "net/http/ReverseProxy_with_a_FlushInterval",
		server: gateway(func(_ *play,
			rp *httputil.ReverseProxy) {
			rp.FlushInterval = 100 * time.Millisecond
		},
			func(w http.ResponseWriter, r *http.Request) {
				for range 3 {
					io.WriteString(w, "x")
					w.(http.Flusher).Flush()
					time.Sleep(time.Second)
				}
			}),
		client: func(p *play) {
			start := time.Now()
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.t.Fatal(err)
			}
			defer resp.Body.Close()
			for {
				n, err := resp.Body.Read(make([]byte, 9))
				p.note("client", "%d %s %v", n, fault(err),
					time.Since(start).Round(500*time.Millisecond))
				if err != nil {
					break
				}
			}
		},
		want: `client: 1 ok 0s; 1 ok 1s; 1 ok 2s; 0 EOF 3s`,
	},
	{
		name: "net/http/ReverseProxy_tells_the_backend_of_a_cancel",
		server: gateway(nil, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}),
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			tn := p.open(peer, true, "GET", "/")
			p.note("client", "%s", broken(tn.Answer(patient)))
			tn.Reset(http2.ErrCodeCancel)
			synctest.Wait()
			p.note("client", "%v", peer.Err())
		},
		want: `client: ok; <nil>`,
	},
	{
		name: "net/http/ReverseProxy_tells_the_handler_of_a_cancel",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			waitsForContext(p, w, r)
		},
		client: func(p *play) {
			hop := p.front(func(rp *httputil.ReverseProxy) { rp.FlushInterval = -1 })
			defer hop.close()
			resp := p.through(hop, "GET", "/", nil)
			resp.Body.Close()
			synctest.Wait()
		},
		want: `handler: / context canceled context canceled`,
	},
	{
		name: "net/http/ReverseProxy_and_an_early_answer_in_front",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no", http.StatusForbidden)
		},
		client: func(p *play) {
			hop := p.front(nil)
			defer hop.close()
			p.broke(p.through(hop, "POST", "/", strings.NewReader("small")))
			p.broke(p.through(hop, "GET", "/", nil))
		},
		want: `client: 403 3 ok; 403 3 ok`,
	},
	{
		name: "net/http/ReverseProxy_and_an_early_answer_behind",
		server: gateway(nil, func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "no", http.StatusForbidden)
		}),
		client: func(p *play) {
			p.do(p.request("POST", "/", strings.NewReader("small")))
			p.get("/")
		},
		want: `client: 403 "no\n"; 403 "no\n"`,
	},
	{
		name: "net/http/ReverseProxy_and_many_informational_answers",
		server: gateway(nil, func(w http.ResponseWriter, r *http.Request) {
			for i := range 3 {
				w.Header().Set("X-Step", fmt.Sprint(i))
				w.WriteHeader(http.StatusProcessing)
			}
			w.Header().Set("X-Step", "end")
			io.WriteString(w, "done")
		}),
		client: func(p *play) { p.do(p.traced(p.request("GET", "/", nil)), "X-Step") },
		want: `client: 102 X-Step=["0"]; 102 X-Step=["1"]; 102 X-Step=["2"]; 200 ` +
			`X-Step=["end"] "done"`,
	},
	{
		name: "net/http/ReverseProxy_of_files",
		server: func(p *play, hs *http.Server) {
			gateway(nil, http.FileServerFS(parityFS()).ServeHTTP)(p, hs)
		},
		client: func(p *play) {
			p.get("/a.txt", fileFields...)
			p.do(p.request("GET", "/a.txt", nil, "Range", "bytes=2-4"), fileFields...)
			p.do(p.request("GET", "/a.txt", nil, "If-Modified-Since",
				"Sun, 09 Sep 2001 01:46:40 GMT"), fileFields...)
			p.do(p.request("HEAD", "/big.bin", nil), fileFields...)
			p.get("/big.bin", fileFields...)
		},
		want: `client: 200 Content-Length=["10"] Content-Type=["text/plain; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] ` +
			`Accept-Ranges=["bytes"] ` +
			`"0123456789"; ` +
			`206 Content-Length=["3"] Content-Range=["bytes 2-4/10"] Content-Type=["text/plain; ` +
			`charset=utf-8"] Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] ` +
			`Accept-Ranges=["bytes"] ` +
			`"234"; 304 Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"]; ` +
			`200 Content-Length=["1048576"] Content-Type=["application/octet-stream"] ` +
			`Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] Accept-Ranges=["bytes"]; ` +
			`200 Content-Length=["1048576"] Content-Type=["application/octet-stream"] ` +
			`Last-Modified=["Sun, 09 Sep 2001 01:46:40 GMT"] Accept-Ranges=["bytes"] len=1048576`,
	},
	{
		name: "net/http/ReverseProxy_to_itself_over_HTTP2",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/outer" {
				target, _ := url.Parse(p.url("/inner"))
				(&httputil.ReverseProxy{Transport: p.tr, FlushInterval: -1,
					Rewrite: func(r *httputil.ProxyRequest) {
						r.Out.URL, r.Out.Host = target, ""
					}}).ServeHTTP(w, r)
				return
			}
			echo(p, w, r)
			w.Header().Set(http.TrailerPrefix+"X-End", "1")
		},
		client: func(p *play) {
			p.do(p.request("POST", "/outer", strings.NewReader("to and fro")))
			p.do(p.request("POST", "/outer", zeros(300_000)))
		},
		want: `client: 200 "to and fro" trailer X-End=["1"]; 200 len=300000 trailer X-End=["1"] ` +
			`| ` +
			`handler: EOF; EOF`,
	},
	{
		name: "net/http/DumpRequest",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			b, err := httputil.DumpRequest(r, true)
			p.note("handler", "%q %s", b, fault(err))
			all, err := io.ReadAll(r.Body)
			p.note("handler", "%q %s", all, fault(err))
		},
		client: func(p *play) {
			p.ask("GET", "/x?y", "x-b", "2", "x-a", "1")
			p.do(p.request("POST", "/", strings.NewReader("body"), "User-Agent", "me",
				"Accept-Encoding", "x"))
		},
		want: `client: 200; 200 | ` +
			`handler: "GET /x?y HTTP/2.0\r\nHost: example.test\r\nX-A: 1\r\nX-B: 2\r\n\r\n" ok; ` +
			`"" ok; "POST / HTTP/2.0\r\nHost: example.test\r\nAccept-Encoding: ` +
			`x\r\nContent-Length: ` +
			`4\r\nUser-Agent: me\r\n\r\nbody" ok; "body" ok`,
	},
	{
		name: "net/http/Request_Write",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			var b bytes.Buffer
			err := r.Write(&b)
			p.note("handler", "%q %s", b.String(), fault(err))
		},
		client: func(p *play) {
			p.ask("GET", "/x?y", "x-a", "1")
			p.do(p.request("POST", "/", strings.NewReader("body"), "User-Agent", "me",
				"Accept-Encoding", "x"))
			p.do(p.request("POST", "/", zeros(3), "User-Agent", "me", "Accept-Encoding", "x"))
		},
		want: `client: 200; 200; 200 | ` +
			`handler: "GET /x?y HTTP/1.1\r\nHost: example.test\r\nUser-Agent: ` +
			`Go-http-client/1.1\r\nX-A: 1\r\n\r\n" ok; ` +
			`"POST / HTTP/1.1\r\nHost: example.test\r\nUser-Agent: me\r\nContent-Length: ` +
			`4\r\nAccept-Encoding: x\r\n\r\nbody" ok; ` +
			`"POST / HTTP/1.1\r\nHost: example.test\r\nUser-Agent: me\r\nTransfer-Encoding: ` +
			`chunked\r\nAccept-Encoding: x\r\n\r\n3\r\n\x00\x00\x00\r\n0\r\n\r\n" ok`,
	},
}
