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
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream/memnet"

	"golang.org/x/net/http2"
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

// TestBodyCreditIsExact: without growth a client may send one window ahead of what the handler has read,
// in reads of any size, and no more; less than a quarter of a window is withheld (RFC 9113, 6.9.1).
func TestBodyCreditIsExact(t *testing.T) {
	const window, read = 65535, 300_000
	bubble(t, &h2.Config{MaxWindow: -1}, func(w http.ResponseWriter, r *http.Request) {
		for n := 0; n < read; n += 1000 {
			if _, err := io.ReadFull(r.Body, make([]byte, 1000)); err != nil {
				t.Error(err)
			}
		}
		<-r.Context().Done()
	}, func(s *site) {
		p := s.dial()
		tn := begin(t, p, "/")
		tn.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := tn.Write(make([]byte, 1<<20))
		if n > read+window || n <= read+window-window/4 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the client may send %d octets, of which %d are read: %v", n, read, err)
		}
		tn.Reset(http2.ErrCodeCancel)
	})
}

// TestGrantsComeBack: what one body was granted is there for the next when its handler has returned, whatever
// became of the stream.
func TestGrantsComeBack(t *testing.T) {
	bubble(t, &h2.Config{MaxConnWindow: 4 << 20}, func(w http.ResponseWriter, r *http.Request) {
		r.Body.Read(make([]byte, 1))
		switch r.URL.Path {
		case "/all":
			io.Copy(io.Discard, r.Body)
		case "/panic":
			panic(http.ErrAbortHandler)
		case "/paused":
			<-r.Context().Done()
		}
	}, func(s *site) {
		p := s.dial()
		for i := range 40 {
			tn := begin(t, p, []string{"/all", "/panic", "/part", "/paused"}[i%4])
			if _, err := tn.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			switch i % 4 {
			case 0:
				tn.CloseWrite()
			case 3:
				tn.SetReadDeadline(time.Now().Add(time.Minute))
				if n, _ := tn.Write(make([]byte, 2<<20)); n != 1<<20-1000 {
					t.Fatalf("request %d: the client may send %d octets more", i, n)
				}
				tn.Reset(http2.ErrCodeCancel)
			}
			synctest.Wait()
		}
	})
}

// TestTinyDataThatIsRead: frames of one octet that a handler has read cost the client nothing when it resets
// the stream, also where their credit need not be given back yet (see Config.MaxTinyData).
func TestTinyDataThatIsRead(t *testing.T) {
	const frames = 2000
	var arrived, read chan bool
	bubble(t, &h2.Config{MaxTinyData: 100}, func(w http.ResponseWriter, r *http.Request) {
		for _, n := range []int{1000, frames} {
			<-arrived
			for range n {
				if _, err := io.ReadFull(r.Body, make([]byte, 1)); err != nil {
					t.Error(err)
				}
			}
			read <- true
		}
		<-r.Context().Done()
	}, func(s *site) {
		arrived, read = make(chan bool), make(chan bool)
		p := s.dial()
		for range 4 {
			tn := begin(t, p, "/")
			if _, err := tn.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			arrived <- true
			<-read
			for range frames {
				if _, err := tn.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			arrived <- true
			<-read
			tn.Reset(http2.ErrCodeCancel)
			synctest.Wait()
		}
		if g := p.GoAway(); g != nil {
			t.Errorf("%v", g)
		}
	})
}

// TestReadBehindClose: a body that was closed gives nothing more, also where octets of it wait.
func TestReadBehindClose(t *testing.T) {
	var errs chan error
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 10)
		_, err := io.ReadFull(r.Body, b)
		errs <- err
		r.Body.Close()
		_, err = r.Body.Read(b)
		errs <- err
	}, func(s *site) {
		errs = make(chan error, 2)
		tn := begin(t, s.dial(), "/")
		if _, err := tn.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if err := <-errs; err != nil {
			t.Error(err)
		}
		if err := <-errs; err != http.ErrBodyReadAfterClose {
			t.Error(err)
		}
	})
}
