package peers

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"
)

// browserFront is one way from the browser to a proxy, as closes.html has it.
type browserFront struct {
	URL   string `json:"url"`
	HTTP2 bool   `json:"http2"`
	said  []byte
}

// TestClosesBrowser: what Chromium is told of the ends of WebSockets behind HAProxy, over HTTP/1.1
// in cleartext and over TLS, and over HTTP/2 by extended CONNECT (RFC 8441).
func TestClosesBrowser(t *testing.T) {
	needs(t, "chromium")
	ways := []player{
		{name: "chromium_h1"},
		{name: "chromium_h1tls", secure: true},
		{name: "chromium_h2", secure: true, http2: true},
	}
	play := ways[0].of(endings)
	haproxy := closesProxies[0]
	var fronts []*browserFront // those of each back, one after the other
	servers := make([]*server, len(haproxy.backs))
	for i, b := range haproxy.backs {
		s, f := serve(t, "--subprotocol", "chat"), newFronts(t)
		haproxy.start(t, f, b, s.backend(b))
		servers[i] = s
		for _, p := range ways {
			url := "ws://" + f.plain
			if p.secure {
				url = "wss://" + f.secure // over HTTP/2 last: a browser then stays with it
			}
			fronts = append(fronts, &browserFront{URL: url, HTTP2: p.http2})
		}
	}
	browse(t, "closes.html", play, *closesRuns, fronts)
	for i, b := range haproxy.backs {
		seen := newServerEnds()
		for k, p := range ways {
			t.Run(b.name+"/"+p.name, func(t *testing.T) {
				seen.expect(play, *closesRuns)
				var y tally
				heard(t, fronts[i*len(ways)+k].said, play, y.saying(haproxy.front(p)))
				y.judge(t, play, *closesRuns, faultsOf(haproxy.name, p.name, b.name))
			})
		}
		t.Run(b.name+"/server", func(t *testing.T) { seen.judge(t, servers[i], b.name, nil) })
	}
}

// browse has Chromium play through each front, one after the other.
func browse(t *testing.T, page string, play []ending, runs int, fronts []*browserFront) {
	t.Helper()
	done := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, page) })
	mux.HandleFunc("GET /spec", func(w http.ResponseWriter, _ *http.Request) {
		spec := map[string]any{"fronts": fronts, "endings": play, "runs": runs, "sideBySide": sideBySide}
		if err := json.NewEncoder(w).Encode(spec); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /said", func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if i, bad := strconv.Atoi(r.FormValue("front")); err == nil && bad == nil && i < len(fronts) {
			fronts[i].said = b
		}
	})
	mux.HandleFunc("POST /done", func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		done <- string(b)
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	chromium(t, site.URL)
	select {
	case fault := <-done:
		if fault != "" {
			t.Error(fault)
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("the browser does not come to an end")
	}
}

// chromium shows a page until the test ends. It reaches nothing but 127.0.0.1.
func chromium(t *testing.T, url string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) // behind the browser's end
	background(t, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-breakpad", "--ignore-certificate-errors",
		"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
		"--user-data-dir="+dir, url)
}
