package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/internal/reach"
	"weir/interop/load"
)

// run measures, and tells the result.
func (c *benchConfig) run(stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &benchProgress{w: stderr, live: writesToTerminal(stderr)}
	if !c.quiet {
		c.load.Progress = p.show
	}
	started := time.Now()
	rep, err := load.Run(ctx, c.load)
	p.end()
	if err != nil {
		return benchExit(reach.RedactURL(c.url), err)
	}
	r := &benchResult{config: c, Report: rep, started: started, limits: c.limits.judge(rep)}
	if c.html != "" {
		if err := writePage(c.html, r); err != nil {
			return &runError{fmt.Errorf("--html: %w", err)}
		}
	}
	if c.json {
		err = r.writeJSON(escaped{stdout})
	} else {
		err = r.writeTable(stdout)
	}
	var missed []string
	for _, l := range r.limits {
		if !l.OK {
			missed = append(missed, l.String())
		}
	}
	switch {
	case len(missed) > 0:
		return exitWith(exitLimit, "not within the limits: %s", strings.Join(missed, "; "))
	case rep.Opened == rep.Lost && !rep.Interrupted:
		return exitWith(exitConnect, "%s: every WebSocket was lost: %s", reach.RedactURL(c.url),
			strings.Join(slices.Sorted(maps.Keys(rep.Errors)), "; "))
	case err != nil:
		return &runError{fmt.Errorf("standard output: %w", err)}
	}
	return nil
}

// benchExit judges why nothing was measured.
func benchExit(url string, err error) error {
	oe, ok := errors.AsType[*load.OpenError](err)
	switch {
	case !ok:
		return &runError{err}
	case oe.Timeout:
		return exitWith(exitTimeout, "%s: %w", url, err)
	case oe.Connect:
		return exitWith(exitConnect, "%s: %w", url, err)
	}
	return exitWith(exitRefused, "%s: %w", url, err)
}

// benchProgress shows how far a measurement is: one line that changes on a terminal, elsewhere a
// line now and then.
type benchProgress struct {
	w     io.Writer
	live  bool
	shown bool
	phase string
	next  time.Duration
	last  load.Progress
}

// between is how much time lies between two lines where nobody watches.
const between = 5 * time.Second

func (p *benchProgress) show(now load.Progress) {
	line := fmt.Sprintf("%s, %.0f s: %d of %d open", now.Phase, now.Elapsed.Seconds(), now.Open, now.Want)
	if now.Messages > 0 {
		rate := float64(now.Messages-p.last.Messages) / max(1e-3, (now.Elapsed-p.last.Elapsed).Seconds())
		line += fmt.Sprintf(", %d messages, %.0f a second", now.Messages, rate)
	}
	p.last = now
	if now.Errors > 0 {
		line += fmt.Sprintf(", %d errors", now.Errors)
	}
	switch {
	case p.live:
		fmt.Fprint(p.w, "\r\x1b[K"+line)
		p.shown = true
	case now.Phase != p.phase || now.Elapsed >= p.next:
		p.phase, p.next = now.Phase, now.Elapsed+between
		fmt.Fprintln(p.w, line)
	}
}

// end clears the line.
func (p *benchProgress) end() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
