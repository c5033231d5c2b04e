package report

import (
	"time"

	"weir/interop/conform"
	"weir/stream"
)

// Suite is a set of cases under one name.
type Suite struct {
	Name   string            // "autobahn"
	Title  string            // what a reader calls it
	Groups map[string]string // what its groups are about, by conform.Case.Group; those without a word need none
	Cases  []conform.Case
}

// Report is what one or more runs found.
type Report struct {
	Suites  []Suite          // they give the order of the cases; a suite none of whose cases ran is not shown
	Results []conform.Result // a case once at most in each column
	Known   []Known          // failures that somebody has looked into
	Took    time.Duration    // on the clock
	Cut     bool             // it was interrupted: what did not run is missing
}

// Column is one agent over one transport.
type Column struct {
	Agent     string
	Transport stream.Transport
	Name      string // unique in its report
}

// Title is the column in words.
func (c Column) Title() string {
	if c.Transport == "" {
		return c.Agent
	}
	return c.Agent + " over " + string(c.Transport)
}

// Columns are the agents and transports, in the order in which they ran. A name is the agent's, unless an agent ran
// over several transports: then every name ends with its transport, and none can be another's.
func (r *Report) Columns() []Column {
	var columns []Column
	seen := map[Column]bool{}
	agents := map[string]int{}
	several := false
	for _, res := range r.Results {
		c := Column{Agent: res.Agent, Transport: res.Transport}
		if seen[c] {
			continue
		}
		seen[c] = true
		columns = append(columns, c)
		agents[c.Agent]++
		several = several || agents[c.Agent] > 1
	}
	for i, c := range columns {
		columns[i].Name = c.Agent
		if several {
			columns[i].Name += "-" + string(c.Transport)
		}
	}
	return columns
}

// group is the cases of a suite that stand together, with what each column made of each.
type group struct {
	suite *Suite
	name  string
	title string
	rows  []row
}

// row is one case across the columns.
type row struct {
	conform.Case
	cells []*conform.Result // nil where it did not run
}

// view is a report laid out: columns across, groups down.
type view struct {
	columns []Column
	groups  []*group
}

// view lays the report out. Cases that no suite has come last, in the order in which they ran.
func (r *Report) view() view {
	v := view{columns: r.Columns()}
	at := map[Column]int{}
	for i, c := range v.columns {
		at[Column{Agent: c.Agent, Transport: c.Transport}] = i
	}
	cells := map[string][]*conform.Result{}
	other := Suite{Name: "other", Title: "Others"}
	for i := range r.Results {
		res := &r.Results[i]
		id := res.Case.ID
		if cells[id] == nil {
			cells[id] = make([]*conform.Result, len(v.columns))
			other.Cases = append(other.Cases, res.Case)
		}
		cells[id][at[Column{Agent: res.Agent, Transport: res.Transport}]] = res
	}
	for i := range r.Suites {
		v.add(&r.Suites[i], cells)
	}
	v.add(&other, cells)
	return v
}

// add adds the cases of a suite that have cells, and takes these out.
func (v *view) add(s *Suite, cells map[string][]*conform.Result) {
	groups := map[string]*group{}
	for _, c := range s.Cases {
		got := cells[c.ID]
		if got == nil {
			continue
		}
		delete(cells, c.ID)
		name := c.Group()
		g := groups[name]
		if g == nil {
			g = &group{suite: s, name: name, title: s.Groups[name]}
			groups[name] = g
			v.groups = append(v.groups, g)
		}
		g.rows = append(g.rows, row{c, got})
	}
}
