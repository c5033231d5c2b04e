package main

import (
	"net/http"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// gorillaEcho leaves UTF-8 to its users, and so it is looked at here.
func gorillaEcho(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{EnableCompression: true, CheckOrigin: func(*http.Request) bool { return true }}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // answered
	}
	defer c.Close()
	c.SetReadLimit(limit)
	for {
		kind, p, err := c.ReadMessage()
		if err != nil {
			return
		}
		if kind == websocket.TextMessage && !utf8.Valid(p) {
			_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseInvalidFramePayloadData, "")) // the connection ends
			return
		}
		if c.WriteMessage(kind, p) != nil {
			return
		}
	}
}
