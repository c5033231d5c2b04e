package h2_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream/streamtest"

	"golang.org/x/net/http2"
)

// slowDial opens a connection whose socket takes few octets that are not read.
func (w *world) slowDial(t *testing.T, secure bool) net.Conn {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10) }), err)
	}}
	nc, err := d.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		return tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}
	return nc
}

// together is a connection whose first Writes leave as one, when they have so many octets.
type together struct {
	net.Conn
	least int
	mu    sync.Mutex
	out   []byte
}

func (c *together) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out = append(c.out, b...); len(c.out) < c.least {
		return len(b), nil
	}
	_, err := c.Conn.Write(c.out)
	c.least, c.out = 0, nil
	return len(b), err
}

// TestLinger (RFC 9113, 9.1; RFC 9112, 9.6): what was written before a connection ends arrives at a
// client that is slow to read its socket, and sends WINDOW_UPDATEs while it does.
func TestLinger(t *testing.T) {
	for _, end := range []string{"Connection: close", "Shutdown", "IdleTimeout"} {
		t.Run(end, func(t *testing.T) {
			cfg := &h2.Config{}
			if end == "IdleTimeout" {
				cfg.IdleTimeout = 50 * time.Millisecond
			}
			returned := make(chan struct{}, 2)
			overLoopback(t, cfg, func(w http.ResponseWriter, _ *http.Request) {
				defer func() { returned <- struct{}{} }()
				if end == "Connection: close" {
					w.Header().Set("Connection", "close")
				}
				w.Write(make([]byte, bigAnswer))
			}, func(t *testing.T, w *world) {
				// The preface, SETTINGS, their acknowledgement and WINDOW_UPDATE are 61 octets: the
				// request leaves with them, or IdleTimeout could pass before it on a busy machine.
				nc := &stalled{Conn: &together{Conn: w.slowDial(t, strings.HasPrefix(w.url, "https")), least: 62}, gate: make(chan struct{})}
				p := h2test.New(nc, h2test.Options{Settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1 << 30}}})
				defer p.Close()
				p.Send("WINDOW_UPDATE 0 100000000")
				tn, err := p.Open(true, ":method", "GET", ":scheme", strings.Split(w.url, ":")[0], ":authority", "a.test", ":path", "/")
				if err != nil {
					t.Fatal(err)
				}
				if err := tn.Answer(streamtest.Patience(t)); err != nil {
					t.Fatal(err)
				}
				nc.stall.Store(true)
				shut := make(chan error, 1)
				if end == "Shutdown" {
					go func() { shut <- w.h2.Shutdown(context.Background()) }() // ends with the connection
				} else {
					shut <- nil
				}
				began := time.Now()
				for w.h2.Conns() > 0 && time.Since(began) < 1500*time.Millisecond { // a server that does not wait has gone by then
					time.Sleep(10 * time.Millisecond)
				}
				nc.stall.Store(false)
				close(nc.gate)
				_ = tn.SetReadDeadline(time.Now().Add(streamtest.Patience(t)))
				if n, err := io.Copy(io.Discard, tn); n != bigAnswer || err != nil {
					t.Errorf("%d of %d octets arrived: %v", n, bigAnswer, err)
				}
				<-returned
				if g, err := p.Wait(streamtest.Patience(t)); g == nil || g.Code != http2.ErrCodeNo || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the end: %v, %v", g, err)
				}
				if err := <-shut; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
