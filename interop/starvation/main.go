// Command starvation measures what WebSockets of one HTTP/2 connection feel of others on it that are paused, their
// windows full: the latency of echoes before, and meanwhile.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

func main() {
	n := flag.Int("n", 1000, "echoes in each half of a round")
	rounds := flag.Int("rounds", 9, "rounds, in each of which the others are stalled anew; what is printed is the median of them")
	paused := flag.Int("paused", 1, "how many are stalled")
	others := flag.Int("others", 0, "how many more are neither stalled nor measured")
	size := flag.Int("size", 125, "octets of a message")
	flag.Parse()
	if *n < 1 || *rounds < 1 || *paused < 0 || *others < 0 || *size < 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := measure(*n, *rounds, *paused, *others, *size); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(n, rounds, paused, others, size int) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	ws := make([]*socket, paused+others+1)
	for i := range ws {
		if ws[i], err = s.socket(); err != nil {
			return err
		}
	}
	b, as := ws[len(ws)-1], ws[:paused]
	before, meanwhile := make([][]time.Duration, rounds), make([][]time.Duration, rounds)
	payload := make([]byte, size)
	if _, err := timed(b, payload, n); err != nil { // warms up
		return err
	}
	for i := range rounds {
		if before[i], err = timed(b, payload, n); err != nil {
			return err
		}
		for _, a := range as {
			if err := a.stall(); err != nil {
				return err
			}
		}
		if meanwhile[i], err = timed(b, payload, n); err != nil {
			return err
		}
		for _, a := range as {
			if err := a.stalled(); err != nil {
				return err
			}
			if err := a.resume(); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d WebSockets on one HTTP/2 connection, %d stalled; echoes of %d octets on another, %d before and %d meanwhile; the median of %d rounds\n",
		len(ws), paused, size, n, n, rounds)
	for _, p := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}} {
		x, y := median(before, p.at), median(meanwhile, p.at)
		fmt.Printf("%s  before %8v   meanwhile %8v   ratio %.2f\n", p.name, x.Round(time.Microsecond), y.Round(time.Microsecond), float64(y)/float64(x))
	}
	return nil
}

// timed is the latencies of n echoes, sorted.
func timed(w *socket, payload []byte, n int) ([]time.Duration, error) {
	ds := make([]time.Duration, n)
	for i := range ds {
		start := time.Now()
		if err := w.echo(payload); err != nil {
			return nil, err
		}
		ds[i] = time.Since(start)
	}
	slices.Sort(ds)
	return ds, nil
}

// median is that of one quantile of each round: a round in which the machine was busy with something else counts once.
func median(rounds [][]time.Duration, q float64) time.Duration {
	ds := make([]time.Duration, len(rounds))
	for i, r := range rounds {
		ds[i] = r[min(int(q*float64(len(r))), len(r)-1)]
	}
	slices.Sort(ds)
	return ds[len(ds)/2]
}
