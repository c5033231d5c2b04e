// Package overh3 is HTTP/3 for tests by package websockettest: in memory, and in fake time. It is
// a package of its own because it links an implementation of QUIC.
//
//	websockettest.Each(t, body, append(websockettest.All(), overh3.H3)...)
//
// QUIC has timers of its own, so what is sent may arrive some milliseconds later, and a bubble's
// clock stands in this year and not in 2000.
package overh3

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/h3"
	"weir/h3/h3test"
	"weir/stream"
	"weir/websocket"
	"weir/websocket/websockettest"

	"golang.org/x/net/quic"
)

// H3 is HTTP/3, over a network that loses nothing. Within a bubble nothing may be made before the
// first Open, Serve or Listen: see h3test.NewNetwork.
var H3 = websockettest.NewTransport(stream.H3, start)

func start(srv *http.Server, ws *websocket.Server) (websockettest.Client, error) {
	network := h3test.NewNetwork(1, h3test.Link{})
	q, err := h3.ConfigureServer(srv, nil)
	if err != nil {
		return nil, err
	}
	ws.Add(q)
	c := &client{server: q, network: network, socket: network.Listen()}
	go q.Serve(c.socket) // ends with the server
	return c, nil
}

// What a stream of the client lets wait on its way, in octets. What is above that shows in
// Peer.Unsent.
const (
	writes = 16 << 10
	reads  = 64 << 10
)

// client is one connection.
type client struct {
	server  *h3.Server
	network *h3test.Network
	socket  *h3test.PacketConn // the server's
	own     *h3test.PacketConn // ours
	peer    *h3test.Peer
}

// Lose cuts the client off the network.
func (c *client) Lose() { c.own.Cut(true) }

// Close ends the connection, and the server.
func (c *client) Close() error {
	if c.peer != nil {
		c.own.Cut(false)
		_ = c.peer.Close() // what is left of it ends with the server
	}
	return c.server.Close()
}

func (c *client) Open(ctx context.Context, r *http.Request) (stream.Stream, *http.Response, error) {
	if c.peer == nil || c.peer.Err() != nil {
		c.own = c.network.Listen()
		peer, err := h3test.Dial(ctx, c.own, c.socket.LocalAddr(), h3test.Options{Host: r.Host, QUIC: func(c *quic.Config) {
			c.MaxStreamWriteBufferSize, c.MaxStreamReadBufferSize, c.MaxConnReadBufferSize = writes, reads, 64<<20
		}})
		if err != nil {
			return nil, nil, err
		}
		c.peer = peer
	}
	fields := []string{":authority", r.Host}
	for name, values := range r.Header {
		for _, v := range values {
			if !strings.HasPrefix(name, ":") {
				fields = append(fields, strings.ToLower(name), v)
			}
		}
	}
	t, err := c.peer.Connect(r.URL.RequestURI(), fields...)
	if err != nil {
		return nil, nil, err
	}
	resp := &http.Response{Status: strconv.Itoa(t.Status) + " " + http.StatusText(t.Status),
		StatusCode: t.Status, Proto: "HTTP/3.0", ProtoMajor: 3, Header: http.Header{},
		Body: http.NoBody, Request: r}
	for _, section := range t.Header {
		for _, f := range section {
			if !strings.HasPrefix(f.Name, ":") {
				resp.Header.Add(f.Name, f.Value)
			}
		}
	}
	if t.Status == http.StatusOK {
		return newTunnel(t), resp, nil
	}
	body, _ := t.Rest(2 * time.Second) // what there is of it
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return nil, resp, nil
}

// tunnel makes a stream.Stream of a Tunnel.
type tunnel struct {
	t *h3test.Tunnel

	mu      sync.Mutex
	changed sync.Cond
	sink    stream.Sink
	window  int
	held    int    // octets that were told and not released
	out     []byte // waits for the peer
	fin     bool   // our end is behind it
	ended   bool   // and has left
	over    bool   // Closed was told, or is about to be
}

func newTunnel(t *h3test.Tunnel) *tunnel {
	x := &tunnel{t: t}
	x.changed.L = &x.mu
	return x
}

func (x *tunnel) Attach(s stream.Sink, l stream.Limits) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sink, x.window = s, l.WithDefaults().Window
	go x.read()  // ends with the stream
	go x.write() // ends with the stream
}

// read tells the sink what comes, as far as it has released what came before.
func (x *tunnel) read() {
	buf := make([]byte, 32<<10)
	for {
		x.mu.Lock()
		for x.held >= x.window && !x.over {
			x.changed.Wait()
		}
		room := min(x.window-x.held, len(buf))
		over := x.over
		x.mu.Unlock()
		if over {
			return
		}
		n, err := x.t.Read(buf[:room])
		if n > 0 {
			x.mu.Lock()
			x.held += n
			x.mu.Unlock()
			x.sink.Data(buf[:n], false)
		}
		switch {
		case err == io.EOF:
			x.sink.Data(nil, true)
			x.mu.Lock()
			for !x.ended && !x.over {
				x.changed.Wait()
			}
			x.mu.Unlock()
			x.close(nil)
			return
		case err != nil:
			code, reset := h3test.CloseCode(err)
			if reset {
				err = &stream.ResetError{Code: stream.Code(code), Remote: true}
			}
			x.close(err)
			return
		}
	}
}

// close tells the sink that it is over, once.
func (x *tunnel) close(err error) {
	x.mu.Lock()
	told := x.over
	x.over = true
	x.changed.Broadcast()
	x.mu.Unlock()
	if !told {
		x.sink.Closed(err)
	}
}

// write sends what is queued, and the end.
func (x *tunnel) write() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		for len(x.out) == 0 && !x.fin && !x.over {
			x.changed.Wait()
		}
		if x.over {
			return
		}
		if len(x.out) == 0 {
			x.mu.Unlock()
			_ = x.t.CloseWrite() // what is wrong with the stream its reader is told
			x.mu.Lock()
			x.ended = true
			x.changed.Broadcast()
			return
		}
		b := x.out[:min(len(x.out), 16<<10)]
		x.mu.Unlock()
		_, _ = x.t.Write(b) // likewise
		x.mu.Lock()
		x.out = x.out[len(b):]
	}
}

func (x *tunnel) Send(v [][]byte, fin bool) (queued int, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over || x.fin {
		return len(x.out), stream.ErrClosed
	}
	x.out = append(x.out, bytes.Join(v, nil)...)
	x.fin = fin
	x.changed.Broadcast()
	return len(x.out), nil
}

func (x *tunnel) Release(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.held -= n
	x.changed.Broadcast()
}

func (x *tunnel) Reset(stream.Code) {
	_ = x.t.Cancel(h3test.RequestCancelled) // a stream that is over has no use for it
	go x.close(&stream.ResetError{Code: stream.Cancel})
}

func (x *tunnel) Info() stream.Info {
	return stream.Info{Transport: stream.H3, ID: uint64(x.t.ID()), Local: x.t.LocalAddr(),
		Remote: x.t.RemoteAddr(), Own: true}
}
