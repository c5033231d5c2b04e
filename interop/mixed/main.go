// Command mixed measures what a WebSocket feels of downloads and uploads beside it on one HTTP/2
// connection: the latency of its echoes alone and meanwhile, on weir and on net/http, over the
// loopback and over a link with a round trip and a rate.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

const usage = `mixed measures what a WebSocket feels of downloads and uploads beside it on one HTTP/2 connection.

A server runs in a process of its own. A client opens one connection to it, and sends an echo of 32 octets every -pace for
-time: alone, and then beside -downloads and -uploads of -size octets, each of which is followed by the next one. The
windows of the client are those of a browser (-window, -conn-window). It reads what arrives at once, keeps little unread in its
socket (-socket), and sends its echoes before its uploads.

Servers are weir with a WebSocket (RFC 8441), weir with a POST whose body is echoed while it is sent, and net/http's HTTP/2
with such a POST, which stands for the WebSocket that it does not have.

Links are the loopback, one with a round trip of -rtt, and one that is limited to -rate besides: a relay in a process of its
own holds everything back for half a round trip. On the loopback the server and the client have half of the processors each,
for else an echo waits for the time slices of the system's scheduler, and it is those that are measured: the link "shared"
measures them.

The p99 beside the others is allowed to be three times that alone, and one round trip.

`

func main() {
	var cfg config
	flag.DurationVar(&cfg.time, "time", 5*time.Second, "how long echoes are sent, alone and beside the others")
	flag.DurationVar(&cfg.pace, "pace", 5*time.Millisecond, "time from one echo to the next")
	flag.IntVar(&cfg.downloads, "downloads", 20, "downloads at a time")
	flag.IntVar(&cfg.uploads, "uploads", 20, "uploads at a time")
	flag.IntVar(&cfg.size, "size", 10<<20, "octets of a download and of an upload")
	flag.IntVar(&cfg.window, "window", 6<<20, "the client's window of a stream")
	flag.IntVar(&cfg.connWindow, "conn-window", 15<<20, "the client's window of the connection")
	flag.IntVar(&cfg.socket, "socket", 128<<10, "the receive buffer of the client's socket")
	rtt := flag.Duration("rtt", 50*time.Millisecond, "round trip of the links that have one")
	rate := flag.Int("rate", 100, "Mbit/s of the link that is limited")
	rounds := flag.Int("rounds", 3, "rounds, in which the servers take turns; what is printed is the median of them")
	servers := flag.String("servers", "weir,weir-post,nethttp", "which servers")
	links := flag.String("links", "loopback,shared,rtt,rate", "which links")
	serve := flag.String("serve", "", "be a server (used by the command itself)")
	relayTo := flag.String("relay", "", "be the relay to an address (used by the command itself)")
	procs := flag.Int("procs", 0, "processors that a server may use, 0: all (used by the command itself)")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	var err error
	switch {
	case flag.NArg() > 0 || *rounds < 1 || min(cfg.downloads, cfg.uploads) < 0 || cfg.size < 1 || cfg.pace <= 0:
		flag.Usage()
		os.Exit(2)
	case *serve != "":
		runtime.GOMAXPROCS(*procs)
		err = serveOn(*serve, os.Stdin, os.Stdout)
	case *relayTo != "":
		err = relayOn(*relayTo, link{delay: *rtt / 2, rate: *rate * 1e6 / 8}, os.Stdin, os.Stdout)
	default:
		r := runner{cfg: cfg, rtt: *rtt, rate: *rate, rounds: *rounds, out: os.Stdout}
		err = r.all(strings.Split(*servers, ","), strings.Split(*links, ","))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mixed:", err)
		os.Exit(1)
	}
}

type runner struct {
	cfg    config
	rtt    time.Duration
	rate   int
	rounds int
	out    io.Writer
}

// row is what one server did over one link, a result for each round.
type row struct {
	server  string
	results []result
}

