package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/h2/h2test"
)

// tunnel opens /tunnel under a token.
func (l *lane) tunnel(t *testing.T, token string) (o octets, status int) {
	t.Helper()
	switch {
	case l.http3():
		tunnel, err := l.peer3.Connect("/tunnel", ":protocol", token)
		if err != nil {
			t.Fatal(err)
		}
		o, status = h3octets{tunnel}, tunnel.Status
	case l.http2():
		tunnel, err := l.peer.Connect("/tunnel", ":protocol", token)
		if err != nil {
			t.Fatal(err)
		}
		o, status = h2octets{tunnel}, tunnel.Status
	default:
		c := l.dial(t)
		io.WriteString(c, "GET /tunnel HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: "+token+"\r\n\r\n")
		in := bufio.NewReader(c)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode == 101 && res.Header.Get("Upgrade") != tunnelToken {
			t.Errorf("the 101 has Upgrade: %q (RFC 9110, 7.8)", res.Header.Get("Upgrade"))
		}
		o, status = h1octets{c.(halfCloser), in}, res.StatusCode
	}
	if err := o.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return o, status
}

// Raw octets come back, as many as there are, and our end is answered by the server's.
func TestTunnel(t *testing.T) {
	p := start(t)
	eachLane(t, p, func(t *testing.T, l *lane) {
		o, status := l.tunnel(t, tunnelToken)
		if want := map[bool]int{false: 101, true: 200}[l.streams()]; status != want {
			t.Fatalf("status %d, want %d", status, want)
		}
		sent := make([]byte, 1<<20)
		rand.Read(sent)
		go func() { // ends when the server has taken it all
			o.Write(sent)
			o.CloseWrite()
		}()
		if got, err := io.ReadAll(o); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d octets came back, %v", len(got), err)
		}
		if _, status := l.tunnel(t, "other"); status != map[bool]int{false: 426, true: 501}[l.streams()] {
			t.Errorf("another token: status %d (RFC 9110, 7.8; RFC 9220, 3)", status)
		}
	})
	if text := metricsText(t, p); strings.Contains(text, "weir_handshakes_total{") {
		t.Errorf("tunnels count as handshakes of WebSockets:\n%s", text)
	}
}

func metricsText(t *testing.T, p *process) string {
	t.Helper()
	res, err := client(t, false).Get(p.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// follow opens /events; lines gives them as they come.
func (l *lane) follow(t *testing.T, ctx context.Context, room string) (body io.ReadCloser, lines *bufio.Reader) {
	t.Helper()
	if l.http3() {
		return l.follow3(t, room)
	}
	origin := l.http
	if l.transport == "h1tls" || l.transport == "h2" {
		origin = l.https
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/events?room="+room, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client(t, l.http2()).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if h := res.Header; res.StatusCode != 200 || h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s with %v", res.Status, h)
	}
	lines = bufio.NewReader(res.Body)
	wantEvent(t, lines, "event: open\ndata:\n")
	return res.Body, lines
}

// follow3 is follow over HTTP/3.
func (l *lane) follow3(t *testing.T, room string) (body io.ReadCloser, lines *bufio.Reader) {
	t.Helper()
	tunnel, err := l.peer3.Open(":method", "GET", ":scheme", "https", ":authority", "localhost",
		":path", "/events?room="+room)
	if err == nil {
		err = tunnel.CloseWrite()
	}
	if err == nil {
		err = tunnel.Answer(patience)
	}
	if err != nil {
		t.Fatal(err)
	}
	if tunnel.Status != 200 || tunnel.Field("content-type") != "text/event-stream" ||
		tunnel.Field("cache-control") != "no-store" {
		t.Fatalf("%v", tunnel.Header)
	}
	if err := tunnel.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	lines = bufio.NewReader(tunnel)
	wantEvent(t, lines, "event: open\ndata:\n")
	return tunnel, lines
}

// wantEvent compares the next event, without the empty line that ends it.
func wantEvent(t *testing.T, lines *bufio.Reader, want string) {
	t.Helper()
	var got strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %q, want %q", err, got.String(), want)
		}
		if line == "\n" {
			break
		}
		got.WriteString(line)
	}
	if got.String() != want {
		t.Errorf("event %q, want %q", got.String(), want)
	}
}

