package report

import (
	"bytes"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"weir/internal/reach"
	"weir/interop/conform"
)

// The colours of a terminal.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
	bold   = "1"
)

// Paint is s in a colour of a terminal, if color is wanted.
func Paint(color bool, code, s string) string {
	if !color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func colorOf(o conform.Outcome) string {
	switch {
	case o.Bad():
		return red
	case o.Body == conform.OK:
		return green
	case o.Body == conform.NonStrict:
		return yellow
	}
	return blue
}

// Line is one result as one line: case, column, verdict, time, and why if there is something to
// say.
func Line(res *conform.Result, color bool) string {
	s := fmt.Sprintf("%-8s %s over %s  %s  %s", res.Case.ID, reach.Line(res.Agent), res.Transport, Paint(color, colorOf(res.Outcome), words(res.Outcome)), seconds(res.Duration))
	if res.Why != "" {
		s += "  " + reach.Line(res.Why)
	}
	return s
}

// WriteText writes a table for each column, with what failed under it, and a line that sums it all
// up.
func (r *Report) WriteText(w io.Writer, color bool) error {
	var b bytes.Buffer
	v := r.view()
	label := len("group")
	for _, g := range v.groups {
		label = max(label, utf8.RuneCountInString(g.label()))
	}
	for i, c := range v.columns {
		b.WriteString(Paint(color, bold, reach.Line(c.Title())) + "\n")
		fmt.Fprintf(&b, "  %-*s  %5s  %10s  %13s  %13s  %6s  %8s\n", label, "group", "OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED", "time")
		var all []row
		for _, g := range v.groups {
			if t := r.tally(g.rows, i); t.Cases() > 0 {
				t.write(&b, label, g.label(), color)
			}
			all = append(all, g.rows...)
		}
		r.tally(all, i).write(&b, label, "all", color)
		for _, alike := range r.failures(all, i) {
			r.writeFailures(&b, alike, color)
		}
		b.WriteByte('\n')
	}
	for _, k := range r.Mended() {
		fmt.Fprintf(&b, "%s is known to fail (%s), and passes\n", k.Pattern, reach.Line(k.Why))
	}
	b.WriteString(r.sum(color) + "\n")
	_, err := w.Write(b.Bytes())
	return err
}

// label is how a table names the group.
func (g *group) label() string {
	if g.title == "" {
		return g.name
	}
	return g.name + " " + g.title
}

func (t Tally) write(b *bytes.Buffer, width int, label string, color bool) {
	cell := func(n, width int, code string) string {
		if n == 0 {
			return fmt.Sprintf("%*s", width, "-")
		}
		return Paint(color, code, fmt.Sprintf("%*d", width, n))
	}
	fmt.Fprintf(b, "  %-*s  %s  %s  %s  %s  %s  %8s\n", width, label, cell(t.OK, 5, green), cell(t.NonStrict, 10, yellow),
		cell(t.Informational, 13, blue), cell(t.Unimplemented, 13, blue), cell(t.Failed, 6, red), seconds(t.Time))
}

// failures are the results of a column that failed, in order; those of which the same is said come
// together.
func (r *Report) failures(rows []row, column int) (groups [][]*conform.Result) {
	at := map[string]int{}
	for _, row := range rows {
		res := row.cells[column]
		if res == nil || !res.Bad() {
			continue
		}
		said := r.said(res)
		i, ok := at[said]
		if !ok || res.Why == "" {
			i = len(groups)
			groups, at[said] = append(groups, nil), i
		}
		groups[i] = append(groups[i], res)
	}
	return groups
}

// said is what is said of a failure: verdict, why, and why it is known.
func (r *Report) said(res *conform.Result) string {
	s := words(res.Outcome) + ": " + reach.Line(res.Why)
	if why, ok := r.known(res); ok {
		s += " (known: " + reach.Line(why) + ")"
	}
	return s
}

// listWidth is the columns that a list of cases takes.
const listWidth = 100

// writeFailures writes failures that are alike: one with its title, several with their numbers.
func (r *Report) writeFailures(b *bytes.Buffer, alike []*conform.Result, color bool) {
	res := alike[0]
	fmt.Fprintf(b, "  %s  ", Paint(color, red, words(res.Outcome)))
	if len(alike) == 1 {
		b.WriteString(res.Case.ID + "  " + reach.Line(res.Case.Title))
	} else {
		fmt.Fprintf(b, "%d cases", len(alike))
	}
	if res.Why != "" {
		b.WriteString(": " + reach.Line(res.Why))
	}
	if why, ok := r.known(res); ok {
		b.WriteString(" (known: " + reach.Line(why) + ")")
	}
	b.WriteByte('\n')
	if len(alike) == 1 {
		return
	}
	line := "   "
	for _, res := range alike {
		if len(line)+1+len(res.Case.ID) > listWidth {
			b.WriteString(line + "\n")
			line = "   "
		}
		line += " " + res.Case.ID
	}
	b.WriteString(line + "\n")
}

// sum is the last line.
func (r *Report) sum(color bool) string {
	t := r.Total()
	s := fmt.Sprintf("%d cases", t.Cases())
	if t.Cases() == 1 {
		s = "1 case"
	}
	if r.Cut {
		s += ", interrupted"
	}
	switch {
	case t.Failed == 0:
		s += ", " + Paint(color, green, "none failed")
	case t.Known == 0:
		s += ", " + Paint(color, red, fmt.Sprintf("%d failed", t.Failed))
	default:
		s += ", " + Paint(color, red, fmt.Sprintf("%d failed", t.Failed)) + fmt.Sprintf(", %d of them known", t.Known)
	}
	return s + ", in " + seconds(r.Took)
}

func seconds(d time.Duration) string {
	if d >= 100*time.Second {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.2fs", d.Seconds())
}