func (r *runner) all(servers, links []string) error {
	for _, s := range servers {
		if titles[s] == "" {
			return fmt.Errorf("-servers: there is no %q", s)
		}
	}
	for _, l := range links {
		if !slices.Contains([]string{"loopback", "shared", "rtt", "rate"}, l) {
			return fmt.Errorf("-links: there is no %q", l)
		}
	}
	for _, l := range links {
		rows := make([]row, len(servers))
		for range r.rounds {
			for i, s := range servers {
				res, err := r.one(s, l)
				if err != nil {
					return fmt.Errorf("%s over %s: %w", s, l, err)
				}
				rows[i].server = s
				rows[i].results = append(rows[i].results, res)
			}
		}
		r.print(l, rows)
	}
	return nil
}

// one measures a server over a link, in processes that end with it.
func (r *runner) one(server, over string) (result, error) {
	kind, post := strings.CutSuffix(server, "-post")
	cfg := r.cfg
	cfg.post = post || kind == "nethttp"
	procs := 0
	if over == "loopback" {
		procs = max(1, runtime.NumCPU()/2)
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	}
	addr, stop, err := child("-serve", kind, "-procs", fmt.Sprint(procs))
	if err != nil {
		return result{}, err
	}
	defer stop()
	if over == "rtt" || over == "rate" {
		rate := 0
		if over == "rate" {
			rate = r.rate
		}
		var stopRelay func()
		addr, stopRelay, err = child("-relay", addr, "-rtt", r.rtt.String(), "-rate", fmt.Sprint(rate))
		if err != nil {
			return result{}, err
		}
		defer stopRelay()
	}
	return measure(addr, cfg)
}

// child starts this program in another role, and gives the address that it prints.
func child(args ...string) (addr string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		in.Close() // it ends with its standard input
		_ = cmd.Wait()
	}
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		stop()
		return "", nil, fmt.Errorf("%s does not start: %w", strings.Join(args, " "), err)
	}
	return addr, stop, nil
}

var titles = map[string]string{"weir": "weir, WebSocket", "weir-post": "weir, POST", "nethttp": "net/http, POST"}

// print writes the table of one link in Markdown.
func (r *runner) print(l string, rows []row) {
	title := "loopback"
	switch l {
	case "shared":
		title = "loopback, all processors shared"
	case "rtt":
		title = fmt.Sprintf("a round trip of %v", r.rtt)
	case "rate":
		title = fmt.Sprintf("a round trip of %v, %d Mbit/s", r.rtt, r.rate)
	}
	fmt.Fprintf(r.out, "\n### %s\n\n", title)
	fmt.Fprintln(r.out, "| server | alone p50 | p99 | beside p50 | p99 | allowed | p99 to alone | down MB/s | up MB/s |")
	fmt.Fprintln(r.out, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, row := range rows {
		of := func(f func(result) float64) float64 {
			var vs []float64
			for _, res := range row.results {
				vs = append(vs, f(res))
			}
			slices.Sort(vs)
			return vs[len(vs)/2]
		}
		at := func(get func(result) []time.Duration, q float64) float64 {
			return of(func(res result) float64 { return quantile(get(res), q).Seconds() * 1e3 })
		}
		alone := func(res result) []time.Duration { return res.alone }
		beside := func(res result) []time.Duration { return res.beside }
		trip := of(func(res result) float64 { return res.trip.Seconds() * 1e3 })
		a99, b99 := at(alone, 0.99), at(beside, 0.99)
		fmt.Fprintf(r.out, "| %s | %.2f ms | %.2f ms | %.2f ms | %.2f ms | %.2f ms | %.1f | %.0f | %.0f |\n", titles[row.server],
			at(alone, 0.5), a99, at(beside, 0.5), b99, 3*a99+trip, b99/a99,
			of(func(res result) float64 { return res.down / 1e6 }), of(func(res result) float64 { return res.up / 1e6 }))
	}
}

// quantile is one of sorted durations.
func quantile(ds []time.Duration, q float64) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	return ds[min(int(q*float64(len(ds))), len(ds)-1)]
}
