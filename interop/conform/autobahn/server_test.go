package autobahn_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"weir/interop/conform"
	"weir/interop/conform/agent"
	"weir/interop/conform/autobahn"
	"weir/stream"
	"weir/websocket"
)

// visit has weir's client visit a fuzzing server over a transport.
func visit(t *testing.T, tr stream.Transport, o autobahn.ServerOptions, a agent.Options) *autobahn.Server {
	t.Helper()
	o.Pace = &conform.Pace{Patience: patience}
	s, err := autobahn.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	target := serve(t, tr, s)
	d := &websocket.Dialer{HTTP: websocket.HTTP1, TLS: &tls.Config{InsecureSkipVerify: true}}
	if target.HTTP2() {
		d.HTTP = websocket.HTTP2
	}
	defer d.CloseIdle()
	a.Agent, a.Dialer, a.Dial.Compress = "weir", d, true
	if err := agent.Echo(t.Context(), target.URL.Scheme+"://"+target.Authority(), a); err != nil {
		t.Fatal(err)
	}
	return s
}

// selected are the cases of the fuzzing server that patterns name.
func selected(t *testing.T, only, but string) []conform.Case {
	t.Helper()
	cases, err := conform.Select(autobahn.ServerCases(), strings.Fields(only), strings.Fields(but))
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestClient(t *testing.T) {
	for _, tr := range transports {
		for _, blocking := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/blocking=%t", tr, blocking), func(t *testing.T) {
				o := autobahn.ServerOptions{Cases: selected(t, "", heavy)}
				if !blocking {
					o.Cases = append(o.Cases, selected(t, sample, "")...)
				}
				o.Cases = idle(o.Cases)
				var updated []conform.Result
				completed := make(chan string, 1)
				o.Updated = func(_ string, rs []conform.Result) { updated = rs }
				o.Completed = func(agent string) { completed <- agent }
				s := visit(t, tr, o, agent.Options{Blocking: blocking, Jobs: 8, Shutdown: true})
				rs := s.Results("weir")
				if len(rs) != len(o.Cases) || len(updated) != len(rs) {
					t.Errorf("%d results, %d told of; there are %d cases", len(rs), len(updated), len(o.Cases))
				}
				if by := <-completed; by != "weir" {
					t.Errorf("completed by %q", by)
				}
				for _, r := range rs {
					if blocking && r.Body == conform.NonStrict && len(r.Case.ID) <= 5 && r.Case.ID[0] != '6' {
						// What is good and what is bad came in one piece: the WebSocket has ended
						// before its reader wakes up.
						continue
					}
					check(t, r)
					if r.Transport != tr {
						t.Errorf("%s went over %s", r.Case.ID, r.Transport)
					}
				}
			})
		}
	}
	calm(t)
}
