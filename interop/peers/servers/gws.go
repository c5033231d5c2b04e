package main

import (
	"net/http"

	"github.com/lxzan/gws"
)

type gwsHandler struct{ gws.BuiltinEventHandler }

func (gwsHandler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // an error ends the connection
}

func (gwsHandler) OnPing(c *gws.Conn, payload []byte) {
	_ = c.WritePong(payload) // an error ends the connection
}

func gwsEcho() http.HandlerFunc {
	up := gws.NewUpgrader(gwsHandler{}, &gws.ServerOption{CheckUtf8Enabled: true, ReadMaxPayloadSize: limit, WriteMaxPayloadSize: limit,
		PermessageDeflate: gws.PermessageDeflate{Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true, Threshold: 1}})
	return func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r); err == nil {
			c.ReadLoop()
		}
	}
}
