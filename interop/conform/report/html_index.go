package report

import (
	"strings"

	"weir/internal/reach"
)

// indexPage is what page/index.html shows.
type indexPage struct {
	Shell    shell
	Columns  []indexColumn
	Groups   []indexGroup
	Verdicts []struct{ Class, Word string }
	Sum      string
	Passed   bool
}

type indexColumn struct {
	Name, Title, Time string
	Tally             Tally
}

type indexGroup struct {
	Anchor, Label, Suite string
	Tallies              []Tally // by column
	Rows                 []indexRow
}

type indexRow struct {
	ID, Title, Page string
	Find            string // what the page looks for words in, in lower case
	Strict          bool
	Cells           []indexCell // by column
}

type indexCell struct {
	Ran                      bool
	Class, Word, Why, Anchor string
}

func (r *Report) index(v *view) (*indexPage, error) {
	sh, err := newShell("index.js")
	if err != nil {
		return nil, err
	}
	page := &indexPage{Shell: sh, Sum: r.sum(false), Passed: r.Passed(), Verdicts: verdictClasses}
	var all []row
	for _, g := range v.groups {
		all = append(all, g.rows...)
	}
	for i, c := range v.columns {
		t := r.tally(all, i)
		page.Columns = append(page.Columns, indexColumn{Name: reach.Line(c.Name), Title: reach.Line(c.Title()), Time: seconds(t.Time), Tally: t})
	}
	for _, g := range v.groups {
		ig := indexGroup{Anchor: g.anchor(), Label: g.label(), Suite: g.suite.Title}
		for i := range v.columns {
			ig.Tallies = append(ig.Tallies, r.tally(g.rows, i))
		}
		for _, row := range g.rows {
			ig.Rows = append(ig.Rows, r.indexRow(v, row))
		}
		page.Groups = append(page.Groups, ig)
	}
	return page, nil
}

func (r *Report) indexRow(v *view, row row) indexRow {
	find := []string{row.ID, row.Title, row.Expect, row.Section}
	ir := indexRow{ID: row.ID, Title: reach.Line(row.Title), Page: pageName(row.ID), Strict: row.Strict}
	for i, res := range row.cells {
		if res == nil {
			ir.Cells = append(ir.Cells, indexCell{})
			continue
		}
		c := indexCell{Ran: true, Class: classOf(res.Outcome), Word: cellWord(res.Outcome), Why: reach.Line(res.Why), Anchor: columnAnchor(i)}
		if why, ok := r.known(res); ok && res.Bad() {
			c.Why += " (known: " + reach.Line(why) + ")"
		}
		find = append(find, c.Why)
		ir.Cells = append(ir.Cells, c)
	}
	ir.Find = strings.ToLower(strings.Join(find, " "))
	return ir
}
