package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

const (
	// against is the name of the server that another build of this program runs.
	against = "before"
	// pairs is how many pairs of runs a case is judged by.
	pairs = 15
	// slower is the ratio above which a case has become slower.
	slower = 1.05
)

// student is the factor of a 95 % interval for n values, of Student's distribution.
func student(n int) float64 {
	table := []float64{math.Inf(1), 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13}
	return table[min(max(n-1, 0), len(table)-1)]
}

// ratioOf is the geometric mean of ratios, and its 95 % interval.
func ratioOf(ratios []float64) (mean, low, high float64) {
	n := float64(len(ratios))
	sum, squares := 0.0, 0.0
	for _, r := range ratios {
		sum += math.Log(r) / n
	}
	for _, r := range ratios {
		squares += (math.Log(r) - sum) * (math.Log(r) - sum)
	}
	half := 0.0
	if len(ratios) > 1 {
		half = student(len(ratios)) * math.Sqrt(squares/(n-1)/n)
	}
	return math.Exp(sum), math.Exp(sum - half), math.Exp(sum + half)
}

// runAgainst measures weir of this build and weir of another one in pairs, in turn, and says which
// cases cost more now: those of which the whole 95 % interval of the ratio lies above slower.
func runAgainst(ctx context.Context, o *options) error {
	if _, err := os.Stat(o.against); err != nil {
		return err
	}
	p := &peers{before: o.against}
	worse := 0
	fmt.Printf("%-16s %12s %12s %7s  %s\n", "case", "before", "now", "ratio", "95 % interval")
	for _, c := range chosen(o) {
		if !slices.Contains(c.servers, "weir") {
			continue
		}
		began := time.Now()
		of := cpuOf
		if c.once {
			of = memoryOf
		}
		var ratios, before, now []float64
		for i := range pairsOf(c, o) {
			pair := map[string]float64{}
			for k := range 2 {
				server := []string{"weir", against}[(i+k)%2]
				f, err := measure(ctx, p, c, server, o)
				if ctx.Err() != nil {
					return fmt.Errorf("given up: %w", context.Cause(ctx))
				}
				if err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, server, err)
				}
				pair[server] = of(f)
			}
			before, now = append(before, pair[against]), append(now, pair["weir"])
			ratios = append(ratios, pair["weir"]/pair[against])
		}
		mean, low, high := ratioOf(ratios)
		verdict := ""
		if low > slower {
			verdict = "  costs more"
			worse++
		}
		slices.Sort(before)
		slices.Sort(now)
		fmt.Printf("%-16s %12.2f %12.2f %7.3f  %.3f to %.3f%s\n", c.name, before[len(before)/2], now[len(now)/2], mean, low, high, verdict)
		fmt.Fprintf(os.Stderr, "%s: %d pairs in %.0f s\n", c.name, len(ratios), time.Since(began).Seconds())
	}
	if worse > 0 {
		return fmt.Errorf("%d cases cost more than %.2f of what they did", worse, slower)
	}
	return nil
}

// pairsOf is how many pairs a case gets: memory hardly varies.
func pairsOf(c *benchCase, o *options) int {
	if c.once {
		return min(o.rounds, 6)
	}
	return o.rounds
}
