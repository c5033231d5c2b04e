package main

import (
	"errors"
	"io"
	"net/http"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

func gobwasEcho(w http.ResponseWriter, r *http.Request) {
	c, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return // answered
	}
	defer c.Close()
	gobwasLoop(c)
}

// gobwasLoop echoes on an opened WebSocket, by the library's own reader: it checks UTF-8 and answers control frames.
func gobwasLoop(c io.ReadWriter) {
	control := wsutil.ControlFrameHandler(c, ws.StateServerSide)
	rd := wsutil.Reader{Source: c, State: ws.StateServerSide, CheckUTF8: true, MaxFrameSize: limit, OnIntermediate: control}
	for {
		h, err := rd.NextFrame()
		if err != nil {
			gobwasFail(c, err)
			return
		}
		if h.OpCode.IsControl() {
			if control(h, &rd) != nil {
				return
			}
			continue
		}
		p, err := io.ReadAll(&rd)
		if err != nil {
			gobwasFail(c, err)
			return
		}
		if wsutil.WriteServerMessage(c, h.OpCode, p) != nil {
			return
		}
	}
}

// gobwasFail names what was wrong, as the library's documentation has it.
func gobwasFail(c io.Writer, err error) {
	code := ws.StatusProtocolError
	if errors.Is(err, wsutil.ErrInvalidUTF8) {
		code = ws.StatusInvalidFramePayloadData
	}
	if protocol := ws.ProtocolError(""); errors.As(err, &protocol) || errors.Is(err, wsutil.ErrInvalidUTF8) {
		_ = ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))) // the connection ends
	}
}
