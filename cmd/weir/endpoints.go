package main

import (
	"net/http"

	"weir/upgrade"
	"weir/websocket"
)

// endpoint makes the handler of one WebSocket from its request. What it finds wrong in q it leaves
// there.
type endpoint func(r *http.Request, q *query) websocket.Handler

// routes is the server's whole tree. WebSocket paths are registered without a method, so that a
// request by another one gets the handshake's answer and no 405.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	for path, e := range map[string]endpoint{
		"/echo":         echoEndpoint,
		"/commands":     s.commandsEndpoint,
		"/push":         s.pushEndpoint,
		"/source":       s.sourceEndpoint,
		"/discard":      discardEndpoint,
		"/headers":      s.headersEndpoint,
		"/close":        closeEndpoint,
		"/rooms/{name}": s.rooms.endpoint,
	} {
		mux.Handle(path, s.websocket(e))
	}
	mux.Handle("/tunnel", upgrade.Handle(s.serveTunnel))
	mux.Handle("GET /events", upgrade.Handle(s.serveEvents))
	mux.HandleFunc("/", serveIndex)
	mux.HandleFunc("GET /healthz", s.serveHealth)
	mux.Handle("GET /metrics", s.metrics.handler())
	mux.HandleFunc("GET /bytes/{n}", s.serveBytes)
	mux.HandleFunc("POST /upload", serveUpload)
	return boundBodies(mux)
}

// websocket serves e: options from the flags and the query, events for its open and its end, and
// metrics.
func (s *server) websocket(e endpoint) http.Handler {
	return s.metrics.handshake(websocket.Handle(func(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
		q := &query{Values: r.URL.Query()}
		opts := s.config.options(q, s.log)
		h := e(r, q)
		if q.err != nil {
			http.Error(w, q.err.Error(), http.StatusBadRequest)
			return nil, nil
		}
		opts.Trace = (&socketMetrics{metrics: s.metrics}).trace
		return s.events.watch(h, r.URL.Path), opts
	}))
}

// echoEndpoint sends messages back. Pings are answered by the stack.
func echoEndpoint(*http.Request, *query) websocket.Handler {
	return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
		if f.IsData() {
			out = append(out, f.Reply())
		}
		return out
	})
}

// discardEndpoint drops everything; the terminate event holds the counts.
func discardEndpoint(*http.Request, *query) websocket.Handler { return discard{} }

type discard struct{}

func (discard) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }

// closeEndpoint closes as soon as it is open. A code that may not be sent crashes it, as it would
// any handler.
func closeEndpoint(_ *http.Request, q *query) websocket.Handler {
	code := q.number("code", 0, 0, 65535)
	if code == 0 && q.Get("reason") != "" {
		q.fail("reason without a code: an empty close frame has none")
	}
	return closer{code: websocket.CloseCode(code), reason: q.Get("reason")}
}

type closer struct {
	discard
	code   websocket.CloseCode
	reason string
}

func (c closer) Init(_ *websocket.Session, out websocket.Commands) websocket.Commands {
	return append(out, websocket.Close(c.code, c.reason))
}
