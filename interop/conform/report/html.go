package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strconv"

	"weir/interop/conform"
)

//go:embed page
var pages embed.FS

// shell is what pages of one kind have in common. Their policy lets nothing be fetched, and no script run but their own:
// what a peer sent is in them, too.
type shell struct {
	Style  template.CSS
	Script template.JS
	Policy string
}

func newShell(script string) (shell, error) {
	style, err := pages.ReadFile("page/style.css")
	if err != nil {
		return shell{}, err
	}
	code, err := pages.ReadFile("page/" + script)
	if err != nil {
		return shell{}, err
	}
	hash := func(b []byte) string {
		sum := sha256.Sum256(b)
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return shell{template.CSS(style), template.JS(code), "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(code)}, nil
}

// WriteHTML writes the report into a folder, which it makes: index.html, a page for each case, and index.json. Pages of an
// earlier report are overwritten where the names are the same, and otherwise left alone.
func (r *Report) WriteHTML(dir string) error {
	parsed, err := template.ParseFS(pages, "page/*.html")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var b bytes.Buffer
	write := func(name, page string, data any) error {
		b.Reset()
		if err := parsed.ExecuteTemplate(&b, page, data); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666)
	}
	v := r.view()
	index, err := r.index(&v)
	if err != nil {
		return err
	}
	if err := write("index.html", "index.html", index); err != nil {
		return err
	}
	cases, err := newShell("case.js")
	if err != nil {
		return err
	}
	for _, p := range casePages(&v) {
		if err := write(pageName(p.ID), "case.html", r.casePage(&v, p, cases)); err != nil {
			return err
		}
	}
	b.Reset()
	if err := r.WriteJSON(&b); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "index.json"), b.Bytes(), 0o666)
}

// The classes of verdicts in style.css, and what chips call them.
var verdictClasses = []struct{ Class, Word string }{
	{"bad", "failed"}, {"non", "non-strict"}, {"info", "informational"}, {"unimpl", "unimplemented"}, {"ok", "ok"},
}

func classOf(o conform.Outcome) string {
	switch {
	case o.Bad():
		return "bad"
	case o.Body == conform.NonStrict:
		return "non"
	case o.Body == conform.Informational:
		return "info"
	case o.Body == conform.Unimplemented:
		return "unimpl"
	}
	return "ok"
}

// cellWord is a verdict in a cell; what is bad is in capitals.
func cellWord(o conform.Outcome) string {
	if o.Bad() {
		return string(Shown(o))
	}
	return map[string]string{"ok": "ok", "non": "non-strict", "info": "info", "unimpl": "unimpl."}[classOf(o)]
}

// Parts are the pieces of a bar of 100.
func (t Tally) Parts() []part {
	all := float64(t.Cases())
	if all == 0 {
		return nil
	}
	var parts []part
	from := 0.0
	for _, p := range []struct {
		class string
		n     int
	}{{"bad", t.Failed}, {"non", t.NonStrict}, {"info", t.Informational}, {"unimpl", t.Unimplemented}, {"ok", t.OK}} {
		if p.n > 0 {
			width := 100 * float64(p.n) / all
			parts = append(parts, part{p.class, fmt.Sprintf("%.2f", from), fmt.Sprintf("%.2f", width)})
			from += width
		}
	}
	return parts
}

type part struct{ Class, From, Width string }

// anchor is where the index has the group.
func (g *group) anchor() string { return "group-" + fileName(g.suite.Name+"-"+g.name) }

// columnAnchor is where a case's page has a column.
func columnAnchor(i int) string { return "agent-" + strconv.Itoa(i+1) }
