package main

//lint:file-ignore SA1019 the module lives on under another path; it is a peer here, whatever its name

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"nhooyr.io/websocket"
)

// dial opens a WebSocket over HTTP/1.1 with a client that shares no code with the server.
func dial(t *testing.T, origin, path string, subprotocols ...string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(testContext(t), origin+path, &websocket.DialOptions{
		HTTPClient:   client(t, false),
		Subprotocols: subprotocols,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	c.SetReadLimit(math.MaxInt64 - 1)
	return c
}

// read gives one message.
func read(t *testing.T, c *websocket.Conn) []byte {
	t.Helper()
	_, got, err := c.Read(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantText(t *testing.T, c *websocket.Conn, want string) {
	t.Helper()
	wantMessage(t, c, websocket.MessageText, want)
}

func wantBinary(t *testing.T, c *websocket.Conn, want string) {
	t.Helper()
	wantMessage(t, c, websocket.MessageBinary, want)
}

func wantMessage(t *testing.T, c *websocket.Conn, kind websocket.MessageType, want string) {
	t.Helper()
	k, got, err := c.Read(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	if k != kind || string(got) != want {
		t.Errorf("got %v %q, want %v %q", k, got, kind, want)
	}
}

func write(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	writeMessage(t, c, websocket.MessageText, text)
}

func writeBinary(t *testing.T, c *websocket.Conn, octets string) {
	t.Helper()
	writeMessage(t, c, websocket.MessageBinary, octets)
}

func writeMessage(t *testing.T, c *websocket.Conn, kind websocket.MessageType, octets string) {
	t.Helper()
	if err := c.Write(testContext(t), kind, []byte(octets)); err != nil {
		t.Fatal(err)
	}
}

// wantClose reads messages until the server's close frame.
func wantClose(t *testing.T, c *websocket.Conn, code int, text string) {
	t.Helper()
	for {
		_, _, err := c.Read(testContext(t))
		if err == nil {
			continue
		}
		var ce websocket.CloseError
		if !errors.As(err, &ce) {
			t.Fatalf("got %v, want a close frame with %d", err, code)
		}
		if int(ce.Code) != code || ce.Reason != text {
			t.Errorf("closed with %d %q, want %d %q", ce.Code, ce.Reason, code, text)
		}
		return
	}
}

// overHTTP1 runs body over cleartext and over TLS.
func overHTTP1(t *testing.T, body func(t *testing.T, p *process, origin, transport string)) {
	p := start(t)
	t.Run("h1", func(t *testing.T) { body(t, p, p.http, "h1") })
	t.Run("h1tls", func(t *testing.T) { body(t, p, p.https, "h1tls") })
}

func TestHTTP1Echo(t *testing.T) {
	overHTTP1(t, func(t *testing.T, p *process, origin, transport string) {
		c := dial(t, origin, "/echo?max_frame_size=0")
		ctx := testContext(t)
		messages, octets := 0, 0
		for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
			for _, size := range []int{0, 125, 126, 65535, 65536, 1 << 20} {
				sent := []byte(payload(int64(size)))
				if err := c.Write(ctx, kind, sent); err != nil {
					t.Fatal(err)
				}
				k, got, err := c.Read(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if k != kind || !bytes.Equal(got, sent) {
					t.Errorf("%v of %d octets came back as %v of %d", kind, size, k, len(got))
				}
				messages++
				octets += size
			}
		}
		if err := c.Close(4001, "grüße"); err != nil {
			t.Errorf("closing: %v", err)
		}
		open := p.event("open", "/echo")
		if open["transport"] != transport || open["http_version"] != "1.1" || open["stream"] != 0.0 {
			t.Errorf("open event %v", open)
		}
		counts := event{"messages": messages, "bytes": octets}
		end := p.wantEnd("/echo", event{"id": open["id"], "reason": "remote", "code": 4001, "text": "grüße", "sent_code": 4001, "sent_text": "", "in": counts, "out": counts, "shutdown_reason": nil})
		wantKeys(t, open, "event extensions http_version id path remote_addr stream subprotocol time transport")
		wantKeys(t, end, "code duration_ms event id in out path reason sent_code sent_text shutdown_reason text time")
		if _, ok := end["duration_ms"].(float64); !ok {
			t.Errorf("duration_ms is %v", end["duration_ms"])
		}
	})
}

func TestHTTP1Fragments(t *testing.T) {
	overHTTP1(t, func(t *testing.T, p *process, origin, _ string) {
		c := dial(t, origin, "/echo")
		w, err := c.Writer(testContext(t), websocket.MessageText)
		if err != nil {
			t.Fatal(err)
		}
		piece := payload(5000)
		for range 10 {
			if _, err := w.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		wantText(t, c, strings.Repeat(piece, 10))
		if err := c.Close(1000, ""); err != nil {
			t.Errorf("closing: %v", err)
		}
		p.wantEnd("/echo", event{"reason": "remote", "code": 1000, "text": "", "in": event{"bytes": 50000, "messages": 1}})
	})
}

func TestHTTP1Ping(t *testing.T) {
	overHTTP1(t, func(t *testing.T, p *process, origin, _ string) {
		c := dial(t, origin, "/echo")
		ctx := c.CloseRead(testContext(t)) // reads in the background, as Ping needs
		for range 3 {
			if err := c.Ping(ctx); err != nil {
				t.Fatal(err)
			}
		}
		c.CloseNow()
		p.wantEnd("/echo", event{"reason": "error:closed", "in": event{"bytes": 0, "messages": 0}})
	})
}

func TestPush(t *testing.T) {
	p := start(t)
	c := dial(t, p.http, "/push?interval=1&size=3&count=5&type=binary")
	for range 5 {
		wantBinary(t, c, "012")
	}
	c.Close(1000, "enough")
	p.wantEnd("/push", event{"reason": "remote", "text": "enough", "out": event{"bytes": 15, "messages": 5}})
}

func TestSource(t *testing.T) {
	p := start(t)
	c := dial(t, p.http, "/source?size=1000&count=3000")
	n := 0
	for {
		_, got, err := c.Read(testContext(t))
		if err != nil {
			if websocket.CloseStatus(err) != 1000 {
				t.Error(err)
			}
			break
		}
		n += len(got)
	}
	if n != 3_000_000 {
		t.Errorf("%d octets, want 3000000", n)
	}
	p.wantEnd("/source", event{"reason": "stop", "out": event{"bytes": 3_000_000, "messages": 3000}})
}

func TestDiscard(t *testing.T) {
	p := start(t)
	c := dial(t, p.http, "/discard")
	for range 100 {
		write(t, c, "0123456789")
	}
	c.Close(1000, "")
	p.wantEnd("/discard", event{"reason": "remote", "in": event{"bytes": 1000, "messages": 100}, "out": event{"bytes": 0, "messages": 0}})
}

func TestHeaders(t *testing.T) {
	p := start(t, "--subprotocol", "one", "--subprotocol", "two")
	for _, origin := range []string{p.http, p.https} {
		c := dial(t, origin, "/headers?a=b", "zero", "two", "one")
		got := read(t, c)
		wantClose(t, c, 1000, "")
		var r map[string]any
		if err := json.Unmarshal(got, &r); err != nil {
			t.Fatalf("%v in %s", err, got)
		}
		scheme, host, _ := strings.Cut(origin, "://")
		for k, want := range map[string]any{"method": "GET", "http_version": "1.1", "protocol": "websocket", "scheme": scheme, "authority": host,
			"path": "/headers", "query": "a=b", "client_ip": "127.0.0.1", "subprotocol": "one", "extensions": ""} {
			if r[k] != want {
				t.Errorf("%s: %s is %v, want %v", origin, k, r[k], want)
			}
		}
		if (r["tls"] == nil) != (scheme == "http") {
			t.Errorf("%s: tls is %v", origin, r["tls"])
		}
		if e := p.event("open", "/headers"); e["subprotocol"] != "one" || e["remote_addr"] != r["remote_addr"] {
			t.Errorf("open event %v, and the peer is %v", e, r["remote_addr"])
		}
	}
}

func TestClose(t *testing.T) {
	p := start(t)
	for _, c := range []struct {
		query  string
		code   int // 1005: the close frame is empty
		text   string
		reason string
	}{
		{"", 1005, "", "stop"},
		{"?code=1000", 1000, "", "stop"},
		{"?code=4999&reason=so+long", 4999, "so long", "stop"},
		{"?code=1005", 1011, "", "crash:error"}, // RFC 6455, 7.4.1: never in a frame
	} {
		t.Run("close"+c.query, func(t *testing.T) {
			wantClose(t, dial(t, p.http, "/close"+c.query), c.code, c.text)
			e := p.event("terminate", "/close")
			if got := fmt.Sprint(e["reason"]); !strings.HasPrefix(got, strings.TrimSuffix(c.reason, "error")) {
				t.Errorf("reason %s, want %s", got, c.reason)
			}
		})
	}
}

// Each query parameter overrides its flag.
func TestQuery(t *testing.T) {
	p := start(t, "--max-frame-size", "10", "--idle-timeout", "0")
	t.Run("max_frame_size", func(t *testing.T) {
		c := dial(t, p.http, "/echo")
		write(t, c, "eleven long")
		wantClose(t, c, 1009, "")
		p.wantEnd("/echo", event{"reason": "error:badsize"})
		c = dial(t, p.http, "/echo?max_frame_size=11")
		write(t, c, "eleven long")
		wantText(t, c, "eleven long")
		c.Close(1000, "")
		p.wantEnd("/echo", event{"reason": "remote"})
	})
	t.Run("idle_timeout", func(t *testing.T) {
		wantClose(t, dial(t, p.http, "/echo?idle_timeout=10"), 1000, "")
		p.wantEnd("/echo", event{"reason": "timeout"})
	})
	t.Run("validate_utf8", func(t *testing.T) {
		c := dial(t, p.http, "/echo")
		write(t, c, "\xff")
		wantClose(t, c, 1007, "")
		p.wantEnd("/echo", event{"reason": "error:badencoding"})
		c = dial(t, p.http, "/echo?validate_utf8=0")
		write(t, c, "\xff")
		wantText(t, c, "\xff")
	})
	for _, bad := range []string{"window=0", "window=x", "validate_utf8=2", "max_frame_size=-1", "idle_timeout=soon"} {
		t.Run(bad, func(t *testing.T) {
			_, res, err := websocket.Dial(testContext(t), p.http+"/echo?"+bad, nil)
			if err == nil || res == nil || res.StatusCode != 400 {
				t.Errorf("got %v, want 400", err)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	p := start(t, "--origin", "example.org")
	try := func(origin string) int {
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		c, res, err := websocket.Dial(ctx, p.http+"/echo", &websocket.DialOptions{HTTPHeader: map[string][]string{"Origin": {origin}}})
		if err == nil {
			c.CloseNow()
		}
		if res == nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	if got := try("https://example.org"); got != 101 {
		t.Errorf("an allowed origin gets %d", got)
	}
	for _, other := range []string{"https://example.net", p.http} { // --origin replaces the rule of the same host
		if got := try(other); got != 403 {
			t.Errorf("origin %s gets %d, want 403", other, got)
		}
	}
}
