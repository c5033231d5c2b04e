package main

//lint:file-ignore SA1019 the module lives on under another path; it is a peer here, whatever its name

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/websocket"
)

// piped starts a command whose standard output is the pipe that comes back. What it does with it is
// up to the test.
func piped(t *testing.T, args ...string) (cmd *exec.Cmd, stdout *os.File, stderr *lockedBuffer) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd, stderr = weir(testContext(t), args...), new(lockedBuffer)
	cmd.Stdout, cmd.Stderr = w, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		r.Close()
		cmd.Process.Kill() // it may have ended
		cmd.Wait()
	})
	return cmd, r, stderr
}

// listeningAt reads the first event of a server, and nothing more, and gives its cleartext address.
func listeningAt(t *testing.T, stdout *os.File) string {
	t.Helper()
	var line []byte
	for b := make([]byte, 1); len(line) == 0 || b[0] != '\n'; line = append(line, b[0]) {
		if _, err := stdout.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	var e struct{ Addresses []address }
	if err := json.Unmarshal(line, &e); err != nil {
		t.Fatal(err)
	}
	return e.Addresses[0].URL
}

// exitsWith waits for the end and its code. A signal is code -1.
func exitsWith(t *testing.T, cmd *exec.Cmd, stderr *lockedBuffer, code int) {
	t.Helper()
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("%v, want exit code %d; standard error:\n%s", cmd.ProcessState, code, stderr.String())
	}
}

// A server whose standard output nobody holds any more, as in weir serve | head -1, serves on.
func TestServeStdoutClosed(t *testing.T) {
	for _, args := range [][]string{
		{"serve", "--tls-listen=", "--listen", "127.0.0.1:0"},
		{"conform", "--listen", "127.0.0.1:0", "-v"},
	} {
		t.Run(args[0], func(t *testing.T) {
			cmd, stdout, stderr := piped(t, args...)
			url := listeningAt(t, stdout)
			stdout.Close()
			code, path := exitOK, "/echo"
			if args[0] == "conform" {
				code, path = exitFail, "/runCase?case=1&agent=x" // its table is lost
			}
			for range 3 {
				c := dial(t, url, path)
				c.Close(1000, "") // a fuzzing server may have closed before
			}
			if args[0] == "conform" {
				dial(t, url, "/updateReports?agent=x&shutdownOnComplete=true").CloseNow()
			} else {
				cmd.Process.Signal(syscall.SIGTERM)
			}
			exitsWith(t, cmd, stderr, code)
		})
	}
}

// Sessions do not wait for who reads the events. What was dropped is counted where it is missing,
// and the program ends though nobody reads.
func TestServeStdoutUnread(t *testing.T) {
	cmd, stdout, stderr := piped(t, "serve", "--tls-listen=", "--listen", "127.0.0.1:0")
	url := listeningAt(t, stdout)
	shutdown := `[{"shutdown_reason":"` + strings.Repeat("x", 500_000) + `"},{"stop":true}]`
	const sessions = 40 // with 500 KB each: more than may wait
	for range sessions {
		c := dial(t, url, "/commands")
		write(t, c, shutdown)
		wantClose(t, c, 1000, "")
	}
	told := make(chan map[string]int, 1)
	go func() { // ends with the process
		seen := map[string]int{}
		defer func() { told <- seen }()
		lines := bufio.NewReader(stdout)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var e struct {
				Event string
				Count int
			}
			if err := json.Unmarshal(line, &e); err != nil {
				t.Errorf("%v: %.80q", err, line)
			}
			seen[e.Event] += max(1, e.Count)
			if e.Event == "dropped" { // it reads again: what comes next is told
				c := dial(t, url, "/close?code=1000")
				wantClose(t, c, 1000, "")
				seen["next"]++
				cmd.Process.Signal(syscall.SIGTERM)
			}
		}
	}()
	exitsWith(t, cmd, stderr, exitOK)
	seen := <-told
	if all := seen["open"] + seen["terminate"] + seen["dropped"]; seen["dropped"] == 0 || all != 2*sessions+2*seen["next"] {
		t.Errorf("%v of %d sessions", seen, sessions)
	}

	t.Run("to the end", func(t *testing.T) {
		cmd, stdout, stderr := piped(t, "serve", "--tls-listen=", "--listen", "127.0.0.1:0")
		url := listeningAt(t, stdout)
		c := dial(t, url, "/commands")
		write(t, c, shutdown)
		wantClose(t, c, 1000, "")
		cmd.Process.Signal(syscall.SIGTERM)
		exitsWith(t, cmd, stderr, exitOK)
	})
}

