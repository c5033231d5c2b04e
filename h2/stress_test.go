package h2_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// TestManyTunnels: tunnels that echo, tunnels that are reset midway and plain requests, all at once on a few connections.
func TestManyTunnels(t *testing.T) {
	ts := newTunnels()
	ts.open()
	overLoopback(t, nil, ts.ServeHTTP, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for c := range 3 {
			p, err := h2test.Dial(w.dial(t))
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for i := range 12 {
				wg.Go(func() {
					if err := oneOfMany(p, uint64(100*c+i), i%4 == 3); err != nil {
						t.Errorf("connection %d, tunnel %d: %v", c, i, err)
					}
				})
			}
		}
		wg.Wait()
		for range 36 {
			<-(<-ts.sinks).closed // every sink hears of its end, once: twice would panic
		}
	})
}

func oneOfMany(p *h2test.Peer, seed uint64, reset bool) error {
	r := rand.New(rand.NewPCG(seed, 3))
	tn, err := p.Connect("/echo")
	if err != nil {
		return err
	}
	sent := make([]byte, 150_000+r.IntN(100_000))
	for i := range sent {
		sent[i] = byte(r.Uint32())
	}
	if reset {
		if _, err := tn.Write(sent[:60_000]); err != nil {
			return err
		}
		tn.Reset(http2.ErrCodeCancel)
		res, err := p.Get("/")
		if err == nil && string(res.Body) != "plain" {
			err = fmt.Errorf("GET: %q", res.Body)
		}
		return err
	}
	go func() { // ends when all is written, or with the tunnel
		for b := sent; len(b) > 0; {
			n := min(1+r.IntN(40_000), len(b))
			if _, err := tn.Write(b[:n]); err != nil {
				return
			}
			b = b[n:]
		}
		tn.CloseWrite()
	}()
	got, err := io.ReadAll(tn)
	if err == nil && !bytes.Equal(got, sent) {
		err = fmt.Errorf("the echo of %d octets differs (%d)", len(sent), len(got))
	}
	return err
}
