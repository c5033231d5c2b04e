package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/h3/h3test"
	"weir/upgrade"
	"weir/wsframe"
)

// result is what a run of the program left.
type result struct {
	stdout, stderr string
	code           int
}

// connect runs `weir connect` to its end.
func connect(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	cmd := weir(testContext(t), append([]string{"connect"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	return finish(t, cmd)
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	r := result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	if strings.Contains(r.stderr, "DATA RACE") || strings.Contains(r.stderr, "goroutine ") || strings.Contains(r.stderr, "BUG") {
		t.Errorf("the program complains:\n%s", r.stderr)
	}
	return r
}

// want compares; stderr has to be one line with all of says if there is one to be.
func (r result) want(t *testing.T, code int, stdout string, says ...string) {
	t.Helper()
	if r.code != code || r.stdout != stdout {
		t.Errorf("exit code %d and output %q, want %d and %q; standard error:\n%s", r.code, r.stdout, code, stdout, r.stderr)
	}
	if lines := strings.Count(r.stderr, "\n"); code != 0 && lines != 1 || code == 0 && lines != 0 {
		t.Errorf("exit code %d and %d lines on standard error:\n%s", r.code, lines, r.stderr)
	}
	for _, s := range says {
		if !strings.Contains(r.stderr, s) {
			t.Errorf("standard error does not say %q:\n%s", s, r.stderr)
		}
	}
}

// connectArgs are the flags and the URL that reach path over the lane's transport.
func (l *lane) connectArgs(path string, more ...string) []string {
	version := "1.1"
	switch {
	case l.http2():
		version = "2"
	case l.http3():
		version = "3"
	}
	origin := l.http
	if l.transport == "h1tls" || l.transport == "h2" || l.http3() {
		origin = l.https
	}
	return append([]string{"--http", version, "-k", "ws" + strings.TrimPrefix(origin, "http") + path}, more...)
}

func TestConnect(t *testing.T) {
	p := start(t, "--subprotocol", "chat")
	eachLane(t, p, func(t *testing.T, l *lane) {
		t.Run("pipe", func(t *testing.T) {
			connect(t, "one\ntwo\r\n\nthree", l.connectArgs("/echo")...).want(t, 0, "one\ntwo\n\nthree\n")
			p.wantEnd("/echo", event{"reason": "remote", "code": 1000, "in": event{"messages": 4, "bytes": 11}})
		})
		t.Run("execute", func(t *testing.T) {
			connect(t, "not read", l.connectArgs("/echo", "-x", "one", "-x", "two", "--compress")...).want(t, 0, "one\ntwo\n")
			p.wantEnd("/echo", event{"reason": "remote", "code": 1000, "in": event{"messages": 2, "bytes": 6}})
		})
		t.Run("one message", func(t *testing.T) {
			connect(t, "", l.connectArgs("/push?interval=0&size=4", "-1")...).want(t, 0, "0123\n")
			p.wantEnd("/push", event{"reason": "remote", "code": 1000})
		})
		t.Run("binary", func(t *testing.T) {
			connect(t, "\xff\xfe\r\n\r\n\n\r", l.connectArgs("/echo", "--binary")...).want(t, 0, "\xff\xfe\r\n\r\n\n\r\n")
			connect(t, "\xff\xfe\nfine\n", l.connectArgs("/echo")...).wantCode(t, 2, "fine\n", "not UTF-8")
			p.wantEnd("/echo", event{"in": event{"messages": 4, "bytes": 5}})
			p.wantEnd("/echo", event{"in": event{"messages": 1, "bytes": 4}})
		})
		t.Run("slash", func(t *testing.T) {
			connect(t, "/close 4001 see you\n", l.connectArgs("/echo", "--slash")...).want(t, 0, "")
			p.wantEnd("/echo", event{"code": 4001, "text": "see you"})
			r := connect(t, "/ping are you there\n/nothing\n/close 999\n", l.connectArgs("/commands", "--slash")...)
			r.wantCode(t, 2, "", `< pong "are you there"`, "/nothing", "/close 999")
			r = connect(t, "/close 1005\n/close 1000 "+strings.Repeat("x", 124)+"\n/ping "+strings.Repeat("x", 126)+"\n", l.connectArgs("/commands", "--slash")...)
			r.wantCode(t, 2, "", "/close 1005", "RFC 6455, 5.5.1", "/ping: at most 125")
			connect(t, "/pong\n", l.connectArgs("/echo")...).want(t, 0, "/pong\n")
			p.wantEnd("/echo", event{"in": event{"messages": 1, "bytes": 5}})
		})
		t.Run("ends", func(t *testing.T) {
			for query, code := range map[string]int{"": 0, "?code=1000": 0, "?code=1001": 0, "?code=1011&reason=ouch": 7, "?code=4000": 7} {
				r := connect(t, "", l.connectArgs("/close"+query, "--no-close")...)
				if r.code != code {
					t.Errorf("%s: exit code %d, want %d: %s", query, r.code, code, r.stderr)
				}
			}
			connect(t, "", l.connectArgs("/close?code=4000&reason=bye", "--no-close")...).want(t, 7, "", `closed by the server: 4000 "bye"`)
			connect(t, `[{"panic":"now"}]`, l.connectArgs("/commands", "--no-close")...).want(t, 7, "", "1011")
		})
		t.Run("refused", func(t *testing.T) {
			connect(t, "", l.connectArgs("/nowhere")...).want(t, 4, "", "404")
			connect(t, "", l.connectArgs("/echo?window=0")...).want(t, 4, "", "400")
		})
		t.Run("request", func(t *testing.T) {
			r := connect(t, "", l.connectArgs("/headers", "-1", "-H", "X-One: 1", "-H", "x-one: 2", "-H", "Host: elsewhere", "--origin", "https://example.com",
				"-s", "other", "-s", "chat")...)
			var got requestReport
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
				t.Fatalf("%v: %+v", err, r)
			}
			if got.Authority != "elsewhere" || fmt.Sprint(got.Headers["X-One"]) != "[1 2]" || got.Headers.Get("Origin") != "https://example.com" || got.Subprotocol != "chat" {
				t.Errorf("the server saw %+v", got)
			}
		})
	})
}

// wantCode is want for more lines on standard error than one.
func (r result) wantCode(t *testing.T, code int, stdout string, says ...string) {
	t.Helper()
	r.stderr = strings.ReplaceAll(strings.TrimSuffix(r.stderr, "\n"), "\n", " | ") + "\n"
	r.want(t, code, stdout, says...)
}

func TestConnectJSON(t *testing.T) {
	p := start(t)
	eachLane(t, p, func(t *testing.T, l *lane) {
		args := l.connectArgs("/commands", "--json", "--no-close", "--compress")
		r := connect(t, `[{"text":"a"},{"binary":"AP8="},{"ping":"p"},{"pong":"q"},{"close":{"code":4000,"reason":"bye"}}]`, args...)
		var got []string
		for line := range strings.Lines(r.stdout) {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if _, err := time.Parse(time.RFC3339, e["time"].(string)); err != nil {
				t.Error(err)
			}
			delete(e, "time")
			delete(e, "remote_addr")
			delete(e, "url")
			text, _ := json.Marshal(e)
			got = append(got, string(text))
		}
		version, stream := "1.1", "0"
		if l.http2() {
			version, stream = "2", "1"
		} else if l.http3() {
			version = "3"
		}
		want := []string{
			`{"event":"open","extensions":"","http_version":"` + version + `","stream":` + stream + `,"subprotocol":"","transport":"` + l.transport + `"}`,
			`{"bytes":1,"event":"message","text":"a","type":"text"}`,
			`{"base64":"AP8=","bytes":2,"event":"message","type":"binary"}`,
			`{"bytes":1,"event":"ping","text":"p"}`,
			`{"bytes":1,"event":"pong","text":"q"}`,
			`{"clean":false,"code":4000,"event":"close","reason":"remote","text":"bye"}`,
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") || r.code != 7 {
			t.Errorf("exit code %d, events\n%s\nwant\n%s", r.code, indent(strings.Join(got, "\n")), indent(strings.Join(want, "\n")))
		}
	})
	r := connect(t, "", "--json", p.http+"/nowhere")
	if !strings.Contains(r.stdout, `"event":"error"`) || !strings.Contains(r.stdout, `"status":404,"reason":"404 not found; / lists what there is"}`) || r.code != 4 {
		t.Errorf("%+v", r)
	}
}

// A server that is no server, refuses, or breaks the protocol (RFC 6455, 4.1 and 5).
func TestConnectExitCodes(t *testing.T) {
	plain := start(t, "--no-extended-connect")
	const switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
	accept := func(rest string) func(io.Writer, *http.Request) {
		return func(w io.Writer, r *http.Request) {
			fmt.Fprintf(w, switched+"%s", acceptFor(r), rest)
		}
	}
	says := func(s string) func(io.Writer, *http.Request) {
		return func(w io.Writer, _ *http.Request) { io.WriteString(w, s) }
	}
	frame := func(h wsframe.Header, s string) string { return string(wsframe.AppendFrame(nil, h, []byte(s))) }
	for _, c := range []struct {
		name   string
		server func(io.Writer, *http.Request)
		code   int
		says   string
		args   []string
	}{
		{"403 with a body", says("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"), 4, "403 Forbidden: no\n", nil},
		{"403 with lines", says("HTTP/1.1 403 Forbidden\r\nContent-Length: 20\r\n\r\n\r\n  no \x1b[2J\u202e !\r\nmore"), 4, "403 Forbidden: no \u241b[2J\ufffd !\n", nil},
		{"403 with a long line", says("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n" + strings.Repeat("ü", 9000)), 4, "403 Forbidden: " + strings.Repeat("ü", 200) + "…\n", nil},
		{"a page", says("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n<!DOCTYPE html>\n<html><head>\n<Title>Back &amp; soon\n</Title>"), 4, "503 Service Unavailable: Back & soon\n", nil},
		{"a page without a title", says("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n<html>İ<body>no"), 4, "503 Service Unavailable\n", nil},
		{"200", says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), 4, "200 OK", nil},
		{"302", says("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), 4, "302 Found; Location: /\n", nil},
		{"301 to TLS", says("HTTP/1.1 301 Moved Permanently\r\nLocation: https://127.0.0.1/x?y\r\nContent-Length: 0\r\n\r\n"), 4, "; Location: https://127.0.0.1/x?y; try wss://127.0.0.1/x?y\n", nil},
		{"301 to TLS elsewhere", says("HTTP/1.1 301 Moved Permanently\r\nLocation: https://weir.test/\r\nContent-Length: 0\r\n\r\n"), 4, "; Location: https://weir.test/\n", nil},
		{"nginx with TLS", says("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>"), 4,
			": 400 The plain HTTP request was sent to HTTPS port; try wss://127.0.0.1:", nil},
		{"a TLS alert", says("\x15\x03\x01\x00\x02\x02\x46"), 5, "; try wss://127.0.0.1:", nil},
		{"a wrong accept", says(fmt.Sprintf(switched, "nonsense") + "\r\n"), 5, "RFC 6455, 4.1", nil},
		{"a subprotocol not offered", accept("Sec-WebSocket-Protocol: x\r\n\r\n"), 5, "RFC 6455, 4.1", nil},
		{"an extension not offered", accept("Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"), 5, "RFC 6455, 9.1", nil},
		{"no HTTP", says("220 mail.example.com ESMTP\r\n"), 5, "the peer speaks SMTP or FTP", nil},
		{"nothing", says(""), 3, "EOF", nil},
		{"a bad frame", accept("\r\n" + frame(wsframe.Header{Fin: true, Op: 3}, "")), 5, "RFC 6455, 5.2", nil},
		{"a masked frame", accept("\r\n" + frame(wsframe.Header{Fin: true, Op: wsframe.Text, Masked: true}, "x")), 5, "RFC 6455, 5.1", nil},
		{"no close frame", accept("\r\n"), 7, "without a close frame", nil},
		{"1011", accept("\r\n" + frame(wsframe.Header{Fin: true, Op: wsframe.Close}, "\x03\xf3ouch")), 7, `1011 "ouch"`, nil},
		{"a proxy that refuses", says("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), 3, "407", []string{"--proxy"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := rawServer(t, c.server)
			args := []string{"--no-close", strings.Replace(url, "http", "ws", 1)}
			if c.args != nil {
				args = []string{"--proxy", url, "ws://127.0.0.1:1/"}
			}
			connect(t, "", args...).want(t, c.code, "", c.says)
		})
	}
	t.Run("no answer", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		connect(t, "", "--timeout", "50ms", "ws://"+l.Addr().String()).want(t, 6, "", "no answer in time")
		connect(t, "", "--timeout", "50ms", "--http", "2", "ws://"+l.Addr().String()).want(t, 6, "", "no answer in time")
	})
	t.Run("nobody there", func(t *testing.T) {
		connect(t, "", "ws://"+nobodyThere).want(t, 3, "", "connection refused")
	})
	t.Run("no message", func(t *testing.T) {
		timeout, r := time.Second, result{}
		for timeout < patience && !strings.Contains(r.stderr, "no message") { // on a busy machine the answer takes its time
			timeout *= 2
			r = connect(t, "", "-1", "--timeout", timeout.String(), plain.http+"/echo")
		}
		r.want(t, 6, "", "no message came within "+timeout.String())
	})
	t.Run("no extended CONNECT", func(t *testing.T) {
		connect(t, "", "--http", "2", plain.http+"/echo").want(t, 4, "", "RFC 8441, 3")
		connect(t, "hi", "-k", plain.https+"/echo").want(t, 0, "hi\n") // over HTTP/1.1
	})
	t.Run("TLS", func(t *testing.T) {
		connect(t, "", plain.https+"/echo").want(t, 3, "", "certificate", "; --cacert FILE names who signed it, -k takes any certificate")
		connect(t, "", "-k", "https"+strings.TrimPrefix(plain.http, "http")+"/echo?a=b").want(t, 3, "", "the peer speaks HTTP/1.1, and not TLS", "; try ws"+strings.TrimPrefix(plain.http, "http")+"/echo?a=b\n")
		connect(t, "", "ws"+strings.TrimPrefix(plain.https, "https")+"/echo").want(t, 4, "", "400 Bad Request: Client sent an HTTP request to an HTTPS server; try wss"+strings.TrimPrefix(plain.https, "https")+"/echo\n")
		srv := httptest.NewTLSServer(http.NotFoundHandler())
		defer srv.Close()
		srv.Config.ErrorLog = nil
		file := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		connect(t, "", "--cacert", file, srv.URL).want(t, 4, "", "404")
	})
	t.Run("HTTP/3", func(t *testing.T) {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		over3 := func(url string, args ...string) result {
			t.Helper()
			return connect(t, "", append([]string{"--http", "3", url}, args...)...)
		}
		over3("wss://"+pc.LocalAddr().String(), "--timeout", "100ms").want(t, 6, "", "no answer in time", "no HTTP/3 with the server")
		over3(plain.https+"/echo").want(t, 3, "", "certificate", "; --cacert FILE names who signed it, -k takes any certificate")
		over3(plain.https+"/echo", "-k").want(t, 4, "", "501 Not Implemented")
		over3(plain.https+"/echo", "--proxy", "http://x").want(t, 2, "", "does not go through a --proxy")
		if pc, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil { // nothing waits in it
			t.Fatal(err)
		}
		srv, err := h3test.Listen(pc, h3test.Options{Settings: []uint64{8, 1}})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		go func() { // ends with the server
			for {
				p, err := srv.Accept(context.Background())
				if err != nil {
					return
				}
				if err := p.Control([]byte{h3test.FrameData, 0}); err != nil {
					return
				}
			}
		}()
		over3("wss://"+pc.LocalAddr().String(), "-k").want(t, 5, "", "(RFC 9114, 7.2.1)")
	})
	t.Run("usage", func(t *testing.T) {
		for _, args := range [][]string{
			{}, {"a", "b"}, {"ftp://x/"}, {"ws:///"}, {"ws://x/#f"}, {"--http", "3", "ws://x"}, {"--http", "4", "wss://x"}, {"-H", "no colon", "ws://x"}, {"-H", "Upgrade: x", "ws://x"},
			{"--cacert", "/nowhere", "ws://x"}, {"--proxy", "gopher://x", "ws://x"}, {"--timeout", "-1s", "ws://x"}, {"--slash", "-x", "/nothing", "ws://x"},
			{"-x", "\xff", "ws://x"}, {"--no-close", "-w", "1s", "ws://x"},
		} {
			if r := connect(t, "", args...); r.code != 2 || r.stdout != "" || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("%q: %+v", args, r)
			}
		}
	})
}

// The exit codes are documented.
func TestConnectHelp(t *testing.T) {
	r := connect(t, "", "--help")
	for code := range 8 {
		if !strings.Contains(r.stdout, fmt.Sprintf("\n  %d  ", code)) {
			t.Errorf("--help does not tell of exit code %d", code)
		}
	}
}

// SIGINT closes with 1000; a server that pings back keeps the WebSocket open until then.
func TestConnectSignal(t *testing.T) {
	p := start(t)
	eachLane(t, p, func(t *testing.T, l *lane) {
		cmd := weir(testContext(t), append([]string{"connect"}, l.connectArgs("/echo", "--json", "--no-close", "--ping-interval", "1ms")...)...)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		for lines.Scan() && !strings.Contains(lines.Text(), `"pong"`) { // open, and the stack's first ping was answered
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
		last := ""
		for lines.Scan() {
			last = lines.Text()
		}
		if err := cmd.Wait(); err != nil || !strings.Contains(last, `"event":"close","reason":"stop","clean":true`) {
			t.Errorf("%v after %s", err, last)
		}
		p.wantEnd("/echo", event{"reason": "remote", "code": 1000})
	})
}

// rawServer answers the first request of each connection with octets, and ends it. It gives its
// origin.
func rawServer(t *testing.T, answer func(io.Writer, *http.Request)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go rawAnswer(c.(*net.TCPConn), answer) // ends when the client has ended, or out of patience
		}
	}()
	return "http://" + l.Addr().String()
}

func rawAnswer(c *net.TCPConn, answer func(io.Writer, *http.Request)) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	in, r, err := readRequest(c)
	if err != nil {
		return
	}
	answer(c, r)
	c.CloseWrite()
	io.Copy(io.Discard, in)
}

func readRequest(c net.Conn) (*bufio.Reader, *http.Request, error) {
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	return in, r, err
}

// acceptFor is the Sec-WebSocket-Accept for a request.
func acceptFor(r *http.Request) string { return upgrade.AcceptKey(r.Header.Get("Sec-WebSocket-Key")) }
