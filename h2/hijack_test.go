package h2_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/stream"

	"golang.org/x/net/http2"
)

const head101 = "HTTP/1.1 101 Switching Protocols\r\n" +
	"Upgrade: websocket\r\nConnection: Upgrade, X-Mine\r\nX-Mine: 1\r\n" +
	"Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n" +
	"set-cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"

// hijack hijacks, as a handler for HTTP/1.1 does.
func hijack(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter) {
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	return c, rw
}

func echoBack(c net.Conn) {
	io.Copy(c, c)
	c.Close()
}

// TestHijack101 (RFC 8441, 5): a 101 that a handler writes, cut anywhere, opens the tunnel, and
// leaves with what follows it; what HTTP/1.1 says in it alone does not leave.
func TestHijack101(t *testing.T) {
	t.Run("9112-2.1", func(t *testing.T) { opensByHead(t, head101) })
	t.Run("9112-2.2/LF_alone", func(t *testing.T) {
		opensByHead(t, strings.ReplaceAll(head101, "\r\n", "\n"))
	})
	t.Run("9112-2.2/LF_at_the_end", func(t *testing.T) {
		opensByHead(t, strings.TrimSuffix(head101, "\r\n")+"\n")
	})
}

func opensByHead(t *testing.T, head string) {
	const message = "hello"
	cut := 0
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		c, _ := hijack(w)
		for _, p := range []string{(head + message)[:cut], (head + message)[cut:]} {
			if n, err := io.WriteString(c, p); n != len(p) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		}
		echoBack(c)
	}, func(s *site) {
		p := s.dial()
		for cut = range len(head + message) {
			tn := s.connect(p, "/")
			if got := readN(t, tn, len(message)); got != message {
				t.Fatalf("cut at %d: %q", cut, got)
			}
			tn.Write([]byte("and back"))
			if got := readN(t, tn, 8); got != "and back" {
				t.Fatalf("cut at %d: %q", cut, got)
			}
			tn.CloseWrite()
			if b, err := io.ReadAll(tn); len(b) > 0 || err != nil {
				t.Fatalf("cut at %d: %q, %v", cut, b, err)
			}
			var fields []string
			for _, f := range tn.Header[0].Fields {
				fields = append(fields, f.Name)
			}
			const want = ":status date sec-websocket-protocol set-cookie set-cookie"
			if got := strings.Join(fields, " "); len(tn.Header) != 1 || got != want {
				t.Fatalf("cut at %d: %d blocks, %s", cut, len(tn.Header), got)
			}
		}
	})
}

// unwraps is middleware as it is written for http.ResponseController, hides one that is not.
type (
	unwraps struct{ w http.ResponseWriter }
	hides   struct{ http.ResponseWriter }
)

func (u unwraps) Unwrap() http.ResponseWriter   { return u.w }
func (u unwraps) Header() http.Header           { return u.w.Header() }
func (u unwraps) Write(b []byte) (int, error)   { return u.w.Write(b) }
func (u unwraps) WriteHeader(status int)        { u.w.WriteHeader(status) }
func (h hides) Hijack() (net.Conn, error)       { return nil, nil } // not that of http.Hijacker
func (h hides) WriteString(string) (int, error) { return 0, nil }

