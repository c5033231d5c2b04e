// Package peers runs other people's clients and proxies against `weir serve`. It is a module of its
// own: what it needs reaches no user of the library. Only tests are in it; interop/peers.sh runs
// them and says what must be installed.
package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// binary is `weir`; without the flag it is built, once.
var binary string

// long adds what takes long, see interop/peers.sh.
var long = flag.Bool("long", false, "run what takes long, too")

func TestMain(m *testing.M) {
	flag.StringVar(&binary, "weir", "", "the `program` to run, in place of one built of this tree")
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "weir-peers")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "weir")
	build := exec.Command("go", "build", "-o", binary, "./cmd/weir")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// event is one line of the server's standard output.
type event map[string]any

// server is one run of `weir serve`.
type server struct {
	t           *testing.T
	http, https string // host and port
	process     *os.Process

	mu      sync.Mutex
	changed *sync.Cond
	events  []event
	ended   bool
}

// serve starts `weir serve` with flags, and stops it with the test.
func serve(t *testing.T, flags ...string) *server {
	t.Helper()
	s := &server{t: t}
	s.changed = sync.NewCond(&s.mu)
	cmd := exec.Command(binary, append([]string{"serve", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--drain", "1s"}, flags...)...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.process = cmd.Process
	go s.read(out) // ends with the process
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || bytes.Contains(log.Bytes(), []byte("BUG:")) || t.Failed() {
			t.Logf("weir serve: %v\n%s", err, log.Bytes())
		}
	})
	first := s.wait("listening", func(event) bool { return true })
	for _, a := range first["addresses"].([]any) {
		scheme, host, _ := strings.Cut(a.(map[string]any)["url"].(string), "://")
		if scheme == "http" {
			s.http = host
		} else {
			s.https = host
		}
	}
	return s
}

func (s *server) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var e event
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber() // printed as they were sent
		if d.Decode(&e) != nil {
			continue
		}
		s.mu.Lock()
		s.events = append(s.events, e)
		s.changed.Broadcast()
		s.mu.Unlock()
	}
	s.mu.Lock()
	s.ended = true
	s.changed.Broadcast()
	s.mu.Unlock()
}

// wait takes the first event called name that is ok, for which it waits at most so long.
func (s *server) wait(name string, ok func(event) bool) event {
	s.t.Helper()
	late := false
	timer := time.AfterFunc(mostWait, func() {
		s.mu.Lock()
		late = true
		s.changed.Broadcast()
		s.mu.Unlock()
	})
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for i, e := range s.events {
			if e["event"] == name && ok(e) {
				s.events = append(s.events[:i:i], s.events[i+1:]...)
				return e
			}
		}
		if s.ended || late {
			s.t.Fatalf("no %s event; there are %v", name, s.events)
		}
		s.changed.Wait()
	}
}

// wantEnd waits for one WebSocket's terminate event and for its open event.
func (s *server) wantEnd(path, transport string, want event) {
	s.t.Helper()
	e := s.wait("terminate", func(e event) bool { return e["path"] == path })
	for k, v := range want {
		if fmt.Sprint(e[k]) != fmt.Sprint(v) {
			s.t.Errorf("the server's end of %s has %s %v, want %v", path, k, e[k], v)
		}
	}
	open := s.wait("open", func(o event) bool { return o["id"] == e["id"] })
	if open["transport"] != transport {
		s.t.Errorf("%s came over %v, want %s", path, open["transport"], transport)
	}
}

// background starts a program that ends with the test, and gives what it prints.
func background(t *testing.T, name string, args ...string) *bytes.Buffer {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; see interop/peers.sh for what must be installed", err)
	}
	cmd := exec.Command(path, args...)
	log := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its workers end with it
	cmd.WaitDelay = 5 * time.Second                       // for those that do not
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", name, log.Bytes())
		}
	})
	return log
}

// proxy starts a proxy and waits until it listens on addr.
func proxy(t *testing.T, addr, name string, args ...string) {
	t.Helper()
	background(t, name, args...)
	for deadline := time.Now().Add(mostWait); ; {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %v", name, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// mostWait is how long a test waits for what is sure to come, on a busy machine, too.
const mostWait = 2 * time.Minute

// ports counts up from a number that another run has hardly begun with.
var ports = sync.OnceValue(func() *atomic.Int32 {
	n := new(atomic.Int32)
	n.Store(15_000 + rand.Int32N(10_000))
	return n
})

// unused is an address that nothing listens on. It is none that the system gives to whoever asks
// for any, who might have it before the one that it is for, and it is given once.
func unused(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", ports().Add(1))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// file writes a configuration and gives its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), mostWait)
	t.Cleanup(cancel)
	return ctx
}
