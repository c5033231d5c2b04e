package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"weir/interop/load"
)

// calls are the system calls of a server, each a message.
type calls struct {
	kind     [len(callKinds)]float64
	all      float64
	switches float64 // of the context
}

// callKinds are what is counted by itself.
var callKinds = [...]struct {
	title string
	names []string
}{
	{"read", []string{"read", "readv", "recvfrom", "recvmsg"}},
	{"write", []string{"write", "writev", "sendto", "sendmsg"}},
	{"epoll", []string{"epoll_wait", "epoll_pwait"}},
	{"futex", []string{"futex"}},
	{"sleep", []string{"nanosleep", "sched_yield"}},
}

const (
	allCalls  = "raw_syscalls:sys_enter"
	switching = "context-switches"
)

// counted are the servers whose calls are counted.
var counted = []string{"weir", "gws", "x/net", "lws", "minimal", "floor"}

// countCalls counts what servers call in a run of its own, for counting is not free. What cannot be counted is left out, and said.
func countCalls(ctx context.Context, p *peers, r *result, o *options) {
	if r.c.load.Mode == load.Idle {
		return
	}
	for _, server := range r.c.servers {
		if r.runs[server] == nil || !slices.Contains(counted, server) {
			continue
		}
		made, err := countOnce(ctx, p, r.c, server, o)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s, %s: system calls are not counted: %v\n", r.c.name, server, err)
			continue
		}
		r.made[server] = made
	}
}

func countOnce(ctx context.Context, p *peers, c *benchCase, server string, o *options) (calls, error) {
	s, cfg := c.of(server)
	ch, err := start(p, s)
	if err != nil {
		return calls{}, err
	}
	defer ch.stop()
	cfg = loadOf(ch, s, cfg)
	cfg.Duration, cfg.Timeout = o.time, 10*time.Second
	events := []string{allCalls, switching}
	for _, k := range callKinds {
		for _, n := range k.names {
			events = append(events, "syscalls:sys_enter_"+n)
		}
	}
	var out bytes.Buffer
	perf := exec.CommandContext(ctx, "perf", "stat", "-x", ",", "-e", strings.Join(events, ","), "-p", strconv.Itoa(ch.cmd.Process.Pid))
	perf.Stderr = &out
	if err := perf.Start(); err != nil {
		return calls{}, err
	}
	time.Sleep(200 * time.Millisecond) // until it counts; what is missed is a part of the handshakes
	rep, err := load.Run(ctx, cfg)
	_ = perf.Process.Signal(os.Interrupt) // it may have ended by itself, with an error
	failed := perf.Wait()
	switch {
	case err != nil:
		return calls{}, err
	case rep.Messages == 0 || rep.Failed > 0:
		return calls{}, errNothing
	}
	made, ok := parseCalls(out.String(), float64(rep.Messages))
	if !ok {
		return calls{}, fmt.Errorf("perf: %v: %s", failed, firstLine(out.String()))
	}
	return made, nil
}

// parseCalls reads what perf stat -x, prints: a number, a unit, an event a line. An event that the machine has not is no number.
func parseCalls(text string, messages float64) (c calls, ok bool) {
	for line := range strings.Lines(text) {
		f := strings.Split(line, ",")
		if len(f) < 3 {
			continue
		}
		n, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			continue
		}
		n /= messages
		switch event := f[2]; event {
		case allCalls:
			c.all, ok = n, true
		case switching:
			c.switches = n
		default:
			for i, k := range callKinds {
				if slices.Contains(k.names, strings.TrimPrefix(event, "syscalls:sys_enter_")) {
					c.kind[i] += n
				}
			}
		}
	}
	return c, ok
}

// callRows are the lines of the table of calls: case, server, figures.
func callRows(results []*result) (rows [][]string) {
	for _, r := range results {
		for _, s := range r.c.servers {
			made, ok := r.made[s]
			if !ok {
				continue
			}
			row := []string{r.c.name, s}
			for _, n := range made.kind {
				row = append(row, fmt.Sprintf("%.2f", n))
			}
			rows = append(rows, append(row, fmt.Sprintf("%.2f", made.all), fmt.Sprintf("%.2f", made.switches)))
		}
	}
	return rows
}

func callTitles() []string {
	titles := []string{"case", "server"}
	for _, k := range callKinds {
		titles = append(titles, k.title)
	}
	return append(titles, "all", "switches")
}

func printCalls(w io.Writer, results []*result) {
	rows := callRows(results)
	if rows == nil {
		return
	}
	fmt.Fprintln(w, "\nSystem calls a message")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range append([][]string{callTitles()}, rows...) {
		fmt.Fprintln(t, strings.Join(row, "\t")+"\t")
	}
	_ = t.Flush() // standard output
}

func markCalls(b *strings.Builder, results []*result) {
	rows := callRows(results)
	if rows == nil {
		return
	}
	b.WriteString("\n## System calls\n\nCounted by `perf stat` in a run of their own, each a message (a delivery, of broadcasts); switches are those of the context.\n\n")
	fmt.Fprintf(b, "| %s |\n|---|---|%s\n", strings.Join(callTitles(), " | "), strings.Repeat("---:|", len(callKinds)+2))
	for _, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}
