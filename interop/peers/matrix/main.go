// Command matrix runs the conformance suites of interop/conform against servers written elsewhere, and says where each
// fails: the runner has to tell bad from good.
//
//	go run ./matrix -html /tmp/matrix -markdown ../../docs/conformance.md
//
// It is run in interop/peers. It builds the servers of ./servers, and starts Node and the proxies where they are
// installed; what is not there is named and left out.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/autobahn"
	"weir/interop/conform/report"
	"weir/interop/conform/rfc8441"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

// run obeys the flags.
func run(ctx context.Context) error {
	var o options
	flag.StringVar(&o.only, "cases", "", "only these cases, patterns with commas between: 6.*,8441.settings")
	flag.StringVar(&o.but, "exclude", "9.*,12.*,13.*", "but not these")
	flag.StringVar(&o.peers, "peers", "", "only these peers, names with commas between")
	flag.StringVar(&o.html, "html", "", "write a report with each case's wire log into this `folder`")
	flag.StringVar(&o.json, "json", "", "write the results in Autobahn's layout into this `file`")
	flag.StringVar(&o.markdown, "markdown", "", "put the tables between the marks of this `page`")
	flag.StringVar(&o.ws, "ws", "", "the `folder` of Node's package ws, else it is left out")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("%q: there are only flags", flag.Arg(0))
	}
	dir, err := os.MkdirTemp("", "weir-matrix-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &stage{ctx: ctx, dir: dir, servers: filepath.Join(dir, "servers")}
	defer s.stop()
	if err := s.build(); err != nil {
		return err
	}
	r := &report.Report{Suites: []report.Suite{
		{Name: "peers-autobahn", Title: "Autobahn's catalogue", Cases: autobahn.Cases()},
		{Name: "peers-8441", Title: "WebSockets over HTTP/2", Cases: rfc8441.Cases()},
	}}
	began := time.Now()
	for _, p := range peers {
		if o.peers != "" && !named(o.peers, p.name) {
			continue
		}
		results, err := p.ask(s, &o, r)
		if err != nil {
			fmt.Printf("%s: left out: %v\n", p.name, err)
			continue
		}
		r.Results = append(r.Results, results...)
	}
	r.Took = time.Since(began)
	r.Cut = ctx.Err() != nil
	return o.write(r)
}

// options are the flags.
type options struct{ only, but, peers, html, json, markdown, ws string }

func named(list, name string) bool {
	for n := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// patterns are those of a flag.
func patterns(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// ask starts the peer, and runs the cases of the suite that is for it.
func (p *peer) ask(s *stage, o *options, r *report.Report) ([]conform.Result, error) {
	url, err := p.start(s, o)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	t, err := conform.NewTarget(url, p.version, nil)
	if err != nil {
		return nil, err
	}
	t.Agent = p.name
	var kept []conform.Case
	for _, c := range r.Suites[p.suite].Cases {
		if !matches(patterns(o.but), c.ID) && (o.only == "" || matches(patterns(o.only), c.ID)) {
			kept = append(kept, c)
		}
	}
	results := (&conform.Run{Cases: kept, Target: t}).Do(s.ctx)
	report.Trim(results)
	failed := 0
	for _, res := range results {
		if res.Bad() {
			failed++
		}
	}
	fmt.Printf("%s over HTTP/%s: %d cases, %d failed\n", p.name, p.version, len(results), failed)
	return results, nil
}

func matches(patterns []string, id string) bool {
	for _, p := range patterns {
		if conform.Match(p, id) {
			return true
		}
	}
	return false
}

// write writes what the flags ask for.
func (o *options) write(r *report.Report) error {
	if err := r.WriteText(os.Stdout, false); err != nil {
		return err
	}
	if o.json != "" {
		f, err := os.Create(o.json)
		if err != nil {
			return err
		}
		if err := r.WriteJSON(f); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if o.html != "" {
		if err := r.WriteHTML(o.html); err != nil {
			return err
		}
	}
	if o.markdown == "" || r.Cut {
		return nil
	}
	page, err := os.ReadFile(o.markdown)
	if err != nil {
		return err
	}
	if page, err = r.Markdown(page); err != nil {
		return err
	}
	return os.WriteFile(o.markdown, page, 0o666)
}
