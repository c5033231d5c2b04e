package h2_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream/memnet"
)

func begin(t *testing.T, p *h2test.Peer, path string, fields ...string) *h2test.Tunnel {
	t.Helper()
	pseudo := []string{":method", "POST", ":scheme", "http", ":authority", "a", ":path", path}
	tn, err := p.Open(false, append(pseudo, fields...)...)
	if err != nil {
		t.Fatal(err)
	}
	return tn
}

// TestUploadsArriveWhole: what handlers read, in pieces of any size, is what clients sent, however
// much the windows have grown.
func TestUploadsArriveWhole(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		h, rnd := sha256.New(), rand.New(rand.NewPCG(uint64(len(r.URL.Path)), 0))
		b := make([]byte, 100_000)
		for {
			n, err := r.Body.Read(b[:rnd.IntN(len(b))])
			h.Write(b[:n])
			if rnd.IntN(20) == 0 {
				time.Sleep(10 * time.Millisecond)
			}
			if err != nil {
				fmt.Fprintf(w, "%x %v", h.Sum(nil), err)
				return
			}
		}
	}, func(s *site) {
		p := s.dial()
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), 1))
				all := make([]byte, 1+rnd.IntN(5<<20))
				for i := range all {
					all[i] = byte(rnd.Int())
				}
				var fields []string
				if i%2 == 0 {
					fields = []string{"content-length", fmt.Sprint(len(all))}
				}
				tn := begin(t, p, fmt.Sprintf("/%0*d", i+1, i), fields...)
				for b := all; len(b) > 0; {
					n, err := tn.Write(b[:min(1+rnd.IntN(200_000), len(b))])
					if err != nil {
						t.Errorf("upload %d: %v", i, err)
						return
					}
					b = b[n:]
				}
				tn.CloseWrite()
				want := fmt.Sprintf("%x EOF", sha256.Sum256(all))
				if res, err := tn.Response(time.Hour); err != nil || string(res.Body) != want {
					t.Errorf("upload %d of %d octets: %s, %v", i, len(all), res.Body, err)
				}
			})
		}
		clients.Wait()
	})
}

// TestUploadWindow: a stream has the initial window until its handler reads, and then 1 MiB at
// once; what is not read is bounded by it. Config and http.HTTP2Config bound it further.
func TestUploadWindow(t *testing.T) {
	const mib = 1 << 20
	for name, tt := range map[string]struct {
		cfg    h2.Config
		http   http.HTTP2Config
		before int // octets that a client may send before the first Read
		after  int
	}{
		"default":                {before: 65535, after: mib},
		"MaxWindow":              {cfg: h2.Config{MaxWindow: 200_000}, before: 65535, after: 200_000},
		"MaxWindow off":          {cfg: h2.Config{MaxWindow: -1}, before: 65535, after: 65535},
		"MaxConnWindow":          {cfg: h2.Config{MaxConnWindow: 200_000}, before: 65535, after: 165_535},
		"MaxConnWindow off":      {cfg: h2.Config{MaxConnWindow: -1}, before: 65535, after: 65535},
		"InitialWindow":          {cfg: h2.Config{InitialWindow: 300_000}, before: 300_000, after: mib},
		"InitialWindow over all": {cfg: h2.Config{InitialWindow: 6 * mib, ConnWindow: 8 * mib}, before: 6 * mib, after: 6 * mib},
		"HTTP2Config":            {http: http.HTTP2Config{MaxReceiveBufferPerStream: 100_000}, before: 100_000, after: 100_000},
		"HTTP2Config of the connection": {
			http: http.HTTP2Config{MaxReceiveBufferPerConnection: 200_000}, before: 65535, after: 165_535},
		"HTTP2Config, and MaxWindow against it": {
			cfg: h2.Config{MaxWindow: 500_000}, http: http.HTTP2Config{MaxReceiveBufferPerStream: 100_000}, before: 100_000, after: 500_000},
	} {
		t.Run(name, func(t *testing.T) {
			var read chan bool
			bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
				<-read
				r.Body.Read(make([]byte, 1))
				<-read
				n, err := io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, 1+n, err)
			}, func(s *site) {
				read = make(chan bool)
				hs := &http.Server{HTTP2: &tt.http, Handler: s.hs.Handler}
				var err error
				if s.h2, err = h2.ConfigureServer(hs, &tt.cfg); err != nil {
					t.Fatal(err)
				}
				s.hs.Close()
				s.hs = hs
				s.l = memnet.Listen()
				go hs.Serve(s.l) // ends with Close
				p := s.dial()
				tn := begin(t, p, "/")
				total := 0
				for i, want := range []int{tt.before, tt.after} {
					if i > 0 {
						read <- true
					}
					tn.SetReadDeadline(time.Now().Add(time.Second))
					n, err := tn.Write(bytes.Repeat([]byte{'x'}, 10*mib))
					if total += n; total != want || !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatalf("%d times read: the client may send %d, want %d: %v", i, total, want, err)
					}
				}
				tn.SetReadDeadline(time.Time{})
				read <- true
				if n, err := tn.Write(make([]byte, 12*mib-total)); err != nil {
					t.Errorf("%d more: %v", n, err)
				}
				tn.CloseWrite()
				want := fmt.Sprintf("%d <nil>", 12*mib)
				if res, err := tn.Response(time.Hour); err != nil || string(res.Body) != want {
					t.Errorf("%+v, %v", res, err)
				}
			})
		})
	}
}
