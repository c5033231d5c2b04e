// Command bench measures what a WebSocket costs a server: weir beside servers written elsewhere, under the same load, in
// turn. Each server is a process of its own; what counts is its CPU time a message, the figure that a busy client or a noisy
// machine bends least. Ratios hold in one run.
//
//	go run . -quick                               everything, once, in about three minutes
//	go run . -write ../../docs/performance.md     the whole matrix, about fifteen minutes, into the page
//	go run . -cases h1-16,h2 -servers weir,gws    some of it: beginnings of names of cases, names of servers
//	go run . -against ./bench-before              weir beside weir as another build of this program has it, in pairs
//
// It needs Linux. gcc, libwebsockets-dev, node with npm, and perf are used if they are there; what is not there is not measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	cases, servers []string
	rounds         int
	time, warm     time.Duration
	sockets        int // of the idle cases
	quick          bool
	calls          bool // count system calls, too
	page           string
	limit          time.Duration
	against        string // another build of this program
}

func main() {
	var o options
	cases := flag.String("cases", "", "only cases whose names begin so; separated by commas")
	servers := flag.String("servers", "", "only these servers; separated by commas")
	flag.IntVar(&o.rounds, "rounds", 0, "runs of each server, in turn (default 3; with -against 15)")
	flag.StringVar(&o.against, "against", "", "a build of this program at another commit (go build -o FILE .): measure its weir and this one's in pairs,\n"+
		"in turn, and fail if a case costs more now: the 95 % interval of the ratio lies above 1.05")
	flag.DurationVar(&o.time, "time", time.Second, "how long a run measures")
	flag.DurationVar(&o.warm, "warm", 250*time.Millisecond, "how long it warms up before")
	flag.IntVar(&o.sockets, "idle", 0, "WebSockets of the idle cases; fewer if the descriptors do not suffice (default 10000; with -quick 1000)")
	flag.BoolVar(&o.quick, "quick", false, "one round of short runs: whether everything works, and roughly what it costs")
	flag.BoolVar(&o.calls, "calls", true, "count the system calls of weir and the yardsticks, in a run of their own (perf)")
	flag.StringVar(&o.page, "write", "", "write tables and plots into this page, between its markers")
	flag.DurationVar(&o.limit, "limit", 25*time.Minute, "give up after so long")
	list := flag.Bool("list", false, "name the cases and the servers")
	serve := flag.String("serve", "", "be a server: a setting, as JSON")
	flag.Parse()
	if *serve != "" {
		serveChild(*serve)
		return
	}
	if o.quick {
		o.rounds, o.time, o.warm = 1, 250*time.Millisecond, 100*time.Millisecond
	}
	if o.rounds == 0 {
		if o.rounds = 3; o.against != "" {
			o.rounds = pairs
		}
	}
	if o.sockets == 0 {
		o.sockets = 10_000
		if o.quick {
			o.sockets = 1000
		}
	}
	o.cases, o.servers = words(*cases), words(*servers)
	if *list {
		for _, c := range allCases() {
			fmt.Printf("%-16s %s: %s\n", c.name, c.title, strings.Join(c.servers, " "))
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	work := run
	if o.against != "" {
		work = runAgainst
	}
	if err := work(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
