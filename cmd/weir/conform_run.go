package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/report"
	"weir/interop/conform/wire"
)

// reachTime is how long a server may take to show that it is there.
const reachTime = 10 * time.Second

// run asks every target every case, and reports.
func (c *conformConfig) run(p *conformPlan, out *conformOutput) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program
	began := time.Now()
	targets, err := p.reach(ctx, out)
	if err != nil {
		return err
	}
	total := 0
	for _, t := range targets {
		total += len(p.over(t.Transport))
	}
	out.begin(total)
	var results []conform.Result
	for _, t := range targets {
		cases := p.over(t.Transport)
		out.target(t, len(cases))
		r := conform.Run{Cases: cases, Target: t, Jobs: c.jobs, Began: out.began, Progress: out.progress}
		got := r.Do(ctx)
		report.Trim(got)
		results = append(results, got...)
	}
	out.end()
	return c.finish(p, out, results, time.Since(began), ctx.Err() != nil)
}

// reach finds the servers, and opens a WebSocket on each, before any case is run: a path that is no
// WebSocket would fail them all. What a server does not speak is left out, unless it was asked for
// by name, or is all there is.
func (p *conformPlan) reach(ctx context.Context, out *conformOutput) ([]*conform.Target, error) {
	var found []*conform.Target
	var last error
	for _, t := range p.targets {
		limited, cancel := context.WithTimeout(ctx, reachTime)
		err := t.Probe(limited)
		if err == nil {
			err = wire.Probe(limited, t.Target)
		}
		cancel()
		switch {
		case err == nil:
			found = append(found, t.Target)
		case ctx.Err() != nil:
			return nil, exitWith(exitAbnormal, "interrupted before the first case")
		case errors.Is(err, conform.ErrNotSpoken) && !t.named:
			last = fmt.Errorf("%s over HTTP/%s: %w", t.URL.Redacted(), t.Transport.HTTPVersion(), err)
			out.skipped(last)
		default:
			return nil, exitWith(exitConnect, "%s over HTTP/%s: %w", t.URL.Redacted(), t.Transport.HTTPVersion(), err)
		}
	}
	if len(found) == 0 {
		return nil, &exitError{exitConnect, last}
	}
	return found, nil
}

// finish writes the reports, and judges.
func (c *conformConfig) finish(p *conformPlan, out *conformOutput, results []conform.Result, took time.Duration, cut bool) error {
	r := &report.Report{Suites: p.suites, Results: append(results, p.given...), Known: p.known, Took: took, Cut: cut}
	if err := c.write(r, out); err != nil {
		return &runError{err}
	}
	t := r.Total()
	switch {
	case cut:
		return exitWith(exitAbnormal, "interrupted: %d cases have run, %d failed", t.Cases(), t.Failed)
	case t.Cases() == 0:
		return &runError{errors.New("no case was run")}
	case !r.Passed():
		return &runError{fmt.Errorf("%d of %d cases failed", t.Failed-t.Known, t.Cases())}
	}
	return nil
}

// write writes all that the flags name: the files first, for nobody may be left to read standard
// output.
func (c *conformConfig) write(r *report.Report, out *conformOutput) error {
	err := c.writeFiles(r)
	if !c.quiet && len(r.Results) > 0 {
		err = cmp.Or(err, r.WriteText(out.text, out.color))
	}
	if c.json == "-" {
		err = cmp.Or(err, r.WriteJSON(escaped{out.stdout}))
	}
	return err
}

func (c *conformConfig) writeFiles(r *report.Report) error {
	if c.json != "" && c.json != "-" {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			return err
		}
		if err := os.WriteFile(c.json, b.Bytes(), 0o666); err != nil {
			return err
		}
	}
	if c.html != "" {
		if err := r.WriteHTML(c.html); err != nil {
			return err
		}
	}
	if c.markdown == "" || r.Cut { // a page is not for half of a run
		return nil
	}
	page, err := os.ReadFile(c.markdown)
	if err == nil {
		page, err = r.Markdown(page)
	}
	if err != nil {
		return fmt.Errorf("--markdown %s: %w", c.markdown, err)
	}
	return os.WriteFile(c.markdown, page, 0o666)
}
