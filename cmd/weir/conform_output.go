package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"weir/internal/reach"
	"weir/interop/conform"
	"weir/interop/conform/report"
)

// conformOutput is what `weir conform` shows: results on stdout, how it gets on on stderr, on a
// terminal as a bar that is drawn anew in its place.
type conformOutput struct {
	stdout, stderr io.Writer
	text           io.Writer // where lines and tables go: stderr if stdout is for JSON
	color          bool      // of text
	verbose, quiet bool
	terminal       *os.File // stderr, if it is one

	mu      sync.Mutex
	bar     progress
	since   time.Time // what bar.elapsed counts from
	shown   bool      // the bar is on the screen
	ticking chan struct{}
	ticked  chan struct{}
}

func newConformOutput(c *conformConfig, stdout, stderr io.Writer) *conformOutput {
	o := &conformOutput{stdout: stdout, stderr: stderr, text: stdout, verbose: c.verbose, quiet: c.quiet}
	if c.json == "-" {
		o.text = stderr
	}
	o.color = c.color == "always" || c.color == "auto" && writesToTerminal(o.text)
	if f, ok := stderr.(*os.File); ok && !c.quiet && isTerminal(f) {
		o.terminal = f
		o.bar.color = c.color != "never"
	}
	return o
}

// begin starts the bar: so many cases in all, or 0 if nobody knows.
func (o *conformOutput) begin(total int) {
	o.bar.total = total
	if o.terminal == nil {
		return
	}
	o.since = time.Now()
	o.draw()
	o.ticking, o.ticked = make(chan struct{}), make(chan struct{})
	go o.tick() // ends with end
}

// tick draws the bar again and again: what is left of the time changes while a long case runs.
func (o *conformOutput) tick() {
	defer close(o.ticked)
	every := time.NewTicker(250 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			o.mu.Lock()
			o.draw()
			o.mu.Unlock()
		case <-o.ticking:
			return
		}
	}
}

// end takes the bar away.
func (o *conformOutput) end() {
	if o.terminal == nil {
		return
	}
	close(o.ticking)
	<-o.ticked
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clear()
}

// draw and clear are called with mu held, or before anybody else draws.
func (o *conformOutput) draw() {
	o.bar.elapsed = time.Since(o.since)
	io.WriteString(o.terminal, "\r\x1b[K"+o.bar.line(terminalWidth(o.terminal))) // nobody is left to be told when it is gone
	o.shown = true
}

func (o *conformOutput) clear() {
	if o.shown {
		io.WriteString(o.terminal, "\r\x1b[K")
		o.shown = false
	}
}

// say writes a line beside the bar.
func (o *conformOutput) say(w io.Writer, line string) {
	o.clear()
	fmt.Fprintln(w, line)
}

// target tells which target comes next.
func (o *conformOutput) target(t *conform.Target, cases int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	column := report.Column{Agent: t.Agent, Transport: t.Transport}
	o.bar.over = string(t.Transport)
	if o.terminal == nil && !o.quiet {
		o.say(o.stderr, fmt.Sprintf("%s: %d cases", reach.Line(column.Title()), cases))
	}
}

// skipped tells of a target that is left out.
func (o *conformOutput) skipped(why error) {
	if !o.quiet {
		o.say(o.stderr, "skipped: "+reach.Line(why.Error()))
	}
}

// visited tells that a client has played so many of a server's cases.
func (o *conformOutput) visited(n, of int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bar.done, o.bar.total = n, of
}

func (o *conformOutput) began(c conform.Case) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bar.running = append(o.bar.running, c.ID)
}

func (o *conformOutput) progress(res conform.Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bar.done++
	if res.Bad() {
		o.bar.failed++
	}
	if i := slices.Index(o.bar.running, res.Case.ID); i >= 0 {
		o.bar.running = slices.Delete(o.bar.running, i, i+1)
	}
	if o.verbose {
		o.say(o.text, report.Line(&res, o.color))
	}
}
