package h2_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream"

	"golang.org/x/net/http2"
)

// keeper is a sink that keeps what it is told, and releases nothing.
type keeper struct {
	kept   []byte
	err    error
	closed chan struct{}
}

func (k *keeper) Data(b []byte, _ bool) {
	if k.kept == nil {
		k.kept = make([]byte, 0, 64<<10)
	}
	k.kept = append(k.kept, b...)
}
func (k *keeper) Drained() {}
func (k *keeper) Closed(err error) {
	k.kept, k.err = nil, err
	close(k.closed)
}

// shared is what handlers write: it is no connection's.
var shared [1 << 20]byte

// TestMaxMemory (RFC 9113, 10.5): whatever fills a connection's streams, it holds no more than MaxMemory, by measure: the
// stream that holds most is reset, with a line in the log and a count, and the connection lives.
func TestMaxMemory(t *testing.T) {
	const most = 8 << 20
	connect := []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "a.test", ":path", "/"}
	request := func(method string) []string {
		return []string{":method", method, ":scheme", "http", ":authority", "a.test", ":path", "/"}
	}
	for _, tt := range []struct {
		name    string
		streams int
		fields  []string
		size    int // octets that the peer sends on each
		handler func(http.ResponseWriter, *http.Request)
	}{
		{"answers without a window", 250, request("GET"), 0, func(w http.ResponseWriter, _ *http.Request) {
			w.Write(shared[:])
		}},
		{"messages without a window", 250, connect, 0, func(w http.ResponseWriter, _ *http.Request) {
			if st, err := w.(stream.Opener).OpenStream(nil); err == nil {
				st.Attach(&keeper{closed: make(chan struct{})}, stream.Limits{})
				st.Send([][]byte{make([]byte, 900_000)}, false)
			}
		}},
		{"messages in pieces", 250, connect, 0, func(w http.ResponseWriter, _ *http.Request) {
			if st, err := w.(stream.Opener).OpenStream(nil); err == nil {
				st.Attach(&keeper{closed: make(chan struct{})}, stream.Limits{})
				for range 900 {
					st.Send([][]byte{make([]byte, 1000)}, false)
				}
			}
		}},
		{"bodies that nobody reads", 250, request("POST"), 40_000, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}},
		{"bodies of which a part is read", 60, request("POST"), 1 << 20, func(_ http.ResponseWriter, r *http.Request) {
			io.CopyN(io.Discard, r.Body, 1000)
			<-r.Context().Done()
		}},
		{"tunnels that nobody reads", 250, connect, 65_000, func(w http.ResponseWriter, _ *http.Request) {
			if st, err := w.(stream.Opener).OpenStream(nil); err == nil {
				st.Attach(&keeper{closed: make(chan struct{})}, stream.Limits{})
				st.Send(nil, false)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var logged lockedBuffer
			cfg := &h2.Config{StallTimeout: -1, MaxMemory: most, Logger: textLog(&logged, 0)}
			bubble(t, cfg, tt.handler, func(s *site) {
				p := s.dialWith(noWindow)
				before := settledHeap()
				for range tt.streams {
					tn, err := p.Open(false, tt.fields...)
					if err != nil {
						t.Fatal(err)
					}
					if tt.size > 0 {
						_ = tn.SetReadDeadline(time.Now().Add(time.Second))
						writeSome(tn, tt.size)
					}
					synctest.Wait()
				}
				grown := settledHeap() - before
				if grown > most*11/10 || grown < most/2 {
					t.Errorf("the streams hold %d octets, and may hold %d", grown, most)
				}
				t.Logf("%.3f of MaxMemory", float64(grown)/most)
				st := s.h2.Stats()
				if n := int(st.Limits[h2.LimitMemory]); n == 0 || n != int(st.ResetsOut[h2.Cancel]) || n+st.Streams != tt.streams {
					t.Errorf("%d streams were given up, %d are left of %d, %d resets", n, st.Streams, tt.streams, st.ResetsOut[h2.Cancel])
				}
				if st.Conns != 1 {
					t.Error("the connection has ended")
				}
				synctest.Wait()
				if n := strings.Count(logged.String(), "limit=MaxMemory"); n != int(st.Limits[h2.LimitMemory]) {
					t.Errorf("%d lines in the log, want %d", n, st.Limits[h2.LimitMemory])
				}
				p.Close()
			})
		})
	}
}

