package pages

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Go says how the Go of a page is to be understood.
type Go struct {
	// Imports are the packages that code may name, by the name that it has for them.
	Imports map[string]string
	// Declare is Go at the top level: what code on the page may name besides.
	Declare string
	// Forms says what the code of a cell may stand for: statements in a function, in which %s is
	// the code. One of them must compile. nil: the column is not checked.
	Forms func(section, column string) []string
	// NotGo are pieces of code in columns that are checked, and why they are no Go.
	NotGo map[string]string
}

// Check fails t for each fault of the page at path.
func (g *Go) Check(t *testing.T, path string) {
	t.Helper()
	for _, err := range g.Faults(path) {
		t.Error(err)
	}
}

// Faults compiles the blocks of Go of a page together, those that are whole files each by itself,
// then each piece of code in its tables. A page without any is a fault: it has another form than is
// looked for.
func (g *Go) Faults(path string) []error {
	p, err := Read(path)
	if err != nil {
		return []error{err}
	}
	c, err := newChecker(g)
	if err != nil {
		return []error{err}
	}
	found := 0
	var errs []error
	for _, b := range p.Blocks {
		if b.Lang != "go" {
			continue
		}
		found++
		if strings.HasPrefix(b.Text, "package ") {
			errs = append(errs, c.whole(path, b)...)
			continue
		}
		c.block(path, b)
	}
	if found == 0 {
		return []error{fmt.Errorf("%s: no block of Go is found", path)}
	}
	if errs = append(errs, c.check("")...); len(errs) > 0 || g.Forms == nil {
		return errs
	}
	return g.rows(p, c)
}

// rows gives the faults of a page's tables.
func (g *Go) rows(p *Page, c *checker) (errs []error) {
	found := 0
	seen := map[string]bool{}
	for _, r := range p.Rows {
		for _, cell := range r.Cells {
			forms := g.Forms(r.Section, cell.Column)
			if forms == nil {
				continue
			}
			for _, code := range cell.Code() {
				found++
				if _, ok := g.NotGo[code]; ok {
					seen[code] = true
				} else if err := c.span(code, forms); err != nil {
					errs = append(errs, fmt.Errorf("%s:%d: `%s`: %w", p.Path, r.Line, code, err))
				}
			}
		}
	}
	if found == 0 {
		errs = append(errs, fmt.Errorf("%s: no code is found in its tables", p.Path))
	}
	for _, code := range slices.Sorted(maps.Keys(g.NotGo)) {
		if !seen[code] {
			errs = append(errs, fmt.Errorf("%s: `%s` is said to be no Go, and is not there", p.Path, code))
		}
	}
	return errs
}

// checker type-checks one package: the blocks of a page, and one piece of code besides.
type checker struct {
	fset  *token.FileSet
	conf  types.Config
	files []*ast.File
	head  string
	errs  []error // of parsing
}

func newChecker(g *Go) (*checker, error) {
	paths := slices.Sorted(maps.Values(g.Imports))
	exports, err := exported(paths)
	if err != nil {
		return nil, err
	}
	c := &checker{fset: token.NewFileSet()}
	c.conf.Importer = importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no package %s", path)
		}
		return os.Open(exports[path])
	})
	var head strings.Builder
	head.WriteString("package page\n\nimport (\n")
	for _, name := range slices.Sorted(maps.Keys(g.Imports)) {
		fmt.Fprintf(&head, "\t%s %q\n", name, g.Imports[name])
	}
	head.WriteString(")\n")
	c.head = head.String()
	c.parse("declared", c.head+g.Declare)
	return c, nil
}

// exported is where the compiler has put what is known of packages and of all that they import.
func exported(paths []string) (map[string]string, error) {
	args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, paths...)
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	files := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return files, nil
		} else if err != nil {
			return nil, err
		}
		files[p.ImportPath] = p.Export
	}
}

// block takes a block: declarations, or statements.
func (c *checker) block(path string, b Block) {
	line, code := b.Line, b.Text
	switch word, _, _ := strings.Cut(code, " "); word {
	case "func", "var", "type", "const":
	default:
		code = "func _() {\n" + code + "}\n"
		line--
	}
	c.parse(path, c.head+"\n//line "+path+":"+strconv.Itoa(line)+"\n"+code)
}

// whole gives what is wrong with a block that is a file: nothing of the page is added to it.
func (c *checker) whole(path string, b Block) (errs []error) {
	src := "//line " + path + ":" + strconv.Itoa(b.Line) + "\n" + b.Text
	f, err := parser.ParseFile(c.fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		return []error{err}
	}
	conf := c.conf
	conf.Error = func(err error) { errs = append(errs, err) }
	_, _ = conf.Check(f.Name.Name, c.fset, []*ast.File{f}, nil) // the errors are in errs
	return errs
}

func (c *checker) parse(path, src string) {
	f, err := parser.ParseFile(c.fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		c.errs = append(c.errs, err)
		return
	}
	c.files = append(c.files, f)
}

// unusedImport is what go/types says of one; the name is there where it is not the path's end.
var unusedImport = regexp.MustCompile(`^"[^"]+" imported (as \S+ )?and not used$`)

// check gives what is wrong with all that was added, and with extra, a file.
func (c *checker) check(extra string) []error {
	if len(c.errs) > 0 {
		return c.errs
	}
	files := c.files
	if extra != "" {
		f, err := parser.ParseFile(c.fset, "cell", c.head+extra, parser.SkipObjectResolution)
		if err != nil {
			return []error{err}
		}
		files = append(slices.Clip(files), f)
	}
	var errs []error
	conf := c.conf
	conf.Error = func(err error) {
		// A file has all imports of the page, and needs few.
		if e, ok := err.(types.Error); !ok || !unusedImport.MatchString(e.Msg) {
			errs = append(errs, err)
		}
	}
	_, _ = conf.Check("page", c.fset, files, nil) // the errors are in errs
	return errs
}

// span gives what is wrong with a piece of code, in the first of its forms if it fits none.
func (c *checker) span(code string, forms []string) error {
	var first error
	for _, f := range forms {
		errs := c.check("\nfunc _() {\n" + strings.ReplaceAll(f, "%s", code) + "\n}\n")
		if len(errs) == 0 {
			return nil
		}
		if first == nil {
			first = errs[0]
		}
	}
	return fmt.Errorf("it compiles in none of its forms, in %q: %w", forms[0], first)
}
