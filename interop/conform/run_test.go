package conform

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"
)

func target() *Target {
	return &Target{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:1", Path: "/"}, Transport: stream.H1, Agent: "a server"}
}

// run makes a case that ends with o.
func run(id string, o Outcome) Case {
	return Case{ID: id, Run: func(context.Context, *Target, *Log) Outcome { return o }}
}

func TestRunOrder(t *testing.T) {
	var atOnce, most atomic.Int32
	heavy := func(id string) Case {
		return Case{ID: id, Heavy: true, Run: func(context.Context, *Target, *Log) Outcome {
			most.Store(max(most.Load(), atOnce.Add(1)))
			defer atOnce.Add(-1)
			return Pass()
		}}
	}
	r := Run{Target: target(), Cases: []Case{heavy("1.1"), run("1.2", Fail("no")), heavy("1.3"), run("1.4", Pass()), run("1.5", Pass())}}
	r.Cases[4].Over = []stream.Transport{stream.H2}
	var told []string
	r.Progress = func(res Result) { told = append(told, res.Case.ID) }
	results := r.Do(t.Context())
	var ids []string
	for _, res := range results {
		ids = append(ids, res.Case.ID)
	}
	if got := strings.Join(ids, " "); got != "1.1 1.2 1.3 1.4" {
		t.Errorf("results of %s", got)
	}
	if !results[1].Bad() || results[0].Bad() {
		t.Error("the outcomes are not those of the cases")
	}
	if most.Load() != 1 {
		t.Errorf("%d heavy cases at once", most.Load())
	}
	if !slices.Equal(told[2:], []string{"1.1", "1.3"}) {
		t.Errorf("told in the order %v: the heavy ones do not come last", told)
	}
}

// Those that are Busy come between the others and those that are Heavy, two at a time.
func TestRunBusy(t *testing.T) {
	var atOnce, most atomic.Int32
	two := make(chan struct{}, 2)
	busy := func(id string) Case {
		return Case{ID: id, Busy: true, Run: func(ctx context.Context, _ *Target, _ *Log) Outcome {
			most.Store(max(most.Load(), atOnce.Add(1)))
			defer atOnce.Add(-1)
			two <- struct{}{}
			for len(two) < 2 && ctx.Err() == nil { // there is another
				time.Sleep(time.Millisecond)
			}
			return Pass()
		}}
	}
	synctest.Test(t, func(t *testing.T) {
		heavy := run("1.1", Pass())
		heavy.Heavy = true
		r := Run{Target: target(), Cases: []Case{heavy, busy("1.2"), busy("1.3"), run("1.4", Pass())}}
		var told []string
		r.Progress = func(res Result) { told = append(told, res.Case.ID) }
		r.Do(t.Context())
		if most.Load() != 2 || told[0] != "1.4" || told[3] != "1.1" {
			t.Errorf("%d at once, told in the order %v", most.Load(), told)
		}
	})
}

func TestRunLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := Case{ID: "1.1", Limit: time.Minute, Run: func(ctx context.Context, _ *Target, log *Log) Outcome {
			log.Add(Sent, []byte("x"), "a line")
			<-ctx.Done()
			return Pass()
		}}
		res := (&Run{Target: target(), Cases: []Case{wait}}).Do(t.Context())[0]
		if !res.Bad() || res.Why != "not done after 1m0s" || res.Duration != time.Minute {
			t.Errorf("a case over its limit: %+v", res)
		}
		if len(res.Log) != 1 || res.Log[0].Dir != Sent || string(res.Log[0].Octets) != "x" {
			t.Errorf("log %+v", res.Log)
		}
	})
}

func TestRunPanic(t *testing.T) {
	bug := Case{ID: "1.1", Run: func(context.Context, *Target, *Log) Outcome { panic(errors.New("slip")) }}
	res := (&Run{Target: target(), Cases: []Case{bug, run("1.2", Pass())}}).Do(t.Context())
	if len(res) != 2 || res[0].Why != "conform: BUG: slip" || res[1].Bad() {
		t.Errorf("%+v", res)
	}
}

