package h2_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream"
	"weir/stream/memnet"

	"golang.org/x/net/http2"
)

// TestLingerEnds: a peer that neither takes nor closes does not hold a connection that has ended
// for ever.
func TestLingerEnds(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.Write(make([]byte, 1<<20))
	}, func(s *site) {
		nc := &stalled{Conn: s.conn(), gate: make(chan struct{})}
		p := h2test.New(nc, h2test.Options{Settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1 << 30}}})
		p.Send("WINDOW_UPDATE 0 100000000")
		synctest.Wait()
		nc.stall.Store(true)
		tn, err := p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // the stream is not over: it may pause for as long as it likes
		if n := s.h2.Conns(); n != 1 {
			t.Errorf("%d connections", n)
		}
		nc.stall.Store(false)
		close(nc.gate)
		synctest.Wait()
		if !tn.Fin() {
			t.Error("the answer did not arrive")
		}
		time.Sleep(time.Minute) // the peer does not close its side
		if n := s.h2.Conns(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		p.Close()
	})
}

// bareListener gives connections of which nothing shows but net.Conn.
type bareListener struct{ net.Listener }

func (l bareListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return struct{ net.Conn }{nc}, err
}

// TestLingerWithoutCloseWrite (RFC 9113, 9.1): the server waits for the client to close also where
// a net.Conn is wrapped, so that our side cannot be closed alone: what the client still sends must
// not reset what it has not read.
func TestLingerWithoutCloseWrite(t *testing.T) {
	for _, closes := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := &site{t: t, l: memnet.Listen(), hs: new(http.Server)}
			s.hs.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
			var err error
			if s.h2, err = h2.ConfigureServer(s.hs, nil); err != nil {
				t.Fatal(err)
			}
			go s.hs.Serve(bareListener{s.l}) // ends with Close
			defer s.hs.Close()
			p := s.dial()
			if _, err := p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := s.h2.Conns(); n != 1 {
				t.Errorf("%d connections before the client has closed its side", n)
			}
			if closes {
				p.Close()
			} else {
				time.Sleep(10 * time.Second)
			}
			synctest.Wait()
			if n := s.h2.Conns(); n != 0 {
				t.Errorf("%d connections are left, the client closes: %v", n, closes)
			}
		})
	}
}

// TestSocketStall (ATTACKS S9): while a peer does not read its socket, a WebSocket beside a
// download ends with its own send timeout, one that has nothing to send lives on, and the download
// goes on when the peer reads again.
func TestSocketStall(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if stream.Token(r.Context()) != "" {
			ts.ServeHTTP(w, r)
			return
		}
		w.Write(make([]byte, bigAnswer))
	}, func(s *site) {
		ts.open()
		nc := &stalled{Conn: s.conn(), gate: make(chan struct{})}
		p := h2test.New(nc, h2test.Options{Settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1 << 30}}})
		p.Send("WINDOW_UPDATE 0 100000000")
		s.connect(p, "/speaks")
		speaks := <-ts.sinks
		s.connect(p, "/silent")
		silent := <-ts.sinks
		nc.stall.Store(true)
		tn, err := p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if _, err := speaks.st.Send([][]byte{make([]byte, 100)}, false); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		<-speaks.closed
		if d := time.Since(start); !errors.Is(speaks.err, os.ErrDeadlineExceeded) || d > stream.DefaultWriteTimeout {
			t.Errorf("after %v: %v", d, speaks.err)
		}
		time.Sleep(time.Hour)
		nc.stall.Store(false)
		close(nc.gate)
		_ = tn.SetReadDeadline(time.Now().Add(time.Hour))
		if n, err := io.Copy(io.Discard, tn); n != bigAnswer || err != nil {
			t.Errorf("%d of %d octets arrived: %v", n, bigAnswer, err)
		}
		if silent.err != nil {
			t.Errorf("the silent one: %v", silent.err)
		}
		p.Close()
	})
}

// TestSocketStallFreesHandlers (RFC 9113, 5.4.2): while a peer does not read its socket, a
// handler's Write ends with its write deadline and with the reset of its stream, and what a
// WebSocket sends is queued.
func TestSocketStallFreesHandlers(t *testing.T) {
	for _, end := range []string{"deadline", "reset"} {
		var wrote chan error
		ts := newTunnels()
		bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
			if stream.Token(r.Context()) != "" {
				ts.ServeHTTP(w, r)
				return
			}
			if end == "deadline" {
				http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second))
			}
			_, err := w.Write(make([]byte, bigAnswer))
			wrote <- err
		}, func(s *site) {
			wrote = make(chan error, 1)
			ts.open()
			nc := &stalled{Conn: s.conn(), gate: make(chan struct{})}
			p := h2test.New(nc, h2test.Options{Settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1 << 30}}})
			p.Send("WINDOW_UPDATE 0 100000000")
			s.connect(p, "/")
			sink := <-ts.sinks
			nc.stall.Store(true)
			tn, err := p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/")
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(time.Second)
			if end == "reset" {
				tn.Reset(http2.ErrCodeCancel)
			}
			synctest.Wait()
			select {
			case err := <-wrote:
				if err == nil {
					t.Errorf("%s: all was written", end)
				}
			default:
				t.Errorf("%s: Write goes on", end)
			}
			if _, err := sink.st.Send([][]byte{make([]byte, 300_000)}, false); err != nil {
				t.Error(err)
			}
			close(nc.gate)
			p.Close()
		})
	}
}

