package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"weir/websocket"
	"weir/wsframe"

	"golang.org/x/net/http2"
)

// evil is what a peer says to a terminal: colours, a cleared screen in two forms, a title, a line
// feed and a change of direction.
const evil = "\x1b[31m\x1b[2J\u009b2J\x1b]0;owned\x07\rweir: all is well\n\u202egnp.exe"

// wantShown fails where a terminal would obey some of what is shown, or it has other lines than so
// many.
func wantShown(t *testing.T, what, shown string, lines int) {
	t.Helper()
	if n := strings.Count(shown, "\n"); n != lines {
		t.Errorf("%s: %d lines, want %d:\n%q", what, n, lines, shown)
	}
	for _, r := range shown {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Errorf("%s: %U is shown:\n%q", what, r, shown)
			return
		}
	}
}

// inField is what net/http lets a field have of it.
const inField = "\u009b2J\u202egnp.exe"

// oneLine is evil as far as a status may have it.
var oneLine = strings.NewReplacer("\n", "", "\r", "").Replace(evil)

// Nothing of a server's reaches the terminal raw: its status, its fields, its frames, how it
// closes.
func TestConnectShown(t *testing.T) {
	frame := func(op wsframe.Opcode, s string) string {
		return string(wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: op}, []byte(s)))
	}
	switched := func(fields, frames string) func(io.Writer, *http.Request) {
		return func(w io.Writer, r *http.Request) {
			fmt.Fprintf(w, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n%s", acceptFor(r), fields, frames)
		}
	}
	says := func(s string) func(io.Writer, *http.Request) {
		return func(w io.Writer, _ *http.Request) { io.WriteString(w, s) }
	}
	for _, c := range []struct {
		name   string
		server func(io.Writer, *http.Request)
		code   int
	}{
		{"status", says("HTTP/1.1 403 " + oneLine + "\r\nContent-Length: 0\r\n\r\n"), exitRefused},
		{"no status", says(oneLine + "\r\n\r\n"), exitProtocol},
		{"status of 101", says("HTTP/1.1 101 " + oneLine + "\r\n\r\n"), exitProtocol},
		{"subprotocol", switched("Sec-WebSocket-Protocol: "+inField+"\r\n", ""), exitProtocol},
		{"extension", switched("Sec-WebSocket-Extensions: x; y=\""+inField+"\"\r\n", ""), exitProtocol},
		{"close", switched("X: "+inField+"\r\n", frame(wsframe.Ping, evil)+frame(wsframe.Close, "\x0f\xa0"+evil)), exitAbnormal},
		{"a field", switched("X: "+inField+"\r\n", frame(wsframe.Close, "\x03\xe8"+evil)), exitOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := strings.Replace(rawServer(t, c.server), "http", "ws", 1)
			for _, flags := range [][]string{nil, {"-v", "--slash"}, {"--json"}} {
				var stdout, stderr bytes.Buffer
				code := run(append([]string{"connect", "--no-close", url}, flags...), &stdout, &stderr)
				if code != c.code {
					t.Errorf("exit code %d, want %d: %s", code, c.code, stderr.String())
				}
				wantShown(t, "standard error", stderr.String(), strings.Count(stderr.String(), "\n"))
				wantShown(t, "standard output", stdout.String(), strings.Count(stdout.String(), "\n"))
				if strings.Contains(stderr.String(), "\nweir: all is well") {
					t.Errorf("the server wrote a line of its own:\n%s", stderr.String())
				}
			}
		})
	}
}

// Messages that are shown on a terminal are harmless there, though nobody types; elsewhere they are
// what they are.
func TestPrinterScreen(t *testing.T) {
	for _, screen := range []bool{false, true} {
		var stdout bytes.Buffer
		p := &printer{screen: screen, stdout: &stdout, stderr: io.Discard}
		p.frame(websocket.Frame{Type: websocket.TextFrame, Payload: []byte(evil)})
		p.frame(websocket.Frame{Type: websocket.BinaryFrame, Payload: []byte("\x9b2J")})
		if !screen {
			if stdout.String() != evil+"\n\x9b2J\n" {
				t.Errorf("%q", stdout.String())
			}
			continue
		}
		wantShown(t, "a terminal", stdout.String(), 3) // a message may have lines
	}
	var stdout bytes.Buffer
	p := &printer{json: true, stdout: &stdout, stderr: io.Discard}
	p.frame(websocket.Frame{Type: websocket.TextFrame, Payload: []byte(evil)})
	wantShown(t, "JSON", stdout.String(), 1)
	var e event
	if err := json.Unmarshal(stdout.Bytes(), &e); err != nil || e["text"] != evil {
		t.Errorf("%q, %v", e["text"], err)
	}
}

