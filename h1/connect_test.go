package h1

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream/memnet"
)

// TestConnect: a proxy's 2xx gives a tunnel of which nothing has been read; every other answer is
// there, with an error (RFC 9110, 9.3.6).
func TestConnect(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		status int    // 0: none
		body   string // of an answer that gives no tunnel
		says   string // empty: a tunnel
		took   time.Duration
	}{
		"200":             {answer: "HTTP/1.1 200 OK\r\n\r\n\x00\x00\x00\x04", status: 200},
		"200_of_HTTP/1.0": {answer: "HTTP/1.0 200 OK\r\n\r\n\x00\x00\x00\x04", status: 200},
		"204":             {answer: "HTTP/1.1 204 No Content\r\n\r\n\x00\x00\x00\x04", status: 204},
		"200_with_length": {answer: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x00\x00\x00\x04", status: 200}, // RFC 9110, 9.3.6: ignored
		"100_before":      {answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\x00\x00\x00\x04", status: 200},
		"407":             {answer: "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno", status: 407, body: "no", says: "no tunnel: 407 No (RFC 9110, 9.3.6)"},
		"407_without_end": {answer: "HTTP/1.1 407 No\r\n\r\nno", status: 407, body: "no", says: "no tunnel: 407 No", took: answerTime},
		"101":             {answer: "HTTP/1.1 101 Switching Protocols\r\n\r\n", status: 101, says: "no tunnel: 101"},
		"9112-2.3":        {answer: "HTTP/2.0 200 OK\r\n\r\n", status: 200, says: "200 from HTTP/2.0 on a connection of HTTP/1.1 (RFC 9112, 2.3)"},
		"9112-4":          {answer: "SSH-2.0-x\r\n", says: "the peer speaks SSH, and not HTTP/1.1 (RFC 9112, 4)"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := memnet.Pair(0)
				defer client.Close()
				defer server.Close()
				asked := make(chan *http.Request, 1)
				go func() { // ends with the request
					r, err := http.ReadRequest(bufio.NewReader(server))
					if err != nil {
						t.Error(err)
					}
					asked <- r
					io.WriteString(server, c.answer)
				}()
				start := time.Now()
				told := &httptrace.ClientTrace{GotFirstResponseByte: func() { t.Error("that is the server's to say") }}
				res, err := Connect(httptrace.WithClientTrace(t.Context(), told), client, &http.Request{Method: http.MethodConnect, URL: &url.URL{}, Host: "[fe80::1%eth0]:443", Header: http.Header{"X": {"1"}}})
				if r := <-asked; r.Method != http.MethodConnect || r.RequestURI != "[fe80::1]:443" || r.Host != "[fe80::1]:443" || r.Header.Get("X") != "1" {
					t.Errorf("asked %+v", r)
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("after %v, want %v", took, c.took)
				}
				if (res == nil) != (c.status == 0) || res != nil && res.StatusCode != c.status {
					t.Errorf("response %v, want status %d", res, c.status)
				}
				if c.says != "" {
					if err == nil || !strings.Contains(err.Error(), c.says) {
						t.Errorf("%v, want %q", err, c.says)
					}
					if _, err := client.Write([]byte("x")); err == nil {
						t.Error("the connection is open")
					}
					if res != nil {
						if body, _ := io.ReadAll(res.Body); string(body) != c.body {
							t.Errorf("body %q, want %q", body, c.body)
						}
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 4)
				if _, err := io.ReadFull(client, b); string(b) != "\x00\x00\x00\x04" || err != nil {
					t.Errorf("the tunnel says %q, %v", b, err)
				}
			})
		})
	}
}

// refusing is a connection whose peer has answered, and reads nothing.
type refusing struct{ *memnet.Conn }

func (refusing) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestRequestUnread: a peer that answers without a look at the request, and reads none of it, is
// heard all the same.
func TestRequestUnread(t *testing.T) {
	for answer, status := range map[string]int{"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n": 403, "": 0, "HTTP/1.1 101 x\r\n\r\n": 101} {
		synctest.Test(t, func(t *testing.T) {
			client, server := memnet.Pair(0)
			defer server.Close()
			io.WriteString(server, answer)
			start := time.Now()
			s, res, err := Request(t.Context(), refusing{client}, upgradeTo("/"))
			if (res != nil) != (status != 0) || res != nil && res.StatusCode != status || s != nil {
				t.Errorf("%q: %v, %v", answer, res, err)
			}
			if status != 403 && !errors.Is(err, syscall.EPIPE) || status == 403 && err != nil {
				t.Errorf("%q: %v", answer, err)
			}
			if took := time.Since(start); took != 0 && answer != "" || took > answerTime {
				t.Errorf("%q: after %v", answer, took)
			}
		})
	}
}
