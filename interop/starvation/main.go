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
	rounds := flag.Int("rounds", 5, "rounds, in each of which the others are stalled anew")
	paused := flag.Int("paused", 1, "how many are stalled")
	others := flag.Int("others", 0, "how many more are neither stalled nor measured")
	size := flag.Int("size", 125, "octets of a message")
	flag.Parse()
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
	var before, meanwhile []time.Duration
	payload := make([]byte, size)
	if _, err := timed(nil, b, payload, n); err != nil { // warms up
		return err
	}
	for range rounds {
		if before, err = timed(before, b, payload, n); err != nil {
			return err
		}
		for _, a := range as {
			if err := a.stall(); err != nil {
				return err
			}
		}
		if meanwhile, err = timed(meanwhile, b, payload, n); err != nil {
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
	fmt.Printf("%d WebSockets on one HTTP/2 connection, %d stalled; echoes of %d octets on another, %d before and %d meanwhile\n",
		len(ws), paused, size, len(before), len(meanwhile))
	for _, p := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}} {
		x, y := quantile(before, p.at), quantile(meanwhile, p.at)
		fmt.Printf("%s  before %8v   meanwhile %8v   ratio %.2f\n", p.name, x.Round(time.Microsecond), y.Round(time.Microsecond), float64(y)/float64(x))
	}
	return nil
}

// timed appends the latencies of n echoes.
func timed(ds []time.Duration, w *socket, payload []byte, n int) ([]time.Duration, error) {
	for range n {
		start := time.Now()
		if err := w.echo(payload); err != nil {
			return ds, err
		}
		ds = append(ds, time.Since(start))
	}
	return ds, nil
}

func quantile(ds []time.Duration, q float64) time.Duration {
	ds = slices.Sorted(slices.Values(ds))
	return ds[min(int(q*float64(len(ds))), len(ds)-1)]
}
