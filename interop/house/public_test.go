package house

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// face is a public package as its users see it, with its examples: the files example*_test.go.
type face struct {
	dir      string // from the module's root
	files    []*ast.File
	examples []*ast.File
	pkg      *types.Package
	info     types.Info // of examples
}

// faces are the public packages, and the interfaces of the table standard.
func faces(t *testing.T) (all []*face, known []*types.Interface) {
	t.Helper()
	fset := token.NewFileSet()
	imported := map[string]bool{}
	for _, dir := range public {
		f := &face{dir: dir, info: types.Info{Uses: map[*ast.Ident]types.Object{},
			Defs: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}}
		list := goCommand(t, "../../"+dir, readOnly, "list", "-f", `{{join .GoFiles " "}} {{join .XTestGoFiles " "}}`, ".")
		for _, name := range strings.Fields(list) {
			isTest := strings.HasSuffix(name, "_test.go")
			if isTest && !strings.HasPrefix(name, "example") {
				continue
			}
			syntax, err := parser.ParseFile(fset, filepath.Join("../..", dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if isTest {
				f.examples = append(f.examples, syntax)
				for _, i := range syntax.Imports {
					imported[strings.Trim(i.Path.Value, `"`)] = true
				}
			} else {
				f.files = append(f.files, syntax)
			}
		}
		imported[module+"/"+dir] = true
		all = append(all, f)
	}
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}
	list := goCommand(t, "../..", readOnly, append(args, slices.Sorted(maps.Keys(imported))...)...)
	compiled := map[string]string{}
	for line := range strings.Lines(list) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		compiled[path] = file
	}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if compiled[path] == "" {
			return nil, fmt.Errorf("%s is not compiled", path)
		}
		return os.Open(compiled[path])
	})}
	for _, f := range all {
		var err error
		if f.pkg, err = conf.Importer.Import(module + "/" + f.dir); err != nil {
			t.Fatal(err)
		}
		if _, err = conf.Check(f.dir+"_test", fset, f.examples, &f.info); err != nil {
			t.Fatal(err)
		}
	}
	for path, names := range standard {
		pkg, err := conf.Importer.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			known = append(known, pkg.Scope().Lookup(n).Type().Underlying().(*types.Interface))
		}
	}
	return all, known
}

// name is how a user writes an object of a public package: websocket.Conn.Read. Fields have none.
func name(o types.Object) string {
	if o == nil || o.Pkg() == nil || !o.Exported() {
		return ""
	}
	dir, ours := strings.CutPrefix(o.Pkg().Path(), module+"/")
	if !ours || !slices.Contains(public, dir) {
		return ""
	}
	if f, ok := o.(*types.Func); ok && f.Signature().Recv() != nil {
		if t := typeName(f.Signature().Recv().Type()); t != "" {
			return t + "." + o.Name()
		}
		return ""
	}
	if o.Parent() != o.Pkg().Scope() {
		return ""
	}
	return dir + "." + o.Name()
}

// typeName is the name of a type, or of that which it points to, or whose elements it has.
func typeName(t types.Type) string {
	switch t := t.(type) {
	case *types.Pointer:
		return typeName(t.Elem())
	case *types.Slice:
		return typeName(t.Elem())
	case *types.Chan:
		return typeName(t.Elem())
	case *types.Named:
		return name(t.Obj())
	case *types.Alias:
		return name(t.Obj())
	}
	return ""
}

// exported are the names of the package: those of its scope, and the methods of its types.
func (f *face) exported() map[string]types.Object {
	names := map[string]types.Object{}
	for _, n := range f.pkg.Scope().Names() {
		o := f.pkg.Scope().Lookup(n)
		if !o.Exported() {
			continue
		}
		names[name(o)] = o
		if _, ok := o.(*types.TypeName); !ok {
			continue
		}
		for m := range methods(o.Type()) {
			names[name(o)+"."+m.Name()] = m
		}
	}
	return names
}

// methods are the exported methods that a type or an interface declares itself.
func methods(t types.Type) func(yield func(*types.Func) bool) {
	return func(yield func(*types.Func) bool) {
		named, ok := t.(*types.Named)
		if !ok {
			return
		}
		for m := range named.Methods() {
			if m.Exported() && !yield(m) {
				return
			}
		}
		if i, ok := named.Underlying().(*types.Interface); ok {
			for m := range i.ExplicitMethods() {
				if m.Exported() && !yield(m) {
					return
				}
			}
		}
	}
}

