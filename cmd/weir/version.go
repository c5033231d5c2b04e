package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version says what this binary was built from.
type version struct {
	weir, revision, goVersion, xnet string
}

// readVersion takes it from what the linker has recorded.
func readVersion() version {
	v := version{weir: "(devel)", goVersion: runtime.Version(), xnet: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.weir = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.revision = s.Value
		}
	}
	for _, d := range info.Deps {
		if d.Path == "golang.org/x/net" {
			v.xnet = d.Version
		}
	}
	return v
}

func (v version) line() string {
	s := fmt.Sprintf("weir %s (%s, golang.org/x/net %s", v.weir, v.goVersion, v.xnet)
	if v.revision != "" {
		s += ", commit " + v.revision
	}
	return s + ")"
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which weir, Go and golang.org/x/net this is",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), readVersion().line())
		},
	}
}
