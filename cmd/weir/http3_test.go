package main

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"weir/websocket"
	"weir/wsframe"
)

// TestHTTP3Named: --h3 is in the listening event, and in Alt-Svc on answers over TLS that are not
// HTTP/3's own (RFC 7838, 3). In cleartext there is none, for nobody may follow it from there.
func TestHTTP3Named(t *testing.T) {
	p := start(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(p.https, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, h2 := range []bool{false, true} {
		for origin, want := range map[string]string{
			p.http: "", p.https: `h3=":` + port + `"; ma=600`,
		} {
			res, err := client(t, h2).Get(origin + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if got := res.Header.Get("Alt-Svc"); got != want {
				t.Errorf("%s over %s has Alt-Svc %q, want %q", origin, res.Proto, got, want)
			}
		}
	}
	for _, version := range []websocket.HTTPVersion{websocket.HTTP1, websocket.HTTP2} { // by which a Dialer learns of it
		d := &websocket.Dialer{HTTP: version, TLS: &tls.Config{InsecureSkipVerify: true}}
		c, res, err := d.Dial(t.Context(), p.https+"/echo", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Header.Get("Alt-Svc"); got != `h3=":`+port+`"; ma=600` {
			t.Errorf("the answer to a handshake over %s has Alt-Svc %q", res.Proto, got)
		}
		c.CloseNow()
		d.Close()
	}
	off := startCommand(t, "serve", "--listen", "", "--tls-listen", "127.0.0.1:0")
	res, err := client(t, true).Get(off.https + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.Header.Get("Alt-Svc") != "" {
		t.Errorf("without --h3 there is Alt-Svc %q", res.Header.Get("Alt-Svc"))
	}
}

// TestHTTP3Listening: the listening event names h3 where it is.
func TestHTTP3Listening(t *testing.T) {
	for _, flags := range [][]string{nil, {"--h3"}} {
		args := []string{"serve", "--listen", "", "--tls-listen", "127.0.0.1:0"}
		cmd := weir(testContext(t), append(args, flags...)...)
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Addresses []struct{ Protocols []string }
		}
		if err := json.NewDecoder(stdout).Decode(&e); err != nil {
			t.Fatal(err)
		}
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		want := "h2 http/1.1" + strings.Join(append([]string{""}, flags...), " ")
		if got := strings.Join(e.Addresses[0].Protocols, " "); got != strings.ReplaceAll(want, "--", "") {
			t.Errorf("with %v the protocols are %s", flags, got)
		}
	}
}

// TestHTTP3Report: /headers, the open event and the metrics say 3 and h3.
func TestHTTP3Report(t *testing.T) {
	p := start(t)
	l := newLane(t, p, "h3")
	r := l.open(t, "/headers?a=b", "X-One", "1")
	h, text, err := r.frame()
	if err != nil || h.Op != wsframe.Text {
		t.Fatal(h, err)
	}
	var got requestReport
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.HTTPVersion != "3" || got.Method != "CONNECT" || got.Protocol != "websocket" ||
		got.Scheme != "https" || got.Authority != "localhost" || got.Path != "/headers" ||
		got.Query != "a=b" || got.TLS == nil || got.TLS.ALPN != "h3" || got.TLS.Version != "TLS 1.3" {
		t.Errorf("%+v, TLS %+v", got, got.TLS)
	}
	if len(got.Headers) != 2 || got.Headers.Get("X-One") != "1" ||
		got.Headers.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("header %v", got.Headers)
	}
	r.want(ended("1000")...)
	open := p.event("open", "/headers")
	if open["transport"] != "h3" || open["http_version"] != "3" || open["stream"] != 0.0 ||
		!strings.HasPrefix(open["remote_addr"].(string), "127.0.0.1:") {
		t.Errorf("%v", open)
	}
	second := l.open(t, "/echo")
	if open := p.event("open", "/echo"); open["stream"] != 4.0 {
		t.Errorf("the second stream is %v", open["stream"])
	}
	wantSamples(t, p, "weir_", `weir_sockets_open{transport="h3"} 1`,
		`weir_handshakes_total{result="ok",transport="h3"} 2`, "weir_h3_connections 1",
		"weir_h3_tunnels 1", "weir_h3_tunnels_total 2")
	second.say(closing(1000, ""))
	second.want(ended("1000")...)

	status, body, err := l.peer3.Get("/healthz")
	if status != http.StatusOK || string(body) != "ok" || err != nil {
		t.Errorf("GET /healthz over HTTP/3: %d %q %v", status, body, err)
	}
	status, body, err = l.peer3.Get("/bytes/300000")
	if status != http.StatusOK || len(body) != 300_000 || err != nil {
		t.Errorf("GET /bytes/300000 over HTTP/3: %d, %d octets, %v", status, len(body), err)
	}
}

// TestHTTP3Flags: what --h3 needs, and a UDP port that is taken.
func TestHTTP3Flags(t *testing.T) {
	fails := func(code int, says string, flags ...string) {
		t.Helper()
		args := append([]string{"serve", "--h3", "--listen", ""}, flags...)
		out, err := weir(testContext(t), args...).CombinedOutput()
		ee, ok := err.(*exec.ExitError)
		if !ok || ee.ExitCode() != code || !strings.Contains(string(out), says) {
			t.Errorf("%v: %v\n%s", flags, err, out)
		}
	}
	fails(2, "--h3 needs --tls-listen with a port", "--listen", "127.0.0.1:0", "--tls-listen", "")
	fails(2, "--h3 needs --tls-listen with a port", "--tls-listen", "unix:/nowhere")
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	fails(1, "address already in use", "--tls-listen", pc.LocalAddr().String())
}

// TestHTTP3Off: without extended CONNECT it is refused, and ordinary requests are not. quic-go has
// no way to leave the setting out.
func TestHTTP3Off(t *testing.T) {
	p := start(t, "--no-extended-connect")
	l := newLane(t, p, "h3")
	tunnel, err := l.peer3.WebSocket("/echo")
	if err != nil || tunnel.Status != http.StatusNotImplemented {
		t.Errorf("%+v, %v", tunnel, err)
	}
	if status, _, err := l.peer3.Get("/healthz"); status != 200 || err != nil {
		t.Errorf("%d, %v", status, err)
	}
}
