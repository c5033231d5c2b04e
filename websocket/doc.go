// Package websocket is weir's public face: WebSockets over HTTP/1.1 and HTTP/2 on any net/http
// server, and over HTTP/3 with package h3 beside it, with the handler model of Cowboy's
// cowboy_websocket. Callbacks get frames and return commands; the state machine, the close codes
// and the terminate reasons are the same on every transport.
//
//	func echo(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
//		return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
//			if f.IsData() {
//				out = append(out, f.Reply())
//			}
//			return out
//		}), nil
//	}
//
//	mux.Handle("/echo", websocket.Handle(echo))
//	srv := &http.Server{Addr: ":8443", Handler: mux}
//	ws, err := websocket.ConfigureServer(srv, nil) // HTTP/2 of this server is weir's from here on
//
// One handler value serves one session: callbacks of a session come one at a time, never two at
// once. What they return are Commands; what a Frame lends them is theirs until they return.
//
// A Session is kept for what comes from elsewhere: Post has its handler's Info called, and Send
// sends frames, or closes with a code, from any goroutine. A Group has all sessions of a server.
// Terminate is told the Reason of the end.
//
// Accept, Dial and NewConn give a Conn, which blocks, for those who would rather not be called
// back; NewSession and NewConn run on any stream. Package websockettest tests handlers and clients
// in memory, and in fake time.
package websocket
