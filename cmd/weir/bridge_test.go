package main

//lint:file-ignore SA1019 the module lives on under another path; it is a peer here, whatever its name

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"nhooyr.io/websocket"

	"weir/wsframe"
)

// eachBridge runs body with a bridge to a server, in cleartext, over TLS and over HTTP/3.
func eachBridge(t *testing.T, body func(t *testing.T, b, p *process), flags ...string) {
	t.Helper()
	p := start(t, flags...)
	for _, transport := range []string{"h2c", "h2", "h3"} {
		t.Run(transport, func(t *testing.T) { body(t, startBridge(t, p, transport), p) })
	}
}

func startBridge(t *testing.T, p *process, transport string, flags ...string) *process {
	t.Helper()
	url := p.http
	if transport != "h2c" {
		url = p.https
	}
	if transport == "h3" {
		flags = append([]string{"--http", "3"}, flags...)
	}
	return startCommand(t, append([]string{"bridge", "127.0.0.1:0", url, "-k"}, flags...)...)
}

// dialBridge opens a WebSocket by a client of another make.
func dialBridge(t *testing.T, ctx context.Context, b *process, path string, o *websocket.DialOptions) (*websocket.Conn, *http.Response) {
	t.Helper()
	c, res, err := websocket.Dial(ctx, b.http+path, o)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(1 << 24)
	t.Cleanup(func() { c.CloseNow() })
	return c, res
}

func TestBridge(t *testing.T) {
	eachBridge(t, func(t *testing.T, b, p *process) {
		ctx := testContext(t)
		t.Run("sizes", func(t *testing.T) {
			c, _ := dialBridge(t, ctx, b, "/echo", nil)
			for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 5 << 20} {
				msg := make([]byte, size)
				rand.Read(msg)
				sent := make(chan error, 1)
				go func() { sent <- c.Write(ctx, websocket.MessageBinary, msg) }() // ends when the server has read it
				kind, got, err := c.Read(ctx)
				if werr := <-sent; err != nil || werr != nil || kind != websocket.MessageBinary || !bytes.Equal(got, msg) {
					t.Fatalf("%d octets: %d came back, %v, %v", size, len(got), err, werr)
				}
			}
			if err := c.Close(4001, "enough"); err != nil {
				t.Error(err)
			}
			p.wantEnd("/echo", event{"reason": "remote", "code": 4001, "text": "enough"})
		})
		t.Run("the server closes", func(t *testing.T) {
			c, _ := dialBridge(t, ctx, b, "/close?code=4000&reason=bye", nil)
			_, _, err := c.Read(ctx)
			if ce, ok := errors.AsType[websocket.CloseError](err); !ok || ce.Code != 4000 || ce.Reason != "bye" {
				t.Errorf("got %v", err)
			}
			p.wantEnd("/close", event{"reason": "stop"})
		})
		t.Run("handshake", func(t *testing.T) {
			c, res := dialBridge(t, ctx, b, "/headers?a=%2F&b", &websocket.DialOptions{Subprotocols: []string{"other", "chat"},
				CompressionMode: websocket.CompressionContextTakeover,
				HTTPHeader:      http.Header{"Origin": {"https://example.com"}, "Cookie": {"a=1; b=2"}, "X-More": {"1", "2"}, "Keep-Alive": {"x"}}})
			if c.Subprotocol() != "chat" || res.StatusCode != 101 || !strings.HasPrefix(res.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
				t.Errorf("the answer is %s with %v", res.Status, res.Header)
			}
			_, msg, err := c.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var got requestReport
			if err := json.Unmarshal(msg, &got); err != nil {
				t.Fatal(err)
			}
			h := got.Headers
			version := "2"
			if strings.HasSuffix(t.Name(), "/h3/handshake") {
				version = "3"
			}
			if got.Method != "CONNECT" || got.HTTPVersion != version || got.Path != "/headers" || got.Query != "a=%2F&b" ||
				"http://"+got.Authority != p.http && "https://"+got.Authority != p.https {
				t.Errorf("the server saw %s", msg)
			}
			if h.Get("Origin") != "https://example.com" || h.Get("Cookie") != "a=1; b=2" || fmt.Sprint(h["X-More"]) != "[1 2]" {
				t.Errorf("the server saw the fields %v", h)
			}
			for _, name := range []string{"Sec-Websocket-Key", "Connection", "Upgrade", "Keep-Alive"} {
				if len(h[name]) > 0 {
					t.Errorf("the server saw the field %s: %v (RFC 8441, 5)", name, h)
				}
			}
			c.Read(ctx) // the close
			p.wantEnd("/headers", event{"reason": "stop"})
		})
		t.Run("refusals", func(t *testing.T) {
			for path, want := range map[string]int{"/nowhere": 404, "/echo?window=0": 400} {
				_, res, err := websocket.Dial(ctx, b.http+path, nil)
				if err == nil || res == nil || res.StatusCode != want {
					t.Errorf("%s: %v, %v, want %d", path, res, err, want)
					continue
				}
				if body, err := io.ReadAll(res.Body); err != nil || len(body) == 0 {
					t.Errorf("%s: body %q, %v", path, body, err)
				}
			}
			res, err := client(t, false).Get(b.http + "/echo")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusUpgradeRequired || res.Header.Get("Upgrade") != "websocket" {
				t.Errorf("no handshake gets %s (RFC 9110, 15.5.22)", res.Status)
			}
		})
	}, "--subprotocol", "chat", "--compress", "--max-frame-size", "0")
}

