package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// The markers in the page, around what this program writes.
const (
	beginMark = "<!-- distance -->"
	endMark   = "<!-- end of distance -->"
)

func table(b *strings.Builder, o *options, rows []*row, memories []memory, absent []string) {
	fmt.Fprintf(b, "\nMeasured on %s with %s, %d processors, a round trip of %v, medians of %d.",
		time.Now().Format("2 January 2006"), runtime.Version(), runtime.NumCPU(), o.rtt, o.rounds)
	for _, c := range []struct{ name, arg string }{{"curl", "--version"}, {"node", "--version"}} {
		if out, err := exec.Command(c.name, c.arg).Output(); err == nil {
			line, _, _ := strings.Cut(string(out), " (")
			line, _, _ = strings.Cut(line, "\n")
			fmt.Fprintf(b, " %s %s.", c.name, strings.TrimPrefix(line, c.name+" "))
		}
	}
	for _, c := range absent {
		fmt.Fprintf(b, " %s is not installed and was left out.", c)
	}
	fmt.Fprintf(b, "\n\n| over | way | MiB | client | net/http s | weir s | ratio | |\n")
	fmt.Fprintf(b, "|---|---|---:|---|---:|---:|---:|---|\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| %s | %s | %d | %s | %.2f | %.2f | %.2f | %s |\n",
			transport(r.secure), direction(r.up), r.n>>20, r.client,
			r.median("net/http").Seconds(), r.median("weir").Seconds(), r.ratio(),
			verdict(r.ratio(), o.target))
	}
	if len(memories) == 0 {
		return
	}
	fmt.Fprintf(b, "\nOver a way of %d Mbit/s besides, %d MiB with Go's client: the most that a server's memory had "+
		"grown by, in KiB.\n", o.mbit, o.bounded>>20)
	fmt.Fprintf(b, "\n| over | way | server | s | heap | resident |\n|---|---|---|---:|---:|---:|\n")
	for _, m := range memories {
		fmt.Fprintf(b, "| %s | %s | %s | %.1f | %d | %d |\n",
			transport(m.secure), direction(m.up), m.server, m.took.Seconds(), m.heap>>10, m.resident>>10)
	}
}

func verdict(ratio, target float64) string {
	switch {
	case target <= 0:
		return ""
	case ratio <= target:
		return "met"
	}
	return "missed"
}

// writePage puts text between the markers of a page.
func writePage(page, text string) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	begin, end := bytes.Index(old, []byte(beginMark)), bytes.Index(old, []byte(endMark))
	if begin < 0 || end < begin {
		return fmt.Errorf("%s: no %s … %s in it", page, beginMark, endMark)
	}
	text = beginMark + "\n" + strings.TrimSpace(text) + "\n"
	return os.WriteFile(page, []byte(string(old[:begin])+text+string(old[end:])), 0o644)
}
