package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"weir/internal/reach"
	"weir/interop/conform"
	"weir/interop/conform/report"
	"weir/stream"
)

// conformPlan is what a command line asks for.
type conformPlan struct {
	targets []conformTarget
	suites  []report.Suite   // the chosen, and h2spec's
	cases   []conform.Case   // the chosen, in order, h2spec's not among them
	given   []conform.Result // h2spec's
	known   []report.Known
}

// conformTarget is a server to be reached in one way.
type conformTarget struct {
	*conform.Target
	named bool // --http names its version: it has to be spoken
}

func (c *conformConfig) listens() bool { return len(c.server.listen) > 0 || c.server.tlsListen != "" }

// prepare makes a plan of the flags, or says what cannot be obeyed.
func (c *conformConfig) prepare(urls []string) (*conformPlan, error) {
	if err := c.check(urls); err != nil {
		return nil, err
	}
	p := new(conformPlan)
	for _, k := range c.known {
		known, err := report.ParseKnown(k)
		if err != nil {
			return nil, fmt.Errorf("--known %w", err)
		}
		p.known = append(p.known, known)
	}
	if err := c.target(p, urls); err != nil {
		return nil, err
	}
	if err := c.readH2spec(p); err != nil {
		return nil, err
	}
	if err := c.choose(p); err != nil {
		return nil, err
	}
	if len(urls) > 0 && len(p.given) == 0 && !slices.ContainsFunc(p.targets, func(t conformTarget) bool { return len(p.over(t.Transport)) > 0 }) {
		return nil, fmt.Errorf("none of the cases is for HTTP/%s", strings.Join(c.versions, ", "))
	}
	return p, c.files()
}

// check refuses what does not go together.
func (c *conformConfig) check(urls []string) error {
	c.server.listen = nonEmpty(c.server.listen)
	reports := c.json != "" || c.html != "" || c.markdown != "" || len(c.h2spec) > 0 || len(c.known) > 0
	switch {
	case c.client != "" && (len(urls) > 0 || c.list || c.listens()):
		return errors.New("--client plays the cases of another server: no URL, no --list, and no --listen")
	case c.client != "" && (reports || len(c.only)+len(c.but)+len(c.names) > 0 || c.strict || c.timeout != 0 || c.patience != 1):
		return errors.New("--client: the server chooses the cases and writes the reports")
	case c.client != "" && len(c.agents) > 1:
		return errors.New("--client: one --agent")
	case c.shutdown && c.client == "":
		return errors.New("--shutdown needs --client")
	case c.list && (len(urls) > 0 || c.listens()):
		return errors.New("--list runs nothing: no URL, and no --listen")
	case c.listens() && len(urls) > 0:
		return errors.New("--listen waits for clients: no URL")
	case c.client == "" && !c.list && !c.listens() && len(urls) == 0:
		return errors.New("a URL is needed, or --listen, --client or --list")
	case c.listens() && (len(c.agents) > 0 || len(c.h2spec) > 0 || c.tls.insecure || c.tls.cacert != ""):
		return errors.New("--agent, --h2spec, --insecure and --cacert are for servers, and do not go with --listen")
	case (c.server.cert == "") != (c.server.key == ""):
		return errors.New("--cert and --key go together")
	case c.server.cert != "" && c.server.tlsListen == "":
		return errors.New("--cert needs --tls-listen")
	case c.jobs < 1:
		return fmt.Errorf("--jobs %d: 1 or more", c.jobs)
	case c.patience < 1:
		return fmt.Errorf("--patience %d: 1 or more", c.patience)
	case c.timeout < 0:
		return fmt.Errorf("--timeout %v: 0 or more", c.timeout)
	case c.color != "auto" && c.color != "always" && c.color != "never":
		return fmt.Errorf("--color %q: auto, always or never", c.color)
	case c.verbose && c.quiet:
		return errors.New("--verbose and --quiet do not go together")
	case len(c.agents) > 1 && len(c.agents) != len(urls):
		return fmt.Errorf("--agent: %d names for %d URLs; one for all, or one for each", len(c.agents), len(urls))
	case slices.Contains(c.agents, ""):
		return errors.New("--agent: a name")
	}
	return nil
}

