package main

import (
	"log"
	"net"
	"net/http"
	"slices"
	"sync"

	"weir/h2"
	"weir/websocket"
)

// level is that of every compressor.
const level = 6

// maxMessage is how long a message may be, for those that ask.
const maxMessage = 16 << 20

func serveWeir(l net.Listener, s setting) {
	o := &websocket.Options{Compress: s.Compress, MaxFrameSize: maxMessage, IdleTimeout: -1,
		Deflate: websocket.DeflateOptions{Level: level, ServerNoContextTakeover: !s.Takeover, ClientNoContextTakeover: !s.Takeover}}
	var h websocket.Handler = websocket.HandlerFunc(echo)
	room := new(weirRoom)
	srv := &http.Server{Handler: websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		if s.Broadcast {
			return &weirMember{room: room}, o
		}
		return h, o
	})}
	if _, err := websocket.ConfigureServer(srv, &websocket.Config{HTTP2: h2.Config{MaxConcurrentStreams: 1000}}); err != nil {
		log.Fatal(err)
	}
	log.Fatal(srv.Serve(secured(l, s)))
}

func echo(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		out = append(out, f.Reply())
	}
	return out
}

type weirRoom struct {
	mu      sync.Mutex
	members []*websocket.Session
}

type weirMember struct {
	room    *weirRoom
	session *websocket.Session
}

func (m *weirMember) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	m.session = s
	m.room.mu.Lock()
	m.room.members = append(m.room.members, s)
	m.room.mu.Unlock()
	return out
}

func (m *weirMember) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		p := websocket.Prepare(f.Type, f.Payload)
		m.room.mu.Lock()
		for _, s := range m.room.members {
			_ = s.Post(p) // nobody has a backlog here
		}
		m.room.mu.Unlock()
	}
	return out
}

func (m *weirMember) Info(msg any, out websocket.Commands) websocket.Commands {
	return append(out, websocket.SendPrepared(msg.(*websocket.Prepared)))
}

func (m *weirMember) Terminate(websocket.Reason, *websocket.PartialRequest) {
	m.room.mu.Lock()
	if i := slices.Index(m.room.members, m.session); i >= 0 {
		m.room.members = slices.Delete(m.room.members, i, i+1)
	}
	m.room.mu.Unlock()
}
