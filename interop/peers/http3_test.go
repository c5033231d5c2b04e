package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"weir/h3/h3test"
)

// h3Socket is a WebSocket over HTTP/3 (RFC 9220) of a client that is written on
// golang.org/x/net/quic, with the frames of another library.
type h3Socket struct {
	p *h3test.Peer
	t *h3test.Tunnel
}

// dialH3 connects to an HTTP/3 server.
func dialH3(t *testing.T, addr string) *h3test.Peer {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h3test.Dial(bounded(t), pc, to, h3test.Options{Host: addr})
	if err != nil {
		t.Fatalf("HTTP/3 to %s: %v", addr, err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func openH3(t *testing.T, addr, path string) socket {
	t.Helper()
	w := &h3Socket{p: dialH3(t, addr)}
	settings, err := w.p.Settings()
	if err != nil || settings[h3test.SettingEnableConnectProtocol] != 1 {
		t.Fatalf("SETTINGS %v, %v", settings, err)
	}
	if w.t, err = w.p.WebSocket(path); err != nil || w.t.Status != 200 {
		t.Fatalf("extended CONNECT for %s: %+v, %v", path, w.t, err)
	}
	if err := w.t.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *h3Socket) echo(text bool, size int) string {
	op := ws.OpBinary
	if text {
		op = ws.OpText
	}
	sent := pattern(size)
	wrote := make(chan error, 1)
	go func() { wrote <- wsutil.WriteClientMessage(w.t, op, bytes.Clone(sent)) }() // with the deadline
	got, back, err := wsutil.ReadServerData(w.t)
	if err = errors.Join(<-wrote, err); err != nil || back != op || !bytes.Equal(got, sent) {
		return fmt.Sprintf("%d octets of %v came back, %v", len(got), back, err)
	}
	return ""
}

func (w *h3Socket) close(code int, text string) (int, string) {
	body := ws.NewCloseFrameBody(ws.StatusCode(code), text)
	if err := wsutil.WriteClientMessage(w.t, ws.OpClose, body); err != nil {
		return 0, err.Error()
	}
	got, text := w.closing()
	if err := w.t.CloseWrite(); err != nil {
		return got, err.Error()
	}
	if rest, err := io.ReadAll(w.t); len(rest) > 0 || err != nil {
		return 0, fmt.Sprintf("behind the close frame came %q, %v", rest, err)
	}
	return got, text
}

func (w *h3Socket) closing() (int, string) {
	f, err := ws.ReadFrame(w.t)
	if err != nil || f.Header.OpCode != ws.OpClose {
		return 0, fmt.Sprintf("%v, %v", f.Header, err)
	}
	code, text := ws.ParseCloseFrameData(f.Payload)
	return int(code), text
}

func (w *h3Socket) cut() { w.p.Abort(h3test.InternalError) }

// TestHTTP3: WebSockets over HTTP/3 from a client whose QUIC is not the server's.
func TestHTTP3(t *testing.T) {
	s := serve(t, "--h3", "--max-frame-size", "0")
	carries(t, s, "h3", func(path string) socket { return openH3(t, s.https, path) })
	status, body, err := dialH3(t, s.https).Get("/healthz")
	if status != 200 || string(body) != "ok" || err != nil {
		t.Errorf("GET /healthz: %d %q %v", status, body, err)
	}
}

// caddyConfig has Caddy listen on one port with TLS, UDP included, and go on by HTTP/1.1.
const caddyConfig = `{
	"admin": {"disabled": true, "config": {"persist": false}},
	"storage": {"module": "file_system", "root": %q},
	"logging": {"logs": {"default": {"level": "WARN"}}},
	"apps": {
		"http": {"servers": {"weir": {
			"listen": [%q],
			"routes": [{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": %q}]}]}],
			"tls_connection_policies": [{"fallback_sni": "127.0.0.1"}],
			"automatic_https": {"disable": true},
			"protocols": ["h1", "h2", "h3"]
		}}},
		"tls": {"certificates": {"load_files": [{"certificate": %q, "key": %q}]}}
	}
}`

// buildCaddy builds Caddy, which is a module of its own in interop/caddy.
func buildCaddy(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "caddy")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", path, ".")
	build.Dir = filepath.Join("..", "caddy")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building Caddy: %v\n%s", err, out)
	}
	return path
}

// TestHTTP3Caddy: WebSockets that come to Caddy over HTTP/3 and go on to weir over HTTP/1.1.
func TestHTTP3Caddy(t *testing.T) {
	caddy := buildCaddy(t)
	s := serve(t, "--max-frame-size", "0")
	addr := unused(t)
	cert := certificate(t) // and its key
	proxy(t, addr, caddy, "run", "--config", file(t, "caddy.json",
		fmt.Sprintf(caddyConfig, t.TempDir(), addr, s.http, cert, cert)))
	carries(t, s, "h1", func(path string) socket { return openH3(t, addr, path) })
}