// TestEarlyAnswerLeavesFirst (RFC 9113, 8.1): RST_STREAM(NO_ERROR) behind an early refusal is no
// part of its write: curl forgets an answer that it gets together with it. Behind any other answer
// it is: curl 7.88 would wait for ever for a window.
func TestEarlyAnswerLeavesFirst(t *testing.T) {
	for status, writes := range map[int]int64{413: 2, 302: 2, 200: 1, 204: 1} {
		bubble(t, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }, func(s *site) {
			p := s.dial()
			synctest.Wait()
			before := s.writes.Load()
			tn, err := p.Open(false, ":method", "POST", ":scheme", "http", ":authority", "a.test", ":path", "/")
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			n, st := s.writes.Load()-before, s.h2.Stats()
			if n != writes || tn.Status != status || st.Streams != 0 || st.ResetsOut[h2.NoError] != 1 {
				t.Errorf("%d writes, status %d, %d streams left, %d resets", n, tn.Status, st.Streams, st.ResetsOut[h2.NoError])
			}
			p.Close()
		})
	}
}

// TestAbortBehindEnd (RFC 9110, 9.3.2): what was flushed before a panic leaves, also where it has
// to wait and END_STREAM comes with it: the header of an answer to HEAD.
func TestAbortBehindEnd(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "HEAD" {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Write(make([]byte, bigAnswer))
	}, func(s *site) {
		nc := &stalled{Conn: s.conn(), gate: make(chan struct{})}
		p := h2test.New(nc, h2test.Options{Settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1 << 30}}})
		p.Send("WINDOW_UPDATE 0 100000000")
		synctest.Wait()
		nc.stall.Store(true)
		request := []string{":scheme", "http", ":authority", "a.test", ":path", "/"}
		if _, err := p.Open(true, append(request, ":method", "GET")...); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		tn, err := p.Open(true, append(request, ":method", "HEAD")...)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		close(nc.gate)
		if err := tn.Answer(time.Minute); err != nil || tn.Status != 200 || !tn.Fin() {
			t.Errorf("status %d, END_STREAM %v: %v", tn.Status, tn.Fin(), err)
		}
		p.Close()
	})
}

// TestHold (ATTACKS S9): a few answers wait as long as the client likes; of many, those that have
// waited for 5 minutes are given up until they hold no more than 2 MiB. Where so much waits, each
// answer has little more than its turn.
func TestHold(t *testing.T) {
	for _, tt := range []struct{ streams, least, most int }{{20, 20, 20}, {100, 50, 99}} {
		bubble(t, nil, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) }, func(s *site) {
			p := s.dialWith(noWindow)
			for i := range tt.streams {
				if _, err := p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // what an answer may hold depends on what those before it do
				if i == 0 {
					time.Sleep(time.Minute)
				}
			}
			time.Sleep(5*time.Minute - time.Second)
			if n := s.h2.Stats().Streams; n < tt.streams-1 {
				t.Errorf("%d of %d streams are left before the time", n, tt.streams)
			}
			time.Sleep(11 * time.Minute)
			if st := s.h2.Stats(); st.Streams < tt.least || st.Streams > tt.most || st.Conns != 1 || int(st.ResetsOut[h2.Cancel]) != tt.streams-st.Streams {
				t.Errorf("%d of %d streams are left, want %d to %d; %d resets", st.Streams, tt.streams, tt.least, tt.most, st.ResetsOut[h2.Cancel])
			}
			p.Close()
		})
	}
}

// settledHeap is how much of the heap is in use after two collections.
func settledHeap() int {
	runtime.GC()
	runtime.GC()
	return int(heapNow())
}

// TestQueuedReset: a request that is reset while it waits for a handler keeps neither its body nor
// its header.
func TestQueuedReset(t *testing.T) {
	var release chan struct{}
	bubble(t, &h2.Config{MaxHandlers: 1, MaxQueued: 100, MaxPeerResets: -1}, func(http.ResponseWriter, *http.Request) { <-release }, func(s *site) {
		release = make(chan struct{})
		p := s.dial()
		post := []string{":method", "POST", ":scheme", "http", ":authority", "a.test", ":path", "/"}
		if _, err := p.Open(false, post...); err != nil {
			t.Fatal(err)
		}
		const each = 60 << 10
		before := settledHeap()
		for range 50 {
			tn, err := p.Open(false, post...)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tn.Write(make([]byte, each)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			tn.Reset(http2.ErrCodeCancel)
		}
		synctest.Wait()
		if grown := settledHeap() - before; grown > 10*each {
			t.Errorf("50 requests that were reset keep %d octets", grown)
		}
		close(release)
	})
}

// TestCloseEnded: what has ended, or has no stream, is closed though the peer does nothing; what
// has a stream is left.
func TestCloseEnded(t *testing.T) {
	var release chan struct{}
	bubble(t, nil, func(http.ResponseWriter, *http.Request) { <-release }, func(s *site) {
		release = make(chan struct{}) // of the bubble
		mute := &stalled{Conn: s.conn(), gate: make(chan struct{})}
		p := h2test.New(mute, h2test.Options{Manual: true})
		p.Send("SETTINGS ACK")
		busy := s.dial()
		tn, err := busy.Open(true, ":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		mute.stall.Store(true) // it does not answer the PING between the two GOAWAYs either
		s.h2.GoAway()
		synctest.Wait()
		for _, want := range []int{2, 1, 1} { // first the mute one is asked to end
			if left := s.h2.CloseEnded(); left != want {
				t.Errorf("%d connections are left, want %d", left, want)
			}
			synctest.Wait()
		}
		if n := s.h2.Conns(); n != 1 {
			t.Errorf("%d connections", n)
		}
		close(release)
		synctest.Wait()
		if !tn.Fin() {
			t.Error("the answer of the one that was left did not arrive")
		}
		close(mute.gate)
		p.Close()
	})
}
