package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"reflect"
	"testing"
)

// closeResult is how a WebSocket of testdata/peer.mjs ended.
type closeResult struct {
	Code   int
	Text   string
	Ended  bool // END_STREAM came behind the close frame
	Frames []frameResult
}

type frameResult struct{ Kind, Text string }

func (got closeResult) check(t *testing.T, want closeResult) {
	t.Helper()
	if len(got.Frames) == 0 {
		got.Frames = nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("ended with %+v, want %+v", got, want)
	}
}

// runPeer runs one task of the Node peer and decodes what it saw.
func runPeer(t *testing.T, origin string, result any, task string, args ...string) {
	t.Helper()
	startPeer(t, origin, task, args...)(result)
}

// startPeer starts it; the func it gives waits for its end.
func startPeer(t *testing.T, origin, task string, args ...string) (wait func(result any)) {
	t.Helper()
	cmd := peer(t, origin, task, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func(result any) {
		t.Helper()
		if err := cmd.Wait(); err != nil {
			t.Fatalf("peer.mjs %s: %v\n%s", task, err, stderr.String())
		}
		if err := json.Unmarshal(stdout.Bytes(), result); err != nil {
			t.Fatalf("peer.mjs %s: %v in %s", task, err, stdout.String())
		}
	}
}

func peer(t *testing.T, origin, task string, args ...string) *exec.Cmd {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: its http2 module is the HTTP/2 peer of this test")
	}
	return exec.CommandContext(testContext(t), node, append([]string{"testdata/peer.mjs", origin, task}, args...)...)
}

// overHTTP2 runs body in cleartext with prior knowledge, and over TLS with ALPN.
func overHTTP2(t *testing.T, flags []string, body func(t *testing.T, p *process, origin, transport string)) {
	p := start(t, flags...)
	t.Run("h2c", func(t *testing.T) { body(t, p, p.http, "h2c") })
	t.Run("h2", func(t *testing.T) { body(t, p, p.https, "h2") })
}

// normal is a WebSocket that the client closed with 1000.
var normal = closeResult{Code: 1000, Ended: true}

func TestHTTP2Echo(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, p *process, origin, transport string) {
		var got struct {
			Echoes []struct {
				Kind string
				Size int
				Same bool
			}
			Close closeResult
		}
		runPeer(t, origin, &got, "sizes")
		octets := 0
		for _, e := range got.Echoes {
			octets += e.Size
			if !e.Same {
				t.Errorf("%s of %d octets did not come back the same", e.Kind, e.Size)
			}
		}
		got.Close.check(t, normal)
		open := p.event("open", "/echo")
		if len(got.Echoes) != 12 || open["transport"] != transport || open["http_version"] != "2" || open["stream"] != 1.0 {
			t.Errorf("%d messages; open event %v", len(got.Echoes), open)
		}
		counts := event{"messages": 12, "bytes": octets}
		p.wantEnd("/echo", event{"id": open["id"], "reason": "remote", "code": 1000, "text": "", "in": counts, "out": counts})
	})
}

func TestHTTP2Fragments(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, p *process, origin, _ string) {
		var got struct {
			Got   []frameResult
			Close closeResult
		}
		runPeer(t, origin, &got, "fragments")
		want := []frameResult{{"pong", "in between"}, {"text", "one two three"}}
		if !reflect.DeepEqual(got.Got, want) {
			t.Errorf("got %v, want %v", got.Got, want)
		}
		got.Close.check(t, normal)
		p.wantEnd("/echo", event{"reason": "remote", "in": event{"bytes": 13, "messages": 1}})
	})
}

func TestHTTP2Trickle(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, _ *process, origin, _ string) {
		var got struct {
			Text  string
			Close closeResult
		}
		runPeer(t, origin, &got, "trickle")
		if got.Text != "drop by drop" {
			t.Errorf("got %q", got.Text)
		}
		got.Close.check(t, normal)
	})
}

func TestHTTP2Close(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, p *process, origin, _ string) {
		var got struct{ Closes []closeResult }
		runPeer(t, origin, &got, "close")
		want := []closeResult{normal, {Code: 4001, Ended: true}, {Ended: true}}
		for i, w := range want {
			got.Closes[i].check(t, w)
		}
		p.wantEnd("/echo", event{"reason": "remote", "code": 1000, "text": ""})
		p.wantEnd("/echo", event{"reason": "remote", "code": 4001, "text": "grüße"})
		if e := p.wantEnd("/echo", event{"reason": "remote"}); e["code"] != nil || e["text"] != nil {
			t.Errorf("an empty close frame is told as %v %v", e["code"], e["text"])
		}
	})
}