// A run that is cut short has the results that it has.
func TestRunCut(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	last := Case{ID: "1.1", Run: func(context.Context, *Target, *Log) Outcome { cancel(); return Pass() }}
	res := (&Run{Target: target(), Jobs: 1, Cases: []Case{last, run("1.2", Pass()), run("1.3", Pass())}}).Do(ctx)
	if len(res) == 0 || len(res) == 3 || res[0].Bad() {
		t.Errorf("%+v", res)
	}

	// What was under way has not failed.
	ctx, cancel = context.WithCancel(t.Context())
	cut := Case{ID: "1.1", Run: func(ctx context.Context, _ *Target, _ *Log) Outcome { cancel(); <-ctx.Done(); return Fail("no answer") }}
	if res := (&Run{Target: target(), Jobs: 1, Cases: []Case{cut}}).Do(ctx); len(res) != 0 {
		t.Errorf("a case that was cut short: %+v", res)
	}
}

func TestRunBegan(t *testing.T) {
	var told []string
	r := Run{Target: target(), Jobs: 1, Cases: []Case{run("1.1", Pass()), run("1.2", Pass())}}
	r.Began = func(c Case) { told = append(told, "begin "+c.ID) }
	r.Progress = func(res Result) { told = append(told, "end "+res.Case.ID) }
	r.Do(t.Context())
	if got := strings.Join(told, ", "); got != "begin 1.1, end 1.1, begin 1.2, end 1.2" {
		t.Error(got)
	}
}

func TestSelect(t *testing.T) {
	var cases []Case
	for _, id := range []string{"1.1.1", "6.2.1", "6.22.1", "9.1.1", "8441.settings.first", "8441.close.fin"} {
		cases = append(cases, run(id, Pass()))
	}
	for _, test := range []struct{ only, but, want string }{
		{"", "", "1.1.1 6.2.1 6.22.1 9.1.1 8441.settings.first 8441.close.fin"},
		{"*", "9.*", "1.1.1 6.2.1 6.22.1 8441.settings.first 8441.close.fin"},
		{"6.*", "", "6.2.1 6.22.1"},
		{"6", "6.2", "6.22.1"},
		{"6.2*", "", "6.2.1 6.22.1"},
		{"6.2.*,1.1.1", "", "1.1.1 6.2.1"},
		{"8441.settings", "", "8441.settings.first"},
	} {
		kept, err := Select(cases, fields(test.only), fields(test.but))
		var ids []string
		for _, c := range kept {
			ids = append(ids, c.ID)
		}
		if got := strings.Join(ids, " "); err != nil || got != test.want {
			t.Errorf("%q without %q: %s, %v", test.only, test.but, got, err)
		}
	}
	for _, slip := range []string{"6.3.*", "7", "6.2.1.1", ""} {
		if _, err := Select(cases, []string{slip}, nil); err == nil {
			t.Errorf("%q names no case and is no error", slip)
		}
	}
}

func fields(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func TestGroup(t *testing.T) {
	for id, want := range map[string]string{"6.4.1": "6", "2.1": "2", "8441.settings.first": "8441.settings", "strict.deflate.bomb": "strict.deflate"} {
		if c := (Case{ID: id}); c.Group() != want {
			t.Errorf("group of %s: %q", id, c.Group())
		}
	}
}

func TestNewTarget(t *testing.T) {
	for _, test := range []struct {
		url, version string
		want         stream.Transport
	}{
		{"ws://h/echo", "1.1", stream.H1}, {"wss://h/echo", "1.1", stream.H1TLS}, {"http://h", "2", stream.H2C}, {"https://h:1/x?y=1", "2", stream.H2},
	} {
		got, err := NewTarget(test.url, test.version, nil)
		if err != nil || got.Transport != test.want || (got.TLS != nil) != (test.want == stream.H1TLS || test.want == stream.H2) {
			t.Errorf("%s over HTTP/%s: %+v, %v", test.url, test.version, got, err)
		}
	}
	for _, bad := range [][2]string{{"ftp://h", "2"}, {"ws://h", "4"}, {"ws://", "2"}, {"ws://h/#x", "2"}, {"ws://h:x", "2"}} {
		if _, err := NewTarget(bad[0], bad[1], nil); err == nil {
			t.Errorf("%s over HTTP/%s is no error", bad[0], bad[1])
		}
	}
}
