package peers

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// overBoth runs body in cleartext with prior knowledge, and over TLS with ALPN.
func overBoth(t *testing.T, body func(t *testing.T, origin string)) {
	s := serve(t)
	t.Run("h2c", func(t *testing.T) { body(t, "http://"+s.http) })
	t.Run("h2", func(t *testing.T) { body(t, "https://"+s.https) })
}

// command runs a client and gives what it printed.
func command(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(bounded(t), name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v; see interop/peers.sh for what must be installed\n%s", name, args, err, out)
	}
	return string(out)
}

// bodies are lengths on both sides of a frame, the initial window, and many of it.
var bodies = []int{0, 1, 16384, 65535, 65536, 1 << 20}

func TestCurl(t *testing.T) {
	overBoth(t, func(t *testing.T, origin string) {
		curl := func(stdin []byte, args ...string) string {
			how := "--http2-prior-knowledge"
			if strings.HasPrefix(origin, "https:") {
				how = "--http2"
			}
			return command(t, stdin, "curl", append([]string{how, "-sS", "--insecure", "--max-time", "30"}, args...)...)
		}
		status := "%{http_version} %{http_code} %{size_download}"
		if got := curl(nil, "-o", "/dev/null", "-w", status, origin+"/"); !strings.HasPrefix(got, "2 200 ") {
			t.Errorf("/: %s", got)
		}
		for _, n := range bodies {
			if got, want := curl(nil, "-o", "/dev/null", "-w", status, fmt.Sprintf("%s/bytes/%d", origin, n)), fmt.Sprintf("2 200 %d", n); got != want {
				t.Errorf("/bytes/%d: %s, want %s", n, got, want)
			}
			if got, want := curl(make([]byte, n), "--data-binary", "@-", origin+"/upload"), fmt.Sprintf(`{"bytes":%d}`, n); strings.TrimSpace(got) != want {
				t.Errorf("/upload of %d: %s", n, got)
			}
		}
	})
}

func TestNghttp(t *testing.T) {
	overBoth(t, func(t *testing.T, origin string) {
		for _, path := range []string{"/", "/bytes/0", "/bytes/1000000"} {
			if got := command(t, nil, "nghttp", "--null-out", "--verbose", "--timeout=30", origin+path); !strings.Contains(got, ":status: 200") {
				t.Errorf("%s: %s", path, got)
			}
		}
		for _, n := range bodies {
			body := file(t, "body", strings.Repeat("x", n))
			if got := command(t, nil, "nghttp", "--timeout=30", "--data="+body, "-H:method: POST", origin+"/upload"); !strings.Contains(got, fmt.Sprintf(`{"bytes":%d}`, n)) {
				t.Errorf("/upload of %d: %s", n, got)
			}
		}
		// Many at once, of padded frames, and small windows.
		if got := command(t, nil, "nghttp", "--null-out", "--stat", "--padding=255", "--window-bits=10", "--multiply=50", "--timeout=30", origin+"/bytes/10000"); strings.Count(got, " 200 ") != 50 {
			t.Errorf("50 at once: %s", got)
		}
	})
}

func TestH2load(t *testing.T) {
	overBoth(t, func(t *testing.T, origin string) {
		got := command(t, nil, "h2load", "-n", "100000", "-c", "10", "-m", "100", origin+"/bytes/100")
		if !strings.Contains(got, "100000 total, 100000 started, 100000 done, 100000 succeeded, 0 failed, 0 errored, 0 timeout") ||
			!strings.Contains(got, "status codes: 100000 2xx") {
			t.Error(got)
		}
		for line := range strings.Lines(got) {
			if strings.HasPrefix(line, "finished in") {
				t.Log(strings.TrimSpace(line))
			}
		}
		body := file(t, "body", strings.Repeat("x", 20000))
		if got := command(t, nil, "h2load", "-n", "2000", "-c", "10", "-m", "100", "-d", body, origin+"/upload"); !strings.Contains(got, "2000 succeeded, 0 failed") {
			t.Error(got)
		}
	})
}

// TestGoClient: net/http's own client, many requests at once.
func TestGoClient(t *testing.T) {
	overBoth(t, func(t *testing.T, origin string) {
		tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		tr.Protocols.SetHTTP2(true)
		tr.Protocols.SetUnencryptedHTTP2(true)
		defer tr.CloseIdleConnections()
		client := &http.Client{Transport: tr}
		done := make(chan error)
		const atOnce = 100
		for range atOnce {
			go func() { done <- requests(client, origin) }() // ends with its requests
		}
		for range atOnce {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// requests is a GET of the page, and each length of body both ways.
func requests(client *http.Client, origin string) error {
	if _, err := fetch(client.Get(origin + "/")); err != nil {
		return err
	}
	for _, n := range bodies {
		b, err := fetch(client.Get(origin + "/bytes/" + strconv.Itoa(n)))
		if err != nil || len(b) != n {
			return fmt.Errorf("/bytes/%d: %d octets, %v", n, len(b), err)
		}
		b, err = fetch(client.Post(origin+"/upload", "application/octet-stream", bytes.NewReader(make([]byte, n))))
		if want := fmt.Sprintf(`{"bytes":%d}`, n); err != nil || strings.TrimSpace(string(b)) != want {
			return fmt.Errorf("/upload of %d: %s, %v", n, b, err)
		}
	}
	return nil
}

func fetch(resp *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s over %s", resp.Status, resp.Proto)
	}
	return io.ReadAll(resp.Body)
}