// 20 WebSockets and 20 GETs at once on one connection, beside a WebSocket whose peer does not read.
func TestHTTP2Many(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, p *process, origin, _ string) {
		var got struct {
			Sockets []struct {
				Same  int
				Close closeResult
			}
			Gets []struct{ Status, Size int }
		}
		runPeer(t, origin, &got, "many")
		if len(got.Sockets) != 20 || len(got.Gets) != 20 {
			t.Fatalf("%d WebSockets, %d GETs", len(got.Sockets), len(got.Gets))
		}
		for i, s := range got.Sockets {
			if s.Same != 20 {
				t.Errorf("WebSocket %d: %d of 20 messages came back the same", i, s.Same)
			}
			s.Close.check(t, normal)
		}
		for i, g := range got.Gets {
			if g.Status != 200 || g.Size != i*10000 {
				t.Errorf("GET %d: %+v", i, g)
			}
		}
		p.wantEnd("/push", event{"reason": "error:closed"})
		peers := map[string]bool{}
		for range 20 {
			peers[fmt.Sprint(p.event("open", "/echo")["remote_addr"])] = true
		}
		if len(peers) != 1 {
			t.Errorf("the WebSockets came over %d connections", len(peers))
		}
	})
}

// RFC 6455, 5.2: reserved bits fail that WebSocket, and none beside it.
func TestHTTP2BrokenFrame(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, p *process, origin, _ string) {
		var got struct {
			Close, Good closeResult
			Text        string
		}
		runPeer(t, origin, &got, "broken")
		got.Close.check(t, closeResult{Code: 1002, Ended: true})
		got.Good.check(t, normal)
		if got.Text != "still here" {
			t.Errorf("the other WebSocket got %q", got.Text)
		}
		p.wantEnd("/echo", event{"reason": "error:badframe"})
		p.wantEnd("/echo", event{"reason": "remote"})
	})
}

func TestHTTP2Refused(t *testing.T) {
	overHTTP2(t, nil, func(t *testing.T, _ *process, origin, _ string) {
		var got map[string]any
		runPeer(t, origin, &got, "refused")
		want := map[string]any{
			"version":  400.0, // RFC 6455, 4.4
			"protocol": 501.0, // RFC 9220, 3
			"query":    400.0,
			"plain":    501.0, // GET /healthz, which opens no stream (RFC 8441, 5)
			"lives":    200.0,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestHTTP2Headers(t *testing.T) {
	overHTTP2(t, []string{"--subprotocol", "one", "--subprotocol", "two"}, func(t *testing.T, p *process, origin, transport string) {
		var got struct {
			Report map[string]any
			Chosen string
			Close  closeResult
		}
		runPeer(t, origin, &got, "headers")
		got.Close.check(t, normal)
		scheme := map[string]string{"h2c": "http", "h2": "https"}[transport]
		for k, want := range map[string]any{"method": "CONNECT", "http_version": "2", "protocol": "websocket", "scheme": scheme, "authority": "localhost",
			"path": "/headers", "query": "a=b", "client_ip": "127.0.0.1", "subprotocol": "one", "extensions": ""} {
			if got.Report[k] != want {
				t.Errorf("%s is %v, want %v", k, got.Report[k], want)
			}
		}
		if got.Chosen != "one" {
			t.Errorf("the answer chose %q", got.Chosen)
		}
		headers := got.Report["headers"].(map[string]any)
		if fmt.Sprint(headers["X-Test"]) != "[yes]" || headers[":protocol"] != nil {
			t.Errorf("headers %v", headers)
		}
		p.wantEnd("/headers", event{"reason": "stop"})
	})
}

// RFC 8441, 3: without the setting no peer may try.
func TestNoExtendedConnect(t *testing.T) {
	p := start(t, "--no-extended-connect")
	out, err := peer(t, p.http, "close").CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("do not allow extended CONNECT")) {
		t.Errorf("the peer went on: %v\n%s", err, out)
	}
}
