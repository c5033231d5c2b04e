// Command distance measures uploads and downloads over a long way: net/http's HTTP/2 and weir's, in
// cleartext and over TLS, with Go's client, curl and Node, through a proxy that delays what passes.
// The proxy and everything behind it listen on 127.0.0.1.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const about = `distance: how long uploads and downloads take over a long way, from net/http's HTTP/2 and
from weir's.

Each server is a process of its own. In front of it is a proxy that delays all octets by half a round
trip each way, and that may bound how many pass in a second. Each measurement makes a new connection,
the servers take turns, and medians are compared: the ratio is weir's time to net/http's, and is held
to -target. TCP's own handshake ends at the proxy and is not delayed.

Clients are Go's http.Transport, curl and Node's http2 (with a window of 4 MiB a stream and 16 MiB a
connection). A client that is not installed is left out, and said to be.

After that -mbit bounds the way, and what is shown is the most that a server's memory had grown by:
what is alive of its heap, and what is resident.

  go run ./interop/distance -quick                      5 MiB once: about half a minute
  go run ./interop/distance -write docs/performance.md  everything, into the page: about eight minutes
  go run ./interop/distance -cpu                        CPU of an upload of 1 MiB, by h2load, no proxy

It exits with 1 where a ratio is over the target, with 2 for an error.

`

// options are the flags.
type options struct {
	rtt     time.Duration
	sizes   []int // octets
	clients []string
	rounds  int
	target  float64
	mbit    int // of the bounded way
	bounded int // octets that cross it
	page    string
	cpu     bool
	pairs   int // of -cpu
}

func main() {
	var o options
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), about)
		flag.PrintDefaults()
	}
	flag.DurationVar(&o.rtt, "rtt", 100*time.Millisecond, "the round trip")
	sizes := flag.String("sizes", "5,100", "how much is sent, in MiB")
	clients := flag.String("clients", "go,curl,node", "the clients")
	flag.IntVar(&o.rounds, "rounds", 3, "measurements of each, in turn")
	flag.Float64Var(&o.target, "target", 1.2, "the most that weir may take, to net/http's time; 0: any")
	flag.IntVar(&o.mbit, "mbit", 10, "Mbit/s of the bounded way; 0: leave it out")
	bounded := flag.Int("bounded", 10, "MiB that cross the bounded way")
	flag.StringVar(&o.page, "write", "", "write the tables into this page, between its markers")
	flag.BoolVar(&o.cpu, "cpu", false, "measure CPU instead, over loopback and without a proxy (needs h2load)")
	flag.IntVar(&o.pairs, "pairs", 15, "pairs of runs of -cpu")
	quick := flag.Bool("quick", false, "5 MiB once, and 1 MiB over the bounded way")
	limit := flag.Duration("limit", 40*time.Minute, "give up after so long")
	serve := flag.String("serve", "", "be a server: net/http or weir")
	cert := flag.Bool("tls", false, "with -serve: over TLS")
	flag.Parse()
	if *serve != "" {
		serveChild(*serve, *cert)
		return
	}
	if *quick {
		*sizes, o.rounds, *bounded, o.pairs = "5", 1, 1, 3
	}
	for _, s := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n <= 0 {
			fmt.Fprintf(os.Stderr, "distance: -sizes: %q is no number of MiB\n", s)
			os.Exit(2)
		}
		o.sizes = append(o.sizes, n<<20)
	}
	o.clients, o.bounded = strings.Split(*clients, ","), *bounded<<20
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	run := measure
	if o.cpu {
		run = measureCPU
	}
	missed, err := run(ctx, &o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "distance:", err)
		os.Exit(2)
	}
	if missed {
		os.Exit(1)
	}
}
