package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// run measures the matrix, prints it, and writes the page.
func run(ctx context.Context, o *options) error {
	if runtime.GOOS != "linux" {
		return errors.New("it measures processes by /proc, which Linux has")
	}
	cases := chosen(o)
	if len(cases) == 0 {
		return errors.New("no such case or server; -list names them")
	}
	p, err := prepare(ctx, cases)
	if err != nil {
		return err
	}
	defer p.remove()
	started := time.Now()
	runs, done := 0, 0
	for _, c := range cases {
		runs += len(c.servers) * roundsOf(c, o)
	}
	var results []*result
	for _, c := range cases {
		r := &result{c: c, runs: map[string][]figures{}, why: map[string]string{}, made: map[string]calls{}}
		results = append(results, r)
		for round := range roundsOf(c, o) {
			for _, server := range c.servers {
				done++
				if why := p.missing[server]; why != "" {
					r.why[server] = why
				}
				if r.why[server] != "" {
					continue
				}
				f, err := measure(ctx, p, c, server, o)
				if ctx.Err() != nil {
					return fmt.Errorf("given up: %w", context.Cause(ctx))
				}
				word := fmt.Sprintf("%.2f µs a message, p99 %.0f µs", f.cpu, f.p99)
				if c.once {
					word = fmt.Sprintf("%.0f octets a WebSocket", f.memory)
				}
				if err != nil {
					r.why[server] = err.Error()
					delete(r.runs, server)
					word = "failed: " + err.Error()
				} else {
					r.runs[server] = append(r.runs[server], f)
				}
				fmt.Fprintf(os.Stderr, "%3.0f s, %d of %d: %s, round %d, %s: %s\n", time.Since(started).Seconds(), done, runs, c.name, round+1, server, firstLine(word))
			}
		}
		printCase(os.Stdout, r)
		if o.calls && !o.quick {
			countCalls(ctx, p, r, o)
		}
	}
	printCalls(os.Stdout, results)
	verdicts := judge(results)
	printTargets(os.Stdout, verdicts)
	fmt.Printf("\n%d runs in %.0f s\n", runs, time.Since(started).Seconds())
	if o.page != "" {
		if err := writePage(o.page, o, results, verdicts); err != nil {
			return err
		}
	}
	var broken []string
	for _, r := range results {
		if why := r.why["weir"]; why != "" {
			broken = append(broken, r.c.name+": "+why)
		}
	}
	if broken != nil {
		return fmt.Errorf("weir itself: %s", strings.Join(broken, "; "))
	}
	return nil
}

func roundsOf(c *benchCase, o *options) int {
	if c.once {
		return 1
	}
	return o.rounds
}
