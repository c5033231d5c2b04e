package main

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestDrain(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p := start(t)
			one, two := dial(t, p.http, "/echo"), dial(t, p.https, "/echo")
			p.event("open", "/echo")
			p.event("open", "/echo")
			p.signal(sig)
			wantClose(t, one, 1001, "")
			wantClose(t, two, 1001, "")
			p.wantEnd("/echo", event{"reason": "stop"})
			p.wantEnd("/echo", event{"reason": "stop"})
			p.wantExit(exitOK)
		})
	}
	t.Run("h2c", func(t *testing.T) {
		p := start(t)
		wait := startPeer(t, p.http, "wait")
		p.event("open", "/echo")
		p.signal(syscall.SIGTERM)
		var got struct{ Close closeResult }
		wait(&got)
		got.Close.check(t, closeResult{Code: 1001, Ended: true})
		p.wantEnd("/echo", event{"reason": "stop", "sent_code": 1001, "sent_text": "", "drain": true})
		p.wantExit(exitOK)
	})
	t.Run("nothing open", func(t *testing.T) {
		p := start(t)
		p.signal(syscall.SIGTERM)
		p.wantExit(exitOK)
	})
}

// What has not ended is cut: by the deadline, or by a second signal.
func TestDrainCuts(t *testing.T) {
	t.Run("deadline", func(t *testing.T) {
		p := start(t, "--drain", "100ms")
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.http, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// An answer that its client does not read to the end.
		if _, err := conn.Write([]byte("GET /bytes/1000000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGTERM)
		p.wantExit(exitFail)
		if log := p.stderr.String(); !strings.Contains(log, "weir: drain: some connections were cut") {
			t.Errorf("its log:\n%s", log)
		}
	})
	t.Run("second signal", func(t *testing.T) {
		p := start(t, "--drain", "1h")
		dial(t, p.http, "/discard") // the two are closed half an hour apart
		dial(t, p.http, "/discard")
		p.event("open", "/discard")
		p.event("open", "/discard")
		p.signal(syscall.SIGTERM)
		p.wantEnd("/discard", event{"reason": "stop"})
		if res, text := fetch(t, client(t, false), "GET", p.http+"/healthz", nil); res.StatusCode != 503 {
			t.Errorf("/healthz while draining: %s %q", res.Status, text)
		}
		p.signal(syscall.SIGINT)
		p.wantExit(exitFail)
		p.wantEnd("/discard", event{"reason": "error:closed"})
	})
}

// A socket file that a dead server left behind is taken over, one that is served is not.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weir.sock")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()

	p := start(t, "--listen", "unix:"+path)
	conn, err := net.DialTimeout("unix", path, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /healthz HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := io.ReadFull(conn, answer); err != nil || !strings.Contains(string(answer), "200") {
		t.Errorf("got %q %v", answer, err)
	}
	// --listen is repeatable: the port serves, too.
	ws := dial(t, p.http, "/echo")
	write(t, ws, "hi")
	wantText(t, ws, "hi")

	if _, stderr, code := runWeir(t, "serve", "--tls-listen=", "--listen", "unix:"+path); code != exitFail || !strings.Contains(stderr, "address already in use") {
		t.Errorf("a second server on the same socket: exit code %d, %q", code, stderr)
	}
}