// TestHijackWays: the ways to a net.Conn that handlers of net/http take.
func TestHijackWays(t *testing.T) {
	ways := map[string]func(w http.ResponseWriter) (net.Conn, error){
		"Hijacker": func(w http.ResponseWriter) (net.Conn, error) {
			c, rw := hijack(w)
			rw.WriteString(head101)
			return c, rw.Flush()
		},
		"ResponseController": func(w http.ResponseWriter) (net.Conn, error) {
			c, rw, err := http.NewResponseController(unwraps{unwraps{w}}).Hijack()
			if err == nil {
				rw.WriteString(head101)
				err = rw.Flush()
			}
			return c, err
		},
		"Response.Write": func(w http.ResponseWriter) (net.Conn, error) {
			c, rw := hijack(w)
			res := &http.Response{StatusCode: 101, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
				"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Protocol": {"chat"}}}
			res.Write(rw)
			return c, rw.Flush()
		},
		"WriteHeader": func(w http.ResponseWriter) (net.Conn, error) {
			w.Header().Set("Sec-WebSocket-Accept", "x")
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Sec-WebSocket-Protocol", "chat")
			w.WriteHeader(101)
			w.Header().Set("Sec-WebSocket-Protocol", "late")
			w.(http.Flusher).Flush()
			if _, err := w.Write([]byte("x")); err != http.ErrBodyNotAllowed {
				t.Errorf("Write behind a 101: %v", err)
			}
			c, _ := hijack(w)
			return c, nil
		},
		"informational first": func(w http.ResponseWriter) (net.Conn, error) {
			c, _ := hijack(w)
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
			_, err := io.WriteString(c, head101)
			return c, err
		},
	}
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		c, err := ways[r.URL.Query().Get("way")](w)
		if err != nil {
			t.Error(err)
		}
		if _, _, err := w.(http.Hijacker).Hijack(); err != http.ErrHijacked {
			t.Errorf("a second Hijack: %v", err)
		}
		if _, err := w.Write([]byte("x")); err != http.ErrHijacked {
			t.Errorf("Write: %v", err)
		}
		if _, err := w.(stream.Opener).OpenStream(nil); err == nil {
			t.Error("OpenStream behind Hijack")
		}
		go echoBack(c) // ends with the stream; the handler has returned by then
	}, func(s *site) {
		p := s.dial()
		for way := range ways {
			tn := s.connect(p, "/?way="+strings.ReplaceAll(way, " ", "%20"))
			if tn.Field("sec-websocket-protocol") != "chat" ||
				tn.Field("sec-websocket-accept") != "" || tn.Field("upgrade") != "" {
				t.Errorf("%s: %v", way, tn.Header)
			}
			tn.Write([]byte("hello"))
			if got := readN(t, tn, 5); got != "hello" {
				t.Errorf("%s: %q", way, got)
			}
			tn.CloseWrite()
			if _, err := io.ReadAll(tn); err != nil {
				t.Errorf("%s: %v", way, err)
			}
		}
	})
}

// TestHijackNone: only a request that became a GET with Upgrade has a Hijacker.
func TestHijackNone(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Hijacker); ok {
			t.Errorf("%s %s has a Hijacker", r.Method, r.URL)
		}
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Hijack: %v", err)
		}
		w.WriteHeader(418)
	}, func(s *site) {
		p := s.dial()
		if res, err := p.Get("/"); err != nil || res.Status != 418 {
			t.Errorf("%v, %v", res, err)
		}
		if tn, err := p.Connect("/", ":protocol", "connect-udp"); err != nil || tn.Status != 418 {
			t.Errorf("%v, %v", tn, err)
		}
	})
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/answered" {
			w.WriteHeader(403)
		}
		if r.URL.Path == "/101" {
			w.WriteHeader(101) // and nothing else
			return
		}
		if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
			t.Errorf("%s: Hijack", r.URL)
		}
		if _, ok := http.ResponseWriter(hides{w}).(http.Hijacker); ok {
			t.Error("that is none")
		}
		w.WriteHeader(400)
	}, func(s *site) {
		p := s.dial()
		for path, want := range map[string]int{"/answered": 403, "/101": 501} {
			if tn, err := p.Connect(path); err != nil || tn.Status != want {
				t.Errorf("%s: %v, %v", path, tn, err)
			}
		}
		if tn, err := p.Connect("/ended", "END_STREAM", ""); err != nil || tn.Status != 400 {
			t.Errorf("END_STREAM: %v, %v", tn, err)
		}
	})
}

