package behaviour_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// row runs the test of one row of docs/behaviour.md over modes: subtests named id/mode. TestLedger
// reads the calls of row from the source. Where id is a variable, every id in the same function is
// meant that no call names.
func row(t *testing.T, id string, modes []string, body func(h *house)) {
	t.Helper()
	t.Run(id, func(t *testing.T) { each(t, modes, body) })
}

// rowWith is row for a server that prepare has changed.
func rowWith(t *testing.T, id string, modes []string, prepare setUp, body func(h *house)) {
	t.Helper()
	t.Run(id, func(t *testing.T) { eachWith(t, modes, prepare, body) })
}

// modeNames are the modes as the page has them and as tests have them.
var modeNames = map[string][]string{"all": all, "http": overHTTP, "http/1.1": overHTTP1, "http/2": overHTTP2, "http/3": overHTTP3,
	"tcp": overTCP, "shared": overMuxed,
	"overHTTP": overHTTP, "overHTTP1": overHTTP1, "overHTTP2": overHTTP2, "overHTTP3": overHTTP3, "overTCP": overTCP, "overMuxed": overMuxed}

var rowID = regexp.MustCompile(`^[1-8](\.[a-z][a-z0-9_]*)+$`)

// TestLedger holds the page and the tests together: a row without a test for one of its modes
// fails, and so does a test for a row or a mode that the page does not have.
func TestLedger(t *testing.T) {
	page := pageRows(t)
	tests := testRows(t)
	for id, modes := range page {
		for _, m := range modes {
			if !slices.Contains(tests[id], m) {
				t.Errorf("%s has no test over %s", id, m)
			}
		}
	}
	for id, modes := range tests {
		for _, m := range modes {
			if !slices.Contains(page[id], m) {
				t.Errorf("%s is tested over %s, and the page has no such row", id, m)
			}
		}
	}
	n := 0
	for _, modes := range page {
		n += len(modes)
	}
	t.Logf("%d rows, %d with each mode counted", len(page), n)
}

// pageRows are the rows of docs/behaviour.md.
func pageRows(t *testing.T) map[string][]string {
	b, err := os.ReadFile("../../docs/behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	section := ""
	for line := range strings.Lines(string(b)) {
		if s, ok := strings.CutPrefix(line, "## "); ok {
			section = s[:1]
		}
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		id, modes := strings.Trim(cells[1], " `"), modeNames[strings.TrimSpace(cells[2])]
		switch {
		case !rowID.MatchString(id) || id[:1] != section:
			t.Errorf("%s is no id for a row of section %s", id, section)
		case modes == nil:
			t.Errorf("%s is for no mode", id)
		case rows[id] != nil:
			t.Errorf("%s stands twice", id)
		}
		rows[id] = modes
	}
	return rows
}

// testRows are the calls of row in the package's tests.
func testRows(t *testing.T) map[string][]string {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
				calls(fn, rows)
			}
		}
	}
	return rows
}

// calls notes the rows that one test function has: ids that calls name, and for calls that name
// none all others.
func calls(fn *ast.FuncDecl, rows map[string][]string) {
	ids := func(n ast.Node) (ids []string) {
		ast.Inspect(n, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if s, _ := strconv.Unquote(l.Value); rowID.MatchString(s) {
					ids = append(ids, s)
				}
			}
			return true
		})
		return ids
	}
	var named []string
	var found []*ast.CallExpr
	ast.Inspect(fn, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			if name, ok := c.Fun.(*ast.Ident); ok && (name.Name == "row" || name.Name == "rowWith") {
				found = append(found, c)
				named = append(named, ids(c.Args[1])...)
			}
		}
		return true
	})
	for _, c := range found {
		meant := ids(c.Args[1])
		if meant == nil {
			meant = slices.DeleteFunc(ids(fn), func(id string) bool { return slices.Contains(named, id) })
		}
		modes, _ := c.Args[2].(*ast.Ident)
		for _, id := range meant {
			for _, m := range modeNames[modes.Name] {
				if !slices.Contains(rows[id], m) {
					rows[id] = append(rows[id], m)
				}
			}
		}
	}
}