// What is said in a room is an event to all that follow it, over whatever they came.
func TestEvents(t *testing.T) {
	p := start(t)
	ctx := testContext(t)
	var feeds []*bufio.Reader
	for _, transport := range transports {
		_, lines := newLane(t, p, transport).follow(t, ctx, "news")
		feeds = append(feeds, lines)
	}
	_, elsewhere := newLane(t, p, "h2c").follow(t, ctx, "elsewhere")
	eachLane(t, p, func(t *testing.T, l *lane) {
		m := l.open(t, "/rooms/news")
		p.event("open", "/rooms/news")
		m.say(text("one"), text("two\nlines\r\nand a \u00fc"), text(""), binaryFrame("\x00\xff"), ping("not said"))
		for range 4 {
			m.next()
		}
		m.say(closing(1000, ""))
		m.all()
		m.CloseWrite()
		for _, f := range feeds {
			wantEvent(t, f, "data: one\n")
			wantEvent(t, f, "data: two\ndata: lines\ndata: and a \u00fc\n")
			wantEvent(t, f, "data: \n")
			wantEvent(t, f, "event: binary\ndata: AP8=\n")
		}
	})
	m := newLane(t, p, "h1").open(t, "/rooms/elsewhere")
	m.say(text("here"))
	wantEvent(t, elsewhere, "data: here\n")

	p.signal(syscall.SIGTERM) // drains: the answers end as they should
	for _, f := range append(feeds, elsewhere) {
		if rest, err := io.ReadAll(f); err != nil || len(rest) > 0 {
			t.Errorf("at the end: %q, %v", rest, err)
		}
	}
	m.all()
	m.CloseWrite()
	p.wantExit(0)
}

func TestEventsRefused(t *testing.T) {
	p := start(t)
	for _, h2 := range []bool{false, true} {
		c := client(t, h2)
		for path, want := range map[string]int{"/events": 400, "/events?room=": 400} {
			res, err := c.Get(p.http + path)
			if err != nil {
				t.Fatal(err)
			}
			if res.Body.Close(); res.StatusCode != want {
				t.Errorf("GET %s: %s, want %d", path, res.Status, want)
			}
		}
		res, err := c.Head(p.http + "/events?room=x")
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("HEAD: %s with %v", res.Status, res.Header)
		}
	}
}

// A feed that is not read is cut, and counted; the room does not notice.
func TestEventsSlow(t *testing.T) {
	p := start(t)
	for _, transport := range []string{"h1", "h2c"} {
		t.Run(transport, func(t *testing.T) {
			l := newLane(t, p, transport)
			var slow io.Reader
			if l.http2() {
				tunnel, err := l.peer.Open(true, ":method", "GET", ":scheme", "http", ":authority", "localhost", ":path", "/events?room=slow")
				if err != nil {
					t.Fatal(err)
				}
				tunnel.Withhold(true)
				slow = slowTunnel{tunnel}
			} else {
				c := l.dial(t)
				io.WriteString(c, "GET /events?room=slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
				slow = c
			}
			one := make([]byte, 1)
			if _, err := io.ReadFull(slow, one); err != nil { // the header has come, so it is in the room soon
				t.Fatal(err)
			}
			m := newLane(t, p, "h1").open(t, "/rooms/slow?max_frame_size=0")
			big := strings.Repeat("x", 256<<10)
			want := `weir_slow_consumers_total ` + map[string]string{"h1": "1", "h2c": "2"}[transport] + "\n"
			for n := 0; !strings.Contains(metricsText(t, p), want); n++ {
				if n > 1000 {
					t.Fatal("a feed that nobody reads is not cut")
				}
				m.say(text(big))
				m.wantNext("text of 262144")
			}
			if !l.http2() { // the rest of what the kernel holds, and no proper end
				if all, err := io.ReadAll(slow); err == nil && bytes.HasSuffix(all, []byte("\r\n0\r\n\r\n")) {
					t.Error("the answer looks complete")
				}
			}
			m.say(closing(1000, ""))
			m.want(ended("1000")...)
		})
	}
}

// slowTunnel reads the first octets of an answer.
type slowTunnel struct{ *h2test.Tunnel }

func (s slowTunnel) Read(b []byte) (int, error) {
	if err := s.Answer(patience); err != nil {
		return 0, err
	}
	return s.Tunnel.Read(b)
}
