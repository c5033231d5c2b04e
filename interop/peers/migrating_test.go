package peers

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMigrating: what docs/migrating.md shows compiles, with all the libraries that it speaks of.
func TestMigrating(t *testing.T) {
	page, err := os.ReadFile("../../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	var src strings.Builder
	src.WriteString(`package migrating

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"weir/websocket"
)

var (
	_ context.Context
	_ tls.Config
	_ http.Server
	_ httptest.Server
	_ httputil.ReverseProxy
	_ url.URL
	_ testing.T
	_ time.Duration
	_ coder.Conn
	_ gorilla.Conn
)
`)
	blocks := 0
	for i, b := range strings.Split(string(page), "```") {
		code, ok := strings.CutPrefix(b, "go\n")
		if i%2 == 0 || !ok {
			continue
		}
		blocks++
		switch word, _, _ := strings.Cut(code, " "); word {
		case "func", "var", "type":
			src.WriteString("\n" + code)
		default: // statements
			src.WriteString("\nfunc _(ctx context.Context, srv *http.Server, backend *url.URL) {\n" + code + "}\n")
		}
	}
	if blocks < 9 { // they are not found any more
		t.Errorf("%d blocks of Go in the page", blocks)
	}
	out, err := exec.Command("go", "build", "-o", os.DevNull, file(t, "migrating.go", src.String())).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