// TestHijackAnswer (RFC 9112, 6.3): a head that is no 101 answers the request, with the content
// that follows it; the stream ends with it, and nothing more of the client's is wanted (RFC 9113,
// 8.1). Cut anywhere.
func TestHijackAnswer(t *testing.T) {
	for _, c := range []struct{ name, wrote, want string }{
		{"until_close", "HTTP/1.1 403 Forbidden\r\nX-Why: no\r\n\r\nbad origin", `403 "bad origin" no`},
		{"length", "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nabcdef", `400 "abc" `},
		{"9112-2.2/LF_alone", "HTTP/1.1 103 X\nLink: a\n\nHTTP/1.1 400 Bad\nX-Why: y\n\nno", `[103] 400 "no" y`},
		{"length_0", "HTTP/1.0 503 \r\nContent-Length: 0\r\n\r\n", `503 "" `},
		{"chunked", "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n" +
			"Connection: Upgrade\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\nmore", `426 "abc0123456789" `},
		{"304", "HTTP/1.1 304 Not Modified\r\n\r\n", `304 "" `},
		{"redirect", "HTTP/1.1 302 Found\r\nX-Why: there\r\nContent-Length: 1\r\n\r\nx", `302 "x" there`},
		{"103", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\nx", `[103] 404 "x" `},
		{"8441-5/200", "HTTP/1.1 200 OK\r\nX-Why: y\r\n\r\nno tunnel", `501 "" `},
	} {
		t.Run(c.name, func(t *testing.T) {
			cut := 0
			bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
				conn, _ := hijack(w)
				n, err := io.WriteString(conn, c.wrote[:cut])
				if n != cut || err != nil {
					t.Errorf("cut at %d: Write: %d, %v", n, cut, err)
				}
				_, err = io.WriteString(conn, c.wrote[cut:])
				if err != nil && strings.HasSuffix(c.wrote, "\r\n\r\n") { // else more comes than can
					t.Errorf("cut at %d: Write of a head without content: %v", cut, err)
				}
				conn.Close()
			}, func(s *site) {
				p := s.dial()
				for cut = range len(c.wrote) {
					tn, err := p.Connect("/")
					if err != nil {
						t.Fatalf("cut at %d: %v", cut, err)
					}
					res, err := tn.Response(time.Second)
					var re *h2test.ResetError
					if err != nil && (!errors.As(err, &re) || re.Code != http2.ErrCodeNo) {
						t.Fatalf("cut at %d: %v", cut, err)
					}
					got := fmt.Sprintf("%d %q %s", res.Status, res.Body, res.Header["x-why"])
					if len(res.Informed) > 0 {
						got = fmt.Sprint(res.Informed) + " " + got
					}
					h := res.Header
					if got != c.want || !tn.Fin() ||
						h["upgrade"] != "" || h["transfer-encoding"] != "" || h["date"] == "" {
						t.Fatalf("cut at %d: %s, %v, want %s", cut, got, res.Header, c.want)
					}
					synctest.Wait()
					if _, err := tn.Read(make([]byte, 1)); !errors.As(err, &re) || re.Code != http2.ErrCodeNo {
						t.Fatalf("cut at %d: %v, want RST_STREAM(NO_ERROR)", cut, err)
					}
				}
				time.Sleep(time.Second)
				if _, faults := s.h2.Rest(); len(faults) > 0 {
					t.Error(faults)
				}
			})
		})
	}
}

