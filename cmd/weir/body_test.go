package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/stream/memnet"
)

// quietServer is the server of `weir serve` with its defaults, in memory and in fake time.
func quietServer(t *testing.T) *memnet.Listener {
	t.Helper()
	c := &config{maxStreams: 250, window: 65535, maxFrameSize: 1_000_000, idleTimeout: time.Minute, drain: time.Second}
	srv, _, err := newServer(c, slog.New(slog.DiscardHandler), io.Discard).httpServer()
	if err != nil {
		t.Fatal(err)
	}
	l := memnet.Listen()
	done := make(chan struct{})
	go func() { // ends with Close
		defer close(done)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
		time.Sleep(time.Second) // in fake time: net/http waits half a second with some connections
	})
	return l
}

// TestSilentBody: no endpoint waits longer than 30 s for a body of which nothing comes, and a
// connection ends with it.
func TestSilentBody(t *testing.T) {
	for _, r := range []struct {
		request string
		status  int
		most    time.Duration // until the end
	}{
		{"POST /upload", 408, bodySilence},
		{"POST /", 408, bodySilence},
		{"POST /nothing", 408, bodySilence},
		{"GET /healthz", 200, bodySilence},
		{"GET /bytes/10", 200, bodySilence},
		{"PUT /bytes/10", 408, bodySilence},
		{"GET /metrics", 200, bodySilence},
		{"GET /events", 400, bodySilence},
		{"GET /echo", 426, 6 * time.Second},
		{"POST /tunnel", 426, 6 * time.Second},
		{"GET /echo?window=x", 400, 6 * time.Second},
	} {
		for name, framing := range map[string]string{"length": "Content-Length: 10", "chunked": "Transfer-Encoding: chunked"} {
			t.Run(strings.ReplaceAll(r.request, " /", "_")+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := quietServer(t)
					nc, err := l.Dial(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					defer nc.Close()
					start := time.Now()
					nc.SetReadDeadline(start.Add(time.Hour))
					fmt.Fprintf(nc, "%s HTTP/1.1\r\nHost: weir.test\r\n%s\r\n\r\n", r.request, framing)
					in := bufio.NewReader(nc)
					res, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatal(err)
					}
					if res.StatusCode != r.status {
						t.Errorf("%s, want %d", res.Status, r.status)
					}
					_, _ = io.Copy(io.Discard, in)
					if d := time.Since(start); d > r.most+time.Second {
						t.Errorf("the end after %v, want %v at most", d, r.most)
					}
				})
			})
		}
	}
	t.Run("http/2", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := quietServer(t)
			nc, err := l.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p, err := h2test.Dial(nc)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			start := time.Now()
			tn, err := p.Open(false, ":method", "POST", ":scheme", "http", ":path", "/upload", ":authority", "weir.test", "content-length", "10")
			if err != nil {
				t.Fatal(err)
			}
			if err := tn.Answer(time.Hour); err != nil || tn.Status != 408 {
				t.Error(tn.Status, err)
			}
			if d := time.Since(start); d > bodySilence+time.Second {
				t.Errorf("the answer after %v", d)
			}
		})
	})
}

// TestSlowUpload: a body of which something comes now and then takes as long as it likes.
func TestSlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := quietServer(t)
		nc, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		fmt.Fprint(nc, "POST /upload HTTP/1.1\r\nHost: weir.test\r\nContent-Length: 100\r\n\r\n")
		for range 100 {
			time.Sleep(bodySilence * 9 / 10)
			fmt.Fprint(nc, "x")
		}
		res, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if res.StatusCode != 200 || !bytes.Equal(bytes.TrimSpace(b), []byte(`{"bytes":100}`)) || err != nil {
			t.Errorf("%s %q, %v", res.Status, b, err)
		}
	})
}
