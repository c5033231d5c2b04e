package peers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"nhooyr.io/websocket"
	"nhooyr.io/websocket/wsjson"
)

// inConsole runs in the console's page, and clicks Open there. It tells how the page came, and what
// became of four WebSockets of its own.
const inConsole = `(async () => {
	const echo = (text) => new Promise((resolve) => {
		const ws = new WebSocket("wss://" + location.host + "/echo?compress=1");
		let got = "";
		ws.onopen = () => ws.send(text);
		ws.onmessage = (e) => { got = e.data; ws.close(4001, "grüße"); };
		ws.onclose = (e) => resolve([got === text, ws.extensions, e.code, e.wasClean]);
	});
	const close = () => new Promise((resolve) => {
		const ws = new WebSocket("wss://" + location.host + "/close?code=4002&reason=over");
		ws.onclose = (e) => resolve([e.code, e.reason, e.wasClean]);
	});
	const drained = () => new Promise((resolve) => {
		const ws = new WebSocket("wss://" + location.host + "/discard");
		ws.onclose = (e) => resolve([e.code, e.wasClean]);
	});
	document.querySelector("form button.main").click();
	return JSON.stringify({
		page: performance.getEntriesByType("navigation")[0].nextHopProtocol,
		echoes: await Promise.all([echo("hello"), echo("x".repeat(300000))]),
		close: await close(),
		drained: await drained(),
	});
})()`

// TestHTTP3Chromium: Chromium opens the console over HTTP/3, and WebSockets of its page come over
// HTTP/3 besides (RFC 9220), next to each other on one connection. The last is open when the server
// drains.
func TestHTTP3Chromium(t *testing.T) {
	needs(t, "chromium")
	cert := certificate(t)
	s := serve(t, "--h3", "--cert", cert, "--key", cert)
	var got struct {
		Page   string
		Echoes [][4]any
		Close  [3]any

		Drained [2]any
	}
	go s.drainAt("/discard") // ends with that WebSocket, at the latest with the server
	inChromium(t, "https://"+s.https+"/", inConsole, &got, "--enable-quic",
		"--origin-to-force-quic-on="+s.https, "--enable-features=EnableWebsocketsOverHttp3",
		"--ignore-certificate-errors-spki-list="+keyHash(t, cert))
	if got.Page != "h3" {
		t.Errorf("the page came over %q", got.Page)
	}
	for _, e := range got.Echoes {
		deflates := strings.HasPrefix(fmt.Sprint(e[1]), "permessage-deflate")
		if e[0] != true || !deflates || e[2] != 4001.0 || e[3] != true {
			t.Errorf("an echo ended with %v", e)
		}
	}
	if fmt.Sprint(got.Close) != "[4002 over true]" {
		t.Errorf("the server's close arrived as %v", got.Close)
	}
	if fmt.Sprint(got.Drained) != "[1001 true]" {
		t.Errorf("the drain arrived as %v", got.Drained)
	}
	for range got.Echoes {
		s.wantEnd("/echo", "h3", event{"reason": "remote", "code": 4001, "text": "grüße"})
	}
	s.wantEnd("/close", "h3", event{"reason": "stop"})
	s.wantEnd("/headers", "h3", event{"reason": "stop"}) // the console's own
	s.wantEnd("/discard", "h3", event{"reason": "stop"})
}

// drainAt has the server drain once a WebSocket of path is open.
func (s *server) drainAt(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	opened := func(e event) bool { return e["event"] == "open" && e["path"] == path }
	for !slices.ContainsFunc(s.events, opened) && !s.ended {
		s.changed.Wait()
	}
	s.process.Signal(syscall.SIGTERM) // an error: it has ended
}

// keyHash is how Chromium names the key of a certificate that it is to trust.
func keyHash(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// inChromium opens a page in Chromium, runs a script there that gives JSON, and decodes it.
func inChromium(t *testing.T, url, script string, result any, flags ...string) {
	t.Helper()
	ctx := bounded(t)
	dir, err := os.MkdirTemp("", "weir-chromium")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command("chromium", append([]string{"--headless", "--no-sandbox", "--disable-gpu",
		"--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--remote-debugging-port=0", "--user-data-dir=" + dir}, append(flags, url)...)...)
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
	for {
		text, err := evaluate(ctx, dir, url, script)
		if err == nil {
			err = json.Unmarshal([]byte(text), result)
		}
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Chromium has no result within a minute: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// evaluate runs a script in the page that Chromium shows, by its protocol for debuggers.
func evaluate(ctx context.Context, dir, url, script string) (string, error) {
	port, err := os.ReadFile(filepath.Join(dir, "DevToolsActivePort"))
	if err != nil {
		return "", err
	}
	host, _, _ := strings.Cut(string(port), "\n")
	res, err := http.Get("http://127.0.0.1:" + host + "/json/list")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var pages []struct {
		URL    string `json:"url"`
		Socket string `json:"webSocketDebuggerUrl"`
	}
	if err := json.NewDecoder(res.Body).Decode(&pages); err != nil {
		return "", err
	}
	for _, p := range pages {
		if p.URL == url {
			return inPage(ctx, p.Socket, script)
		}
	}
	return "", fmt.Errorf("%s is not shown, but %v", url, pages)
}

func inPage(ctx context.Context, socket, script string) (string, error) {
	c, _, err := websocket.Dial(ctx, socket, nil)
	if err != nil {
		return "", err
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	c.SetReadLimit(-1)
	params := map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}
	err = wsjson.Write(ctx, c,
		map[string]any{"id": 1, "method": "Runtime.evaluate", "params": params})
	if err != nil {
		return "", err
	}
	for {
		var answer struct {
			ID     int
			Result struct {
				Result           struct{ Value string }
				ExceptionDetails any
			}
		}
		if err := wsjson.Read(ctx, c, &answer); err != nil {
			return "", err
		}
		if answer.ID == 1 && answer.Result.ExceptionDetails != nil {
			return "", fmt.Errorf("the script threw %v", answer.Result.ExceptionDetails)
		}
		if answer.ID == 1 {
			return answer.Result.Result.Value, nil
		}
	}
}
