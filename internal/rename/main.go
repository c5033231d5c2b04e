// Rename gives the module another path: to publish a fork, or under a path of one's own.
//
//	go run ./internal/rename example.com/you/weir
//
// It changes go.mod, that of the modules below, and the imports and names of packages in files of
// Go and Markdown, in place. The command line keeps its name.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/rename PATH")
		os.Exit(2)
	}
	n, err := rename(".", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "rename:", err)
		os.Exit(1)
	}
	fmt.Println(n, "files changed")
}

var (
	modulePath = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~/-]*[A-Za-z0-9]$`)
	moduleLine = regexp.MustCompile(`(?m)^module (\S+)$`)
)

// rename gives the module in root the path to, and says how many files it changed.
func rename(root, to string) (changed int, err error) {
	if !modulePath.MatchString(to) || strings.Contains(to, "//") {
		return 0, fmt.Errorf("%q is no path of a module", to)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return 0, err
	}
	m := moduleLine.FindSubmatch(mod)
	if m == nil {
		return 0, fmt.Errorf("go.mod has no line of the module's path")
	}
	from := regexp.QuoteMeta(string(m[1]))
	// A package: the path with a slash, and not the end of a longer path, such as cmd/weir/.
	pkg := regexp.MustCompile(`(^|[^A-Za-z0-9_./-])` + from + `/`)
	// The module, in the lines of go.mod.
	line := regexp.MustCompile(`(?m)^(module |replace |require |\t)` + from + `( |$)`)
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != root && strings.HasPrefix(base, ".") || base == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		isMod := base == "go.mod"
		if !d.Type().IsRegular() || !isMod && filepath.Ext(base) != ".go" && filepath.Ext(base) != ".md" {
			return nil
		}
		old, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		text := pkg.ReplaceAll(old, []byte("${1}"+to+"/"))
		if isMod {
			text = line.ReplaceAll(text, []byte("${1}"+to+"${2}"))
		}
		if bytes.Equal(text, old) {
			return nil
		}
		if filepath.Ext(base) == ".go" { // the order of imports may be another
			if text, err = format.Source(text); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		changed++
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(name, text, info.Mode().Perm())
	})
	return changed, err
}