// TestHijackBroken (RFC 9112, 2.1): what is no head ends the stream, and is logged; the handler is
// told, too.
func TestHijackBroken(t *testing.T) {
	for _, c := range []struct{ name, wrote, log string }{
		{"nothing", "", "there is none"},
		{"part", "HTTP/1.1 101 Switching Protocols\r\n", "it is not whole"},
		{"frames", "\x81\x05hello\r\n\r\n", "it begins with"},
		{"9112-4/status", "HTTP/1.1 1O1 No\r\n\r\n", "it begins with"},
		{"9112-4/status_of_two", "HTTP/1.1 99 No\r\n\r\n", "it begins with"},
		{"9112-2.3/version", "HTTQ/1.1 101 No\r\n\r\n", "it begins with"},
		{"9112-5/field", "HTTP/1.1 101 No\r\nno colon\r\n\r\n", "malformed MIME header"},
		{"9113-8.2.1/value", "HTTP/1.1 101 No\r\nX: a\x01b\r\n\r\n", "malformed MIME header"},
		{"too_large", "HTTP/1.1 101 No\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
			"more than 65536 octets"},
		{"without_end", strings.Repeat("x", 65537), "more than 65536 octets"},
		{"9112-6.1/coding", "HTTP/1.1 403 No\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
			"transfer coding"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
				conn, _ := hijack(w)
				io.WriteString(conn, c.wrote)
				conn.Close()
			}, func(s *site) {
				p := s.dial()
				_, err := p.Connect("/a")
				var re *h2test.ResetError
				if !errors.As(err, &re) || re.Code != http2.ErrCodeInternal {
					t.Errorf("%v, want RST_STREAM(INTERNAL_ERROR)", err)
				}
				synctest.Wait()
				if log := s.logged.String(); !strings.Contains(log, c.log) ||
					!strings.Contains(log, `"/a"`) || strings.Count(log, "\n") != 1 {
					t.Errorf("the log says %q", log)
				}
				time.Sleep(time.Second)
				if _, faults := s.h2.Rest(); len(faults) > 0 {
					t.Error(faults)
				}
			})
		})
	}
	for _, c := range []struct{ name, wrote string }{
		{"9112-6.3/length_short", "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nabc"},
		{"9112-7.1/chunk_short", "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"},
		{"9112-7.1/size", "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nabc"},
		{"9112-7.1/chunk_long", "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"},
		{"9112-7.1/line_without_end", "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n" +
			strings.Repeat("0", 5000)},
	} {
		h := func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/big" {
				w.Write(make([]byte, bigAnswer))
				return
			}
			conn, _ := hijack(w)
			io.WriteString(conn, c.wrote)
			conn.Close()
		}
		resets := func(t *testing.T, tn *h2test.Tunnel, err error) {
			if err != nil || tn.Status != 403 {
				t.Fatalf("%v, %v", tn, err)
			}
			_, err = io.ReadAll(tn)
			var re *h2test.ResetError
			if !errors.As(err, &re) || re.Code != http2.ErrCodeInternal {
				t.Errorf("%v, want RST_STREAM(INTERNAL_ERROR)", err)
			}
		}
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, h, func(s *site) {
				tn, err := s.dial().Connect("/a")
				resets(t, tn, err)
			})
		})
		t.Run(c.name+"/behind_another_write", func(t *testing.T) {
			bubble(t, nil, h, func(s *site) {
				nc := &stalled{Conn: s.conn(), gate: make(chan struct{})}
				p := h2test.New(nc, h2test.Options{Settings: []http2.Setting{
					{ID: http2.SettingInitialWindowSize, Val: 1 << 30}}})
				defer p.Close()
				p.Send("WINDOW_UPDATE 0 100000000")
				synctest.Wait()
				nc.stall.Store(true)
				head := []string{":scheme", "http", ":authority", "a.test"}
				if _, err := p.Open(true, append(head, ":method", "GET", ":path", "/big")...); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				tn, err := p.Open(false, append(head, ":method", "CONNECT", ":protocol", "websocket",
					":path", "/a")...)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				close(nc.gate)
				resets(t, tn, tn.Answer(time.Minute))
			})
		})
	}
}

