package rfc8441

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/h2/h2test"
	"weir/interop/conform"
	"weir/stream"

	"golang.org/x/net/http2"
)

// serve is a server that does with each connection what it does, and then closes it.
func serve(t *testing.T, handle func(nc net.Conn)) *conform.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				handle(nc)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return &conform.Target{URL: &url.URL{Scheme: "http", Host: l.Addr().String(), Path: "/echo"}, Transport: stream.H2C}
}

// drain reads until the other side has gone.
func drain(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }

// TestHostile: whatever a server does, each case ends in its time, as FAILED, and says why.
func TestHostile(t *testing.T) {
	ping := h2test.AppendFrame(nil, http2.FramePing, 0, 0, make([]byte, 8))
	for name, handle := range map[string]func(nc net.Conn){
		"silent":       drain,
		"closes":       func(net.Conn) {},
		"reads little": func(nc net.Conn) { _, _ = nc.Read(make([]byte, 1)) },
		"HTTP/1.1":     func(nc net.Conn) { fmt.Fprint(nc, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"); drain(nc) },
		"settings": func(nc net.Conn) {
			_, _ = nc.Write(h2test.AppendFrame(nil, http2.FrameSettings, 0, 0, []byte{0, 8, 0, 0, 0, 1}))
			drain(nc)
		},
		"no settings":  func(nc net.Conn) { _, _ = nc.Write(ping); drain(nc) },
		"acknowledges": func(nc net.Conn) { _, _ = nc.Write(h2test.AppendFrame(nil, http2.FrameSettings, 1, 0, nil)); drain(nc) },
		"floods": func(nc net.Conn) {
			go drain(nc)
			_, _ = nc.Write(h2test.AppendFrame(nil, http2.FrameSettings, 0, 0, []byte{0, 8, 0, 0, 0, 1}))
			for {
				if _, err := nc.Write(ping); err != nil {
					return
				}
			}
		},
		"noise": func(nc net.Conn) {
			go drain(nc)
			r := rand.New(rand.NewPCG(1, 2))
			b := make([]byte, 4096)
			for range 1000 {
				for i := range b {
					b[i] = byte(r.Uint32())
				}
				if _, err := nc.Write(b); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, res := range (&conform.Run{Cases: brief(Cases()), Target: serve(t, handle), Jobs: 32}).Do(t.Context()) {
				if heard := strings.HasSuffix(res.Case.ID, "settings.first") || strings.HasSuffix(res.Case.ID, "settings.values"); heard && (name == "settings" || name == "floods") {
					continue // more is not asked
				}
				if !res.Bad() || res.Why == "" || strings.HasPrefix(res.Why, "conform: BUG") {
					t.Errorf("%s: %s: %s\n%s", res.Case.ID, res.Body, res.Why, dialogue(res))
				}
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		target := serve(t, drain)
		target.URL.Host = "127.0.0.1:1"
		for _, res := range (&conform.Run{Cases: brief(Cases()), Target: target}).Do(t.Context()) {
			if !res.Bad() || !strings.HasPrefix(res.Why, "no connection: ") {
				t.Errorf("%s: %s: %s", res.Case.ID, res.Body, res.Why)
			}
		}
	})
}

// brief gives cases little time.
func brief(cases []conform.Case) []conform.Case {
	for i := range cases {
		cases[i].Limit = 300 * time.Millisecond
	}
	return cases
}

// TestMangled: octets that are wrong here and there bring no case to its knees.
func TestMangled(t *testing.T) {
	server := weir(t, false)
	for seed := range uint64(3) {
		target := serve(t, func(nc net.Conn) {
			back, err := net.Dial("tcp", server.URL.Host)
			if err != nil {
				return
			}
			defer back.Close()
			go func() { _, _ = io.Copy(back, nc); back.Close() }()
			r := rand.New(rand.NewPCG(seed, 7))
			b := make([]byte, 1024)
			for {
				n, err := back.Read(b)
				for range 1 + n/100 {
					if n > 0 {
						b[r.IntN(n)] ^= byte(r.Uint32())
					}
				}
				if _, werr := nc.Write(b[:n]); err != nil || werr != nil {
					return
				}
			}
		})
		for _, res := range (&conform.Run{Cases: brief(Cases()), Target: target, Jobs: 32}).Do(t.Context()) {
			if strings.HasPrefix(res.Why, "conform: BUG") {
				t.Errorf("%s: %s\n%s", res.Case.ID, res.Why, dialogue(res))
			}
		}
	}
}
