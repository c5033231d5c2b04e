package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const (
	cpuBody   = 1 << 20
	cpuTimes  = 200 // requests of a run
	cpuTarget = 0.9 // of net/http's
)

// measureCPU has h2load upload 1 MiB, on 4 connections of 4 streams, to each server in turn, and
// compares the CPU time a request that the servers' processes used.
func measureCPU(ctx context.Context, o *options) (missed bool, err error) {
	dir, err := os.MkdirTemp("", "distance")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	sizes, err := files(dir, []int{cpuBody})
	if err != nil {
		return false, err
	}
	micros := map[string][]float64{}
	var ratios []float64
	for i := range o.pairs {
		pair := map[string]float64{}
		for k := range servers {
			name := servers[(i+k)%len(servers)]
			us, err := cpuOf(ctx, name, sizes[cpuBody])
			if err != nil {
				return false, err
			}
			pair[name] = us
			micros[name] = append(micros[name], us)
		}
		ratios = append(ratios, pair["weir"]/pair["net/http"])
		fmt.Fprintf(os.Stderr, "net/http %6.0f µs  weir %6.0f µs  ratio %.2f\n",
			pair["net/http"], pair["weir"], ratios[i])
	}
	mean, half := interval(ratios)
	for _, name := range servers {
		slices.Sort(micros[name])
		m := micros[name]
		fmt.Printf("%-8s CPU µs a request of %d octets: median %.0f, least %.0f, most %.0f\n",
			name, cpuBody, m[len(m)/2], m[0], m[len(m)-1])
	}
	fmt.Printf("weir to net/http: %.2f, 95 %% interval %.2f to %.2f, of %d pairs\n",
		mean, mean-half, mean+half, o.pairs)
	return mean > cpuTarget, nil
}

// interval is the mean of x, and half of its 95 % interval.
func interval(x []float64) (mean, half float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	sum := 0.0
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	if len(x) < 2 {
		return mean, 0
	}
	return mean, 2.1 * math.Sqrt(sum/float64(len(x)-1)/float64(len(x)))
}

func cpuOf(ctx context.Context, name, file string) (micros float64, err error) {
	s, err := startChild(name, false)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	load := func(n int) error {
		args := []string{"-n", fmt.Sprint(n), "-c", "4", "-m", "4", "-d", file, "http://" + s.addr + "/"}
		out, err := exec.CommandContext(ctx, "h2load", args...).CombinedOutput()
		if err != nil {
			return errorOf("h2load", err)
		}
		if !strings.Contains(string(out), fmt.Sprintf("status codes: %d 2xx", n)) {
			return fmt.Errorf("h2load: %s", out)
		}
		return nil
	}
	if err := load(32); err != nil {
		return 0, err
	}
	before := s.cpu()
	if err := load(cpuTimes); err != nil {
		return 0, err
	}
	return float64((s.cpu() - before).Microseconds()) / cpuTimes, nil
}
