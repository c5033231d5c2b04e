package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weir/interop/load"
)

// exitLimit is the exit code of `weir bench` when it measured what its limits do not allow.
const exitLimit = 7

// benchLimits are what a measurement has to keep to. One that was not given is not looked at.
type benchLimits struct {
	p99       time.Duration
	rate      float64
	cpu       time.Duration
	errors    int64
	hasErrors bool
}

func (l *benchLimits) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.DurationVar(&l.p99, "max-p99", 0, "fail if 99 of 100 messages took longer, at worst")
	f.Float64Var(&l.rate, "min-rate", 0, "fail with fewer messages a second")
	f.DurationVar(&l.cpu, "max-cpu-per-message", 0, "fail if a message cost the server more CPU time; needs --pid")
	f.Int64Var(&l.errors, "max-errors", 0, "fail with more errors (default: any number of them)")
}

func (l *benchLimits) check(changed func(string) bool, pid int) error {
	l.hasErrors = changed("max-errors")
	switch {
	case changed("max-p99") && l.p99 <= 0, changed("min-rate") && l.rate <= 0, changed("max-cpu-per-message") && l.cpu <= 0:
		return errors.New("--max-p99, --min-rate, --max-cpu-per-message: over 0")
	case l.errors < 0:
		return errors.New("--max-errors: 0 or more")
	case l.cpu > 0 && pid == 0:
		return errors.New("--max-cpu-per-message: needs --pid")
	}
	return nil
}

// limitResult is one limit, and what was measured.
type limitResult struct {
	Name  string  `json:"name"`
	Limit float64 `json:"limit"`
	Got   float64 `json:"got"`
	OK    bool    `json:"ok"`
	unit  string
}

func (r limitResult) String() string {
	return fmt.Sprintf("%s %g%s, measured %.6g%s", r.Name, r.Limit, r.unit, r.Got, r.unit)
}

// judge compares.
func (l *benchLimits) judge(rep *load.Report) []limitResult {
	all := []limitResult{}
	most := func(name string, limit, got float64, unit string) {
		all = append(all, limitResult{name, limit, got, got <= limit, unit})
	}
	if l.p99 > 0 {
		most("max-p99", micros(l.p99), rep.Latency.P99, " µs")
		if rep.Latency.Count == 0 {
			all[len(all)-1].OK = false // nothing was answered
		}
	}
	if l.rate > 0 {
		all = append(all, limitResult{"min-rate", l.rate, rep.PerSecond, rep.PerSecond >= l.rate, " messages a second"})
	}
	if l.cpu > 0 {
		most("max-cpu-per-message", micros(l.cpu), rep.Server.PerMessage, " µs")
		if rep.Messages == 0 {
			all[len(all)-1].OK = false
		}
	}
	if l.hasErrors {
		most("max-errors", float64(l.errors), float64(rep.Failed), " errors")
	}
	return all
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
