package upgrade_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"weir/upgrade"
)

// TestOptionsOf: options of Loop and Tunnel are a value or a pointer; what is neither is an error.
func TestOptionsOf(t *testing.T) {
	extra := func(_ *http.Request, p *upgrade.PartialRequest) { p.Path += " filtered" }
	loop, tunnel := upgrade.LoopOptions{ReqFilter: extra}, upgrade.TunnelOptions{ReqFilter: extra}
	for _, tt := range []struct {
		name          string
		loop, tunnel  any
		told          string // to Terminate; "": refused
		logLoop, logT string
	}{
		{"nil", nil, nil, "/", "", ""},
		{"nil_pointer", (*upgrade.LoopOptions)(nil), (*upgrade.TunnelOptions)(nil), "/", "", ""},
		{"pointer", &loop, &tunnel, "/ filtered", "", ""},
		{"value", loop, tunnel, "/ filtered", "", ""},
		{"each_other's", tunnel, loop, "", "options are a upgrade.TunnelOptions, not a upgrade.LoopOptions", "options are a upgrade.LoopOptions, not a upgrade.TunnelOptions"},
		{"map", map[string]any{}, "hibernate", "", "options are a map[string]interface {}", "options are a string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c *clock
			serveHeld(t, func() *upgrade.Switch { return &upgrade.Switch{Protocol: upgrade.Loop, Handler: c, Options: tt.loop} }, func(h *held) {
				c = new(clock)
				status, _, leave := h.get()
				if tt.told != "" {
					c.q.Post("stop")
				}
				synctest.Wait()
				leave()
				check(h, status, 200, tt.told, c.reasons, tt.logLoop)
			})
			var e *tube
			serveHeld(t, func() *upgrade.Switch {
				return &upgrade.Switch{Protocol: upgrade.Tunnel{Token: "weir-echo"}, Handler: e, Options: tt.tunnel}
			}, func(h *held) {
				e = new(tube)
				status, _, leave := h.tunnel("weir-echo")
				leave()
				synctest.Wait()
				want := 101
				if h.http2 {
					want = 200
				}
				check(h, status, want, tt.told, e.reasons, tt.logT)
			})
		})
	}
}

func check(h *held, status, want int, told string, reasons []string, log string) {
	h.Helper()
	if told == "" {
		want = 500
	} else {
		told = "stop " + told
	}
	if got := strings.Join(reasons, "; "); status != want || got != told {
		h.Errorf("status %d, want %d; told %q, want %q", status, want, got, told)
	}
	if !strings.Contains(h.log.String(), log) {
		h.Errorf("log %q, want %q", &h.log, log)
	}
}

// TestLoopBacklogOff: a negative Backlog is none, and the largest is no smaller than others.
func TestLoopBacklogOff(t *testing.T) {
	for _, n := range []int{-1, math.MaxInt} {
		p := &poster{n: 2 * upgrade.DefaultBacklog}
		serveHeld(t, func() *upgrade.Switch {
			return &upgrade.Switch{Protocol: upgrade.Loop, Handler: p, Options: upgrade.LoopOptions{Backlog: n}}
		}, func(h *held) {
			p.infos, p.err = 0, nil
			status, body, leave := h.get()
			defer leave()
			if line, err := body.ReadString('\n'); status != 200 || line != fmt.Sprintln(p.n) || err != nil || p.err != nil {
				h.Errorf("status %d, %q, %v; posts: %v", status, line, err, p.err)
			}
		})
	}
}

// poster posts to itself, and says how many messages came.
type poster struct {
	n, infos int
	err      error
}

func (p *poster) LoopInit(q *upgrade.Queue, _ http.ResponseWriter) upgrade.LoopResult {
	for range p.n {
		p.err = errors.Join(p.err, q.Post("x"))
	}
	return upgrade.LoopOK
}

func (p *poster) LoopInfo(_ any, w http.ResponseWriter) upgrade.LoopResult {
	if p.infos++; p.infos < p.n {
		return upgrade.LoopOK
	}
	fmt.Fprintln(w, p.infos)
	return upgrade.LoopStop
}
