// Package websocket is weir's public face: WebSockets over HTTP/1.1 and HTTP/2 on any net/http server, with the handler
// model of Cowboy's cowboy_websocket. Callbacks get frames and return commands; the state machine, the close codes and
// the terminate reasons are the same on every transport.
//
//	mux.Handle("/echo", websocket.Handle(func(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
//		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
//			if f.IsData() {
//				out = append(out, f.Reply())
//			}
//			return out
//		}), nil
//	}))
//	srv := &http.Server{Addr: ":8443", Handler: mux}
//	ws, err := websocket.ConfigureServer(srv, nil) // HTTP/2 of this server is weir's from here on
//
// One handler value serves one session: callbacks of a session come one at a time, never two at once.
package websocket
