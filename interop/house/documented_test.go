package house

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// evident are methods whose names say all there is to say.
var evident = []string{"Error", "String", "Unwrap", "Write"}

// TestDocumented: `go doc` says something of each exported name of a public package, of each field
// and of each method of an interface, and shows a type where its users look: a type that is
// declared elsewhere is a line without fields there.
func TestDocumented(t *testing.T) {
	all, _ := faces(t)
	for _, f := range all {
		hasPackage := false
		for _, syntax := range f.files {
			hasPackage = hasPackage || syntax.Doc != nil
			for _, d := range syntax.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					recv := receiver(d)
					if !d.Name.IsExported() || recv != "" && !token.IsExported(recv) {
						continue
					}
					if d.Doc == nil && (recv == "" || !slices.Contains(evident, d.Name.Name)) {
						t.Errorf("%s.%s has no documentation", f.dir, strings.TrimPrefix(recv+"."+d.Name.Name, "."))
					}
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						f.documented(t, d, spec)
					}
				}
			}
		}
		if !hasPackage {
			t.Errorf("package %s has no documentation", f.dir)
		}
	}
}

// receiver is the type that a method belongs to, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func (f *face) documented(t *testing.T, d *ast.GenDecl, spec ast.Spec) {
	t.Helper()
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, n := range spec.Names {
			if n.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
				t.Errorf("%s.%s has no documentation", f.dir, n.Name)
			}
		}
	case *ast.TypeSpec:
		name := f.dir + "." + spec.Name.Name
		switch {
		case !spec.Name.IsExported():
			return
		case d.Doc == nil && spec.Doc == nil:
			t.Errorf("%s has no documentation", name)
		case spec.Assign.IsValid() && aliases[name] == "":
			t.Errorf("%s is an alias: its users do not see what it is", name)
		}
		var members *ast.FieldList
		switch x := spec.Type.(type) {
		case *ast.StructType:
			members = x.Fields
		case *ast.InterfaceType:
			if len(x.Methods.List) == 1 {
				return // the type's documentation is the method's
			}
			members = x.Methods
		default:
			return
		}
		for _, m := range members.List {
			for _, n := range m.Names {
				if n.IsExported() && m.Doc == nil && m.Comment == nil {
					t.Errorf("%s.%s has no documentation", name, n.Name)
				}
			}
		}
	}
}
