package house

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "TestAPI writes docs/api anew")

// TestAPI: what a public package exports is what docs/api says, line by line. Who changes it
// changes that page too, with -update, so that a change of the API is seen where it is read.
func TestAPI(t *testing.T) {
	all, _ := faces(t)
	listed := map[string]bool{}
	for _, f := range all {
		page := filepath.Join("..", "..", "docs", "api", strings.ReplaceAll(f.dir, "/", "_")+".txt")
		listed[filepath.Base(page)] = true
		now := []byte(strings.Join(f.api(), "\n") + "\n")
		if *update {
			if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(page, now, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		before, err := os.ReadFile(page)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if !bytes.Equal(before, now) {
			t.Errorf("package %s exports other things than docs/api says:\n%s"+
				"If that is meant, run: go test ./interop/house -run TestAPI -update", f.dir, difference(before, now))
		}
	}
	pages, err := os.ReadDir("../../docs/api")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if !listed[p.Name()] {
			t.Errorf("docs/api/%s is of no public package", p.Name())
		}
	}
}

// difference are the lines that only one of two sorted lists has.
func difference(before, now []byte) string {
	lines := func(b []byte) map[string]bool {
		m := map[string]bool{}
		for l := range strings.Lines(string(b)) {
			m[l] = true
		}
		return m
	}
	var text strings.Builder
	had, has := lines(before), lines(now)
	for l := range strings.Lines(string(before)) {
		if !has[l] {
			text.WriteString("- " + l)
		}
	}
	for l := range strings.Lines(string(now)) {
		if !had[l] {
			text.WriteString("+ " + l)
		}
	}
	return text.String()
}

// unnamed is a signature without the names of its parameters, which nobody depends on. Those of a
// generic function stay: they cannot be taken off.
func unnamed(s *types.Signature) *types.Signature {
	if s.TypeParams().Len() > 0 {
		return s
	}
	off := func(t *types.Tuple) *types.Tuple {
		var list []*types.Var
		for v := range t.Variables() {
			list = append(list, types.NewParam(v.Pos(), v.Pkg(), "", v.Type()))
		}
		return types.NewTuple(list...)
	}
	return types.NewSignatureType(nil, nil, nil, off(s.Params()), off(s.Results()), s.Variadic())
}

// api is what the package exports: a line for each name, method and field.
func (f *face) api() (lines []string) {
	short := func(p *types.Package) string {
		if p == f.pkg {
			return ""
		}
		return strings.TrimPrefix(p.Path(), module+"/")
	}
	text := func(t types.Type) string { return types.TypeString(t, short) }
	signature := func(m *types.Func) string { return m.Name() + strings.TrimPrefix(text(unnamed(m.Signature())), "func") }
	for _, n := range f.pkg.Scope().Names() {
		o := f.pkg.Scope().Lookup(n)
		if !o.Exported() {
			continue
		}
		typ, ok := o.(*types.TypeName)
		switch o := o.(type) {
		case *types.Const:
			lines = append(lines, fmt.Sprintf("const %s %s = %s", n, text(o.Type()), o.Val().ExactString()))
		case *types.Func:
			lines = append(lines, "func "+signature(o))
		case *types.Var:
			lines = append(lines, "var "+n+" "+text(o.Type()))
		}
		if !ok {
			continue
		}
		if typ.IsAlias() {
			lines = append(lines, "type "+n+" = "+text(types.Unalias(typ.Type())))
			continue
		}
		switch u := typ.Type().Underlying().(type) {
		case *types.Struct:
			lines = append(lines, "type "+text(typ.Type())+" struct")
			for field := range u.Fields() {
				switch {
				case field.Embedded() && field.Exported():
					lines = append(lines, "type "+n+" struct, "+text(field.Type()))
				case field.Exported():
					lines = append(lines, "type "+n+" struct, "+field.Name()+" "+text(field.Type()))
				}
			}
		case *types.Interface:
			lines = append(lines, "type "+text(typ.Type())+" interface")
			for m := range u.Methods() {
				lines = append(lines, "type "+n+" interface, "+signature(m))
			}
		default:
			lines = append(lines, "type "+text(typ.Type())+" "+text(u))
		}
		named, ok := typ.Type().(*types.Named)
		if !ok {
			continue
		}
		own := slices.SortedFunc(named.Methods(), func(a, b *types.Func) int { return strings.Compare(a.Name(), b.Name()) })
		for _, m := range own {
			if m.Exported() {
				lines = append(lines, "method ("+text(m.Signature().Recv().Type())+") "+signature(m))
			}
		}
	}
	return lines
}
