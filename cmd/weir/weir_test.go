package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience ends a test whose server or peer hangs. Nothing that passes comes near it.
const patience = 5 * time.Minute

// nobodyThere is an address where nobody listens. That of a listener that was closed may be
// somebody else's by the time it is dialled.
const nobodyThere = "127.0.0.1:1"

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "conform" {
		os.Exit(fakeConform(os.Args[1:], os.Stdout, os.Stderr)) // see conform_test.go
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "weir-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "weir")
		args := append(append([]string{"build"}, buildFlags...), "-o", binary, ".")
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			panic("go build: " + err.Error() + "\n" + string(out))
		}
		return m.Run()
	}())
}

// weir is the program with a command line. Its race detector does not wait a second at each exit.
func weir(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// payload is a message as /push sends it.
func payload(size int64) string { return new(payloads).of(size) }

// event is one line of standard output.
type event map[string]any

// process is a running `weir serve`.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	http   string // http://127.0.0.1:PORT, or "" where it is off
	https  string
	events chan event // closed at the end of standard output
	seen   []event
	stderr lockedBuffer
	exited chan struct{}
}

// start runs `weir serve` on free ports, with HTTP/3 where there is TLS. The test fails if it
// crashes, or says anything on standard output that is no event.
func start(t *testing.T, flags ...string) *process {
	t.Helper()
	if !slices.Contains(flags, "--tls-listen") {
		flags = append([]string{"--h3"}, flags...)
	}
	return startCommand(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"}, flags...)...)
}

// startCommand runs a command that begins with a listening event.
func startCommand(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: weir(context.Background(), args...), events: make(chan event, 10000), exited: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stdout) // ends with the process, which Cleanup sees to
	t.Cleanup(p.stop)
	for _, a := range p.event("listening", "")["addresses"].([]any) {
		switch url := a.(map[string]any)["url"].(string); {
		case strings.HasPrefix(url, "http://"):
			p.http = url
		case strings.HasPrefix(url, "https://"):
			p.https = url
		}
	}
	return p
}

func (p *process) read(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			p.t.Errorf("standard output has a line that is no JSON object: %q", lines.Text())
			continue
		}
		p.events <- e
	}
	close(p.events)
	p.cmd.Wait() // the exit code is ProcessState's
	close(p.exited)
}

// event is the next event of that kind, and path where one is named. What is skipped is kept for
// the events to come.
func (p *process) event(kind, path string) event {
	p.t.Helper()
	matches := func(e event) bool { return e["event"] == kind && (path == "" || e["path"] == path) }
	for i, e := range p.seen {
		if matches(e) {
			p.seen = append(p.seen[:i], p.seen[i+1:]...)
			return e
		}
	}
	deadline := time.After(patience)
	for {
		select {
		case e, ok := <-p.events:
			if !ok {
				p.t.Fatalf("the server ended before the event %s %s; its log:\n%s", kind, path, p.stderr.String())
			}
			if matches(e) {
				return e
			}
			p.seen = append(p.seen, e)
		case <-deadline:
			p.t.Fatalf("no event %s %s; its log:\n%s", kind, path, p.stderr.String())
		}
	}
}

// wantEnd takes the next terminate event of path and compares the fields that want names.
func (p *process) wantEnd(path string, want event) event {
	p.t.Helper()
	e := p.event("terminate", path)
	for k, v := range want {
		got, _ := json.Marshal(e[k])
		exp, _ := json.Marshal(v)
		if !bytes.Equal(got, exp) {
			p.t.Errorf("terminate event of %s: %s is %s, want %s", path, k, got, exp)
		}
	}
	return e
}

// wantKeys compares the fields that e has, whatever their values.
func wantKeys(t *testing.T, e event, want string) {
	t.Helper()
	if got := strings.Join(slices.Sorted(maps.Keys(e)), " "); got != want {
		t.Errorf("the event %s has the fields %s, want %s", e["event"], got, want)
	}
}

// wantExit waits for the process to end by itself.
func (p *process) wantExit(code int) {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("the server does not end; its log:\n%s", p.stderr.String())
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, want %d; its log:\n%s", got, code, p.stderr.String())
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// stop ends the process, and finds what it complained of.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM) // an error: it has ended already
	p.cmd.Process.Signal(syscall.SIGINT)  // at once
	for range p.events {                  // so that read is never stuck
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.cmd.Process.Kill()
		p.t.Error("the server did not stop on a second signal")
	}
	if log := p.stderr.String(); strings.Contains(log, "DATA RACE") || strings.Contains(log, "BUG:") || strings.Contains(log, "goroutine ") && strings.Contains(log, "fatal error") {
		p.t.Errorf("the server complains:\n%s", log)
	}
}

// client speaks HTTP/1.1 to the server, or HTTP/2 where h2 says so, and takes its certificate as it
// is.
func client(t *testing.T, h2 bool) *http.Client {
	var protocols http.Protocols
	if h2 {
		protocols.SetHTTP2(true)
		protocols.SetUnencryptedHTTP2(true)
	} else {
		protocols.SetHTTP1(true)
	}
	tr := &http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// lockedBuffer is a log that is written while the test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
