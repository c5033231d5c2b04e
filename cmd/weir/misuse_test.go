package main

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runWeir runs a command line that ends by itself.
func runWeir(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := weir(testContext(t), args...)
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), log.String(), cmd.ProcessState.ExitCode()
}

func TestMisuse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	garbage := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(garbage, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args string
		code int
		says string
	}{
		{"unknown command", "sing", exitUsage, "sing"},
		{"unknown flag", "serve --sing", exitUsage, "--sing"},
		{"flag without value", "serve --window", exitUsage, "--window"},
		{"bad number", "serve --window wide", exitUsage, "wide"},
		{"bad duration", "serve --drain soon", exitUsage, "soon"},
		{"negative", "serve --max-frame-size -1", exitUsage, "--max-frame-size"},
		{"no window", "serve --window 0", exitUsage, "--window"},
		{"an origin with a path", "serve --origin https://example.com/", exitUsage, `--origin: upgrade: origin pattern "https://example.com/"`},
		{"any host with a port", "serve --origin example.org --origin *:3000", exitUsage, `"*:3000"`},
		{"two subprotocols in one", "serve --subprotocol a,b", exitUsage, "--subprotocol"},
		{"bad log format", "serve --log xml", exitUsage, "xml"},
		{"deflate name", "serve --deflate bits=9", exitUsage, "bits"},
		{"deflate level", "serve --deflate level=10", exitUsage, "0 to 9"},
		{"deflate bits", "serve --compress --deflate level=1,server-max-window-bits=7", exitUsage, "8 to 15"},
		{"deflate switch", "serve --deflate client-no-context-takeover=perhaps", exitUsage, "perhaps"},
		{"deflate memory", "serve --deflate mem-level=0", exitUsage, "1 to 9"},
		{"deflate nothing", "serve --deflate=", exitUsage, "no such parameter"},
		{"trusted proxy", "serve --trusted-proxy 10.0.0.0/33", exitUsage, "10.0.0.0/33"},
		{"proxies", "serve --proxy-protocol --proxy-protocol-from 10.0.0.0/33", exitUsage, "10.0.0.0/33"},
		{"proxies without PROXY", "serve --proxy-protocol-from 10.0.0.0/8", exitUsage, "needs --proxy-protocol"},
		{"argument", "serve now", exitUsage, "now"},
		{"cert without key", "serve --cert " + garbage, exitUsage, "--key"},
		{"nothing to serve", "serve --listen= --tls-listen=", exitUsage, "nothing to serve"},
		{"no such certificate", "serve --listen 127.0.0.1:0 --tls-listen 127.0.0.1:0 --cert /nowhere --key /nowhere", exitFail, "/nowhere"},
		{"bad certificate", "serve --listen 127.0.0.1:0 --tls-listen 127.0.0.1:0 --cert " + garbage + " --key " + garbage, exitFail, garbage},
		{"port taken", "serve --tls-listen= --listen " + taken.Addr().String(), exitFail, "address already in use"},
		{"TLS port taken", "serve --listen 127.0.0.1:0 --tls-listen " + taken.Addr().String(), exitFail, "address already in use"},
		{"no address", "serve --tls-listen= --listen 127.0.0.1:http:x", exitFail, "127.0.0.1:http:x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, code := runWeir(t, strings.Fields(c.args)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if stdout != "" {
				t.Errorf("standard output has %q", stdout)
			}
			if !strings.HasPrefix(stderr, "weir: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.says) {
				t.Errorf("standard error has %q, want one line with %q", stderr, c.says)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	stdout, _, code := runWeir(t, "serve", "--help")
	for _, want := range []string{"--max-frame-size", "wscat", "curl", "node", "/commands", "SIGTERM"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d; the help does not speak of %s", code, want)
		}
	}
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if stdout, _, code := runWeir(t, args...); code != 0 || !strings.HasPrefix(stdout, "weir ") || !strings.Contains(stdout, "go1.") || !strings.Contains(stdout, "golang.org/x/net v") {
			t.Errorf("%v: exit code %d, %q", args, code, stdout)
		}
	}
}

// Whoever does not speak HTTP is sent away; the others notice nothing.
func TestGarbage(t *testing.T) {
	p := start(t)
	c := dial(t, p.http, "/echo")
	for _, garbage := range []string{"\x00\xff\x13\x37\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage garbage", strings.Repeat("x", 100_000), "\x16\x03\x01\x02\x00\x01"} {
		for _, origin := range []string{p.http, p.https} {
			_, address, _ := strings.Cut(origin, "://")
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(patience))
			conn.Write([]byte(garbage)) // the server may have gone already
			conn.(*net.TCPConn).CloseWrite()
			if _, err := io.Copy(io.Discard, conn); os.IsTimeout(err) {
				t.Errorf("%q over %s: the connection stays open", garbage, origin)
			}
			conn.Close()
		}
	}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.https, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write([]byte("this is no preface (RFC 9113, 3.4)"))
	if _, err := io.Copy(io.Discard, conn); os.IsTimeout(err) {
		t.Error("a TLS connection without the preface stays open")
	}
	conn.Close()
	write(t, c, "still here")
	wantText(t, c, "still here")
}

// RFC 6455, 5.1: an unmasked frame fails that WebSocket, and none beside it.
func TestHTTP1BrokenFrame(t *testing.T) {
	p := start(t)
	good := dial(t, p.http, "/echo")
	p.event("open", "/echo")
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.http, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write([]byte("GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" + "\x81\x02hi"))
	conn.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(answer), "HTTP/1.1 101 ") || !strings.HasSuffix(string(answer), "\r\n\r\n\x88\x02\x03\xea") {
		t.Errorf("answered %q, want 101 and a close frame with 1002", answer)
	}
	p.wantEnd("/echo", event{"reason": "error:badframe", "in": event{"messages": 0, "bytes": 0}})
	write(t, good, "still here")
	wantText(t, good, "still here")
}
