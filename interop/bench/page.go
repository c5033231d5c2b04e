package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"weir/interop/load"
)

// The markers in the page, around what this program writes.
const (
	beginMark = "<!-- bench -->"
	endMark   = "<!-- end of bench -->"
)

// writePage writes tables into the page, and plots beside it.
func writePage(page string, o *options, results []*result, verdicts []verdict) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	begin, end := bytes.Index(old, []byte(beginMark)), bytes.Index(old, []byte(endMark))
	if begin < 0 || end < begin {
		return fmt.Errorf("%s: no %s … %s in it", page, beginMark, endMark)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nMeasured on %s with %s, %s.\n", time.Now().Format("2 January 2006"), runtime.Version(), machine())
	fmt.Fprintf(&b, "%d rounds of %v each, medians; idle cases once.\n\n", o.rounds, o.time)
	for _, v := range versions() {
		fmt.Fprintf(&b, "* %s\n", v)
	}
	base := strings.TrimSuffix(page, filepath.Ext(page))
	for _, group := range []struct{ prefix, title string }{{"h1", "HTTP/1.1"}, {"h2", "HTTP/2"}} {
		var some []*result
		for _, r := range results {
			if strings.HasPrefix(r.c.name, group.prefix) {
				some = append(some, r)
			}
		}
		if some == nil {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n", group.title)
		file := base + "-" + group.prefix + ".svg"
		if err := os.WriteFile(file, []byte(bars(group.title, some)), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n![CPU a message over %s, to weir's](%s)\n", group.title, filepath.Base(file))
		for _, r := range some {
			markCase(&b, r)
		}
	}
	markCalls(&b, results)
	markTargets(&b, verdicts)
	b.WriteString("\n")
	fresh := append(append(append([]byte(nil), old[:begin+len(beginMark)]...), b.String()...), old[end:]...)
	return os.WriteFile(page, fresh, 0o644)
}

// machine is the processor and the system.
func machine() string {
	name := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if _, v, ok := strings.Cut(line, "model name\t: "); ok {
				name = strings.TrimSpace(v)
				break
			}
		}
	}
	kernel := ""
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		release, _, _ := strings.Cut(strings.TrimSpace(string(b)), "-")
		kernel = ", Linux " + release
	}
	return fmt.Sprintf("%d processors (%s)%s", runtime.NumCPU(), name, kernel)
}

// versions are those of the servers in Go.
func versions() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	names := map[string]string{"github.com/gorilla/websocket": "gorilla", "github.com/coder/websocket": "coder", "github.com/lxzan/gws": "gws", "github.com/gobwas/ws": "gobwas",
		"github.com/lesismal/nbio": "nbio", "github.com/fasthttp/websocket": "fasthttp", "golang.org/x/net": "x/net"}
	var all []string
	for _, d := range info.Deps {
		if n := names[d.Path]; n != "" {
			all = append(all, fmt.Sprintf("%s: %s %s", n, d.Path, d.Version))
		}
	}
	return append(all, "node-ws: ws "+wsVersion+"; node-h2: the http2 module of Node with frames made by hand; lws: libwebsockets",
		"gorilla-h2: gorilla's handler over weir's HTTP/2; gorilla-h1: the same over HTTP/1.1, a connection a WebSocket",
		"minimal: framing and nothing else in Go, a goroutine a connection; floor: the same in C, on one epoll loop; "+
			"gathered: gobwas in a loop that answers what one read brought in one write, as weir does. Yardsticks, not servers to use")
}

func markCase(b *strings.Builder, r *result) {
	fmt.Fprintf(b, "\n### %s%s\n\n", strings.ToUpper(r.c.title[:1]), r.c.title[1:])
	idle, deflate := r.c.load.Mode == load.Idle, r.c.load.Compress
	switch {
	case idle:
		b.WriteString("| server | octets a WebSocket | to weir |\n|---|---:|---:|\n")
	case deflate:
		b.WriteString("| server | CPU µs a message | least to most | to weir | p50 µs | p99 µs | messages a second | octets of an answer |\n|---|---:|---:|---:|---:|---:|---:|---:|\n")
	default:
		b.WriteString("| server | CPU µs a message | least to most | to weir | p50 µs | p99 µs | messages a second |\n|---|---:|---:|---:|---:|---:|---:|\n")
	}
	for _, v := range r.rows() {
		name := v.server
		if name == "weir" {
			name = "**weir**"
		}
		switch {
		case v.why != "":
			continue
		case idle:
			fmt.Fprintf(b, "| %s | %.0f | %s |\n", name, v.value, ratioWord(v.ratio))
		default:
			fmt.Fprintf(b, "| %s | %s | %s to %s | %s | %.0f | %.0f | %.0f |", name, micro(v.value), micro(v.least), micro(v.most), ratioWord(v.ratio), v.p50, v.p99, v.rate)
			if deflate {
				fmt.Fprintf(b, " %.0f |", v.answer)
			}
			b.WriteString("\n")
		}
	}
	for _, s := range r.c.servers {
		if why := r.why[s]; why != "" {
			fmt.Fprintf(b, "\nNot measured: %s (%s).\n", s, strings.ReplaceAll(firstLine(why), "|", "/"))
		}
	}
}

func markTargets(b *strings.Builder, all []verdict) {
	b.WriteString("\n## Targets\n\nWhat weir is held to, as a ratio of its figure to another's, or as a number.\n\n| case | figure | got | target | |\n|---|---|---:|---:|---|\n")
	for _, v := range all {
		x := v.words()
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", x[0], x[1], x[2], x[3], strings.ToLower(x[4]))
	}
}
