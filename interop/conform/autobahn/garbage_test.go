package autobahn_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"weir/interop/conform"
	"weir/interop/conform/autobahn"
	"weir/interop/conform/wire"
	"weir/stream"
	"weir/stream/streamtest"
)

// TestGarbage: peers that say anything, at any time, get a verdict and no more.
func TestGarbage(t *testing.T) {
	var seed atomic.Uint64
	garbage := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := seed.Add(1)
		rnd := rand.New(rand.NewPCG(n, 1))
		a := wire.Answer{}
		if n%3 == 0 {
			a.Extensions = []string{"permessage-deflate", "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8", "permessage-deflate; x", ";;=,"}[rnd.IntN(4)]
		}
		c, err := wire.Accept(context.Background(), w, r, a)
		if err != nil {
			return
		}
		defer c.Close()
		for range rnd.IntN(20) {
			b := make([]byte, rnd.IntN(100))
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			switch rnd.IntN(4) {
			case 0:
				b = append([]byte{0x82, 127, 0, 0, 0, byte(rnd.IntN(3)), 255, 255, 255, 255}, b...) // gigabytes are announced
			case 1:
				b = append([]byte{0xc1, byte(len(b))}, b...)
			case 2:
				b = append([]byte{0x88, byte(len(b))}, b...)
			}
			if c.Write(b) != nil {
				return
			}
		}
		if rnd.IntN(2) == 0 {
			c.Reset()
		}
	})
	for _, tr := range []stream.Transport{stream.H1, stream.H2C} {
		t.Run(string(tr), func(t *testing.T) {
			target := serve(t, tr, garbage)
			target.Pace = nil // nothing is wrong with a verdict that comes early
			cases, err := conform.Select(autobahn.Cases(), strings.Fields("1.1 2 3 5 6.4 7 9.1.1 10 12.1.1 13 strict"), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range (&conform.Run{Cases: cases, Target: target, Jobs: 32}).Do(t.Context()) {
				if strings.Contains(r.Why, "BUG") {
					t.Errorf("%s: %s\n%s", r.Case.ID, r.Why, dump(r.Log))
				}
			}
			calm(t)
		})
	}
}

// TestSilence: a peer that says nothing, and one that reads nothing, are given up.
func TestSilence(t *testing.T) {
	for _, tr := range []stream.Transport{stream.H1, stream.H2C} {
		t.Run(string(tr), func(t *testing.T) {
			done := make(chan struct{})
			target := serve(t, tr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := wire.Accept(context.Background(), w, r, wire.Answer{})
				if err != nil {
					return
				}
				<-done
				c.Close()
			}))
			defer close(done)
			target.Pace = nil // nothing is wrong with a verdict that comes early
			cases, err := conform.Select(autobahn.Cases(), strings.Fields("1.1.1 2.1 3.1 5.3 5.19 6.4.1 7.1.1 7.3.1 strict.close strict.deflate.mixed strict.concurrency"), nil)
			if err != nil {
				t.Fatal(err)
			}
			given := make(chan []conform.Result, 1)
			go func() { // ends with the cases
				given <- (&conform.Run{Cases: cases, Target: target, Jobs: 32}).Do(t.Context())
			}()
			for _, r := range streamtest.Within(t, "all cases are given up", given) {
				if !r.Bad() && r.Body != conform.Unimplemented {
					t.Errorf("%s: %s, close %s", r.Case.ID, r.Body, r.Close)
				}
			}
		})
	}
}

// TestVisitors: clients of the fuzzing server that ask for what is not there, or say anything.
func TestVisitors(t *testing.T) {
	s, err := autobahn.NewServer(autobahn.ServerOptions{Cases: selected(t, "1.1.1 7.1.1", "")})
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range []stream.Transport{stream.H1, stream.H2} {
		t.Run(string(tr), func(t *testing.T) {
			target := serve(t, tr, s)
			get := func(path string, query ...string) string {
				to := target.Path(path)
				for i := 0; i < len(query); i += 2 {
					to = to.With(query[i], query[i+1])
				}
				c, err := wire.Dial(t.Context(), to, wire.Request{})
				if err != nil {
					return err.Error()
				}
				defer c.Close()
				e, _ := c.Next(t.Context(), streamtest.Patience(t))
				return string(e.Frame.Payload)
			}
			for _, path := range []string{"/", "/runCase"} {
				if got := get(path, "agent", "x"); !strings.HasPrefix(got, "answered 40") {
					t.Errorf("%s: %s", path, got)
				}
			}
			for _, n := range []string{"0", "3", "-1", "x", "99999999999999999999"} {
				if got := get("/runCase", "case", n); !strings.HasPrefix(got, "answered 400") {
					t.Errorf("case %s: %s", n, got)
				}
			}
			if got := get("/getCaseCount"); got != "2" {
				t.Errorf("count %q", got)
			}
			if got := get("/getCaseInfo", "case", "2"); !strings.HasPrefix(got, `{"description":"a text, then`) || !strings.HasSuffix(got, `"id":"7.1.1"}`) {
				t.Errorf("info %q", got)
			}
			agent := "lost over " + string(tr)
			if got := get("/runCase", "case", "1", "agent", agent); got != "" {
				t.Errorf("the first case sent %q", got)
			}
			if got := get("/getCaseStatus", "case", "1", "agent", agent); got != `{"behavior":"FAILED","behaviorClose":"FAILED"}` {
				t.Errorf("status %q", got)
			}
			if got := get("/getCaseStatus", "case", "2", "agent", agent); got != `{"behavior":"","behaviorClose":""}` {
				t.Errorf("status of what was not visited %q", got)
			}
			if got := get("/runCase", "case", "1", "agent", strings.Repeat("x", 300)); !strings.HasPrefix(got, "answered 400") {
				t.Errorf("a long name: %q", got)
			}
		})
	}
	calm(t)
	if agents := s.Agents(); len(agents) != 2 {
		t.Errorf("agents %q", agents)
	}
	if _, err := autobahn.NewServer(autobahn.ServerOptions{Cases: []conform.Case{{ID: "strict.open.good"}}}); err == nil {
		t.Error("a case for servers only is one of the fuzzing server")
	}
}