// writeSome writes n octets, or as many as the windows let: the stream may be given up meanwhile.
func writeSome(tn *h2test.Tunnel, n int) {
	for n > 0 {
		k, err := tn.Write(make([]byte, min(n, 10_000)))
		if err != nil {
			return
		}
		n -= k
	}
}

// TestMaxMemoryTells: the sink of a tunnel that is given up hears a reset of our own.
func TestMaxMemoryTells(t *testing.T) {
	k := &keeper{}
	bubble(t, &h2.Config{MaxMemory: 1 << 20}, func(w http.ResponseWriter, _ *http.Request) {
		st, err := w.(stream.Opener).OpenStream(nil)
		if err != nil {
			t.Error(err)
			return
		}
		st.Attach(k, stream.Limits{})
		if _, err := st.Send([][]byte{make([]byte, 2<<20)}, false); err == nil {
			_, err = st.Send([][]byte{{1}}, false)
			if err == nil {
				t.Error("Send on a stream that was given up")
			}
		}
	}, func(s *site) {
		k.closed = make(chan struct{})
		p := s.dialWith(noWindow)
		if _, err := p.Connect("/"); err == nil {
			synctest.Wait()
		}
		<-k.closed
		if re, ok := errors.AsType[*stream.ResetError](k.err); !ok || re.Remote || re.Code != stream.Cancel {
			t.Errorf("Closed(%v)", k.err)
		}
	})
}

// TestMaxMemoryBesideSlowHandlers: a body whose stream is given up, and one whose stream the client
// has reset where much is held, are gone at once, however long their handlers go on: they do not
// cost the next streams their lives.
func TestMaxMemoryBesideSlowHandlers(t *testing.T) {
	for _, reset := range []bool{false, true} {
		t.Run(map[bool]string{false: "given_up", true: "reset_by_the_client"}[reset], func(t *testing.T) {
			var done chan bool
			var errs chan error
			bubble(t, &h2.Config{MaxMemory: 1 << 20}, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/small" {
					time.Sleep(time.Second)
					io.Copy(w, r.Body)
					return
				}
				<-done
				_, err := io.Copy(io.Discard, r.Body)
				errs <- err
			}, func(s *site) {
				const n = 40
				done, errs = make(chan bool), make(chan error, n)
				p := s.dial()
				for range n {
					tn := begin(t, p, "/")
					tn.SetReadDeadline(time.Now().Add(time.Second))
					writeSome(tn, 60_000)
					tn.CloseWrite()
					synctest.Wait()
					if reset {
						tn.Reset(http2.ErrCodeCancel)
						synctest.Wait()
					}
					if held, _ := s.h2.Counted(); held > 1<<20 {
						t.Fatalf("%d octets are held", held)
					}
				}
				tn := begin(t, p, "/small")
				tn.Write([]byte("hello"))
				tn.CloseWrite()
				if got, err := io.ReadAll(tn); string(got) != "hello" || err != nil {
					t.Errorf("the stream behind them: %q, %v", got, err)
				}
				close(done)
				lost := 0
				for range n {
					if err := <-errs; err != nil {
						lost++
						if _, ok := errors.AsType[*stream.ResetError](err); !ok {
							t.Error(err)
						}
					}
				}
				if lost < n/2 {
					t.Errorf("%d bodies are lost of %d, and the others are told to be whole", lost, n)
				}
			})
		})
	}
}