// shown are the names that the examples of all public packages show:
//
//   - what they name, and the types of what they name;
//   - an interface and its methods, where a type of theirs implements it;
//   - constants that are declared together, where they name one of them;
//   - methods of interfaces of the standard library, where they show the type, and of public
//     interfaces, where they show both.
func shown(all []*face, standard []*types.Interface) map[string]bool {
	names := map[string]bool{}
	var own []types.Type // of the examples
	for _, f := range all {
		for _, o := range f.info.Uses {
			names[name(o)] = true
			names[typeName(o.Type())] = true
		}
		for _, e := range f.info.Types {
			names[typeName(e.Type)] = true
		}
		for _, o := range f.info.Defs {
			if t, ok := o.(*types.TypeName); ok {
				own = append(own, t.Type(), types.NewPointer(t.Type()))
			}
		}
	}
	for _, f := range all {
		for n, o := range f.exported() {
			i, ok := o.Type().Underlying().(*types.Interface)
			if _, isType := o.(*types.TypeName); !ok || !isType {
				continue
			}
			if slices.ContainsFunc(own, func(t types.Type) bool { return types.Implements(t, i) }) {
				names[n] = true
				for m := range methods(o.Type()) {
					names[n+"."+m.Name()] = true
				}
			}
		}
	}
	for _, f := range all {
		for _, group := range f.constants() {
			if slices.ContainsFunc(group, func(n string) bool { return names[n] }) {
				for _, n := range group {
					names[n] = true
				}
			}
		}
	}
	faces := map[string][]*types.Interface{} // by method
	for _, i := range standard {
		for m := range i.Methods() {
			faces[m.Name()] = append(faces[m.Name()], i)
		}
	}
	for _, f := range all {
		for n, o := range f.exported() {
			i, ok := o.Type().Underlying().(*types.Interface)
			if _, isType := o.(*types.TypeName); !ok || !isType || !names[n] {
				continue
			}
			for m := range i.Methods() {
				faces[m.Name()] = append(faces[m.Name()], i)
			}
		}
	}
	for _, f := range all {
		for n, o := range f.exported() {
			m, ok := o.(*types.Func)
			if !ok || m.Signature().Recv() == nil || !names[n[:strings.LastIndexByte(n, '.')]] {
				continue
			}
			recv := m.Signature().Recv().Type()
			implements := func(i *types.Interface) bool { return types.Implements(recv, i) }
			if slices.Contains(looked, m.Name()) || slices.ContainsFunc(faces[m.Name()], implements) {
				names[n] = true
			}
		}
	}
	return names
}

// constants are the names that are declared together.
func (f *face) constants() (groups [][]string) {
	for _, syntax := range f.files {
		for _, d := range syntax.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.CONST {
				continue
			}
			var group []string
			for _, spec := range decl.Specs {
				for _, n := range spec.(*ast.ValueSpec).Names {
					if n.IsExported() {
						group = append(group, f.dir+"."+n.Name)
					}
				}
			}
			groups = append(groups, group)
		}
	}
	return groups
}

// standard are the interfaces of the standard library that public types implement.
var standard = map[string][]string{
	"fmt":      {"Stringer"},
	"io":       {"Writer", "ReaderFrom", "StringWriter"},
	"net":      {"Conn"},
	"net/http": {"ResponseWriter", "Flusher", "Hijacker", "RoundTripper"},
}

// looked are methods that errors and net/http look for by their names.
var looked = []string{"Error", "Unwrap", "Is", "FlushError", "CloseIdleConnections"}

// TestExamples: each exported name of a public package is shown by an example, or stands in the
// table notShown with its reason.
func TestExamples(t *testing.T) {
	all, known := faces(t)
	shown := shown(all, known)
	n := 0
	for _, f := range all {
		names := f.exported()
		n += len(names)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			switch why, listed := notShown[name]; {
			case !shown[name] && !listed:
				t.Errorf("%s has no example", name)
			case shown[name] && listed:
				t.Errorf("%s has an example, and stands in the table", name)
			case listed && len(why) < 20:
				t.Errorf("%s stands in the table, and why is %q", name, why)
			}
		}
		for name := range notShown {
			if strings.HasPrefix(name, f.dir+".") && names[name] == nil {
				t.Errorf("%s stands in the table, and is nothing", name)
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d names: the list is wrong", n)
	}
}
