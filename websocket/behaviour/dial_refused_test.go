package behaviour_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/upgrade"
	"weir/websocket"
	"weir/websocket/websockettest"
)

// answers is a server that gives one answer to a request over HTTP/1.1.
func (s *scene) answers(answer func(r *http.Request) string) {
	go func() { // ends with the listener
		for {
			nc, err := s.ln.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection
				defer nc.Close()
				br := bufio.NewReader(nc)
				r, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				io.WriteString(nc, answer(r))
				io.Copy(io.Discard, br)
			}()
		}
	}()
}

func TestDialRefused(t *testing.T) {
	fine := func(r *http.Request) string {
		return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptKey(r) + "\r\n"
	}
	for name, row := range map[string]struct {
		answer func(r *http.Request) string
		status int
		body   string
		text   string
	}{
		"404":      {func(*http.Request) string { return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" }, 404, "", "404 Not Found"},
		"403_body": {func(*http.Request) string { return "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno" }, 403, "no", "403 Forbidden"},
		"4.1/accept": {func(*http.Request) string {
			return "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
		}, 101, "", "Sec-WebSocket-Accept"},
		"4.1/upgrade": {func(r *http.Request) string {
			return strings.Replace(fine(r), "Upgrade: websocket", "Upgrade: h2c", 1) + "\r\n"
		}, 101, "", "Upgrade"},
		"4.1/connection": {func(r *http.Request) string {
			return strings.Replace(fine(r), "Connection: Upgrade", "Connection: close", 1) + "\r\n"
		}, 101, "", "Connection"},
		"4.1/connection_space": {func(r *http.Request) string {
			return strings.Replace(fine(r), "Connection: Upgrade", "Connection: Upgrade\u00a0", 1) + "\r\n"
		}, 101, "", "Connection"},
		"4.1/subprotocol":  {func(r *http.Request) string { return fine(r) + "Sec-WebSocket-Protocol: x\r\n\r\n" }, 101, "", "subprotocol"},
		"9.1/extension":    {func(r *http.Request) string { return fine(r) + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" }, 101, "", "extension"},
		"9.1/malformed":    {func(r *http.Request) string { return fine(r) + "Sec-WebSocket-Extensions: ;\r\n\r\n" }, 101, "", "malformed"},
		"closed_by_server": {func(*http.Request) string { return "" }, 0, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				s.answers(row.answer)
				c, resp, err := s.d.Dial(background, "ws://weir.test/", nil)
				if c != nil || err == nil {
					t.Fatal("it was opened")
				}
				de, ok := errors.AsType[*websocket.DialError](err)
				if !ok || !strings.Contains(err.Error(), row.text) || !strings.Contains(err.Error(), "ws://weir.test/") {
					t.Error(err)
				}
				if row.status == 0 {
					if resp != nil {
						t.Error(resp)
					}
				} else if body, _ := io.ReadAll(resp.Body); resp.StatusCode != row.status || string(body) != row.body || de.Response != resp {
					t.Error(resp.StatusCode, string(body))
				}
				s.ln.Close()
				time.Sleep(time.Minute)
			})
		})
	}
}

// Answers over every version: a refusal; an acceptance that names an extension, or a subprotocol,
// that was not offered (RFC 8441, 5; RFC 6455, 4.1 and 9.1).
func TestDialAnswers(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		l := websockettest.Listen(t, tr)
		accepted := http.StatusSwitchingProtocols
		if tr == websockettest.H2C || tr == websockettest.H2 {
			accepted = http.StatusOK
		}
		for _, row := range []struct {
			answer func()
			status int
			text   string
		}{
			{func() { l.Refuse(http.StatusForbidden, nil, "no") }, http.StatusForbidden, "403"},
			{func() { l.Answer(websockettest.Answer{Extensions: "permessage-deflate"}) }, accepted, "extension"},
			{func() { l.Answer(websockettest.Answer{Subprotocol: "x"}) }, accepted, "subprotocol"},
		} {
			done := make(chan bool)
			go func() { // ends with Dial
				defer close(done)
				c, resp, err := l.Dialer().Dial(background, l.URL, nil)
				if c != nil || err == nil || !strings.Contains(err.Error(), row.text) || resp == nil || resp.StatusCode != row.status {
					t.Errorf("%s: %v, %v", row.text, resp, err)
				}
			}()
			row.answer()
			<-done
		}
	}, websockettest.OverHTTP()...)
}

// A server that accepts and says nothing, over either HTTP: the time-out says what was waited for.
func TestDialSilence(t *testing.T) {
	for _, v := range []websocket.HTTPVersion{websocket.HTTP1, websocket.HTTP2} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t)
			s.d.HTTP, s.d.Timeout = v, 5*time.Second
			go func() { // ends with the listener
				for {
					nc, err := s.ln.Accept()
					if err != nil {
						return
					}
					go io.Copy(io.Discard, nc) // ends with the connection
				}
			}()
			start := time.Now()
			_, _, err := s.d.Dial(background, "ws://weir.test/", nil)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
			s.ln.Close()
			time.Sleep(time.Minute)
		})
	}
}

func TestDialBadURL(t *testing.T) {
	for _, u := range []string{"ftp://x/", "ws://", "ws://x/#f", "/x", "ws://[", "wss:x"} {
		if _, _, err := websocket.Dial(background, u, nil); err == nil {
			t.Error(u)
		}
	}
	o := &websocket.DialOptions{Header: http.Header{"Sec-Websocket-Key": {"x"}}}
	if _, _, err := websocket.Dial(background, "ws://x/", o); err == nil {
		t.Error("a field of the handshake's")
	}
}

// A masked frame of a server is 1002 (RFC 6455, 5.1).
func TestDialMaskedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.answers(func(r *http.Request) string {
			return "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptKey(r) + "\r\n\r\n" + string(text("masked"))
		})
		c, _, err := s.d.Dial(background, "ws://weir.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = c.Read(background)
		if e, ok := errors.AsType[*websocket.CloseError](err); !ok || e.Reason.String() != "error:badframe" {
			t.Error(err)
		}
		s.ln.Close()
		time.Sleep(time.Minute)
	})
}

func acceptKey(r *http.Request) string { return upgrade.AcceptKey(r.Header.Get("Sec-WebSocket-Key")) }
