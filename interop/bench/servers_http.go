package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"sync"

	coder "github.com/coder/websocket"
	fast "github.com/fasthttp/websocket"
	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/valyala/fasthttp"

	"weir/h2"
	weir "weir/websocket"
)

func serveHTTP(l net.Listener, s setting, h http.HandlerFunc) {
	srv := &http.Server{Handler: h}
	if s.Transport == "h2" { // a handler for HTTP/1.1, over weir's HTTP/2
		if _, err := weir.ConfigureServer(srv, &weir.Config{HTTP2: h2.Config{MaxConcurrentStreams: 1000}}); err != nil {
			log.Fatal(err)
		}
	}
	log.Fatal(srv.Serve(secured(l, s)))
}

// room is who is there, for the servers that write to each member in turn.
type room[C comparable] struct {
	mu      sync.Mutex
	members map[C]bool
}

func (r *room[C]) join(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members == nil {
		r.members = map[C]bool{}
	}
	r.members[c] = true
}

func (r *room[C]) leave(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, c)
}

// say calls send for each, one after the other: no connection is written to by two at a time.
func (r *room[C]) say(send func(C)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.members {
		send(c)
	}
}

func serveGorilla(l net.Listener, s setting) {
	up := websocket.Upgrader{EnableCompression: s.Compress}
	var members room[*websocket.Conn]
	serveHTTP(l, s, func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		if s.Compress {
			_ = c.SetCompressionLevel(level) // a level that it knows
		}
		if s.Broadcast {
			members.join(c)
			defer members.leave(c)
		}
		for {
			kind, b, err := c.ReadMessage()
			if err != nil {
				return
			}
			if s.Broadcast {
				p, err := websocket.NewPreparedMessage(kind, b)
				if err != nil {
					return
				}
				members.say(func(c *websocket.Conn) { _ = c.WritePreparedMessage(p) })
			} else if c.WriteMessage(kind, b) != nil {
				return
			}
		}
	})
}

func serveCoder(l net.Listener, s setting) {
	serveHTTP(l, s, func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		ctx := context.Background()
		for {
			kind, b, err := c.Read(ctx)
			if err != nil {
				return
			}
			if c.Write(ctx, kind, b) != nil {
				return
			}
		}
	})
}

func serveGWS(l net.Listener, s setting) {
	h := &gwsEcho{broadcast: s.Broadcast}
	up := gws.NewUpgrader(h, &gws.ServerOption{CheckUtf8Enabled: s.UTF8, ReadMaxPayloadSize: maxMessage, WriteMaxPayloadSize: maxMessage,
		PermessageDeflate: gws.PermessageDeflate{Enabled: s.Compress, ServerContextTakeover: s.Takeover, ClientContextTakeover: s.Takeover, Level: level, Threshold: 1}})
	serveHTTP(l, s, func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r); err == nil {
			go c.ReadLoop() // ends with the connection
		}
	})
}

type gwsEcho struct {
	gws.BuiltinEventHandler
	broadcast bool
	members   room[*gws.Conn]
}

func (h *gwsEcho) OnOpen(c *gws.Conn) {
	if h.broadcast {
		h.members.join(c)
	}
}

func (h *gwsEcho) OnClose(c *gws.Conn, _ error) { h.members.leave(c) }

func (h *gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if !h.broadcast {
		_ = c.WriteMessage(m.Opcode, m.Bytes()) // an error ends the connection
		return
	}
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	h.members.say(func(c *gws.Conn) { _ = b.Broadcast(c) })
}

func serveFast(l net.Listener, s setting) {
	up := fast.FastHTTPUpgrader{EnableCompression: s.Compress}
	srv := &fasthttp.Server{NoDefaultServerHeader: true, Handler: func(ctx *fasthttp.RequestCtx) {
		_ = up.Upgrade(ctx, func(c *fast.Conn) { // an error has been answered
			if s.Compress {
				_ = c.SetCompressionLevel(level) // a level that it knows
			}
			for {
				kind, b, err := c.ReadMessage()
				if err != nil || c.WriteMessage(kind, b) != nil {
					return
				}
			}
		})
	}}
	log.Fatal(srv.Serve(secured(l, s)))
}
