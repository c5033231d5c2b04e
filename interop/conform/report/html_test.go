package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"weir/interop/conform"
	"weir/stream"
)

// page is a parsed page.
type page struct {
	elements map[string][]*html.Node // by name
	text     string                  // what a reader sees
	ids      map[string]bool
}

func parsePage(t *testing.T, dir, name string) *page {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	p := &page{elements: map[string][]*html.Node{}, ids: map[string]bool{}}
	var text strings.Builder
	for n := range root.Descendants() {
		switch {
		case n.Type == html.ElementNode:
			p.elements[n.Data] = append(p.elements[n.Data], n)
			if id := attr(n, "id"); id != "" {
				if p.ids[id] {
					t.Errorf("%s: two elements are %q", name, id)
				}
				p.ids[id] = true
			}
		case n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style":
			text.WriteString(n.Data)
		}
	}
	p.text = text.String()
	return p
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func writeSample(t *testing.T) (dir string, pages map[string]*page) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "made")
	if err := sample().WriteHTML(dir); err != nil {
		t.Fatal(err)
	}
	pages = map[string]*page{}
	names, err := filepath.Glob(filepath.Join(dir, "*.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		n = filepath.Base(n)
		pages[n] = parsePage(t, dir, n)
	}
	return dir, pages
}

func TestHTML(t *testing.T) {
	dir, pages := writeSample(t)
	if len(pages) != 7 {
		t.Fatalf("%d pages", len(pages))
	}
	index := pages["index.html"]
	for _, want := range []string{"14 cases, 3 failed, 1 of them known, in 1.50s", "1.1.1", "12.1.1", "8441.settings.first", "bad UTF-8 in the second of three frames",
		"weir over h2c", "<other> over h1", "UNCLEAN", "non-strict", "unimpl.", "Framing"} {
		if !strings.Contains(index.text, want) {
			t.Errorf("the index does not say %q", want)
		}
	}
	cells := 0
	for _, td := range index.elements["td"] {
		if strings.HasPrefix(attr(td, "class"), "v ") {
			cells++
		}
	}
	if cells != 14 {
		t.Errorf("the index has %d results", cells)
	}
	one := pages["case-1.1.1.html"]
	for _, want := range []string{"an empty text message", "the same back", "RFC 6455, 5.6", "text frame, 0 octets", "818001020304", "1.50", "two\nlines", "<other> over h1", "FAILED"} {
		if !strings.Contains(one.text, want) {
			t.Errorf("the page of a case does not say %q", want)
		}
	}
	if got := pages["case-1.1.2.html"].text; !strings.Contains(got, "Known: it never closes") || !strings.Contains(got, "OK, close UNCLEAN") {
		t.Errorf("the page of a known failure:\n%s", got)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "index.json")); err != nil || !bytes.Contains(b, []byte(`"case-1.1.1.html"`)) {
		t.Errorf("index.json: %v\n%s", err, b)
	}
}

// Every link leads somewhere within the folder, and nothing is fetched.
func TestHTMLLinks(t *testing.T) {
	_, pages := writeSample(t)
	for name, p := range pages {
		for _, what := range []string{"link", "img", "iframe", "object", "embed", "base"} {
			if len(p.elements[what]) > 0 {
				t.Errorf("%s has a %s element", name, what)
			}
		}
		for _, a := range p.elements["a"] {
			file, fragment, _ := strings.Cut(attr(a, "href"), "#")
			if file == "" {
				file = name
			}
			if to := pages[file]; to == nil || fragment != "" && !to.ids[fragment] {
				t.Errorf("%s links to %q", name, attr(a, "href"))
			}
		}
		for _, s := range p.elements["script"] {
			if attr(s, "src") != "" {
				t.Errorf("%s fetches a script", name)
			}
		}
	}
}

// What a peer sent stays text, and the page's policy lets nothing run but the page's own script.
func TestHTMLEscapes(t *testing.T) {
	dir, pages := writeSample(t)
	for name, p := range pages {
		if len(p.elements["script"]) != 1 || len(p.elements["style"]) != 1 {
			t.Errorf("%s has %d scripts and %d styles", name, len(p.elements["script"]), len(p.elements["style"]))
			continue
		}
		policy := ""
		for _, m := range p.elements["meta"] {
			if attr(m, "http-equiv") == "Content-Security-Policy" {
				policy = attr(m, "content")
			}
		}
		for _, what := range []string{"script", "style"} {
			sum := sha256.Sum256([]byte(p.elements[what][0].FirstChild.Data))
			if want := what + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q does not allow %s", name, policy, want)
			}
		}
		if name != "index.html" && !strings.Contains(p.text, "<script>alert(1)</script>\u241b[2J|\uFFFD\uFFFD\n<!--") {
			t.Errorf("%s does not show what came as it came", name)
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("<script>alert")) || bytes.ContainsAny(b, "\x1b\u202e") {
			t.Errorf("%s has what came in it, raw", name)
		}
	}
}

// 517 cases over 8 columns stay a page that opens at once.
func TestHTMLSize(t *testing.T) {
	s := Suite{Name: "all", Title: "All"}
	var results []conform.Result
	for i := range 517 {
		c := conform.Case{ID: "1." + string(rune('a'+i%26)) + strings.Repeat("x", i/26), Title: "a case whose title has forty characters"}
		s.Cases = append(s.Cases, c)
	}
	for _, agent := range []string{"one", "two"} {
		for _, over := range []stream.Transport{stream.H1, stream.H1TLS, stream.H2C, stream.H2} {
			for _, c := range s.Cases {
				results = append(results, conform.Result{Case: c, Agent: agent, Transport: over, Outcome: conform.Pass()})
			}
		}
	}
	dir := t.TempDir()
	if err := (&Report{Suites: []Suite{s}, Results: results}).WriteHTML(dir); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() > 1<<20 {
		t.Errorf("the index has %d octets", st.Size())
	}
	pages, _ := filepath.Glob(filepath.Join(dir, "case-*.html"))
	if len(pages) != 517 {
		t.Errorf("%d pages of cases", len(pages))
	}
}
