package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRename: a copy of the module under another path builds, its tests of what imports much pass,
// and nothing of the old path is left.
func TestRename(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (name != root && strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, rel), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, rel), b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	const to = "example.com/somebody/sockets"
	n, err := rename(dir, to)
	if err != nil || n < 100 {
		t.Fatalf("%d files, %v", n, err)
	}
	left := regexp.MustCompile(`"weir/(websocket|h2)"`)
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "rename_test.go") {
			return err
		}
		b, err := os.ReadFile(name)
		if m := left.Find(b); m != nil {
			t.Errorf("%s has %s", name, m)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"build", "./cmd/weir"}, // all of the library is in it
		{"test", "./upgrade"},
		{"test", "-run", "^(TestFloors|TestAPI)$", "./interop/house"},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=-mod=readonly")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestRenameRefuses(t *testing.T) {
	for _, to := range []string{"", "a b", "/x", "x/", "a//b", `a"b`} {
		if n, err := rename("../..", to); err == nil || n != 0 {
			t.Errorf("%q: %d, %v", to, n, err)
		}
	}
}
