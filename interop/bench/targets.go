package main

import (
	"math"
	"slices"

	"weir/interop/load"
)

// result is what the rounds of a case found, a list for each server.
type result struct {
	c    *benchCase
	runs map[string][]figures
	why  map[string]string // why a server has none
	made map[string]calls  // system calls of some servers
}

// median of one figure of a server; NaN without a run.
func (r *result) median(server string, of func(figures) float64) float64 {
	var all []float64
	for _, f := range r.runs[server] {
		all = append(all, of(f))
	}
	if len(all) == 0 {
		return math.NaN()
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// least and most of one figure.
func (r *result) spread(server string, of func(figures) float64) (least, most float64) {
	least, most = math.Inf(1), math.Inf(-1)
	for _, f := range r.runs[server] {
		least, most = min(least, of(f)), max(most, of(f))
	}
	return least, most
}

// best is the lowest median among servers, and whose it is.
func (r *result) best(servers []string, of func(figures) float64) (float64, string) {
	lowest, who := math.NaN(), ""
	for _, s := range servers {
		if v := r.median(s, of); !math.IsNaN(v) && (who == "" || v < lowest) {
			lowest, who = v, s
		}
	}
	return lowest, who
}

func cpuOf(f figures) float64    { return f.cpu }
func p99Of(f figures) float64    { return f.p99 }
func memoryOf(f figures) float64 { return f.memory }

// target is what weir is held to in a case: a ratio to the best of some servers, or a number of its own.
type target struct {
	cases  []string
	what   string // cpu, p99, memory
	of     func(figures) float64
	to     []string // servers; nil: limit is the number itself
	toName string
	other  string // another case that the servers are measured in; "": the same
	limit  float64
}

func targets() []target {
	var all []target
	add := func(limit float64, what string, to []string, toName string, cases ...string) {
		of := map[string]func(figures) float64{"cpu": cpuOf, "p99": p99Of, "memory": memoryOf}[what]
		all = append(all, target{cases: cases, what: what, of: of, to: to, toName: toName, limit: limit})
	}
	best := "the best Go library"
	add(1.25, "cpu", []string{"floor"}, "floor", "h1-16", "h1-1k")
	add(0.85, "cpu", []string{"gorilla"}, "gorilla", "h1-16", "h1-1k")
	add(1, "cpu", goLibraries, best, "h1-16", "h1-1k")
	add(0.15, "cpu", goLibraries, best, "h1-16x16")
	add(0.95, "cpu", goLibraries, best, "h1-64k", "h1-1m")
	add(1.15, "cpu", []string{"minimal"}, "minimal", "h1-64k", "h1-1m")
	add(0.25, "cpu", []string{"gws"}, "gws", "h1-utf8")
	add(0.8, "cpu", goLibraries, best, "h1-deflate", "h1-takeover")
	add(0.75, "cpu", []string{"gorilla"}, "gorilla", "h1-broadcast")
	add(1229, "memory", nil, "", "h1-idle")
	add(0.5, "memory", []string{"gorilla"}, "gorilla", "h1-idle-tls")
	add(0.10, "cpu", []string{"x/net"}, "x/net", "h2-16", "h2-bursts", "h2-16x16", "h2-1k")
	add(0.25, "cpu", []string{"lws"}, "lws", "h2-16", "h2-bursts", "h2-16x16", "h2-1k")
	add(0.45, "cpu", []string{"x/net"}, "x/net", "h2-64k", "h2-1m")
	all = append(all, target{cases: []string{"h2-broadcast"}, what: "cpu", of: cpuOf, to: []string{"gorilla"}, toName: "gorilla over HTTP/1.1", other: "h1-broadcast", limit: 0.1})
	add(1024, "memory", nil, "", "h2-idle")
	for _, c := range allCases() {
		if c.load.Mode == load.Echo && c.load.Gather == 0 {
			peers := slices.DeleteFunc(slices.Clone(c.servers), func(s string) bool {
				return s == "weir" || slices.Contains(yardsticks, s) || slices.Contains(hijackers, s)
			})
			add(1, "p99", peers, "the best peer", c.name)
		}
	}
	return all
}

// verdict is a target in one case, judged.
type verdict struct {
	target
	name      string
	got, ref  float64
	who       string
	ratio     float64
	ok, known bool // known: both were measured
}

// judge holds the results against the targets.
func judge(results []*result) []verdict {
	named := map[string]*result{}
	for _, r := range results {
		named[r.c.name] = r
	}
	var all []verdict
	for _, t := range targets() {
		for _, name := range t.cases {
			r := named[name]
			if r == nil || r.runs["weir"] == nil {
				continue
			}
			v := verdict{target: t, name: name, got: r.median("weir", t.of)}
			v.ratio, v.ref = v.got, math.NaN()
			if t.to == nil {
				v.known = true
			} else {
				against := r
				if t.other != "" {
					against = named[t.other]
				}
				if against != nil {
					v.ref, v.who = against.best(t.to, t.of)
					v.ratio = v.got / v.ref
					v.known = v.who != ""
				}
			}
			v.ok = v.known && v.ratio <= t.limit
			if t.limit == 1 && t.what == "cpu" {
				v.ok = v.known && v.ratio < 1
			}
			all = append(all, v)
		}
	}
	return all
}