// target makes the targets of the URLs: each in each version of HTTP.
func (c *conformConfig) target(p *conformPlan, urls []string) error {
	type version struct {
		name  string
		named bool
	}
	var versions []version
	add := func(name string, named bool) {
		at := slices.IndexFunc(versions, func(v version) bool { return v.name == name })
		if at < 0 {
			versions = append(versions, version{name, named})
		} else if named {
			versions[at].named = true
		}
	}
	for _, v := range c.versions {
		switch v {
		case "1.1", "2":
			add(v, true)
		case "all":
			add("1.1", false)
			add("2", false)
		case "3":
			return errors.New("--http 3: HTTP/3 is not in this build")
		default:
			return fmt.Errorf("--http %q: 1.1, 2 or all", v)
		}
	}
	if len(versions) == 0 {
		return errors.New("--http: 1.1, 2 or all")
	}
	cfg, err := c.tls.config()
	if err != nil {
		return err
	}
	seen := map[report.Column]bool{}
	pace := &conform.Pace{Patience: c.patience}
	for i, u := range urls {
		for _, v := range versions {
			t, err := conform.NewTarget(u, v.name, cfg)
			if err != nil {
				return err
			}
			t.Pace = pace
			switch len(c.agents) {
			case 0:
				t.Agent = t.URL.Host
			case 1:
				t.Agent = c.agents[0]
			default:
				t.Agent = c.agents[i]
			}
			column := report.Column{Agent: t.Agent, Transport: t.Transport}
			if seen[column] {
				return fmt.Errorf("two servers are called %s: --agent, once for each URL, tells them apart", column.Title())
			}
			seen[column] = true
			p.targets = append(p.targets, conformTarget{t, v.named})
		}
	}
	return nil
}

// readH2spec reads the files of --h2spec. Their agent is that of the first URL.
func (c *conformConfig) readH2spec(p *conformPlan) error {
	seen := map[stream.Transport]bool{}
	for _, arg := range c.h2spec {
		if len(p.targets) == 0 {
			return errors.New("--h2spec is for a report: it needs a URL")
		}
		over, path := stream.H2C, arg
		if before, after, ok := strings.Cut(arg, "="); ok && (before == string(stream.H2C) || before == string(stream.H2)) {
			over, path = stream.Transport(before), after
		}
		if seen[over] {
			return fmt.Errorf("--h2spec %s: a second one over %s; h2=FILE is one over TLS", arg, over)
		}
		seen[over] = true
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("--h2spec: %w", err)
		}
		results, err := report.ReadH2spec(f, p.targets[0].Agent, over)
		f.Close()
		if err != nil {
			return fmt.Errorf("--h2spec %s: %w", path, err)
		}
		p.given = append(p.given, results...)
	}
	return nil
}

// choose takes the cases that the flags name.
func (c *conformConfig) choose(p *conformPlan) error {
	suites := c.suites
	if c.listens() {
		suites = c.fuzzing.suites
	}
	for _, name := range c.names {
		if !slices.ContainsFunc(suites, func(s report.Suite) bool { return s.Name == name }) {
			return fmt.Errorf("--suite %q: there is none of that name", name)
		}
	}
	var all []conform.Case
	for _, s := range suites {
		if len(c.names) == 0 || slices.Contains(c.names, s.Name) {
			p.suites = append(p.suites, s)
			all = append(all, s.Cases...)
		}
	}
	ours := len(all)
	if len(p.given) > 0 {
		s := report.H2spec(p.given)
		p.suites = append(p.suites, s)
		all = append(all, s.Cases...)
	}
	foreign := map[string]bool{}
	for _, k := range all[ours:] {
		foreign[k.ID] = true
	}
	chosen, err := conform.Select(all, c.only, c.but)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	strict := false
	for _, k := range chosen {
		switch {
		case foreign[k.ID]:
			kept[k.ID] = true
		case k.Strict && !c.strict:
			strict = true
		default:
			if c.timeout > 0 {
				k.Limit = c.timeout
			}
			p.cases = append(p.cases, k)
		}
	}
	p.given = slices.DeleteFunc(p.given, func(res conform.Result) bool { return !kept[res.Case.ID] })
	switch {
	case len(p.cases) > 0 || len(p.given) > 0:
		return nil
	case strict:
		return errors.New("no case is left: those are additional checks, which need --strict")
	}
	return errors.New("no case is left")
}

// files finds out early whether what is written at the end can be.
func (c *conformConfig) files() error {
	if c.markdown != "" {
		if _, err := os.ReadFile(c.markdown); err != nil {
			return fmt.Errorf("--markdown: %w", err)
		}
	}
	if c.html != "" {
		if err := os.MkdirAll(c.html, 0o777); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
	}
	if c.json != "" && c.json != "-" {
		f, err := os.OpenFile(c.json, os.O_WRONLY|os.O_CREATE, 0o666)
		if err != nil {
			return fmt.Errorf("--json: %w", err)
		}
		f.Close()
	}
	return nil
}

// over are the chosen cases that make sense on a transport.
func (p *conformPlan) over(t stream.Transport) []conform.Case {
	var cases []conform.Case
	for _, k := range p.cases {
		if k.RunsOver(t) {
			cases = append(cases, k)
		}
	}
	return cases
}

// writeList lists the chosen cases, one a line: number, transports if not all, title.
func (c *conformConfig) writeList(p *conformPlan, w io.Writer) error {
	var b strings.Builder
	for _, k := range p.cases {
		fmt.Fprintf(&b, "%-8s  %s", k.ID, reach.Line(k.Title))
		var notes []string
		for _, t := range k.Over {
			notes = append(notes, string(t))
		}
		if k.Strict {
			notes = append(notes, "strict")
		}
		if len(notes) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Join(notes, ", "))
		}
		b.WriteByte('\n')
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return &runError{err}
	}
	return nil
}
