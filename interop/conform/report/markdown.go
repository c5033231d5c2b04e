package report

import (
	"bytes"
	"fmt"
	"strings"

	"weir/internal/reach"
	"weir/interop/conform"
)

// Markdown gives page with the tables of the suites in it: each stands between <!-- conform:NAME
// --> and <!-- end of conform:NAME -->, each on a line of its own, where NAME is the suite's.
// Tables that the page has no place for are left out; a page with a place for none is an error, and
// so is a place without an end.
func (r *Report) Markdown(page []byte) ([]byte, error) {
	v := r.view()
	placed := false
	for i := range r.Suites {
		s := &r.Suites[i]
		begin, end := "<!-- conform:"+s.Name+" -->\n", "<!-- end of conform:"+s.Name+" -->"
		at := bytes.Index(page, []byte(begin))
		if at < 0 {
			continue
		}
		at += len(begin)
		length := bytes.Index(page[at:], []byte(end))
		if length < 0 {
			return nil, fmt.Errorf("%q without %q", strings.TrimSpace(begin), end)
		}
		table := r.table(&v, s)
		if table == "" {
			continue
		}
		placed = true
		page = bytes.Join([][]byte{page[:at], []byte(table), page[at+length:]}, nil)
	}
	if !placed {
		return nil, fmt.Errorf("no place for a table: a line <!-- conform:NAME -->, where NAME is a suite that ran")
	}
	return page, nil
}

// table is a suite as a table: groups down, columns across; under it each result that is neither OK
// nor informational.
func (r *Report) table(v *view, s *Suite) string {
	var groups []*group
	var rows []row
	for _, g := range v.groups {
		if g.suite == s {
			groups = append(groups, g)
			rows = append(rows, g.rows...)
		}
	}
	if len(rows) == 0 {
		return ""
	}
	var shown []int // columns in which some of it ran
	for i := range v.columns {
		if r.tally(rows, i).Cases() > 0 {
			shown = append(shown, i)
		}
	}
	var b strings.Builder
	b.WriteString("| group | cases |")
	for _, i := range shown {
		b.WriteString(" " + markdown(v.columns[i].Name) + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(shown)) + "\n")
	line := func(label string, rows []row) {
		fmt.Fprintf(&b, "| %s | %d |", markdown(label), len(rows))
		for _, i := range shown {
			b.WriteString(" " + r.tally(rows, i).brief() + " |")
		}
		b.WriteByte('\n')
	}
	for _, g := range groups {
		line(g.label(), g.rows)
	}
	line("all", rows)
	if remarks := r.remarks(v, rows, shown); remarks != "" {
		b.WriteString("\n" + remarks)
	}
	return b.String()
}

// brief is a tally in a cell: "16 OK", "141 OK, 3 NON-STRICT".
func (t Tally) brief() string {
	var parts []string
	for _, p := range []struct {
		n int
		v conform.Verdict
	}{{t.OK, conform.OK}, {t.NonStrict, conform.NonStrict}, {t.Informational, conform.Informational}, {t.Unimplemented, conform.Unimplemented}, {t.Failed, conform.Failed}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.v))
		}
	}
	if len(parts) == 0 {
		return "–"
	}
	return strings.Join(parts, ", ")
}

// remarks say of each result that is not OK what it is, those that say the same of a case in one
// line.
func (r *Report) remarks(v *view, rows []row, columns []int) string {
	var b strings.Builder
	for _, row := range rows {
		var said []string // in order
		where := map[string][]string{}
		for _, i := range columns {
			res := row.cells[i]
			if res == nil || !res.Bad() && (res.Body == conform.OK || res.Body == conform.Informational) {
				continue
			}
			what := words(res.Outcome)
			if res.Why != "" {
				what += ": " + res.Why
			}
			if why, ok := r.known(res); ok && res.Bad() {
				what += " (known: " + why + ")"
			}
			if where[what] == nil {
				said = append(said, what)
			}
			where[what] = append(where[what], v.columns[i].Name)
		}
		for _, what := range said {
			fmt.Fprintf(&b, "* %s, %s (%s): %s\n", row.ID, markdown(row.Title), markdown(strings.Join(where[what], ", ")), markdown(what))
		}
	}
	return b.String()
}

// markdown is text that a page shows as it is.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range reach.Line(s) {
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '\\', '`', '*', '_', '[', ']', '|', '#', '!', '~', '$':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