// What an upstream says is neither in the answers nor in the log of a bridge raw.
func TestBridgeShown(t *testing.T) {
	goAway := func(w io.Writer) {
		fr := http2.NewFramer(w, nil)
		fr.WriteSettings(http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
		fr.WriteGoAway(1<<31-1, http2.ErrCodeInternal, []byte(evil))
	}
	for name, c := range map[string]struct {
		says func(io.Writer)
		want string
	}{
		"GOAWAY":   {goAway, "INTERNAL_ERROR"},
		"HTTP/1.1": {func(w io.Writer) { io.WriteString(w, "HTTP/1.1 400 "+evil+"\r\n\r\n") }, "the server speaks HTTP/1.1"},
		"SSH":      {func(w io.Writer) { io.WriteString(w, "SSH-2.0-"+evil+"\r\n") }, "the server speaks SSH"},
		"garbage":  {func(w io.Writer) { io.WriteString(w, evil) }, "RFC 9113, 4.2"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() { // ends with the listener
				for {
					nc, err := l.Accept()
					if err != nil {
						return
					}
					go func() { // ends when the bridge closes
						defer nc.Close()
						io.ReadFull(nc, make([]byte, len(http2.ClientPreface)))
						c.says(nc)
						nc.(*net.TCPConn).CloseWrite()
						io.Copy(io.Discard, nc)
					}()
				}
			}()
			var log bytes.Buffer
			b := &bridge{timeout: patience, window: 1 << 16, log: slog.New(slog.NewTextHandler(&log, nil))}
			if b.up, err = newUpstream("http://"+l.Addr().String(), "2", nil, b.log); err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "http://bridge.test/", nil)
			for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
				r.Header.Set(k, v)
			}
			b.ServeHTTP(w, r)
			if w.Code != http.StatusBadGateway {
				t.Errorf("status %d", w.Code)
			}
			for _, c := range b.up.Leave(errLeft) {
				<-c.Done()
			}
			wantShown(t, "the answer", w.Body.String(), 1)
			for line := range strings.Lines(log.String()) {
				wantShown(t, "the log", line, 1)
			}
			if !strings.Contains(log.String(), "no WebSocket") || name != "GOAWAY" && !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("the answer is %q, the log\n%s", w.Body.String(), log.String())
			}
		})
	}
}

// No password of a command line is shown, whatever is wrong with it or with the server.
func TestPasswordsShown(t *testing.T) {
	fine := strings.TrimPrefix(start(t).http, "http://")
	for _, args := range [][]string{
		{"connect", "ws://user:secret@127.0.0.1:1/"},
		{"connect", "--json", "ws://user:secret@127.0.0.1:1/"},
		{"connect", "ws://user:secret@weir.test:x/"},
		{"connect", "ws://user:sec%secret@weir.test/"},
		{"connect", "ftp://user:secret@weir.test/"},
		{"connect", "ws://user:secret@weir.test/#f"},
		{"connect", "--proxy", "http://user:secret@127.0.0.1:1", "ws://weir.test/"},
		{"connect", "--proxy", "socks5://user:secret@127.0.0.1:1", "ws://weir.test/"},
		{"connect", "--proxy", "gopher://user:secret@127.0.0.1:1", "ws://weir.test/"},
		{"connect", "--proxy", "http://user:secret@weir.test:x", "ws://weir.test/"},
		{"connect", "--proxy", "user:secret@weir.test", "ws://weir.test/"},
		{"connect", "-v", "ws://user:secret@" + fine + "/close?code=1000", "--no-close"},
		{"connect", "--json", "ws://user:secret@" + fine + "/close?code=1000", "--no-close"},
		{"connect", "ws://user:secret@" + fine + "/nowhere"},
		{"bridge", "127.0.0.1:0", "http://user:secret@weir.test"},
		{"bridge", "127.0.0.1:0", "http://user:secret@weir.test:x"},
		{"bridge", "127.0.0.1:0", "ftp://user:secret@weir.test"},
		{"bench", "ws://user:secret@127.0.0.1:1/"},
		{"bench", "ws://user:secret@weir.test:x/"},
		{"bench", "ftp://user:secret@weir.test/"},
		{"conform", "ws://user:secret@127.0.0.1:1/"},
		{"conform", "ws://user:secret@weir.test:x/"},
		{"conform", "ftp://user:secret@weir.test/"},
		{"conform", "--client", "ws://user:secret@127.0.0.1:1/"},
		{"conform", "--client", "ws://user:secret@weir.test:x/"},
		{"conform", "--client", "ftp://user:secret@weir.test/"},
	} {
		var stdout, stderr bytes.Buffer
		run(args, &stdout, &stderr)
		if all := stdout.String() + stderr.String(); strings.Contains(all, "secret") || all == "" {
			t.Errorf("%q: %s", args, all)
		}
	}
}

// An upstream's name is dialled in ASCII, and with the zone of its address.
func TestUpstreamName(t *testing.T) {
	for given, want := range map[string]string{
		"https://bücher.example":      "xn--bcher-kva.example",
		"http://bücher.example:8080/": "xn--bcher-kva.example:8080",
		"http://[fe80::1%25eth0]":     "[fe80::1%eth0]",
		"http://[fe80::1%25eth0]:80":  "[fe80::1%eth0]:80",
		"http://weir.test:80":         "weir.test:80",
	} {
		if up, err := newUpstream(given, "2", nil, slog.New(slog.DiscardHandler)); err != nil || up.url.Host != want {
			t.Errorf("%s: %v, %v; want %s", given, up.url, err, want)
		}
	}
	if _, err := newUpstream("http://\u00ad/", "2", nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "RFC 5891, 5") {
		t.Errorf("no name: %v", err)
	}
}
