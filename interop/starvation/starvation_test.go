package main

import (
	"fmt"
	"testing"
)

// TestStarvation: the next 1000 echoes of each WebSocket complete while others of its connection are paused, and their
// peers have sent until no window was left (RFC 9113, 5.2: what one stream holds back is not its siblings'). Then the paused ones go on.
func TestStarvation(t *testing.T) {
	for _, c := range []struct{ paused, active int }{{1, 1}, {50, 50}} {
		t.Run(fmt.Sprintf("%d_of_%d_paused", c.paused, c.paused+c.active), func(t *testing.T) {
			s, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			var as, bs []*socket
			for i := range c.paused + c.active {
				w, err := s.socket()
				if err != nil {
					t.Fatal(err)
				}
				if i%2 == 0 {
					as = append(as, w)
				} else {
					bs = append(bs, w)
				}
			}
			for i, a := range as {
				if err := a.stall(); err != nil {
					t.Fatalf("%d: %v", i, err)
				}
			}
			done := make(chan error)
			for _, b := range bs {
				go func() { done <- echoes(b, 1000) }() // ends with its echoes, or the connection
			}
			for range bs {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			for i, a := range as {
				if err := a.stalled(); err != nil {
					t.Errorf("%d, afterwards: %v", i, err)
				}
			}
			for i, a := range as {
				if err := a.resume(); err != nil {
					t.Fatalf("%d: %v", i, err)
				}
				if err := echoes(a, 10); err != nil {
					t.Fatalf("%d, which was paused: %v", i, err)
				}
			}
		})
	}
}

func echoes(w *socket, n int) error {
	payload := make([]byte, 125)
	for i := range n {
		payload[0], payload[1] = byte(i), byte(i>>8)
		if err := w.echo(payload); err != nil {
			return fmt.Errorf("echo %d of %d: %w", i+1, n, err)
		}
	}
	return nil
}