// TestHijackDeadlines: those of a net.Conn, before the head and behind it, and set anew after they
// have passed. http.Server's are none any more.
func TestHijackDeadlines(t *testing.T) {
	var done atomic.Bool
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		c, _ := hijack(w)
		defer c.Close()
		b := make([]byte, 10)
		for range 2 {
			c.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read before the head: %v", err)
			}
		}
		c.SetDeadline(time.Time{})
		time.Sleep(time.Hour)
		io.WriteString(c, head101)
		c.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v", err)
		}
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := c.Read(b); string(b[:n]) != "late" || err != nil {
			t.Errorf("Read: %q, %v", b[:n], err)
		}
		c.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := c.Write(make([]byte, 1<<20)) // its window is 65 535
		if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == 1<<20 {
			t.Errorf("Write: %d, %v", n, err)
		}
		done.Store(true)
	}, func(s *site) {
		s.hs.ReadTimeout, s.hs.WriteTimeout = time.Second, time.Second
		p := s.dial()
		tn, err := p.Open(false, ":method", "CONNECT", ":protocol", "websocket",
			":scheme", "http", ":authority", "a", ":path", "/")
		if err == nil {
			err = tn.Answer(2 * time.Hour)
		}
		if err != nil || tn.Status != 200 {
			t.Fatalf("%v, %v", tn, err)
		}
		tn.Withhold(true)
		time.Sleep(10 * time.Second)
		tn.Write([]byte("late"))
		time.Sleep(time.Hour)
		if !done.Load() {
			t.Error("the handler waits")
		}
		tn.Withhold(false)
	})
}

