package h3_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"weir/internal/pages"
)

// TestDocsCode: what docs/http3.md shows of Go compiles.
func TestDocsCode(t *testing.T) {
	page := &pages.Go{
		Imports: map[string]string{
			"context": "context", "http": "net/http", "log": "log", "net": "net", "tls": "crypto/tls",
			"h3": "weir/h3", "websocket": "weir/websocket",
		},
		Declare: "var mux *http.ServeMux\n\nvar conf *tls.Config\n",
	}
	page.Check(t, "../docs/http3.md")
}

// TestDocs: the tests that docs/http3.md names exist.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/http3.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "../cmd/weir/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(src, -1) {
				there[string(m[1])] = true
			}
		}
	}
	named := regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllSubmatch(page, -1)
	for _, m := range named {
		if !there[string(m[1])] {
			t.Errorf("docs/http3.md names %s, and there is no such test", m[1])
		}
	}
	if len(named) < 20 {
		t.Errorf("docs/http3.md names %d tests", len(named))
	}
}
