package main

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// samples are the lines of GET /metrics that begin with prefix.
func samples(t *testing.T, p *process, prefix string) []string {
	t.Helper()
	res, text := fetch(t, client(t, false), http.MethodGet, p.http+"/metrics", nil)
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("/metrics: %s, %s", res.Status, res.Header.Get("Content-Type"))
	}
	var out []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

func wantSamples(t *testing.T, p *process, prefix string, want ...string) {
	t.Helper()
	for began := time.Now(); ; { // a handshake is counted when its handler has returned, beside the session
		got := samples(t, p, prefix)
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return slices.Contains(got, w) })
		if len(missing) == 0 {
			return
		}
		if time.Since(began) > patience {
			t.Errorf("no %s among\n%s", strings.Join(missing, ", "), indent(strings.Join(got, "\n")))
			return
		}
	}
}

func TestMetrics(t *testing.T) {
	p := start(t)
	wantSamples(t, p, "weir_", `weir_sockets_open{transport="h1"} 0`, `weir_write_queue_sockets 0`, `weir_slow_consumers_total 0`)
	eachLane(t, p, func(t *testing.T, l *lane) {
		r := l.open(t, "/commands")
		p.event("open", "/commands")
		wantSamples(t, p, "weir_", `weir_sockets_open{transport="`+l.transport+`"} 1`, `weir_handshakes_total{result="ok",transport="`+l.transport+`"} 1`)
		r.say(script(`[{"text":"four"},{"binary":"AAEC"}]`), binaryFrame("two"), closing(4321, ""))
		r.want(append([]string{`text "four"`, `binary "\x00\x01\x02"`, `binary "two"`}, ended("4321")...)...)
		p.event("terminate", "/commands")
		wantSamples(t, p, "weir_", `weir_sockets_open{transport="`+l.transport+`"} 0`)
	})
	wantSamples(t, p, "weir_",
		`weir_messages_total{dir="in",type="text"} 5`, `weir_messages_total{dir="in",type="binary"} 5`,
		`weir_messages_total{dir="out",type="text"} 5`, `weir_messages_total{dir="out",type="binary"} 10`,
		`weir_bytes_total{dir="in"} 190`, `weir_bytes_total{dir="out"} 50`,
		`weir_close_total{code="4xxx",dir="in"} 5`, `weir_close_total{code="4xxx",dir="out"} 5`,
		`weir_terminate_total{reason="remote"} 5`)

	wantSamples(t, p, "weir_h2_", `weir_h2_tunnels 0`, `weir_h2_frames_total{dir="in",type="SETTINGS"} 4`, `weir_h2_flow_blocked_seconds_total{level="stream"} 0`)

	fetch(t, client(t, false), http.MethodGet, p.http+"/echo", nil)
	fetch(t, client(t, true), http.MethodGet, p.https+"/echo", nil)
	fetch(t, client(t, false), http.MethodGet, p.https+"/echo?window=0", nil)
	wantSamples(t, p, "weir_handshakes_total", `weir_handshakes_total{result="426",transport="h1"} 1`,
		`weir_handshakes_total{result="400",transport="h2"} 1`, `weir_handshakes_total{result="400",transport="h1tls"} 1`)

	for _, want := range []string{`^go_goroutines \d+$`, `^process_resident_memory_bytes `, `^process_open_fds \d+$`} {
		if got := samples(t, p, want[1:strings.Index(want, " ")]); len(got) != 1 || !regexp.MustCompile(want).MatchString(got[0]) {
			t.Errorf("%s: %q", want, got)
		}
	}
}

// A WebSocket whose peer does not read has a queue, and none once it is read, or has gone.
func TestMetricsQueue(t *testing.T) {
	p := start(t)
	for _, end := range []string{"read", "reset"} {
		t.Run(end, func(t *testing.T) {
			r := newLane(t, p, "h2c").open(t, "/echo")
			r.say(binaryFrame(strings.Repeat("q", 200_000)))
			// The server has taken the message a moment later.
			for began := time.Now(); samples(t, p, "weir_write_queue_sockets")[0] != "weir_write_queue_sockets 1"; {
				if time.Since(began) > patience {
					t.Fatal("no queue")
				}
			}
			if end == "read" {
				r.wantNext("binary of 200000")
				r.say(closing(1000, ""))
				r.want(ended("1000")...)
			} else {
				r.reset()
			}
			p.event("terminate", "/echo")
			wantSamples(t, p, "weir_write_queue_sockets", "weir_write_queue_sockets 0")
		})
	}
}
