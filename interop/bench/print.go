package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"weir/interop/load"
)

// row is one server in one case.
type row struct {
	server      string
	why         string // nothing was measured
	value       float64
	least, most float64
	ratio       float64 // to weir
	p50, p99    float64
	rate        float64
	answer      float64
	client      float64
}

// rows of a case, the cheapest first.
func (r *result) rows() []row {
	of := cpuOf
	if r.c.load.Mode == load.Idle {
		of = memoryOf
	}
	var rows []row
	weir := r.median("weir", of)
	for _, s := range r.c.servers {
		if r.runs[s] == nil {
			rows = append(rows, row{server: s, why: r.why[s], value: math.Inf(1)})
			continue
		}
		v := row{server: s, value: r.median(s, of), p50: r.median(s, func(f figures) float64 { return f.p50 }), p99: r.median(s, p99Of),
			rate: r.median(s, func(f figures) float64 { return f.rate }), answer: r.median(s, func(f figures) float64 { return f.answer }),
			client: r.median(s, func(f figures) float64 { return f.client })}
		v.least, v.most = r.spread(s, of)
		v.ratio = v.value / weir
		rows = append(rows, v)
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	return rows
}

// ratioWord is a ratio to weir's figure, if there is one.
func ratioWord(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "-"
	}
	return fmt.Sprintf("%.2f", x)
}

// micro is a time in microseconds with three figures.
func micro(us float64) string {
	switch {
	case us < 10:
		return fmt.Sprintf("%.2f", us)
	case us < 100:
		return fmt.Sprintf("%.1f", us)
	}
	return fmt.Sprintf("%.0f", us)
}

func printCase(w io.Writer, r *result) {
	fmt.Fprintf(w, "\n%s: %s\n", r.c.name, r.c.title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	idle := r.c.load.Mode == load.Idle
	switch {
	case idle:
		fmt.Fprintln(t, "server\toctets a WebSocket\tto weir\t")
	case r.c.load.Compress:
		fmt.Fprintln(t, "server\tCPU µs\tleast\tmost\tto weir\tp50 µs\tp99 µs\ta second\tclient µs\tanswer\t")
	default:
		fmt.Fprintln(t, "server\tCPU µs\tleast\tmost\tto weir\tp50 µs\tp99 µs\ta second\tclient µs\t")
	}
	for _, v := range r.rows() {
		switch {
		case v.why != "":
			fmt.Fprintf(t, "%s\tnot measured\t\n", v.server)
		case idle:
			fmt.Fprintf(t, "%s\t%.0f\t%s\t\n", v.server, v.value, ratioWord(v.ratio))
		default:
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.0f\t%.0f\t%.0f\t%s\t", v.server, micro(v.value), micro(v.least), micro(v.most), ratioWord(v.ratio), v.p50, v.p99, v.rate, micro(v.client))
			if r.c.load.Compress {
				fmt.Fprintf(t, "%.0f\t", v.answer)
			}
			fmt.Fprintln(t)
		}
	}
	_ = t.Flush() // standard output
	for _, s := range r.c.servers {
		if why := r.why[s]; why != "" {
			fmt.Fprintf(w, "  %s: %s\n", s, why)
		}
	}
}

// words of a verdict: the case, what is compared, the ratio or the number, the limit, and how it stands.
func (v *verdict) words() [5]string {
	what := map[string]string{"cpu": "CPU a message", "p99": "p99", "memory": "octets a WebSocket"}[v.what]
	got, limit := fmt.Sprintf("%.2f", v.ratio), fmt.Sprintf("≤ %g", v.limit)
	if v.to == nil {
		got = fmt.Sprintf("%.0f", v.got)
	} else {
		what += ", to " + v.toName
		if v.toName != v.who && v.who != "" && len(v.to) > 1 {
			what += " (" + v.who + ")"
		}
	}
	if v.limit == 1 && v.what == "cpu" {
		limit = "< 1"
	}
	state := "MISSED"
	switch {
	case !v.known:
		got, state = "-", "not measured"
	case v.ok:
		state = "met"
	}
	return [5]string{v.name, what, got, limit, state}
}

func printTargets(w io.Writer, all []verdict) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, "\nTargets")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	met, known := 0, 0
	for _, v := range all {
		x := v.words()
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", x[0], x[1], x[2], x[3], x[4])
		if v.known {
			known++
		}
		if v.ok {
			met++
		}
	}
	_ = t.Flush() // standard output
	fmt.Fprintf(w, "  %d of %d met\n", met, known)
}
