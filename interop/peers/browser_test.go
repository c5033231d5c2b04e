package peers

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	weir "weir/websocket"
)

// browsed is what the script of a page found: for each of its WebSockets, by name, what happened.
type browsed map[string]string

// webSite is a server over TLS, with HTTP/2 by weir, whose page / runs a script in a browser.
type webSite struct {
	*httptest.Server
	results chan browsed
	script  string

	trace trace

	mu     sync.Mutex
	errors bytes.Buffer // http.Server.ErrorLog
}

// newWebSite serves mux. script is a module that calls say(name, what) for each thing that it
// finds, and then done().
func newWebSite(t *testing.T, mux *http.ServeMux, script string,
	change ...func(cfg *weir.Config)) *webSite {
	t.Helper()
	s := &webSite{results: make(chan browsed, 1), script: script}
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("POST /result", s.result)
	s.Server = httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(locked{&s.mu, &s.errors}, "", 0)
	cfg := new(weir.Config)
	cfg.HTTP2.Trace = s.trace.logger()
	for _, f := range change {
		f(cfg)
	}
	if _, err := weir.ConfigureServer(s.Config, cfg); err != nil {
		t.Fatal(err)
	}
	s.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// locked is a buffer that many write to.
type locked struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// connects counts the extended CONNECTs for a WebSocket that came over the wire.
func (s *webSite) connects() int { return s.trace.connects("in") }

// trace is all frames of HTTP/2 that a server or a client of weir's got and sent.
type trace struct {
	mu     sync.Mutex
	frames bytes.Buffer
}

func (tr *trace) logger() *slog.Logger {
	out := locked{&tr.mu, &tr.frames}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// connects counts the extended CONNECTs for a WebSocket in one direction, in or out.
func (tr *trace) connects(dir string) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	n := 0
	for line := range strings.Lines(tr.frames.String()) {
		if strings.Contains(line, "dir="+dir) && strings.Contains(line, "type=HEADERS") &&
			strings.Contains(line, ":method: CONNECT") && strings.Contains(line, ":protocol: websocket") {
			n++
		}
	}
	return n
}

// logged is what the server's ErrorLog got.
func (s *webSite) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.errors.String()
}

func (s *webSite) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><title>weir</title><script type=module>
const found = {};
const say = (name, what) => { found[name] = String(what); };
const done = () => fetch("/result", { method: "POST", body: JSON.stringify(found) }).catch(() => {});
const ws = (path, protocols) => new WebSocket("wss://" + location.host + path, protocols);
addEventListener("error", (e) => { say("script", e.message); done(); });
addEventListener("unhandledrejection", (e) => { say("script", e.reason); done(); });
%s
</script>`, s.script)
}

func (s *webSite) result(_ http.ResponseWriter, r *http.Request) {
	var b browsed
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		b = browsed{"script": err.Error()}
	}
	select {
	case s.results <- b:
	default: // told already
	}
}

// browser opens the page of a site, and says what its script found.
type browser func(s *webSite, t *testing.T) browsed

var browsers = map[string]browser{"Chromium": (*webSite).chromium, "Firefox": (*webSite).firefox}

// chromium opens the page in Chromium, which must have a result.
func (s *webSite) chromium(t *testing.T) browsed {
	t.Helper()
	needs(t, "chromium")
	dir, err := os.MkdirTemp("", "weir-chromium")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu",
		"--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--ignore-certificate-errors", "--remote-debugging-port=0", "--user-data-dir="+dir, s.URL+"/")
	cmd.Stdout, cmd.Stderr = io.Discard, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it has many processes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // an error: it has ended
		_ = cmd.Wait()                                      // of a process that was killed
		os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("chromium: %s", log.Bytes())
		}
	}()
	select {
	case b := <-s.results:
		return b
	case <-time.After(mostWait):
		t.Fatal("Chromium has no result")
		return nil
	}
}
