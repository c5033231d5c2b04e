package report

import (
	"encoding/hex"
	"fmt"

	"weir/internal/reach"
	"weir/interop/conform"
)

// casePage is what page/case.html shows: one case in all columns.
type casePage struct {
	Shell                      shell
	ID, Title, Expect, Section string
	Strict                     bool
	Previous, Next, Group      string // pages, and an anchor of the index
	Results                    []caseResult
}

type caseResult struct {
	Anchor, Column, Class, Words, Why, Known string
	Body, Close                              conform.Verdict
	Code                                     *int
	Time                                     string
	Log                                      []logLine
	Dropped, All                             int
	Open                                     bool
}

type logLine struct{ At, Class, Arrow, Text, Hex, ASCII string }

// pagePlan is a case with its neighbours.
type pagePlan struct {
	row
	previous, next, group string
}

// casePages are the pages in the order of the index.
func casePages(v *view) []pagePlan {
	var plans []pagePlan
	for _, g := range v.groups {
		for _, row := range g.rows {
			p := pagePlan{row: row, group: g.anchor()}
			if n := len(plans); n > 0 {
				p.previous = pageName(plans[n-1].ID)
				plans[n-1].next = pageName(row.ID)
			}
			plans = append(plans, p)
		}
	}
	return plans
}

func (r *Report) casePage(v *view, p pagePlan, sh shell) *casePage {
	page := &casePage{Shell: sh, ID: p.ID, Title: reach.Line(p.Title), Expect: reach.Line(p.Expect), Section: p.Section, Strict: p.Strict,
		Previous: p.previous, Next: p.next, Group: p.group}
	ran := 0
	for _, res := range p.cells {
		if res != nil {
			ran++
		}
	}
	for i, res := range p.cells {
		if res == nil {
			continue
		}
		cr := caseResult{Anchor: columnAnchor(i), Column: reach.Line(v.columns[i].Title()), Class: classOf(res.Outcome), Words: words(res.Outcome),
			Why: reach.Line(res.Why), Body: res.Body, Close: res.Close, Code: res.Code, Time: seconds(res.Duration),
			Dropped: res.Dropped, All: len(res.Log) + res.Dropped, Open: res.Bad() || ran == 1}
		if why, ok := r.known(res); ok && res.Bad() {
			cr.Known = reach.Line(why)
		}
		for _, e := range res.Log {
			cr.Log = append(cr.Log, newLogLine(e))
		}
		page.Results = append(page.Results, cr)
	}
	return page
}

func newLogLine(e conform.Entry) logLine {
	l := logLine{At: fmt.Sprintf("%.2f", float64(e.At.Microseconds())/1000), Class: "note", Text: reach.Text(e.Text)}
	switch e.Dir {
	case conform.Sent:
		l.Class, l.Arrow = "sent", "→"
	case conform.Received:
		l.Class, l.Arrow = "received", "←"
	}
	if len(e.Octets) > 0 {
		l.Hex = hex.EncodeToString(e.Octets)
		ascii := make([]byte, len(e.Octets))
		for i, c := range e.Octets {
			if ascii[i] = '.'; c >= ' ' && c < 0x7f {
				ascii[i] = c
			}
		}
		l.ASCII = string(ascii)
	}
	return l
}
