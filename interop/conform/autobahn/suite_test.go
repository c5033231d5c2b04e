package autobahn_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/autobahn"
	"weir/stream"
	"weir/stream/streamtest"
	"weir/websocket"
)

// transports are all that the suites run over.
var transports = []stream.Transport{stream.H1, stream.H1TLS, stream.H2C, stream.H2}

// serve runs a handler, and gives the target that reaches it over a transport.
func serve(t *testing.T, tr stream.Transport, h http.Handler) *conform.Target {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetHTTP2(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	if _, err := websocket.ConfigureServer(s.Config, nil); err != nil {
		t.Fatal(err)
	}
	s.EnableHTTP2 = true
	if tr == stream.H1TLS || tr == stream.H2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	target, err := conform.NewTarget(s.URL+"/echo", tr.HTTPVersion(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	target.Agent, target.Pace = "a server", &conform.Pace{Patience: patience}
	return target
}

// echo is a conforming server.
func echo(o websocket.Options) http.Handler {
	return websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if f.IsData() {
				out = append(out, f.Reply())
			}
			return out
		}), &o
	})
}

// everything is what the echo server of the tests agrees to.
var everything = websocket.Options{Compress: true, MaxFrameSize: -1, Origins: []string{"*"}, Subprotocols: []string{"one", "two"}}

// patience makes up for a busy machine. Cases whose peer has to be given up take longer for it.
const patience = 2

// pick selects cases for tests.
func pick(t *testing.T, only, but string) []conform.Case {
	t.Helper()
	cases, err := conform.Select(autobahn.Cases(), strings.Fields(only), strings.Fields(but))
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// calm fails the test if goroutines of the suite's are left after a while.
func calm(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(streamtest.Patience(t)); ; time.Sleep(10 * time.Millisecond) {
		b := make([]byte, 1<<20)
		b = b[:runtime.Stack(b, true)]
		left := 0
		for g := range strings.SplitSeq(string(b), "\n\n") {
			if strings.Contains(g, "weir/interop/conform/wire.") || strings.Contains(g, "h2test.(*Peer)") {
				left++
			}
		}
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left:\n%s", left, b)
		}
	}
}

// heavy is what takes long; of it sample is run.
const (
	heavy  = "9 12 13"
	sample = "9.1.2 9.3.5 9.6.6 9.7.2 12.1.3 12.2.2 12.4.4 13.3.3 13.5.4 13.7.11"
)

func TestServer(t *testing.T) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			target := serve(t, tr, echo(everything))
			cases := idle(append(pick(t, "", heavy), pick(t, sample, "")...))
			for _, r := range (&conform.Run{Cases: cases, Target: target}).Do(t.Context()) {
				check(t, r)
			}
			calm(t)
		})
	}
}

// idle leaves out, under the race detector, the cases that keep a processor busy.
func idle(cases []conform.Case) []conform.Case {
	if underRace {
		cases = slices.DeleteFunc(cases, func(c conform.Case) bool { return c.Busy })
	}
	return cases
}

// check holds a conforming peer to what it should be.
func check(t *testing.T, r conform.Result) {
	t.Helper()
	if r.Bad() || r.Body == conform.NonStrict || r.Body == conform.Unimplemented {
		t.Errorf("%s (%s): %s, close %s, code %s: %s\n%s", r.Case.ID, r.Case.Title, r.Body, r.Close, code(r), r.Why, dump(r.Log))
	}
}

// code is the peer's close code.
func code(r conform.Result) string {
	if r.Code == nil {
		return "none"
	}
	return fmt.Sprint(*r.Code)
}

func dump(log []conform.Entry) string {
	var b strings.Builder
	for _, e := range log {
		b.WriteString("  " + e.At.String() + " " + string(e.Dir) + " " + e.Text + "\n")
	}
	return b.String()
}
