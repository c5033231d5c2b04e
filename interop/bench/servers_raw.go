package main

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/gobwas/ws"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	nbws "github.com/lesismal/nbio/nbhttp/websocket"
)

// serveGobwas is a goroutine a connection over the low level of gobwas/ws: headers are read and written by it, payloads
// unmasked in place. A message is a write.
func serveGobwas(l net.Listener, s setting) { serveGobwasLoop(l, s, false) }

// serveGobwasGather answers what one read brought in one write, which is no work of the library's but of this loop.
func serveGobwasGather(l net.Listener, s setting) { serveGobwasLoop(l, s, true) }

func serveGobwasLoop(l net.Listener, s setting, gather bool) {
	l = secured(l, s)
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go gobwasEcho(c, gather) // ends with the connection
	}
}

func gobwasEcho(c net.Conn, gather bool) {
	defer c.Close()
	if _, err := ws.Upgrade(c); err != nil {
		return
	}
	r, w := bufio.NewReaderSize(c, 4096), bufio.NewWriterSize(c, 4096)
	var payload []byte
	for {
		h, err := ws.ReadHeader(r)
		if err != nil {
			return
		}
		if h.Length > int64(cap(payload)) {
			payload = make([]byte, h.Length)
		}
		payload = payload[:h.Length]
		if _, err := io.ReadFull(r, payload); err != nil {
			return
		}
		ws.Cipher(payload, h.Mask, 0)
		h.Masked = false
		if ws.WriteHeader(w, h) != nil {
			return
		}
		if _, err := w.Write(payload); err != nil {
			return
		}
		if !gather || r.Buffered() == 0 || h.OpCode == ws.OpClose {
			if w.Flush() != nil || h.OpCode == ws.OpClose {
				return
			}
		}
	}
}

// serveNbio listens by itself, on a port that is free a moment before.
func serveNbio(l net.Listener, s setting) {
	logging.SetLevel(logging.LevelNone)
	var members room[*nbws.Conn]
	up := nbws.NewUpgrader()
	up.EnableCompression(s.Compress)
	if s.Compress {
		_ = up.SetCompressionLevel(level) // a level that it knows
	}
	up.KeepaliveTime = 0
	up.OnMessage(func(c *nbws.Conn, kind nbws.MessageType, b []byte) {
		if !s.Broadcast {
			_ = c.WriteMessage(kind, b) // an error ends the connection
			return
		}
		members.say(func(c *nbws.Conn) { _ = c.WriteMessage(kind, b) })
	})
	up.OnClose(func(c *nbws.Conn, _ error) { members.leave(c) })
	e := nbhttp.NewEngine(nbhttp.Config{Network: "tcp", Addrs: []string{"127.0.0.1:0"}, MaxLoad: 100_000, ReleaseWebsocketPayload: true,
		Listen: func(string, string) (net.Listener, error) { return l, nil },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := up.Upgrade(w, r, nil); err == nil && s.Broadcast {
				members.join(c)
			}
		})})
	if err := e.Start(); err != nil {
		log.Fatal(err)
	}
	select {}
}
