package h2_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// TestCountedIsHeld: what a connection counts for a stream (Config.MaxMemory and MaxConnWindow) is
// what it holds, also while a handler that has read its body, or wants none of it, goes on for
// long.
func TestCountedIsHeld(t *testing.T) {
	const size = 1_000_000
	length := []string{"content-length", "1000000"}
	send := func(tn *h2test.Tunnel) { tn.Write(make([]byte, size)) }
	sendAll := func(tn *h2test.Tunnel) { send(tn); tn.CloseWrite() }
	readFull := func(_ http.ResponseWriter, r *http.Request) { io.ReadFull(r.Body, make([]byte, size)) }
	for _, tt := range []struct {
		name    string
		fields  []string
		client  func(*h2test.Tunnel)
		handler func(http.ResponseWriter, *http.Request)
		granted bool // the window still counts
	}{
		{"read_to_its_end", nil, sendAll, func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
		}, false},
		{"read_to_its_end_of_a_known_length", length, sendAll, func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
		}, false},
		{"read_to_its_last_octet", length, sendAll, readFull, false},
		{"read_before_its_end_comes", length, func(tn *h2test.Tunnel) {
			send(tn)
			synctest.Wait()
			tn.CloseWrite()
		}, readFull, false},
		{"read_as_far_as_it_has_come", nil, send, readFull, true},
		{"closed", nil, send, func(_ http.ResponseWriter, r *http.Request) {
			io.ReadFull(r.Body, make([]byte, size/2))
			synctest.Wait()
			r.Body.Close()
		}, false},
		{"closed_before_it_comes", nil, send, func(_ http.ResponseWriter, r *http.Request) {
			r.Body.Close()
		}, false},
		{"read_behind_a_reset", nil, func(tn *h2test.Tunnel) {
			send(tn)
			synctest.Wait()
			tn.Reset(http2.ErrCodeCancel)
		}, func(_ http.ResponseWriter, r *http.Request) {
			io.ReadFull(r.Body, make([]byte, 1000))
			<-r.Context().Done()
			io.Copy(io.Discard, r.Body)
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var done chan bool
			bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
				tt.handler(w, r)
				<-done
			}, func(s *site) {
				done = make(chan bool)
				tn := begin(t, s.dial(), "/", tt.fields...)
				tn.SetReadDeadline(time.Now().Add(time.Second))
				tt.client(tn)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				held, granted := s.h2.Counted()
				most := 0
				if tt.granted { // credit is given back a quarter of a window at a time
					most = 2 * size / 4
				}
				if held > most || granted > 0 != tt.granted {
					t.Errorf("%d octets are counted, none is held, and %d are granted", held, granted)
				}
				close(done)
			})
		})
	}
}

// TestCountedBehindAPanic: what a handler that panics has not read is not counted while its answer
// waits.
func TestCountedBehindAPanic(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "answer")
		http.NewResponseController(w).Flush()
		time.Sleep(time.Second)
		panic(http.ErrAbortHandler)
	}, func(s *site) {
		tn := begin(t, s.dialWith(noWindow), "/")
		tn.Write(make([]byte, 60_000))
		time.Sleep(time.Minute)
		synctest.Wait()
		if held, _ := s.h2.Counted(); held > 1000 {
			t.Errorf("%d octets are counted, and an answer of 6 is held", held)
		}
	})
}

// TestCountedOfTunnels: what came before a tunnel was opened is counted once, until it is consumed.
func TestCountedOfTunnels(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		c, _ := hijack(w)
		io.WriteString(c, head101)
		echoBack(c)
	}, func(s *site) {
		p := s.dial()
		for _, size := range []int{1, 1000, 20_000} {
			tn, err := p.Open(false, ":method", "CONNECT", ":protocol", "websocket",
				":scheme", "http", ":authority", "a", ":path", "/")
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				tn.Write(make([]byte, size))
				synctest.Wait()
			}
			readN(t, tn, 3*size)
			synctest.Wait()
			if held, _ := s.h2.Counted(); held != 0 {
				t.Errorf("%d octets are counted of 3 times %d that were echoed", held, size)
			}
			tn.CloseWrite()
			io.ReadAll(tn)
		}
		time.Sleep(time.Minute)
		if _, faults := s.h2.Rest(); len(faults) > 0 {
			t.Error(faults)
		}
	})
}

// TestAnswersBesideBodies: bodies that wait to be read, and messages that do, take nothing from
// what an answer may have waiting: sendLeast is for many answers that nobody takes.
func TestAnswersBesideBodies(t *testing.T) {
	took := 0
	bubble(t, &h2.Config{InitialWindow: 1 << 20}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			<-r.Context().Done()
			return
		}
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second))
		took, _ = w.Write(shared[:])
	}, func(s *site) {
		p := s.dialWith(noWindow)
		for range 4 {
			if _, err := begin(t, p, "/").Write(shared[:900_000]); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if held, _ := s.h2.Counted(); held < 3<<20 {
			t.Fatalf("%d octets are held", held)
		}
		p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/")
		time.Sleep(time.Minute)
		synctest.Wait()
		if took != 64<<10 {
			t.Errorf("the answer has %d octets waiting, want %d", took, 64<<10)
		}
	})
}
