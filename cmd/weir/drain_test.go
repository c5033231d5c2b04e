package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/h3/h3test"
	"weir/stream/memnet"

	"golang.org/x/net/quic"
)

// mute is a connection whose client does not close it when the server has ended its side.
type mute struct {
	net.Conn
	over chan struct{}
}

func (m *mute) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if err != nil {
		<-m.over
	}
	return n, err
}

// muteHouse is `weir serve` in memory and in fake time, and clients that answer nothing.
type muteHouse struct {
	t    *testing.T
	ln   *memnet.Listener
	over chan struct{}
	tls  bool
	h2   bool
	peer *h2test.Peer
	n    int

	network *h3test.Network // HTTP/3, if addr is not nil
	addr    net.Addr
	peer3   *h3test.Peer
}

func (h *muteHouse) dial() net.Conn {
	nc, err := h.ln.Dial(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	nc = &mute{nc, h.over}
	if h.tls {
		proto := map[bool]string{false: "http/1.1", true: "h2"}[h.h2]
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}})
		if err := tc.Handshake(); err != nil {
			h.t.Fatal(err)
		}
		nc = tc
	}
	return nc
}

// open opens a WebSocket, over HTTP/2 twenty on a connection.
func (h *muteHouse) open(path string) {
	h.t.Helper()
	if h.addr != nil {
		h.open3(path)
		return
	}
	if !h.h2 {
		nc := h.dial()
		if res, _ := upgradeOn(h.t, nc, path); res.StatusCode != 101 {
			h.t.Fatal(res.Status)
		}
		return
	}
	if h.n%20 == 0 {
		p, err := h2test.Dial(h.dial())
		if err != nil {
			h.t.Fatal(err)
		}
		h.peer = p
	}
	h.n++
	tun, err := h.peer.Connect(path, "sec-websocket-version", "13")
	if err != nil || tun.Status != 200 {
		h.t.Fatal(tun, err)
	}
	tun.Withhold(true)
}

// open3 opens a WebSocket over HTTP/3. What is not read gives no credit.
func (h *muteHouse) open3(path string) {
	h.t.Helper()
	if h.n%20 == 0 {
		small := func(c *quic.Config) { c.MaxStreamReadBufferSize = 64 << 10 } // less than /source sends
		p, err := h3test.Dial(h.t.Context(), h.network.Listen(), h.addr, h3test.Options{QUIC: small})
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { p.Close() })
		h.peer3 = p
	}
	h.n++
	tun, err := h.peer3.WebSocket(path)
	if err != nil || tun.Status != 200 {
		h.t.Fatal(tun, err)
	}
}

// TestDrainOfMutePeers: peers that answer nothing are no reason for exit code 1 (BEHAVIOUR 8, and
// TESTSERVER, Signals); a session that is cut is.
func TestDrainOfMutePeers(t *testing.T) {
	for _, transport := range transports {
		for _, row := range []struct {
			path  string
			peers int
			drain time.Duration
			cut   bool
		}{
			{"/echo", 50, 10 * time.Second, false},
			{"/echo", 50, 6 * time.Second, false},
			{"/echo", 50, 2 * time.Second, false},
			{"/source", 1, 2 * time.Second, true}, // its close frame waits for a peer that does not read
		} {
			t.Run(transport+row.path+"/"+row.drain.String(), func(t *testing.T) {
				c := &config{tlsListen: "in memory", h3: transport == "h3", drain: row.drain, maxStreams: 250, maxFrameSize: 1_000_000, idleTimeout: time.Minute, window: 65535}
				synctest.Test(t, func(t *testing.T) {
					network := h3test.NewNetwork(1, h3test.Link{Delay: time.Millisecond})
					s := newServer(c, slog.New(slog.DiscardHandler), io.Discard)
					srv, ws, err := s.httpServer()
					if err != nil {
						t.Fatal(err)
					}
					h := &muteHouse{t: t, ln: memnet.Listen(), network: network, over: make(chan struct{}), tls: strings.Contains(transport, "tls") || transport == "h2", h2: strings.HasPrefix(transport, "h2")}
					defer close(h.over)
					switch {
					case c.h3:
						pc := h.network.Listen()
						h.addr = pc.LocalAddr()
						go s.h3.Serve(pc) // ends with the shutdown
					case h.tls:
						go srv.ServeTLS(h.ln, "", "") // ends with the shutdown
					default:
						go srv.Serve(h.ln) // ends with the shutdown
					}
					for range row.peers {
						h.open(row.path)
					}
					synctest.Wait()
					start := time.Now()
					err = s.shutdown(ws, make(chan os.Signal))
					took := time.Since(start)
					if errors.Is(err, errCut) != row.cut || err != nil && !row.cut {
						t.Errorf("%v after %v, want cut %v", err, took, row.cut)
					}
					if !row.cut && took > row.drain+200*time.Millisecond {
						t.Errorf("it took %v", took)
					}
					time.Sleep(10 * time.Second) // what was cut goes
				})
			})
		}
	}
}
