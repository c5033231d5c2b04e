package h3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h3"
	"weir/h3/h3test"
	"weir/websocket"
)

// target is a server in fake time, and strangers that reach it over a network in memory.
type target struct {
	*testing.T
	n    *h3test.Network
	srv  *h3.Server
	hs   *http.Server
	addr net.Addr

	running atomic.Int64 // handlers of /hold
	most    atomic.Int64
	begun   atomic.Int64
	free    chan struct{} // closed: /hold returns

	mu     sync.Mutex
	log    bytes.Buffer
	opened int      // WebSockets whose handler was told so
	ends   []string // of WebSockets
}

// attack runs body against a server with cfg.
func attack(t *testing.T, cfg *h3.Config, body func(x *target)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		x := &target{T: t, free: make(chan struct{})}
		x.n = h3test.NewNetwork(1, h3test.Link{Delay: 5 * time.Millisecond})
		mux := http.NewServeMux()
		mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
		mux.HandleFunc("/hold", x.hold)
		mux.HandleFunc("/read", x.read)
		mux.HandleFunc("/readhold", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			x.hold(w, r)
		})
		mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, 10<<20))
		})
		mux.Handle("/ws", websocket.Handle(
			func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
				return &echoSocket{x: x}, nil
			}))
		x.hs = &http.Server{Handler: mux, TLSConfig: h3test.ServerTLS(), ErrorLog: log.New(x, "", 0)}
		var err error
		if x.srv, err = h3.ConfigureServer(x.hs, cfg); err != nil {
			t.Fatal(err)
		}
		pc := x.n.Listen()
		x.addr = pc.LocalAddr()
		served := make(chan error, 1)
		go func() { served <- x.srv.Serve(pc) }() // ends with Close
		defer func() {
			x.srv.Close()
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("Serve: %v", err)
			}
			select {
			case <-x.free:
			default:
				close(x.free)
			}
			time.Sleep(5 * time.Minute) // what QUIC does behind the end
			synctest.Wait()
			x.mu.Lock()
			defer x.mu.Unlock()
			if s := x.log.String(); strings.Contains(s, "panic") || strings.Contains(s, "BUG") {
				t.Errorf("the server says %s", s)
			}
		}()
		body(x)
	})
}

// Write is the server's log.
func (x *target) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.log.Write(p)
}

// hold keeps its request until x.free is closed, whatever becomes of its client.
func (x *target) hold(http.ResponseWriter, *http.Request) {
	x.begun.Add(1)
	for now := x.running.Add(1); ; {
		most := x.most.Load()
		if now <= most || x.most.CompareAndSwap(most, now) {
			break
		}
	}
	<-x.free
	x.running.Add(-1)
}

// read answers with how many octets the body has.
func (x *target) read(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Write(bytes.Repeat([]byte("."), int(n)))
}

// echoSocket echoes, and is paused by the text "pause".
type echoSocket struct{ x *target }

func (e *echoSocket) Init(_ *websocket.Session, out websocket.Commands) websocket.Commands {
	e.x.mu.Lock()
	defer e.x.mu.Unlock()
	e.x.opened++
	return out
}

func (e *echoSocket) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	switch {
	case string(f.Payload) == "pause":
		return append(out, websocket.Text([]byte("paused")), websocket.Active(false))
	case f.IsData():
		return append(out, f.Reply())
	}
	return out
}

func (e *echoSocket) Terminate(r websocket.Reason, _ *websocket.PartialRequest) {
	e.x.mu.Lock()
	defer e.x.mu.Unlock()
	e.x.ends = append(e.x.ends, r.String())
}

// wantEnds waits at most a second for the ends of WebSockets.
func (x *target) wantEnds(want ...string) {
	x.Helper()
	var got string
	for range 1000 {
		x.mu.Lock()
		got = strings.Join(x.ends, " ")
		x.mu.Unlock()
		if got == strings.Join(want, " ") {
			return
		}
		time.Sleep(time.Millisecond)
	}
	x.Errorf("WebSockets ended with %q, want %q", got, want)
}

// peer is one stranger. It is gone at the end of body.
func (x *target) peer(o ...h3test.Options) *h3test.Peer {
	x.Helper()
	p, _, err := x.dial(o...)
	if err != nil {
		x.Fatal(err)
	}
	return p
}

func (x *target) dial(o ...h3test.Options) (*h3test.Peer, *h3test.PacketConn, error) {
	pc := x.n.Listen()
	ctx, cancel := context.WithTimeout(x.Context(), time.Minute)
	defer cancel()
	p, err := h3test.Dial(ctx, pc, x.addr, append(o, h3test.Options{})[0])
	if err == nil {
		x.Cleanup(func() { p.Close() })
	}
	return p, pc, err
}

// begin makes a GET request, and does not wait for the answer.
func (x *target) begin(p *h3test.Peer, path string) {
	x.Helper()
	tun, err := p.Open(":method", "GET", ":scheme", "https", ":authority", "a", ":path", path)
	if err == nil {
		err = tun.CloseWrite()
	}
	if err != nil {
		x.Fatal(err)
	}
}

// alive says that a connection still serves.
func (x *target) alive(p *h3test.Peer) {
	x.Helper()
	if status, body, err := p.Get("/ok"); status != 200 || string(body) != "ok" || err != nil {
		x.Errorf("the connection is dead: %d %q %v", status, body, err)
	}
}

// wantClosed says that a connection has ended with a code.
func (x *target) wantClosed(p *h3test.Peer, want h3test.Code) {
	x.Helper()
	err := p.Wait(10 * time.Second)
	if got, ok := h3test.CloseCode(err); !ok || got != want {
		x.Errorf("the connection ended with %v (%v), want %v", got, err, want)
	}
}

// wantReset says that a stream was reset with a code, both ways.
func (x *target) wantReset(t *h3test.Tunnel, want h3test.Code) {
	x.Helper()
	_, err := t.Rest(10 * time.Second)
	if got, ok := h3test.CloseCode(err); !ok || got != want {
		x.Errorf("RESET_STREAM %v (%v), want %v", got, err, want)
	}
	if got, err := t.Stopped(10 * time.Second); got != want {
		x.Errorf("STOP_SENDING %v (%v), want %v", got, err, want)
	}
}

// socket opens a WebSocket.
func (x *target) socket(p *h3test.Peer) *h3test.Tunnel {
	x.Helper()
	tun, err := p.WebSocket("/ws")
	if err != nil || tun.Status != 200 {
		x.Fatalf("no WebSocket: %+v, %v", tun, err)
	}
	return tun
}

// echoes says that a WebSocket is alive.
func (x *target) echoes(tun *h3test.Tunnel, text string) {
	x.Helper()
	if err := tun.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		x.Fatal(err)
	}
	if _, err := tun.Write(clientFrame(1, []byte(text))); err != nil {
		x.Errorf("%q cannot be sent: %v", text, err)
		return
	}
	got, _, err := serverFrame(tun)
	if err != nil || string(got) != text && !(text == "pause" && string(got) == "paused") {
		x.Errorf("%q came back as %q, %v", text, got, err)
	}
}
