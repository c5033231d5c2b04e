package h2_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream"

	"golang.org/x/net/http2"
)

// TestAccountsReturn: whatever requests and WebSockets did side by side on a connection, whose
// memory and windows were scarce, an hour later it counts nothing for any of them. Of a connection
// that was lost no goroutine is left.
func TestAccountsReturn(t *testing.T) {
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 13))
		cfg := &h2.Config{
			MaxMemory: 200_000 + rnd.IntN(2_000_000), MaxConnWindow: 1<<20 + rnd.IntN(4<<20),
			MaxHandlers: 5 + rnd.IntN(50), MaxPeerResets: -1, MaxFaults: -1, MaxQueued: -1,
		}
		if rnd.IntN(3) == 0 {
			cfg.StallTimeout = time.Minute
		}
		bubble(t, cfg, func(w http.ResponseWriter, r *http.Request) {
			n, _ := strconv.ParseUint(r.URL.Path[1:], 10, 64)
			anyHandler(w, r, rand.New(rand.NewPCG(n, seed)))
		}, func(s *site) {
			var clients sync.WaitGroup
			var peers []*h2test.Peer
			for i := range 4 {
				var setting []http2.Setting
				if rnd.IntN(3) == 0 {
					setting = []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1000 + rnd.Uint32N(3000)}}
				}
				p := s.dialWith(setting...)
				if peers = append(peers, p); i == 3 { // it is lost in the middle
					cut := time.Duration(rnd.Int64N(int64(30 * time.Second)))
					time.AfterFunc(cut, func() { p.Close() })
				}
				for j := range 40 {
					r := rand.New(rand.NewPCG(seed, uint64(100*i+j)))
					clients.Go(func() { anyClient(p, r) })
				}
			}
			clients.Wait()
			time.Sleep(time.Hour)
			synctest.Wait()
			if _, faults := s.h2.Rest(); len(faults) > 0 {
				t.Errorf("seed %d: %v", seed, faults)
			}
			if n := s.h2.Conns(); n != 3 {
				t.Errorf("seed %d: %d connections are left; %v", seed, n, s.h2.Stats().Limits)
				for _, p := range peers {
					t.Logf("GOAWAY %v, %v", p.GoAway(), p.Err())
				}
			}
		})
	}
}

// anyHandler does what handlers do, at random.
func anyHandler(w http.ResponseWriter, r *http.Request, rnd *rand.Rand) {
	pause := func() {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Duration(rnd.Int64N(int64(20 * time.Second)))):
		}
	}
	if rnd.IntN(4) == 0 {
		time.Sleep(time.Duration(rnd.Int64N(int64(time.Minute))))
	}
	rc := http.NewResponseController(w)
	if rnd.IntN(4) == 0 {
		rc.SetWriteDeadline(time.Now().Add(time.Duration(rnd.Int64N(int64(10 * time.Second)))))
	}
	if rnd.IntN(6) == 0 {
		rc.SetReadDeadline(time.Now().Add(time.Duration(rnd.Int64N(int64(10 * time.Second)))))
	}
	if rnd.IntN(6) == 0 {
		w.Header().Set("Priority", fmt.Sprintf("u=%d, i=?%d", rnd.IntN(8), rnd.IntN(2)))
	}
	if r.Header.Get("Upgrade") != "" {
		anyUpgrade(w, pause, rnd)
		return
	}
	for range 1 + rnd.IntN(8) {
		switch rnd.IntN(9) {
		case 0:
			io.CopyN(io.Discard, r.Body, int64(rnd.IntN(200_000)))
		case 1:
			io.Copy(io.Discard, r.Body)
		case 2:
			pause()
		case 3:
			w.Write(make([]byte, rnd.IntN(200_000)))
		case 4:
			rc.Flush()
		case 5:
			if rnd.IntN(3) == 0 {
				r.Body.Close()
			}
		case 6:
			io.Copy(w, io.LimitReader(r.Body, int64(rnd.IntN(300_000))))
		case 7:
			if rnd.IntN(4) == 0 {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set(http.TrailerPrefix+"X-T", "1")
		case 8:
			if rnd.IntN(4) == 0 {
				w.WriteHeader(103)
			}
		}
	}
}