// 50 WebSockets are 50 streams of one HTTP/2 connection; past the server's limit there is a second.
func TestBridgeOneConnection(t *testing.T) {
	eachBridge(t, func(t *testing.T, b, p *process) {
		ctx := testContext(t)
		var wg sync.WaitGroup
		conns := make([]*websocket.Conn, 60)
		open := func(from, to int) {
			for i := from; i < to; i++ {
				wg.Go(func() {
					c, _, err := websocket.Dial(ctx, b.http+"/echo", nil)
					if err != nil {
						t.Errorf("WebSocket %d: %v", i, err)
						return
					}
					conns[i] = c
					want := "hello from " + strconv.Itoa(i)
					if err := c.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
						t.Error(err)
					}
					if _, got, err := c.Read(ctx); err != nil || string(got) != want {
						t.Errorf("WebSocket %d: %q, %v", i, got, err)
					}
				})
			}
			wg.Wait()
		}
		remotes := map[any]int{}
		open(0, 50)
		for range 50 {
			remotes[p.event("open", "/echo")["remote_addr"]]++
		}
		if len(remotes) != 1 {
			t.Errorf("connections and their streams: %v, want one with 50", remotes)
		}
		open(50, 60)
		for range 10 {
			remotes[p.event("open", "/echo")["remote_addr"]]++
		}
		if len(remotes) != 2 {
			t.Errorf("connections and their streams: %v, want two", remotes)
		}
		for _, c := range conns {
			if c != nil {
				wg.Go(func() { c.Close(1000, "") })
			}
		}
		wg.Wait()
		for range conns {
			p.wantEnd("/echo", event{"reason": "remote", "code": 1000})
		}
	}, "--max-streams", "50")
}

// A FIN and a reset pass through either way, and octets that are no WebSocket frames as well as
// those that are.
func TestBridgeEnds(t *testing.T) {
	eachBridge(t, func(t *testing.T, b, p *process) {
		l := newLane(t, b, "h1")
		r := l.open(t, "/echo")
		r.CloseWrite() // without a close frame
		r.wantAll("end")
		p.wantEnd("/echo", event{"reason": "error:closed"})

		r = l.open(t, "/echo")
		r.say(begin(wsframe.Text, "half"))
		r.reset()
		p.wantEnd("/echo", event{"reason": "error:closed"})

		r = l.open(t, "/echo")
		r.say(text("fine"), masked(wsframe.Header{Fin: true, Op: 3}, "bad"))
		if got := r.all(); !strings.HasPrefix(got, "text \"fine\"\nclose 1002") {
			t.Errorf("the server sent\n%s", indent(got))
		}
		r.CloseWrite()
		p.wantEnd("/echo", event{"reason": "error:badframe"})

		r = l.open(t, "/push?interval=0&size=60000&type=binary") // it never ends by itself
		r.next()
		r.reset()
		p.wantEnd("/push", event{"reason": "error:closed"})
	})
}