// A client whose reader has left closes its WebSocket, as it should, and says why.
func TestConnectStdoutClosed(t *testing.T) {
	p := start(t)
	for _, flags := range [][]string{nil, {"--json"}} {
		cmd, stdout, stderr := piped(t, append([]string{"connect", "--no-close", "-x", "", p.http + "/push?interval=1"}, flags...)...)
		if _, err := stdout.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		stdout.Close()
		exitsWith(t, cmd, stderr, exitFail)
		if !strings.Contains(stderr.String(), "weir: standard output: ") {
			t.Errorf("standard error has %q", stderr.String())
		}
		p.wantEnd("/push", event{"reason": "remote", "code": 1000})
	}
}

// One signal ends a client though nobody reads what it writes.
func TestConnectStdoutUnread(t *testing.T) {
	started := make(chan struct{}, 1)
	srv := httptest.NewServer(websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(_ websocket.Frame, out websocket.Commands) websocket.Commands {
			started <- struct{}{}
			return append(out, websocket.Text(strings.Repeat("x", 1<<20)))
		}), nil
	}))
	defer srv.Close()
	cmd, stdout, stderr := piped(t, "connect", "--no-close", "-x", "hello", srv.URL)
	<-started
	if _, err := stdout.Read(make([]byte, 1)); err != nil { // it is writing
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	exitsWith(t, cmd, stderr, exitFail)
}

// Reports are written though nobody reads the table, and the exit code is that of the result.
func TestReportStdoutClosed(t *testing.T) {
	p := start(t)
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		file string
		code int
	}{
		{[]string{"conform", "--http", "1.1", "--cases", "1.1.1", "--json", dir + "/report.json", p.http + "/echo"}, dir + "/report.json", exitFail},
		{[]string{"bench", "-c", "1", "-n", "1", "--max-p99", "1ns", "--html", dir + "/bench.html", p.http + "/echo"}, dir + "/bench.html", exitLimit},
		{[]string{"bench", "-c", "1", "-n", "1", "--json", p.http + "/echo"}, "", exitFail},
	} {
		cmd, stdout, stderr := piped(t, c.args...)
		stdout.Close()
		exitsWith(t, cmd, stderr, c.code)
		if c.file == "" {
			continue
		}
		if b, err := os.ReadFile(c.file); err != nil || len(b) == 0 {
			t.Errorf("%s: %v", c.args[0], err)
		}
	}
}

// A bridge goes on when nobody holds its standard output.
func TestBridgeStdoutClosed(t *testing.T) {
	p := start(t)
	cmd, stdout, stderr := piped(t, "bridge", "-v", "127.0.0.1:0", p.http)
	url := listeningAt(t, stdout)
	stdout.Close()
	c := dial(t, url, "/echo")
	write(t, c, "hi")
	wantText(t, c, "hi")
	c.CloseNow()
	cmd.Process.Signal(syscall.SIGTERM)
	exitsWith(t, cmd, stderr, exitOK)
}

// The log is no reason to wait either: a standard error that nobody reads stops nobody.
func TestServeStderrUnread(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := weir(ctx, "serve", "-v", "--tls-listen=", "--listen", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	defer cmd.Wait()
	defer cmd.Process.Kill()
	url := listeningAt(t, stdout.(*os.File))
	go io.Copy(io.Discard, stdout) // ends with the process
	for range 200 {                // each crash is a line with its stack
		c := dial(t, url, "/commands")
		write(t, c, `[{"panic":"`+strings.Repeat("x", 1000)+`"}]`)
		wantClose(t, c, 1011, "")
	}
	cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }() // ends with the process
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}
