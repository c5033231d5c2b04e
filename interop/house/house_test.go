// Package house holds the shape of the project: which package stands on which, and which files may
// own a goroutine, a clock or a socket. docs/architecture.md says why.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of the module.
var module = func() string {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		panic(err)
	}
	first, _, _ := strings.Cut(string(mod), "\n")
	return strings.TrimPrefix(first, "module ")
}()

// file is one Go file that is no test.
type file struct {
	path    string // slashes, from the module's root
	pkg     string // its folder
	imports []string
	syntax  *ast.File
	fset    *token.FileSet
}

// tree parses every file of the module but its tests.
func tree(t *testing.T) []file {
	t.Helper()
	root := os.DirFS(filepath.Join("..", ".."))
	var files []file
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			if _, err := fs.Stat(root, name+"/go.mod"); name != "." && err == nil {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f := file{path: name, pkg: path.Dir(name), fset: token.NewFileSet()}
		if f.syntax, err = parser.ParseFile(f.fset, name, src, parser.ParseComments); err != nil {
			return err
		}
		for _, i := range f.syntax.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, p)
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d files found: the walk is wrong", len(files))
	}
	return files
}

// TestFloors: a package imports only what its line in the table names, and the standard library.
func TestFloors(t *testing.T) {
	files := tree(t)
	used := map[string]map[string]bool{}
	for _, f := range files {
		if f.pkg == "." {
			t.Errorf("%s: the top level has folders only", f.path)
		}
		if used[f.pkg] == nil {
			used[f.pkg] = map[string]bool{}
		}
		if _, ok := floors[f.pkg]; !ok {
			t.Errorf("%s: package %s has no line in the table of floors", f.path, f.pkg)
			continue
		}
		for _, i := range f.imports {
			name, ours := strings.CutPrefix(i, module+"/")
			if !ours && !strings.Contains(strings.Split(i, "/")[0], ".") {
				continue // the standard library
			}
			used[f.pkg][name] = true
			if !slices.Contains(floors[f.pkg], name) {
				t.Errorf("%s imports %s: %s may import %v", f.path, name, f.pkg, floors[f.pkg])
			}
		}
	}
	for pkg, may := range floors {
		for _, name := range may {
			if !used[pkg][name] {
				t.Errorf("the table of floors lets %s import %s, and it does not", pkg, name)
			}
		}
	}
}

// TestGoroutines: go statements stand in few files, and each says who ends it.
func TestGoroutines(t *testing.T) {
	found := map[string]bool{}
	for _, f := range tree(t) {
		comments := map[int]bool{} // lines that a comment ends on
		for _, c := range f.syntax.Comments {
			for _, line := range c.List {
				comments[f.fset.Position(line.End()).Line] = true
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			g, ok := n.(*ast.GoStmt)
			if !ok {
				return true
			}
			found[f.path] = true
			if slices.Contains(support, f.pkg) {
				return true
			}
			if line := f.fset.Position(g.Pos()).Line; !comments[line] && !comments[line-1] {
				t.Errorf("%s: a go statement without a word on who ends it", f.fset.Position(g.Pos()))
			}
			return true
		})
	}
	same(t, "say go", found, goroutines)
}

// TestAtomics: where an int has 32 bits, the functions of sync/atomic for 64 bits panic at a field
// that is not aligned, and the compiler aligns only what has the type atomic.Int64 or
// atomic.Uint64.
func TestAtomics(t *testing.T) {
	for _, f := range tree(t) {
		for _, name := range selected(f, "sync/atomic") {
			if name != "Int64" && name != "Uint64" && strings.HasSuffix(name, "64") {
				t.Errorf("%s: atomic.%s: use the type", f.path, name)
			}
		}
	}
}

// TestClocks: time is an argument; only the shells ask for it, wait for it or set a timer.
func TestClocks(t *testing.T) {
	found := map[string]bool{}
	for _, f := range tree(t) {
		for _, name := range selected(f, "time") {
			switch name {
			case "Now", "Since", "Until", "AfterFunc", "NewTimer", "NewTicker", "After", "Tick", "Sleep":
				found[f.path] = true
			}
		}
	}
	same(t, "use the clock", found, clocks)
}

