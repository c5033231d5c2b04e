// Command bench measures what a message costs a server: weir beside servers written elsewhere, on the same load, in turn.
// Each server is a process of its own; what counts is its CPU time a message, the figure that a busy client or a noisy
// machine bends least. Ratios hold in one run.
//
//	go run . -n 200000 -rounds 5
package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// setting is one load: how the servers are set up, and what they are sent.
type setting struct {
	name     string
	compress bool
	takeover bool
	messages [][]byte // sent in turn
}

func settings() []setting {
	json := documents(64)
	return []setting{
		{name: "1 KiB JSON", messages: json},
		{name: "1 KiB JSON, deflate without takeover", compress: true, messages: json},
		{name: "1 KiB JSON, deflate with takeover", compress: true, takeover: true, messages: json},
	}
}

func main() {
	n := flag.Int("n", 100_000, "messages a run")
	conns := flag.Int("conns", 100, "connections, one message in flight on each")
	rounds := flag.Int("rounds", 5, "runs of each server, in turn")
	level := flag.Int("level", 6, "level of the compressors")
	serve := flag.String("serve", "", "run one server: NAME[,compress][,takeover]")
	flag.Parse()
	if *serve != "" {
		words := strings.Split(*serve, ",")
		listen(words[0], slices.Contains(words, "compress"), slices.Contains(words, "takeover"), *level)
		return
	}
	for _, s := range settings() {
		figures, answers := map[string][]float64{}, map[string]float64{}
		for range *rounds {
			for _, name := range serverNames {
				cost, answer, err := measure(name, s, *n, *conns, *level)
				if err != nil {
					fmt.Fprintln(os.Stderr, "bench:", name, err)
					os.Exit(1)
				}
				figures[name] = append(figures[name], cost)
				answers[name] = answer
			}
		}
		fmt.Printf("%s, level %d, %d connections, CPU of the server in µs a message, median of %d, and octets of an answer:\n", s.name, *level, *conns, *rounds)
		for _, name := range serverNames {
			slices.Sort(figures[name])
			f := figures[name]
			fmt.Printf("  %-8s %6.1f   (%.1f to %.1f) %7.1f\n", name, f[len(f)/2], f[0], f[len(f)-1], answers[name])
		}
	}
}

// measure runs one server under load, and gives its CPU time a message in microseconds and the octets of an answer.
func measure(name string, s setting, n, conns, level int) (cost, answer float64, err error) {
	arg := name
	if s.compress {
		arg += ",compress"
	}
	if s.takeover {
		arg += ",takeover"
	}
	cmd := exec.Command(os.Args[0], "-serve", arg, "-level", fmt.Sprint(level))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		_, err = load(strings.TrimSpace(addr), s, n/10, conns) // warm
	}
	var before, after float64
	var octets int64
	if err == nil {
		before, err = cpu(cmd.Process.Pid)
	}
	if err == nil {
		octets, err = load(strings.TrimSpace(addr), s, n, conns)
	}
	if err == nil {
		after, err = cpu(cmd.Process.Pid)
	}
	cmd.Process.Signal(syscall.SIGKILL)
	cmd.Wait() // killed
	return (after - before) * 1e6 / float64(n), float64(octets) / float64(n/conns*conns), err
}

// load sends n messages over conns connections, each after the answer to the one before it, and gives the octets of
// all answers.
func load(addr string, s setting, n, conns int) (int64, error) {
	frames, offer := requests(s)
	var octets atomic.Int64
	errs := make(chan error, conns)
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() {
			c, err := net.DialTimeout("tcp", addr, 10*time.Second)
			if err != nil {
				errs <- err
				return
			}
			defer c.Close()
			size, err := echoes(c, frames, offer, s, n/conns)
			if err != nil {
				errs <- err
			}
			octets.Add(int64(size))
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
		return octets.Load(), nil
	}
}