// TestHijackEnds: how a hijacked stream ends.
func TestHijackEnds(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler func(t *testing.T, c net.Conn)
		client  func(tn *h2test.Tunnel)
		want    string
	}{
		{"Close", func(t *testing.T, c net.Conn) {
			io.WriteString(c, "bye")
			c.Close()
			if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Write: %v", err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read: %v", err)
			}
		}, nil, `"bye" <nil>`},
		{"Close_with_unread_octets", func(t *testing.T, c net.Conn) {
			io.ReadFull(c, make([]byte, 5))
			synctest.Wait()
			io.WriteString(c, "bye")
			c.Close()
		}, func(tn *h2test.Tunnel) { tn.Write([]byte("hello, and more")) }, `"bye" RST_STREAM NO_ERROR`},
		{"CloseWrite", func(t *testing.T, c net.Conn) {
			c.(interface{ CloseWrite() error }).CloseWrite()
			if b, err := io.ReadAll(c); string(b) != "answer" || err != nil {
				t.Errorf("behind our end: %q, %v", b, err)
			}
			c.Close()
		}, func(tn *h2test.Tunnel) {
			io.ReadAll(tn)
			io.WriteString(tn, "answer")
			tn.CloseWrite()
		}, `"" <nil>`},
		{"panic", func(t *testing.T, c net.Conn) {
			io.WriteString(c, "part")
			panic("handler broke")
		}, nil, `"part" RST_STREAM INTERNAL_ERROR`},
		{"panic_behind_Close", func(t *testing.T, c net.Conn) {
			defer c.Close()
			io.WriteString(c, "part")
			panic(http.ErrAbortHandler)
		}, nil, `"part" <nil>`},
		{"reset_by_the_client", func(t *testing.T, c net.Conn) {
			_, err := c.Read(make([]byte, 1))
			re, ok := errors.AsType[*stream.ResetError](err)
			if !ok || !re.Remote || re.Code != stream.Cancel {
				t.Errorf("Read: %v", err)
			}
			if _, err := c.Write([]byte("x")); err == nil {
				t.Error("Write: no error")
			}
			c.Close()
		}, func(tn *h2test.Tunnel) { tn.Reset(http2.ErrCodeCancel) }, `"" file already closed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
				conn, _ := hijack(w)
				io.WriteString(conn, head101)
				c.handler(t, conn)
			}, func(s *site) {
				p := s.dial()
				tn := s.connect(p, "/")
				if c.client != nil {
					c.client(tn)
				}
				tn.SetReadDeadline(time.Now().Add(time.Second))
				b, err := io.ReadAll(tn)
				if err == nil { // RST_STREAM may come behind END_STREAM
					synctest.Wait()
					if _, err = tn.Read(make([]byte, 1)); err == io.EOF {
						err = nil
					}
				}
				got := fmt.Sprintf("%q %v", b, err)
				if re, ok := errors.AsType[*h2test.ResetError](err); ok {
					got = fmt.Sprintf("%q RST_STREAM %s", b, re.Code)
				}
				if !strings.Contains(got, c.want) {
					t.Errorf("got %s, want %s", got, c.want)
				}
				time.Sleep(10 * time.Second) // for those that the client does not end
				if _, faults := s.h2.Rest(); len(faults) > 0 {
					t.Error(faults)
				}
			})
		})
	}
}

// TestHijackedCloseOfAStalledClient: what was written before Close waits for a client that opens no
// window, but not for ever.
func TestHijackedCloseOfAStalledClient(t *testing.T) {
	for name, head := range map[string]string{
		"101": head101,
		"403": "HTTP/1.1 403 Forbidden\r\nContent-Length: 50000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
				c, _ := hijack(w)
				c.Write(append([]byte(head), make([]byte, 50_000)...))
				c.Close()
			}, func(s *site) {
				p := s.dialWith(noWindow)
				if _, err := p.Connect("/"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(34 * time.Second)
				if n := s.h2.Stats().Streams; n != 1 {
					t.Errorf("%d streams after 34 s", n)
				}
				time.Sleep(2 * time.Second)
				if _, faults := s.h2.Rest(); len(faults) > 0 {
					t.Error(faults)
				}
			})
		})
	}
}

// TestHijackBeforeTheEnd: a client that resets the stream before there is a head.
func TestHijackBeforeTheEnd(t *testing.T) {
	handled := make(chan error, 2)
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		c, _ := hijack(w)
		_, err := c.Read(make([]byte, 1))
		handled <- err
		_, err = io.WriteString(c, head101)
		handled <- err
		c.Close()
	}, func(s *site) {
		handled = make(chan error, 2)
		p := s.dial()
		tn, err := p.Open(false, ":method", "CONNECT", ":protocol", "websocket",
			":scheme", "http", ":authority", "a", ":path", "/")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		tn.Reset(http2.ErrCodeCancel)
		for _, what := range []string{"Read", "Write"} {
			if re, ok := errors.AsType[*stream.ResetError](<-handled); !ok || !re.Remote {
				t.Errorf("%s: %v", what, re)
			}
		}
		synctest.Wait()
		if s.logged.String() != "" {
			t.Errorf("the log says %q", s.logged.String())
		}
	})
}

// TestRefusalsAreLogged: a handler that does not take a WebSocket over HTTP/2 for one is logged
// once a path, of a bounded number of them.
func TestRefusalsAreLogged(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		switch status := r.URL.Query().Get("status"); {
		case r.URL.Path == "/raw":
			c, _ := hijack(w)
			io.WriteString(c, "HTTP/1.1 426 Upgrade Required\r\n\r\n")
			c.Close()
		case status == "403":
			w.WriteHeader(403)
		case status == "200": // which opens nothing
		default:
			http.NotFound(w, r)
		}
	}, func(s *site) {
		p := s.dial()
		for _, path := range []string{"/raw", "/raw", "/a", "/a?b", "/b?status=403", "/c?status=200"} {
			if _, err := p.Connect(path); err != nil {
				t.Fatal(err)
			}
		}
		p.Get("/get")
		synctest.Wait()
		log := s.logged.String()
		for _, line := range []string{`"/raw" answers 426`, `"/a" answers 404`, `"/c" answers 501`} {
			if strings.Count(log, "\n") != 3 || !strings.Contains(log, line) {
				t.Errorf("the log says %q", log)
			}
		}
		for i := range 300 {
			if _, err := p.Connect(fmt.Sprintf("/scan%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := strings.Count(s.logged.String(), "\n"); n != 100 {
			t.Errorf("%d lines of 300 paths", n)
		}
	})
}