// TestSockets: only the shells hold connections. Addresses and errors of package net are for
// everybody.
func TestSockets(t *testing.T) {
	found := map[string]bool{}
	for _, f := range tree(t) {
		for _, name := range selected(f, "net") {
			if !slices.Contains(harmless, name) {
				found[f.path] = true
			}
		}
	}
	same(t, "hold connections", found, sockets)
}

// TestCores: they are pure. What they may not do shows in what they import.
func TestCores(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range tree(t) {
		for _, pattern := range cores {
			if ok, err := path.Match(pattern, f.path); err != nil {
				t.Fatal(err)
			} else if !ok {
				continue
			}
			seen[pattern] = true
			for _, i := range f.imports {
				if slices.Contains(notInCores, i) {
					t.Errorf("%s is of a core, and imports %s", f.path, i)
				}
			}
			for _, name := range selected(f, "os") {
				if !strings.HasPrefix(name, "Err") {
					t.Errorf("%s is of a core, and uses os.%s", f.path, name)
				}
			}
			for _, list := range [][]string{goroutines, clocks, sockets} {
				if slices.Contains(list, f.path) {
					t.Errorf("%s is of a core, and on a list of shells", f.path)
				}
			}
		}
	}
	for _, pattern := range cores {
		if !seen[pattern] {
			t.Errorf("no file is %s", pattern)
		}
	}
}

// TestSupport: what tests stand on is nowhere in the library; the suites of interop are tests, too.
func TestSupport(t *testing.T) {
	for _, f := range tree(t) {
		for _, i := range f.imports {
			name, _ := strings.CutPrefix(i, module+"/")
			if slices.Contains(support, name) && !slices.Contains(support, f.pkg) && !strings.HasPrefix(f.pkg, "interop/") {
				t.Errorf("%s imports %s, which is for tests", f.path, name)
			}
		}
	}
}

// TestNoHiddenInput: nothing happens before main, and nothing depends on the environment.
func TestNoHiddenInput(t *testing.T) {
	for _, f := range tree(t) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init", f.path)
			}
		}
		for _, name := range selected(f, "os") {
			if slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "Setenv", "ExpandEnv"}, name) {
				t.Errorf("%s: os.%s", f.path, name)
			}
		}
	}
}

// selected lists the names that f uses of a package of the standard library.
func selected(f file, pkg string) []string {
	local := ""
	for _, i := range f.syntax.Imports {
		if p, _ := strconv.Unquote(i.Path.Value); p == pkg {
			local = path.Base(pkg)
			if i.Name != nil {
				local = i.Name.Name
			}
		}
	}
	if local == "" {
		return nil
	}
	var names []string
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == local {
				names = append(names, s.Sel.Name)
			}
		}
		return true
	})
	return names
}

// same compares what was found with the list that allows it, both ways: a list that has more than
// the tree is no list.
func same(t *testing.T, what string, found map[string]bool, allowed []string) {
	t.Helper()
	for _, f := range slices.Sorted(maps.Keys(found)) {
		if !slices.Contains(allowed, f) && !slices.Contains(support, path.Dir(f)) {
			t.Errorf("%s may not %s", f, what)
		}
	}
	for _, f := range allowed {
		if !found[f] {
			t.Errorf("the list lets %s %s, and it does not", f, what)
		}
	}
}

// TestQUICApart: only h3, and what imports it, links QUIC. A program that has no use for it neither
// carries its code nor waits for it when a new Go comes.
func TestQUICApart(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "weir/websocket", "weir/h2", "weir/upgrade")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name := range strings.Lines(string(out)) {
		if n++; strings.Contains(name, "quic-go") || strings.HasPrefix(name, "weir/h3") {
			t.Errorf("%s is linked", strings.TrimSpace(name))
		}
	}
	if n < 50 {
		t.Errorf("%d packages are linked, which cannot be all", n)
	}
}