// anyUpgrade does what they do with a WebSocket: refuse it, open it, or hijack it and write what is
// not always a head.
func anyUpgrade(w http.ResponseWriter, pause func(), rnd *rand.Rand) {
	switch rnd.IntN(8) {
	case 0:
		http.Error(w, "no", http.StatusForbidden)
		return
	case 1:
		io.WriteString(w, "half")
		return
	case 2:
		st, err := w.(stream.Opener).OpenStream(nil)
		if err != nil {
			return
		}
		st.Attach(newSink(st, true), stream.Limits{Window: rnd.IntN(200_000), WriteTimeout: 20 * time.Second})
		st.Send([][]byte{make([]byte, rnd.IntN(300_000))}, false)
		time.AfterFunc(time.Duration(rnd.Int64N(int64(time.Minute))), func() { st.Reset(stream.Code(8 * rnd.IntN(2))) })
		return
	case 3:
		w.WriteHeader(101)
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if rnd.IntN(10) != 0 {
		defer c.Close()
	} else {
		time.AfterFunc(time.Minute, func() { c.Close() })
	}
	if rnd.IntN(10) == 0 {
		return
	}
	head := []string{head101, head101, head101, head101, "HTTP/1.1 103 X\r\n\r\n" + head101, "nonsense\r\n\r\n",
		"HTTP/1.1 403 No\r\nContent-Length: 100000\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 101"}[rnd.IntN(9)]
	io.WriteString(c, head)
	for range rnd.IntN(8) {
		c.SetDeadline(time.Now().Add(time.Duration(rnd.Int64N(int64(20 * time.Second)))))
		switch rnd.IntN(5) {
		case 0:
			c.Write(make([]byte, rnd.IntN(200_000)))
		case 1:
			io.CopyN(io.Discard, rw, int64(rnd.IntN(100_000)))
		case 2:
			pause()
		case 3:
			go c.Write(bytes.Repeat([]byte("x"), rnd.IntN(100_000))) // ends with the deadline or Close
		case 4:
			if rnd.IntN(4) == 0 {
				c.(interface{ CloseWrite() error }).CloseWrite()
			}
		}
	}
	if rnd.IntN(10) == 0 {
		panic(http.ErrAbortHandler)
	}
}

// anyClient makes requests and WebSockets, and leaves some in the middle.
func anyClient(p *h2test.Peer, rnd *rand.Rand) {
	for range 4 {
		time.Sleep(time.Duration(rnd.Int64N(int64(10 * time.Second))))
		path := "/" + strconv.FormatUint(rnd.Uint64(), 10)
		fields := []string{":method", "POST", ":scheme", "http", ":authority", "a", ":path", path}
		switch rnd.IntN(3) {
		case 0:
			fields[1] = "CONNECT"
			fields = append(fields, ":protocol", "websocket")
		case 1:
			fields = append(fields, "priority", fmt.Sprintf("u=%d, i=?%d", rnd.IntN(8), rnd.IntN(2)))
		}
		size := rnd.IntN(400_000)
		if rnd.IntN(2) == 0 && fields[1] == "POST" {
			fields = append(fields, "content-length", strconv.Itoa(size))
		}
		fin := rnd.IntN(5) == 0
		if fin && fields[1] == "POST" {
			fields[1] = "GET"
			fields = fields[:8]
		}
		tn, err := p.Open(fin, fields...)
		if err != nil {
			return
		}
		tn.SetReadDeadline(time.Now().Add(time.Duration(rnd.Int64N(int64(time.Minute)))))
		if rnd.IntN(4) == 0 {
			tn.Withhold(true)
		}
		var reading sync.WaitGroup
		reading.Go(func() { io.Copy(io.Discard, tn) })
		for sent := 0; sent < size && !fin; {
			n, err := tn.Write(make([]byte, min(size-sent, 1+rnd.IntN(60_000))))
			if err != nil {
				break
			}
			sent += n
			if rnd.IntN(4) == 0 {
				time.Sleep(time.Duration(rnd.Int64N(int64(2 * time.Second))))
			}
			if rnd.IntN(10) == 0 {
				p.Send(fmt.Sprintf("PRIORITY_UPDATE %d u=%d", tn.ID+2*rnd.Uint32N(20), rnd.IntN(8)))
			}
		}
		switch rnd.IntN(3) {
		case 0:
			tn.CloseWrite()
			time.Sleep(time.Duration(rnd.Int64N(int64(time.Minute))))
		case 1:
			tn.CloseWrite()
		}
		tn.Reset(http2.ErrCodeCancel)
		reading.Wait()
	}
}
