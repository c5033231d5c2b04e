package pages

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const fine = `# Page

| theirs | ours | |
|---|---|---|
| ~a \| b~ | ~Repeat(s, n)~, ~Count(s, "a\|b")~ | no ~code~ here |

## Second

~~~go
func twice(s string) string { return strings.Repeat(s, 2) }
~~~

~~~erlang
no_go() -> ok.
~~~

~~~go
n += len(twice(s))
~~~

| ours |
|---|
| ~n++~, ~Title-Case~ |
`

// faults is what a checker of the page fine finds in another one.
func faults(t *testing.T, page string) string {
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(page, "~", "`")), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &Go{
		Imports: map[string]string{"strings": "strings"},
		Declare: "var (\n\ts string\n\tn int\n)\n",
		NotGo:   map[string]string{"Title-Case": "a word"},
		Forms: func(section, column string) []string {
			if column != "ours" {
				return nil
			}
			if section == "Second" {
				return []string{"%s"}
			}
			return []string{"_ = strings.%s", "strings.%s"}
		},
	}
	var all []string
	for _, err := range g.Faults(path) {
		all = append(all, strings.ReplaceAll(err.Error(), path, "page.md"))
	}
	return strings.Join(all, "\n")
}

func TestFaults(t *testing.T) {
	if got := faults(t, fine); got != "" {
		t.Fatalf("a page without faults has %s", got)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"block", "strings.Repeat(s, 2)", "strings.Repeet(s, 2)", "page.md:10: undefined: strings.Repeet"},
		{"statements", "twice(s))", "thrice(s))", "page.md:18: undefined: thrice"},
		{"no Go", "func twice", "func (twice", "page.md:10:"},
		{"row", "Repeat(s, n)", "Repeet(s, n)", "page.md:5: `Repeet(s, n)`: it compiles in none of its forms"},
		{"row of statements", "n++", "m++", "page.md:23: `m++`: it compiles in none"},
		{"not on the page", ", ~Title-Case~", "", "page.md: `Title-Case` is said to be no Go, and is not there"},
		{"no blocks", "~~~go", "~~~text", "page.md: no block of Go is found"},
		{"no rows", "| ours |", "| our |", "page.md: no code is found in its tables"},
		{"cells", "| no ~code~ here |", "|", "page.md:5: 2 cells under a head of 3"},
		{"open block", "n += len(twice(s))\n~~~", "", "page.md:17: a block of code without an end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page := strings.ReplaceAll(fine, tt.old, tt.new)
			if page == fine {
				t.Fatal("nothing was replaced")
			}
			if got := faults(t, page); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	p, err := parse(strings.ReplaceAll(fine, "~", "`"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range p.Blocks {
		got = append(got, fmt.Sprint(b.Line, " ", b.Lang, " ", len(b.Text)))
	}
	for _, r := range p.Rows {
		for _, c := range r.Cells {
			got = append(got, fmt.Sprint(r.Line, " ", r.Section, "/", c.Column, " ", c.Code()))
		}
	}
	want := []string{"10 go 60", "14 erlang 15", "18 go 19",
		"5 Page/theirs [a | b]", "5 Page/ours [Repeat(s, n) Count(s, \"a|b\")]", "5 Page/ [code]",
		"23 Second/ours [n++ Title-Case]"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// A block that is a file is checked by itself, with its own imports alone.
func TestWholeFile(t *testing.T) {
	page := fine + "\n~~~go\npackage main\n\nimport \"strings\"\n\nfunc main() { println(strings.ToUpper(\"s\")) }\n~~~\n"
	if got := faults(t, page); got != "" {
		t.Errorf("a file without faults has %s", got)
	}
	for old, want := range map[string]string{
		"ToUpper(": "undefined: strings.Upper", "import \"strings\"": "undefined: strings",
		"main() { ": "in parameter list",
	} {
		broken := strings.ReplaceAll(page, old, map[string]string{"ToUpper(": "Upper("}[old])
		if got := faults(t, broken); !strings.Contains(got, want) {
			t.Errorf("without %q: %s, want %s", old, got, want)
		}
	}
}
