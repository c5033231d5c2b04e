package main

import (
	"net/http"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// coderEcho leaves UTF-8 to its users, and so it is looked at here.
func coderEcho(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return // answered
	}
	defer c.CloseNow()
	c.SetReadLimit(limit)
	for {
		kind, p, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if kind == websocket.MessageText && !utf8.Valid(p) {
			_ = c.Close(websocket.StatusInvalidFramePayloadData, "") // the connection ends
			return
		}
		if c.Write(r.Context(), kind, p) != nil {
			return
		}
	}
}
