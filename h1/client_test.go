package h1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"
	"weir/stream/memnet"
	"weir/stream/streamtest"
)

func upgradeTo(path string) *http.Request {
	return &http.Request{URL: &url.URL{Scheme: "http", Host: "x", Path: path}, Header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}}
}

// opened gives both ends of a stream between Request and Open, in net/http.
func opened(t *testing.T, l net.Listener, dial func() (net.Conn, error), secure bool) (client, server stream.Stream) {
	t.Helper()
	streams, errs := make(chan stream.Stream, 1), make(chan error, 1)
	srv := &http.Server{Handler: opening(http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}, streams, errs)}
	if secure {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate()}, SessionTicketsDisabled: true}
		l = tls.NewListener(l, srv.TLSConfig)
	}
	served := make(chan struct{})
	go func() { // ends when the server is closed
		defer close(served)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-served
	})
	nc, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
		if err := tc.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		nc = tc
	}
	type result struct {
		s   stream.Stream
		err error
	}
	asked := make(chan result, 1)
	go func() { // ends with the response
		s, _, err := Request(t.Context(), nc, upgradeTo("/"))
		asked <- result{s, err}
	}()
	select {
	case server = <-streams:
	case err := <-errs:
		t.Fatal(err)
	}
	server.Send(nil, false) // the 101
	r := <-asked
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.s, server
}

// TestRequestStream is the contract of stream.Stream for the client's end.
func TestRequestStream(t *testing.T) {
	certificate()
	for name, secure := range map[string]bool{"h1": false, "h1tls": true} {
		t.Run(name+"/memnet", func(t *testing.T) {
			streamtest.RunFake(t, func(t *testing.T) (a, b stream.Stream) {
				l := memnet.Listen()
				return opened(t, l, func() (net.Conn, error) { return l.Dial(t.Context()) }, secure)
			})
		})
		t.Run(name+"/tcp", func(t *testing.T) {
			streamtest.Run(t, func(t *testing.T) (a, b stream.Stream) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				a, b = opened(t, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }, secure)
				info := a.Info()
				if !info.Own || info.ID != 0 || info.Remote.String() != l.Addr().String() || (info.TLS != nil) != secure || info.TLS != nil && !info.TLS.HandshakeComplete {
					t.Errorf("info %+v", info)
				}
				if want := map[bool]stream.Transport{false: stream.H1, true: stream.H1TLS}[secure]; info.Transport != want {
					t.Errorf("transport %s", info.Transport)
				}
				return a, b
			})
		})
	}
}

// answering plays a server that reads one request's head and says reply; head is what it read. With hold it does not
// close afterwards.
func answering(t *testing.T, nc net.Conn, reply string, hold bool) (head <-chan string) {
	c := make(chan string, 1)
	go func() { // ends with the connection
		br := bufio.NewReader(nc)
		var b strings.Builder
		for !strings.HasSuffix(b.String(), "\r\n\r\n") {
			ch, err := br.ReadByte()
			if err != nil {
				break
			}
			b.WriteByte(ch)
		}
		c <- b.String()
		io.WriteString(nc, reply)
		if hold {
			io.Copy(io.Discard, br)
		}
		nc.Close()
	}()
	return c
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\nX-A: b\r\n\r\n"

// RFC 9110, 7.8: the head is what was asked for and nothing else; what comes behind the 101 is told first.
func TestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pair(0)
		head := answering(t, b, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"+switching+"first", true)
		var informed []int
		first := 0
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
				informed = append(informed, code)
				return nil
			},
			GotFirstResponseByte: func() { first++ },
		})
		r := upgradeTo("/a b")
		r.URL.RawQuery, r.Host = "c=d", "bücher.test:8080"
		r.Header["Sec-WebSocket-Key"] = []string{"k"}
		r.Header["Host"] = []string{"other"}
		s, res, err := Request(ctx, a, r)
		if err != nil || res.StatusCode != 101 || res.Header.Get("X-A") != "b" || res.Body != http.NoBody {
			t.Fatal(res, err)
		}
		const want = "GET /a%20b?c=d HTTP/1.1\r\nHost: xn--bcher-kva.test:8080\r\nConnection: Upgrade\r\nSec-WebSocket-Key: k\r\nUpgrade: echo\r\n\r\n"
		if got := <-head; got != want {
			t.Errorf("the head is %q", got)
		}
		if len(informed) != 2 || informed[0] != 100 || informed[1] != 103 || first != 1 {
			t.Errorf("told of %v, and %d times of the first octet", informed, first)
		}
		k := attach(s, stream.Limits{})
		if got := <-k.got; got != "first" {
			t.Errorf("told %q", got)
		}
		time.Sleep(time.Hour) // no deadline is left
		b.Write([]byte("later"))
		if got := <-k.got; got != "later" {
			t.Errorf("told %q", got)
		}
		s.Reset(stream.Cancel)
		<-k.ends
	})
}