// A client that does not read holds its own server back and nobody else, and gets everything in the
// end.
func TestBridgeFlowControl(t *testing.T) {
	eachBridge(t, func(t *testing.T, b, p *process) {
		const count, size = 400, 64 << 10
		l := newLane(t, b, "h1")
		slow := l.open(t, fmt.Sprintf("/source?count=%d&size=%d&type=binary", count, size))
		other := l.open(t, "/echo")
		for range 50 {
			other.say(text("between"))
			other.wantNext(`text "between"`)
		}
		for i := range count {
			if h, got, err := slow.frame(); err != nil || len(got) != size || h.Op != wsframe.Binary {
				t.Fatalf("message %d: %d octets, %v", i, len(got), err)
			}
		}
		slow.wantNext(`close 1000 ""`)
		slow.say(closing(1000, ""))
		slow.wantAll("end")
		p.wantEnd("/source", event{"reason": "stop", "out": event{"messages": count, "bytes": count * size}})
		other.say(closing(1000, ""))
		other.want(ended("1000")...)
	}, "--max-frame-size", "0")
}

// Servers that a bridge cannot use are its client's 502, and the command line's faults are exit
// codes.
func TestBridgeFaults(t *testing.T) {
	p := start(t, "--no-extended-connect")
	b := startBridge(t, p, "h2c", "--timeout", "10s")
	_, res, err := websocket.Dial(testContext(t), b.http+"/echo", nil)
	if err == nil || res == nil || res.StatusCode != http.StatusBadGateway {
		t.Errorf("%v, %v", res, err)
	} else if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), "RFC 8441, 3") {
		t.Errorf("the body is %q", body)
	}
	for _, args := range [][]string{{}, {":0"}, {":0", "ftp://x"}, {":0", "http://x/path"}, {":0", "http://"}, {":0", "http://x", "--timeout", "0"},
		{":0", "http://x", "--http", "3"}, {":0", "https://x", "--http", "1.1"}} {
		if r := finish(t, weir(testContext(t), append([]string{"bridge"}, args...)...)); r.code != 2 || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%q: %+v", args, r)
		}
	}
	taken := strings.TrimPrefix(b.http, "http://")
	if r := finish(t, weir(testContext(t), "bridge", taken, p.http)); r.code != 1 || !strings.Contains(r.stderr, "in use") {
		t.Errorf("a taken port: %+v", r)
	}
}

// A signal lets what is open go on, and nothing new begin; a second one cuts.
func TestBridgeDrain(t *testing.T) {
	p := start(t)
	ctx := testContext(t)
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprintf("cut %v", cut), func(t *testing.T) {
			b := startBridge(t, p, "h2c", "--drain", "1h")
			c, _ := dialBridge(t, ctx, b, "/echo", nil)
			p.event("open", "/echo")
			b.signal(syscall.SIGTERM)
			for { // until the signal has been heard
				d, _, err := websocket.Dial(ctx, b.http+"/echo", nil)
				if err != nil {
					break
				}
				d.CloseNow()
				p.event("terminate", "/echo")
			}
			if err := c.Write(ctx, websocket.MessageText, []byte("still here")); err != nil {
				t.Fatal(err)
			}
			if _, got, err := c.Read(ctx); err != nil || string(got) != "still here" {
				t.Fatalf("%q, %v", got, err)
			}
			if cut {
				b.signal(syscall.SIGTERM)
				b.wantExit(1)
				p.wantEnd("/echo", event{"reason": "error:closed"})
				return
			}
			if err := c.Close(1000, ""); err != nil {
				t.Error(err)
			}
			b.wantExit(0)
			p.wantEnd("/echo", event{"reason": "remote", "code": 1000})
		})
	}
}
