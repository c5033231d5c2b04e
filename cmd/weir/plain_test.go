package main

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// overEverything runs body over HTTP/1.1 and HTTP/2, in cleartext and over TLS.
func overEverything(t *testing.T, body func(t *testing.T, c *http.Client, origin string)) {
	p := start(t)
	t.Run("h1", func(t *testing.T) { body(t, client(t, false), p.http) })
	t.Run("h1tls", func(t *testing.T) { body(t, client(t, false), p.https) })
	t.Run("h2c", func(t *testing.T) { body(t, client(t, true), p.http) })
	t.Run("h2", func(t *testing.T) { body(t, client(t, true), p.https) })
}

func fetch(t *testing.T, c *http.Client, method, url string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res, string(text)
}

func TestPlain(t *testing.T) {
	overEverything(t, func(t *testing.T, c *http.Client, origin string) {
		if res, text := fetch(t, c, "GET", origin+"/", nil); res.StatusCode != 200 || !strings.Contains(text, "/commands") || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("/: %s %s", res.Status, text)
		}
		if res, _ := fetch(t, c, "GET", origin+"/nothing", nil); res.StatusCode != 404 {
			t.Errorf("/nothing: %s", res.Status)
		}
		if res, text := fetch(t, c, "GET", origin+"/healthz", nil); res.StatusCode != 200 || text != "ok" {
			t.Errorf("/healthz: %s %q", res.Status, text)
		}
		for _, n := range []int64{0, 1, 100_000, 3_000_000} {
			res, text := fetch(t, c, "GET", origin+"/bytes/"+strconv.FormatInt(n, 10), nil)
			if res.StatusCode != 200 || int64(len(text)) != n || res.ContentLength != n {
				t.Errorf("/bytes/%d: %s, %d octets", n, res.Status, len(text))
			}
		}
		if res, _ := fetch(t, c, "GET", origin+"/bytes/many", nil); res.StatusCode != 400 {
			t.Errorf("/bytes/many: %s", res.Status)
		}
		if res, text := fetch(t, c, "POST", origin+"/upload", strings.NewReader(payload(1_000_000))); res.StatusCode != 200 || strings.TrimSpace(text) != `{"bytes":1000000}` {
			t.Errorf("/upload: %s %q", res.Status, text)
		}
		// A request that is no handshake, on a WebSocket route (RFC 6455, 4.2.2; RFC 8441, 5).
		want := map[bool]int{true: http.StatusBadRequest, false: http.StatusUpgradeRequired}
		res, _ := fetch(t, c, "GET", origin+"/echo", nil)
		if res.StatusCode != want[res.ProtoMajor == 2] {
			t.Errorf("/echo without a handshake over %s: %s", res.Proto, res.Status)
		}
	})
}
