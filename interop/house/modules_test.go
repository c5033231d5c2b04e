package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// public are the packages that users import: also those that end in "test", which only their tests
// do.
var public = []string{"websocket", "upgrade", "stream", "h2", "websocket/websockettest", "h3"}

// linked are the modules that a program with them may link.
var linked = []string{"github.com/klauspost/compress", "golang.org/x/net", "golang.org/x/sys", "golang.org/x/text"}

// sums is how many lines the go.sum of a program may have that imports package websocket: two for
// each module of linked.
const sums = 8

// readOnly is for commands that write nothing.
var readOnly = []string{"GOFLAGS=-mod=readonly"}

// goCommand runs the go command in dir, without the network.
func goCommand(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append([]string{"GOPROXY=off", "GOSUMDB=off", "GOWORK=off", "GOFLAGS=-mod=mod"}, env...)...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &errors)
	}
	return string(out)
}

// TestLinked: the public packages link few modules, of this one nothing that is for programs and
// tests, and no package testing.
func TestLinked(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		args := []string{"list", "-deps", "-f", "{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}"}
		for _, p := range public {
			if !strings.HasSuffix(p, "test") && p != "h3" { // which links QUIC, and nobody has who does not want it
				args = append(args, module+"/"+p)
			}
		}
		n := 0
		for line := range strings.Lines(goCommand(t, "../..", append([]string{"GOOS=" + system}, readOnly...), args...)) {
			n++
			pkg, from, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch name, _ := strings.CutPrefix(pkg, module+"/"); {
			case from == module && (slices.Contains(support, name) || strings.HasPrefix(name, "cmd/") || strings.HasPrefix(name, "interop/")):
				t.Errorf("%s: they link %s", system, pkg)
			case from != "" && from != module && !slices.Contains(linked, from):
				t.Errorf("%s: they link %s, of %s", system, pkg, from)
			case pkg == "testing" || pkg == "flag":
				t.Errorf("%s: they link %s", system, pkg)
			}
		}
		if n < 50 {
			t.Errorf("%s: only %d packages: the list is wrong", system, n)
		}
	}
}

// TestUserModule: what a program needs in its go.sum that imports package websocket and no more.
// Tests of package websocket count, too: `go mod tidy` keeps the sums of their modules.
func TestUserModule(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/program\n\ngo 1.26.0\n\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+root+"\n")
	write("main.go", "package main\n\nimport \""+module+"/websocket\"\n\nfunc main() { _ = websocket.Stop() }\n")
	goCommand(t, dir, nil, "mod", "tidy")
	goCommand(t, dir, readOnly, "build", "-o", os.DevNull, ".")
	sum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(sum)), "\n")
	if len(lines) > sums {
		t.Errorf("%d lines, want %d at most:\n%s", len(lines), sums, sum)
	}
	for _, l := range lines {
		if m, _, _ := strings.Cut(l, " "); !slices.Contains(linked, m) {
			t.Errorf("the go.sum has %s", m)
		}
		if !strings.Contains(string(own), l+"\n") {
			t.Errorf("go.sum of this module has no line %s", l)
		}
	}
}
