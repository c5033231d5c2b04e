package h2_test

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/flow"
	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// TestCreditReturned: whatever becomes of the octets (echoed, kept by a paused sink, left unread by a handler that
// returned, panicked or was late, cut off by a reset of either side, sent before a GOAWAY), an hour later the connection
// and each tunnel that lives have all of their credit, as the wire tells it (RFC 9113, 5.2).
func TestCreditReturned(t *testing.T) {
	for seed := range uint64(8) {
		ts := newTunnels()
		bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/late":
				time.Sleep(time.Minute)
				io.Copy(io.Discard, r.Body)
			case "/part":
				io.ReadFull(r.Body, make([]byte, 1000))
			case "/panic":
				io.ReadFull(r.Body, make([]byte, 1000))
				panic(http.ErrAbortHandler)
			case "/unread":
			default:
				ts.ServeHTTP(w, r)
			}
		}, func(s *site) {
			ts.open()
			l := &ledger{Conn: s.conn(), credit: map[uint32]int{0: flow.DefaultWindow}}
			p, err := h2test.Dial(l)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var clients sync.WaitGroup
			for i := range 40 {
				clients.Go(func() { client(t, p, rand.New(rand.NewPCG(seed, uint64(i)))) })
			}
			lives := s.connect(p, "/paused/lives")
			if _, err := lives.Write(make([]byte, 65535)); err != nil {
				t.Fatal(err)
			}
			if seed%2 == 1 {
				time.AfterFunc(30*time.Second, s.h2.GoAway)
			}
			clients.Wait()
			time.Sleep(time.Hour) // whatever was late has happened, and the paused were patient
			synctest.Wait()
			close(ts.sinks)
			for sink := range ts.sinks {
				sink.st.Release(len(sink.text()))
			}
			synctest.Wait()
			// What bodies were granted on top while they were read is not taken back, but used up before more is announced.
			if got := l.of(0); 2*got <= 1<<20 || got > 16<<20 {
				t.Errorf("seed %d: the client may send %d on the connection, of %d to %d", seed, got, 1<<20, 16<<20)
			}
			if got := l.of(lives.ID); got != 65535 {
				t.Errorf("seed %d: the client may send %d on a tunnel that gave all back, of 65535", seed, got)
			}
			lives.Reset(http2.ErrCodeCancel)
		})
	}
}

// client sends at random, and ends in some way.
func client(t *testing.T, p *h2test.Peer, r *rand.Rand) {
	time.Sleep(time.Duration(r.Int64N(int64(time.Minute))))
	path := []string{"/echo", "/echo", "/paused", "/paused", "/late", "/part", "/panic", "/unread"}[r.IntN(8)]
	fields := []string{":method", "POST", ":scheme", "http", ":authority", "a", ":path", path}
	if path == "/echo" || path == "/paused" {
		fields = append(fields, ":protocol", "websocket")
		fields[1] = "CONNECT"
	}
	tn, err := p.Open(false, fields...)
	if err != nil {
		return // the server has said GOAWAY
	}
	var reading sync.WaitGroup
	reading.Go(func() { io.Copy(io.Discard, tn) })
	tn.SetReadDeadline(time.Now().Add(2 * time.Minute))
	for range r.IntN(12) {
		_, err := tn.Write(make([]byte, r.IntN(30000)))
		var reset *h2test.ResetError
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.As(err, &reset) {
			t.Errorf("%s: %v", path, err)
			break
		}
		time.Sleep(time.Duration(r.Int64N(int64(5 * time.Second))))
	}
	if r.IntN(2) == 0 {
		tn.CloseWrite()
		time.Sleep(time.Duration(r.Int64N(int64(3 * time.Minute))))
	}
	tn.Reset(http2.ErrCodeCancel)
	reading.Wait()
}

// ledger is a connection of a client that notes what the server has granted and the client has spent.
type ledger struct {
	net.Conn
	mu      sync.Mutex
	greeted bool
	in, out []byte // what has not been a whole frame yet
	credit  map[uint32]int
}

func (l *ledger) of(id uint32) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.credit[id]
}

func (l *ledger) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in = frames(append(l.in, b[:n]...), func(t http2.FrameType, id uint32, p []byte) {
		if t == http2.FrameWindowUpdate {
			l.credit[id] += int(binary.BigEndian.Uint32(p))
		}
	})
	return n, err
}

func (l *ledger) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = append(l.out, b...)
	if !l.greeted {
		l.greeted, l.out = true, l.out[len(http2.ClientPreface):]
	}
	l.out = frames(l.out, func(t http2.FrameType, id uint32, p []byte) {
		switch t {
		case http2.FrameHeaders:
			l.credit[id] += 65535
		case http2.FrameData:
			l.credit[0] -= len(p)
			l.credit[id] -= len(p)
		}
	})
	return l.Conn.Write(b)
}

// frames calls f for every whole frame of b, and gives what is left.
func frames(b []byte, f func(t http2.FrameType, id uint32, p []byte)) []byte {
	for len(b) >= 9 {
		n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		if len(b) < 9+n {
			break
		}
		f(http2.FrameType(b[3]), binary.BigEndian.Uint32(b[5:]), b[9:9+n])
		b = b[9+n:]
	}
	return b
}
