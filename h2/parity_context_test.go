package h2_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing/synctest"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// waitsForContext notes how the context of the request ends.
func waitsForContext(p *play, _ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
		p.note("handler", "%s %v %v", r.URL.Path, r.Context().Err(), context.Cause(r.Context()))
	case <-time.After(time.Hour):
		p.note("handler", "%s %v", r.URL.Path, r.Context().Err())
	}
}

// parityContexts are about Request.Context.
var parityContexts = []parityCase{
	{
		name:    "9113-5.4.2/context_ends_by_RST_STREAM_of_any_code",
		handler: waitsForContext,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			for code := http2.ErrCodeNo; code <= http2.ErrCodeHTTP11Required; code++ {
				tn := p.open(peer, code%2 == 0, "POST", "/"+code.String())
				synctest.Wait()
				tn.Reset(code)
				synctest.Wait()
			}
			p.note("client", "%v", peer.Err())
		},
		want: `client: <nil> | handler: /NO_ERROR context canceled context canceled; ` +
			`/PROTOCOL_ERROR context canceled context canceled; ` +
			`/INTERNAL_ERROR context canceled context canceled; ` +
			`/FLOW_CONTROL_ERROR context canceled context canceled; ` +
			`/SETTINGS_TIMEOUT context canceled context canceled; ` +
			`/STREAM_CLOSED context canceled context canceled; ` +
			`/FRAME_SIZE_ERROR context canceled context canceled; ` +
			`/REFUSED_STREAM context canceled context canceled; ` +
			`/CANCEL context canceled context canceled; ` +
			`/COMPRESSION_ERROR context canceled context canceled; ` +
			`/CONNECT_ERROR context canceled context canceled; ` +
			`/ENHANCE_YOUR_CALM context canceled context canceled; ` +
			`/INADEQUATE_SECURITY context canceled context canceled; ` +
			`/HTTP_1_1_REQUIRED context canceled context canceled`,
	},
	{
		name:    "9113-5.4.1/context_ends_with_a_connection_error",
		handler: waitsForContext,
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 END_STREAM GET")
			synctest.Wait()
			p.send(peer, "DATA 0 END_STREAM")
			p.frames(peer)
		},
		want: `handler: / context canceled context canceled | wire: GOAWAY 1 PROTOCOL_ERROR`,
	},
	{
		name: "9113-6.8/context_lives_beyond_GOAWAY_of_the_client",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second)
			p.note("handler", "%v", r.Context().Err())
			io.WriteString(w, "whole")
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 END_STREAM GET")
			synctest.Wait()
			p.send(peer, "GOAWAY 0 NO_ERROR")
			for f, err := peer.Next(); err == nil; f, err = peer.Next() {
				if f.Stream == 1 {
					p.note("wire", "%v %s%s", f.Type, f.Field(":status"), f.Data)
				}
			}
		},
		want: `handler: <nil> | wire: HEADERS 200; DATA whole`,
	},
	{
		name:    "net/http/context_ends_with_a_client_that_closes",
		handler: waitsForContext,
		client: func(p *play) {
			p.tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				nc, err := p.l.Dial(ctx)
				if err == nil {
					time.AfterFunc(time.Minute, func() { nc.Close() })
				}
				return nc, err
			}
			_, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			p.note("client", "%s", broken(err))
			synctest.Wait()
		},
		want: `client: error | handler: / context canceled context canceled`,
	},
	{
		name:    "net/http/context_of_a_client_with_a_timeout",
		handler: waitsForContext,
		client: func(p *play) {
			c := http.Client{Transport: p.tr, Timeout: time.Minute}
			_, err := c.Get(p.url("/"))
			ne, ok := err.(net.Error)
			p.note("client", "%v", ok && ne.Timeout())
			synctest.Wait()
		},
		want: `client: true | handler: / context canceled context canceled`,
	},
	{
		name: "net/http/context_is_cancelled_when_the_handler_has_returned",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			context.AfterFunc(r.Context(), func() {
				p.note("after", "%s %v", r.URL.Path,
					r.Context().Err())
			})
			if r.URL.Path == "/panic" {
				panic(http.ErrAbortHandler)
			}
			p.note("handler", "%v", r.Context().Err())
		},
		client: func(p *play) {
			p.get("/")
			synctest.Wait()
			p.get("/panic")
			synctest.Wait()
		},
		want: `after: / context canceled; /panic context canceled | client: 200; ` +
			`RST_STREAM INTERNAL_ERROR | handler: <nil>`,
	},
	{
		name: "net/http/context_of_the_server_ends",
		server: func(p *play, hs *http.Server) {
			ctx, cancel := context.WithCancelCause(context.Background())
			p.cleanup = func() { cancel(nil) }
			hs.BaseContext = func(net.Listener) context.Context { return ctx }
			time.AfterFunc(time.Minute, func() { cancel(io.ErrClosedPipe) })
		},
		handler: waitsForContext,
		client:  func(p *play) { p.get("/") },
		want:    `client: 200 | handler: / context canceled io: read/write on closed pipe`,
	},
	{
		name: "net/http/context_has_no_deadline",
		server: func(_ *play, hs *http.Server) {
			hs.ReadTimeout, hs.WriteTimeout, hs.IdleTimeout = time.Minute, time.Minute, time.Minute
		},
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			_, ok := r.Context().Deadline()
			p.note("handler", "%v", ok)
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 | handler: false`,
	},
	{
		name:    "net/http/Shutdown_leaves_contexts_alone",
		handler: waitsForContext,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			tn := p.open(peer, true, "GET", "/")
			synctest.Wait()
			done := make(chan struct{})
			go func() { // ends with the shutdown
				defer close(done)
				p.note("shutdown", "%s", fault(p.hs.Shutdown(context.Background())))
			}()
			tn.Answer(2 * time.Hour)
			p.told(tn)
			<-done
		},
		want: `client: 200 | handler: / <nil> | shutdown: ok`,
	},
	{
		name: "net/http/contexts_of_siblings_are_their_own",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/reset" {
				<-r.Context().Done()
				close(p.turn)
				return
			}
			<-p.turn
			p.note("handler", "%v", r.Context().Err())
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			live := p.open(peer, true, "GET", "/")
			dead := p.open(peer, true, "GET", "/reset")
			synctest.Wait()
			dead.Reset(http2.ErrCodeCancel)
			p.told(live)
		},
		want: `client: 200 | handler: <nil>`,
	},
	{
		name: "net/http/values_of_a_context",
		server: func(_ *play, hs *http.Server) {
			hs.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
				return context.WithValue(ctx, parityKey{}, nc.RemoteAddr().String())
			}
		},
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
			p.note("handler", "%v %v %v %v", r.Context().Value(parityKey{}) == r.RemoteAddr, ok,
				addr,
				r.Context().Value(http.ServerContextKey).(*http.Server) == p.hs)
		},
		client: func(p *play) {
			for range 2 {
				p.ask("GET", "/")
			}
		},
		want: `client: 200; 200 | handler: true true 127.0.0.1:80 true; true true 127.0.0.1:80 ` +
			`true`,
	},
	{
		name:   "net/http/TLS_of_a_request",
		secure: true,
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			s := r.TLS
			p.note("handler", "%q %s %d %v %v %x", s.ServerName, s.NegotiatedProtocol,
				len(s.PeerCertificates), s.DidResume,
				s.HandshakeComplete, s.Version)
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 | handler: "example.test" h2 0 false true 304`,
	},
	{
		name: "net/http/reset_before_the_handler_reads",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			_, err := r.Body.Read(make([]byte, 1))
			p.note("handler", "%s %s", broken(err), broken(r.Body.Close()))
			w.WriteHeader(http.StatusTeapot)
			w.Header().Set("X-Late", "1")
		},
		client: func(p *play) {
			p.wire("HEADERS 1 POST", "RST_STREAM 1 CANCEL")
		},
		want: `handler: error ok`,
	},
	{
		name: "net/http/cancel_while_the_client_sends",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%s", broken(err))
			<-r.Context().Done()
			p.note("handler", "%v", r.Context().Err())
		},
		client: func(p *play) {
			ctx, cancel := context.WithTimeout(p.t.Context(), time.Second)
			defer cancel()
			pr, pw := io.Pipe()
			defer pw.Close()
			go io.WriteString(pw, "part") // ends with the pipe
			_, err := p.tr.RoundTrip(p.request("POST", "/", pr).WithContext(ctx))
			p.note("client", "%v", err == context.DeadlineExceeded)
			synctest.Wait()
		},
		want: `client: true | handler: error; context canceled`,
	},
}