// TestRequestRefused: heads that are not sent.
func TestRequestRefused(t *testing.T) {
	for name, change := range map[string]func(r *http.Request){
		"9110-9.1/method":            func(r *http.Request) { r.Method = "GET /" },
		"9110-7.2/no_host":           func(r *http.Request) { r.URL.Host = "" },
		"9110-7.2/CRLF_in_the_host":  func(r *http.Request) { r.Host = "a\r\nb" },
		"9110-7.2/user_in_the_host":  func(r *http.Request) { r.Host = "me@there" },
		"9112-3.2/CRLF_in_the_query": func(r *http.Request) { r.URL.RawQuery = "a\r\nb" },
		"9110-5.1/name":              func(r *http.Request) { r.Header["A b"] = []string{"c"} },
		"9110-5.5/value":             func(r *http.Request) { r.Header["A"] = []string{"b\r\nc: d"} },
		"9110-7.8/body":              func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("x")) },
		"9110-7.8/content-length":    func(r *http.Request) { r.Header["Content-Length"] = []string{"1"} },
		"9110-7.8/transfer-encoding": func(r *http.Request) { r.Header["Transfer-Encoding"] = []string{"chunked"} },
	} {
		t.Run(name, func(t *testing.T) {
			a, b := memnet.Pair(0)
			r := upgradeTo("/")
			change(r)
			if s, res, err := Request(t.Context(), a, r); s != nil || res != nil || err == nil {
				t.Errorf("%v, %v, %v", s, res, err)
			}
			if got, err := io.ReadAll(b); len(got) > 0 || err != nil {
				t.Errorf("%q was sent; %v", got, err)
			}
		})
	}
}

// TestRequestAnswers: what is not a 101, and what is no response.
func TestRequestAnswers(t *testing.T) {
	long := strings.Repeat("b", MaxAnswer)
	for name, c := range map[string]struct {
		reply  string
		hold   bool
		status int // 0: an error
		body   string
		end    error
	}{
		"length":          {"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nlost", true, 404, "lost", nil},
		"chunked":         {"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", true, 403, "no", nil},
		"until_the_end":   {"HTTP/1.0 500 Oops\r\n\r\nbroken", false, 500, "broken", nil},
		"none":            {"HTTP/1.1 204 No Content\r\n\r\n", true, 204, "", nil},
		"exactly_all":     {"HTTP/1.1 400 No\r\nContent-Length: 65536\r\n\r\n" + long, true, 400, long, nil},
		"too_long":        {"HTTP/1.1 400 No\r\nContent-Length: 65537\r\n\r\n" + long + "b", true, 400, long, io.ErrUnexpectedEOF},
		"cut_short":       {"HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\nshort", false, 400, "short", io.ErrUnexpectedEOF},
		"does_not_come":   {"HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\nshort", true, 400, "short", io.ErrUnexpectedEOF},
		"200":             {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", true, 200, "hi", nil},
		"nothing":         {"", false, 0, "", nil},
		"no_HTTP":         {"SSH-2.0-hello\r\n", true, 0, "", nil},
		"half_a_head":     {"HTTP/1.1 101 Swi", false, 0, "", nil},
		"endless_head":    {"HTTP/1.1 101 S\r\nA: " + strings.Repeat(long, 2), true, 0, "", nil},
		"endless_1xx":     {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 4000), true, 0, "", nil},
		"101_of_HTTP/1.0": {"HTTP/1.0 101 S\r\n\r\n", true, 0, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := memnet.Pair(1 << 20)
				answering(t, b, c.reply, c.hold)
				began := time.Now()
				s, res, err := Request(t.Context(), a, upgradeTo("/"))
				if s != nil || (err != nil) != (c.status == 0) {
					t.Fatal(s, res, err)
				}
				if d := time.Since(began); d > answerTime {
					t.Errorf("it took %v", d)
				}
				if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the connection is not closed: %v", err)
				}
				if err != nil {
					return
				}
				body, err := io.ReadAll(res.Body)
				if res.StatusCode != c.status || string(body) != c.body || err != c.end {
					t.Errorf("%d, %d octets, %v", res.StatusCode, len(body), err)
				}
			})
		})
	}
}

// TestRequestCancelled: the context ends every wait, and the connection.
func TestRequestCancelled(t *testing.T) {
	t.Run("no_response", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := memnet.Pair(0)
			answering(t, b, "", true)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if s, res, err := Request(ctx, a, upgradeTo("/")); s != nil || res != nil || !errors.Is(err, context.DeadlineExceeded) {
				t.Error(s, res, err)
			}
		})
	})
	t.Run("nobody_reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := memnet.Pair(8)
			defer b.Close()
			cause := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Minute, func() { cancel(cause) })
			if s, _, err := Request(ctx, a, upgradeTo("/")); s != nil || !errors.Is(err, cause) {
				t.Error(s, err)
			}
		})
	})
	t.Run("in_the_body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := memnet.Pair(0)
			answering(t, b, "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nlo", true)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			s, res, err := Request(ctx, a, upgradeTo("/"))
			if s != nil || err != nil || time.Since(began) != time.Second {
				t.Fatal(s, err, time.Since(began))
			}
			if body, err := io.ReadAll(res.Body); string(body) != "lo" || err != io.ErrUnexpectedEOF {
				t.Errorf("%q, %v", body, err)
			}
		})
	})
}
