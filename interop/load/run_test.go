package load

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"testing"
	"time"

	"weir/websocket"
)

// serveEcho is a server of the stack that this package measures.
func serveEcho(t *testing.T, secure bool) *url.URL {
	t.Helper()
	h := websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if f.IsData() {
				out = append(out, f.Reply())
			}
			return out
		}), &websocket.Options{Compress: true}
	})
	srv := httptest.NewUnstartedServer(h)
	if _, err := websocket.ConfigureServer(srv.Config, nil); err != nil {
		t.Fatal(err)
	}
	if secure {
		srv.EnableHTTP2 = false
		srv.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestRun makes short measurements over both shells, both versions of HTTP, with and without TLS.
func TestRun(t *testing.T) {
	insecure := &tls.Config{InsecureSkipVerify: true}
	plain, secure := serveEcho(t, false), serveEcho(t, true)
	for _, c := range []struct {
		name string
		cfg  Config
		want int64
	}{
		{"h1", Config{URL: plain, Connections: 4, InFlight: 3, Messages: 500}, 500},
		{"h1 portable", Config{URL: plain, Connections: 4, InFlight: 3, Messages: 500, Portable: true}, 500},
		{"h1 tls", Config{URL: secure, TLS: insecure, Connections: 4, InFlight: 3, Messages: 500}, 500},
		{"h1 tls portable", Config{URL: secure, TLS: insecure, Connections: 4, InFlight: 3, Messages: 500, Portable: true}, 500},
		{"h1 tls large", Config{URL: secure, TLS: insecure, Connections: 2, Messages: 20, Payloads: Text(900_000)}, 20},
		{"h1 tls slow", Config{URL: secure, TLS: insecure, Connections: 2, SlowReaders: 2, Messages: 200}, 200},
		{"h2 tls portable", Config{URL: secure, TLS: insecure, HTTP2: true, Connections: 2, Streams: 5, Messages: 500, Portable: true}, 500},
		{"h1 large", Config{URL: plain, Connections: 2, Messages: 20, Payloads: Text(900_000)}, 20},
		{"h1 large portable", Config{URL: plain, Connections: 2, Messages: 20, Payloads: Text(900_000), Portable: true}, 20},
		{"h1 loops", Config{URL: plain, Connections: 5, Loops: 2, Messages: 501}, 501},
		{"h1 deflate", Config{URL: plain, Connections: 2, Compress: true, Takeover: true, Payloads: Documents(64, 1024), Messages: 300}, 300},
		{"h1 deflate alone", Config{URL: plain, Connections: 2, Compress: true, Payloads: Documents(64, 1024), Messages: 300}, 300},
		{"h1 rate", Config{URL: plain, Connections: 2, Rate: 5000, Messages: 200}, 200},
		{"h1 slow", Config{URL: plain, Connections: 2, SlowReaders: 2, Messages: 200}, 200},
		{"h1 slow portable", Config{URL: plain, Connections: 2, SlowReaders: 2, Messages: 200, Portable: true}, 200},
		{"h2", Config{URL: plain, HTTP2: true, Connections: 2, Streams: 5, InFlight: 2, Messages: 500}, 500},
		{"h2 portable", Config{URL: plain, HTTP2: true, Connections: 2, Streams: 5, InFlight: 2, Messages: 500, Portable: true}, 500},
		{"h2 gather", Config{URL: plain, HTTP2: true, Connections: 2, Streams: 5, Messages: 500, Gather: 100 * time.Microsecond}, 500},
		{"h2 tls", Config{URL: secure, TLS: insecure, HTTP2: true, Connections: 2, Streams: 5, Messages: 500}, 500},
		{"h2 large", Config{URL: plain, HTTP2: true, Connections: 2, Streams: 2, Messages: 20, Payloads: Text(900_000)}, 20},
		{"h2 deflate", Config{URL: plain, HTTP2: true, Streams: 3, Compress: true, Takeover: true, Payloads: Documents(64, 1024), Messages: 300}, 300},
		{"h2 slow", Config{URL: plain, HTTP2: true, Streams: 3, SlowReaders: 2, Messages: 200}, 200},
		{"h1 warm", Config{URL: plain, Connections: 2, Warmup: 20 * time.Millisecond, Messages: 100}, 100},
		{"h1 binary", Config{URL: plain, Connections: 2, Binary: true, Payloads: Noise(200), Messages: 100}, 100},
		{"h1 empty", Config{URL: plain, Connections: 2, Payloads: [][]byte{{}}, Messages: 100}, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Timeout = time.Minute
			rep, err := Run(t.Context(), c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if rep.Messages != c.want || rep.Failed != 0 || rep.Lost != 0 || rep.Latency.Count != c.want && c.cfg.Warmup == 0 {
				t.Errorf("%d messages, %d latencies, errors %v", rep.Messages, rep.Latency.Count, rep.Errors)
			}
			if c.cfg.Compress && rep.Answer >= 1024 {
				t.Errorf("an answer has %.0f octets: not compressed", rep.Answer)
			}
		})
	}
}

func TestRunIdle(t *testing.T) {
	cfg := Config{URL: serveEcho(t, false), HTTP2: true, Mode: Idle, Connections: 2, Streams: 10, Duration: 10 * time.Millisecond}
	settled := 0
	if runtime.GOOS == "linux" {
		cfg.Pid = os.Getpid()
		cfg.Settle = func() error { settled++; return nil }
	}
	rep, err := Run(t.Context(), cfg)
	if err != nil || rep.Opened != 20 || rep.Failed != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if runtime.GOOS == "linux" && (settled != 2 || rep.Server.After.RSS <= 0 || rep.Server.After.PSS <= 0 || rep.Server.MemorySockets != 20) {
		t.Errorf("settled %d times, %+v", settled, rep.Server)
	}
}

// Whoever cannot be reached is told apart from who refuses and who says nothing.
func TestRunFails(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	refuses := httptest.NewServer(http.NotFoundHandler())
	defer refuses.Close()
	for _, portable := range []bool{false, true} {
		for _, c := range []struct {
			host    string
			timeout time.Duration
			want    OpenError
		}{{"127.0.0.1:1", time.Minute, OpenError{Connect: true}}, {refuses.Listener.Addr().String(), time.Minute, OpenError{Status: 404}},
			{silent.Addr().String(), 50 * time.Millisecond, OpenError{Timeout: true}}} {
			run := func(timeout time.Duration) (*OpenError, bool) {
				_, err = Run(t.Context(), Config{URL: &url.URL{Scheme: "ws", Host: c.host}, Connections: 3, Timeout: timeout, Portable: portable})
				return errors.AsType[*OpenError](err)
			}
			oe, ok := run(c.timeout)
			for timeout := 4 * c.timeout; ok && oe.Connect && c.want.Timeout && timeout < time.Minute; timeout *= 4 {
				oe, ok = run(timeout) // on a busy machine it takes longer to connect
			}
			if !ok || oe.Connect != c.want.Connect || oe.Status != c.want.Status || oe.Timeout != c.want.Timeout {
				t.Errorf("portable %v: %+v, %v; want %+v", portable, oe, err, c.want)
			}
		}
	}
	if _, err := Run(t.Context(), Config{URL: serveEcho(t, false), Pid: 1 << 30}); err == nil {
		t.Error("a process that does not exist is measured")
	}
}

// A context that ends ends the run, and what was measured until then is told.
func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := Config{URL: serveEcho(t, false), Connections: 2, Duration: time.Hour}
	cfg.Progress = func(p Progress) {
		if p.Messages > 0 {
			cancel()
		}
	}
	rep, err := Run(ctx, cfg)
	if err != nil || !rep.Interrupted || rep.Messages == 0 || rep.Seconds > 600 {
		t.Errorf("%+v, %v", rep, err)
	}
}
