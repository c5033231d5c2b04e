package main

import (
	"fmt"
	"log"
	"net"
	"net/http"

	"weir/websocket"

	"github.com/lxzan/gws"
)

// serverNames are the servers, in the order they are run.
var serverNames = []string{"weir", "gws"}

// listen runs a server on a port of its own, and prints its address.
func listen(name string, compress, takeover bool, level int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	srv := &http.Server{}
	switch name {
	case "weir":
		o := &websocket.Options{Compress: compress, Deflate: websocket.DeflateOptions{Level: level,
			ServerNoContextTakeover: !takeover, ClientNoContextTakeover: !takeover}}
		srv.Handler = websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return websocket.HandlerFunc(echo), o
		})
		if _, err := websocket.ConfigureServer(srv, nil); err != nil {
			log.Fatal(err)
		}
	case "gws":
		up := gws.NewUpgrader(gwsEcho{}, &gws.ServerOption{CheckUtf8Enabled: true, PermessageDeflate: gws.PermessageDeflate{
			Enabled: compress, ServerContextTakeover: takeover, ClientContextTakeover: takeover, Level: level, Threshold: 1}})
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c, err := up.Upgrade(w, r); err == nil {
				go c.ReadLoop() // ends with the connection
			}
		})
	default:
		log.Fatalf("no server is called %q", name)
	}
	log.Fatal(srv.Serve(l))
}

func echo(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		out = append(out, f.Reply())
	}
	return out
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // an error ends the connection
}
