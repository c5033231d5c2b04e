package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// row is a line of the table: the same transfer from each server.
type row struct {
	secure bool
	client string
	up     bool
	n      int
	took   map[string][]time.Duration // by server
}

func (r *row) median(server string) time.Duration {
	t := slices.Clone(r.took[server])
	slices.Sort(t)
	return t[len(t)/2]
}

func (r *row) ratio() float64 { return r.median("weir").Seconds() / r.median("net/http").Seconds() }

// memory is what a server had more than before while octets crossed a bounded way.
type memory struct {
	server         string
	secure, up     bool
	heap, resident int
	took           time.Duration
}

func transport(secure bool) string {
	if secure {
		return "TLS"
	}
	return "cleartext"
}

func direction(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func scheme(secure bool) string {
	if secure {
		return "https://"
	}
	return "http://"
}

// measure makes the tables of time and memory.
func measure(ctx context.Context, o *options) (missed bool, err error) {
	dir, err := os.MkdirTemp("", "distance")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	sizes, err := files(dir, o.sizes)
	if err != nil {
		return false, err
	}
	var absent []string
	o.clients = slices.DeleteFunc(o.clients, func(c string) bool {
		p := programs[c]
		if p == "" {
			return false
		}
		_, err := exec.LookPath(p)
		if err != nil {
			absent = append(absent, c)
		}
		return err != nil
	})
	var rows []*row
	var memories []memory
	for _, secure := range []bool{false, true} {
		for _, up := range []bool{true, false} {
			for _, n := range o.sizes {
				for _, c := range o.clients {
					took := map[string][]time.Duration{}
					rows = append(rows, &row{secure: secure, client: c, up: up, n: n, took: took})
				}
			}
		}
		ways := map[string]*proxy{}
		children := map[string]*child{}
		for _, name := range servers {
			s, err := startChild(name, secure)
			if err != nil {
				return false, err
			}
			defer s.stop()
			p, err := newProxy(s.addr, way{delay: o.rtt / 2})
			if err != nil {
				return false, err
			}
			defer p.close()
			ways[name], children[name] = p, s
		}
		for _, r := range rows {
			if r.secure != secure {
				continue
			}
			for range o.rounds {
				for _, name := range servers {
					url := scheme(secure) + ways[name].addr()
					t := task{url: url, secure: secure, up: r.up, n: r.n, file: sizes[r.n]}
					took, err := clients[r.client](ctx, t)
					if err != nil {
						return false, fmt.Errorf("%s, %s %s, %d octets %s: %w",
							r.client, name, transport(secure), r.n, direction(r.up), err)
					}
					r.took[name] = append(r.took[name], took)
				}
			}
			fmt.Fprintf(os.Stderr, "%-9s %-4s %-4s %4d MiB  net/http %8.3f s  weir %8.3f s  ratio %.2f\n",
				transport(secure), r.client, direction(r.up), r.n>>20,
				r.median("net/http").Seconds(), r.median("weir").Seconds(), r.ratio())
			missed = missed || o.target > 0 && r.ratio() > o.target
		}
		for _, up := range []bool{true, false} {
			for _, name := range servers {
				if o.mbit <= 0 {
					continue
				}
				m, err := bounded(ctx, o, children[name], secure, up)
				if err != nil {
					return false, err
				}
				memories = append(memories, m)
			}
		}
	}
	var b strings.Builder
	table(&b, o, rows, memories, absent)
	fmt.Print(b.String())
	if o.page != "" {
		return missed, writePage(o.page, b.String())
	}
	return missed, nil
}

// bounded has octets cross a way of o.mbit with Go's client, and looks at the server's memory
// meanwhile.
func bounded(ctx context.Context, o *options, s *child, secure, up bool) (memory, error) {
	m := memory{server: s.name, secure: secure, up: up}
	p, err := newProxy(s.addr, way{delay: o.rtt / 2, rate: o.mbit * 1_000_000 / 8})
	if err != nil {
		return m, err
	}
	defer p.close()
	heap, resident := s.heap(true), s.resident()
	type result struct {
		took time.Duration
		err  error
	}
	done := make(chan result, 1)
	go func() { // ends with the transfer
		t := task{url: scheme(secure) + p.addr(), secure: secure, up: up, n: o.bounded}
		took, err := goClient(ctx, t)
		done <- result{took, err}
	}()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case r := <-done:
			m.took = r.took
			fmt.Fprintf(os.Stderr, "%-9s %d Mbit/s %-4s %-8s %6.1f s, heap at most %+d KiB, resident %+d KiB\n",
				transport(secure), o.mbit, direction(up), s.name, m.took.Seconds(), m.heap>>10, m.resident>>10)
			return m, r.err
		case <-look.C:
			m.heap = max(m.heap, s.heap(false)-heap)
			m.resident = max(m.resident, s.resident()-resident)
		}
	}
}
