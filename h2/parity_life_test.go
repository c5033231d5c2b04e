package h2_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

type parityKey struct{}

// ends notes when the connection of peer ends, in tens of seconds since start, and by which GOAWAY.
func (p *play) ends(peer *h2test.Peer, start time.Time) {
	goAway, _ := peer.Wait(time.Hour)
	if goAway == nil {
		p.note("client", "no GOAWAY %v", time.Since(start).Round(10*time.Second))
		return
	}
	p.note("client", "%v %v", goAway, time.Since(start).Round(10*time.Second))
}

// waitTurn is a handler that answers when the client lets it.
func waitTurn(p *play, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/quick" {
		return
	}
	io.WriteString(w, "be")
	w.(http.Flusher).Flush()
	select {
	case <-p.turn:
		io.WriteString(w, "fore")
	case <-r.Context().Done():
		p.note("handler", "%v", r.Context().Err())
	}
}

// parityLives are about connections: how they begin, rest and end.
var parityLives = []parityCase{
	{
		name: "net/http/BaseContext_and_ConnContext",
		server: func(_ *play, hs *http.Server) {
			hs.BaseContext = func(net.Listener) context.Context {
				return context.WithValue(context.Background(), parityKey{}, "base")
			}
			hs.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
				return context.WithValue(ctx, parityKey{}, fmt.Sprint(ctx.Value(parityKey{}), " of ", nc.RemoteAddr()))
			}
		},
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%v", r.Context().Value(parityKey{}))
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 | handler: base of 127.0.0.1:49152`,
	},
	{
		name: "net/http/ConnState",
		server: func(p *play, hs *http.Server) {
			hs.ConnState = func(nc net.Conn, s http.ConnState) { p.note("state", "%v", s) }
		},
		handler: func(*play, http.ResponseWriter, *http.Request) {},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			synctest.Wait()
			for range 2 {
				p.told(p.open(peer, true, "GET", "/"))
				synctest.Wait()
			}
			peer.Close()
			synctest.Wait()
		},
		want: `client: 200; 200 | state: new; active; idle; active; idle; active; idle; closed`,
	},
	{
		name:    "net/http/IdleTimeout",
		server:  func(_ *play, hs *http.Server) { hs.IdleTimeout = time.Minute },
		handler: func(*play, http.ResponseWriter, *http.Request) {},
		client: func(p *play) {
			start := time.Now()
			peer := p.peer(h2test.Options{})
			time.Sleep(30 * time.Second)
			p.told(p.open(peer, true, "GET", "/"))
			p.ends(peer, start)
		},
		want: `client: 200; GOAWAY 1 NO_ERROR 1m30s`,
	},
	{
		name:    "net/http/IdleTimeout_waits_for_streams",
		server:  func(_ *play, hs *http.Server) { hs.IdleTimeout = time.Minute },
		handler: func(*play, http.ResponseWriter, *http.Request) { time.Sleep(10 * time.Minute) },
		client: func(p *play) {
			start := time.Now()
			peer := p.peer(h2test.Options{})
			tn := p.open(peer, true, "GET", "/")
			tn.Answer(time.Hour)
			p.told(tn)
			p.ends(peer, start)
		},
		want: `client: 200; GOAWAY 1 NO_ERROR 11m0s`,
	},
	{
		name:    "net/http/ReadTimeout_is_the_IdleTimeout",
		server:  func(_ *play, hs *http.Server) { hs.ReadTimeout = time.Minute },
		handler: func(*play, http.ResponseWriter, *http.Request) {},
		client: func(p *play) {
			start := time.Now()
			peer := p.peer(h2test.Options{})
			p.told(p.open(peer, true, "GET", "/"))
			p.ends(peer, start)
		},
		want: `client: 200; GOAWAY 1 NO_ERROR 1m0s`,
	},
	{
		name:    "9113-6.7/PING_is_answered",
		handler: func(*play, http.ResponseWriter, *http.Request) {},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			peer.Send("PING 0102030405060708")
			for f, err := peer.Next(); err == nil; f, err = peer.Next() {
				if f.Type == http2.FramePing {
					p.note("client", "%v", f)
				}
			}
		},
		want: `client: PING ACK 0102030405060708`,
	},
	{
		name:    "net/http/Shutdown",
		server:  func(p *play, hs *http.Server) { hs.RegisterOnShutdown(func() { p.note("hook", "called") }) },
		handler: waitTurn,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			resting := p.peer(h2test.Options{})
			tn := p.open(peer, true, "GET", "/")
			synctest.Wait()
			done := make(chan struct{})
			go func() { // ends with the shutdown
				defer close(done)
				p.note("shutdown", "%s", fault(p.hs.Shutdown(context.Background())))
			}()
			time.Sleep(5 * time.Second)
			if _, err := p.l.Dial(context.Background()); err != nil {
				p.note("client", "refused")
			}
			p.note("client", "resting %v %v", resting.GoAway(), resting.Err())
			p.note("client", "busy %v %v", peer.GoAway(), peer.Err())
			close(p.turn)
			resp, err := tn.Response(patient)
			if err != nil {
				p.t.Fatal(err)
			}
			p.note("client", "%d %s", resp.Status, resp.Body)
			<-done
			synctest.Wait()
			p.note("client", "then %v", peer.Err())
			p.note("serve", "%s", fault(<-p.served))
		},
		want: `client: refused; resting GOAWAY 0 NO_ERROR EOF; busy GOAWAY 1 NO_ERROR <nil>; 200 before; then EOF | hook: called | ` +
			`serve: http: Server closed | shutdown: ok`,
	},
	{
		name:    "net/http/Shutdown_ends_with_its_context",
		handler: waitTurn,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			p.open(peer, true, "GET", "/")
			synctest.Wait()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			err := p.hs.Shutdown(ctx)
			p.note("shutdown", "%v", err == context.DeadlineExceeded)
			p.note("client", "%v", peer.Err())
			p.hs.Close()
			synctest.Wait()
			p.note("client", "%s", broken(peer.Err()))
		},
		want: `client: <nil>; error | handler: context canceled | shutdown: true`,
	},
	{
		name:    "net/http/Close_cuts_connections",
		handler: waitTurn,
		client: func(p *play) {
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.t.Fatal(err)
			}
			synctest.Wait() // until what was flushed has arrived
			p.hs.Close()
			b, err := io.ReadAll(resp.Body)
			p.note("client", "%s %s", b, broken(err))
			synctest.Wait()
			p.note("serve", "%s", fault(<-p.served))
		},
		want: `client: be error | handler: context canceled | serve: http: Server closed`,
	},
	{
		name:    "net/http/SetKeepAlivesEnabled_false",
		handler: func(*play, http.ResponseWriter, *http.Request) {},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			p.told(p.open(peer, true, "GET", "/"))
			p.hs.SetKeepAlivesEnabled(false)
			synctest.Wait()
			p.note("client", "%v", peer.Err())
			p.told(p.open(peer, true, "GET", "/"))
			synctest.Wait()
			p.note("client", "%v", peer.Err())
		},
		want: `client: 200; <nil>; 200; <nil>`,
	},
	{
		name: "net/http/DisableKeepAlives_of_the_client",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s %v", r.RemoteAddr, r.Close)
		},
		client: func(p *play) {
			p.tr.DisableKeepAlives = true
			for range 2 {
				p.get("/")
				synctest.Wait()
			}
		},
		want: `client: 200; 200 | handler: 127.0.0.1:49152 false; 127.0.0.1:49153 false`,
	},
	{
		name:   "9113-5.1.2/MaxConcurrentStreams",
		server: func(_ *play, hs *http.Server) { hs.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 2} },
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			<-p.turn
		},
		client: func(p *play) {
			var wg sync.WaitGroup
			for range 4 { // the Transport keeps to the limit, on two connections or one after the other
				wg.Go(func() { p.get("/") })
			}
			synctest.Wait()
			close(p.turn)
			wg.Wait()
		},
		want: `client: 200; 200; 200; 200`,
	},
	{
		name:   "9113-5.1.2/over_MaxConcurrentStreams",
		server: func(_ *play, hs *http.Server) { hs.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 2} },
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			<-p.turn
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			synctest.Wait() // until our ACK has arrived
			var tns []*h2test.Tunnel
			for range 3 {
				tns = append(tns, p.open(peer, true, "GET", "/"))
			}
			synctest.Wait()
			close(p.turn)
			for _, tn := range tns {
				p.told(tn)
			}
		},
		what:    "a stream over MaxConcurrentStreams",
		nethttp: `client: 200; 200; RST_STREAM PROTOCOL_ERROR`,
		weir:    `client: 200; 200; RST_STREAM REFUSED_STREAM`,
		why:     "REFUSED_STREAM: the client knows that it may try again (RFC 9113, 8.7)",
	},
	{
		name:    "9113-3.4/HTTP1_on_the_same_port",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) { p.note("handler", "%s", r.Proto) },
		client: func(p *play) {
			old := p.transport()
			defer old.CloseIdleConnections()
			old.Protocols = new(http.Protocols)
			old.Protocols.SetHTTP1(true)
			resp, err := old.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.t.Fatal(err)
			}
			resp.Body.Close()
			p.get("/")
		},
		want: `client: 200 | handler: HTTP/1.1; HTTP/2.0`,
	},
}

// parityServers are about CONNECT.
var parityServers = []parityCase{
	{
		name: "9113-8.5/CONNECT",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s %s %s %q", r.Method, r.Host, r.RequestURI, r.URL.Host)
			w.WriteHeader(http.StatusOK)
		},
		client: func(p *play) {
			tn, err := p.peer(h2test.Options{}).Open(true, ":method", "CONNECT", ":authority", "far.test:443")
			if err != nil {
				p.t.Fatal(err)
			}
			p.told(tn)
		},
		what:    "CONNECT without `:protocol`",
		nethttp: `client: 200 | handler: CONNECT far.test:443 far.test:443 "far.test:443"`,
		weir:    `client: 501`,
		why:     "501, unless Config.PlainConnect: a handler that does not look at the method would answer 200, and promise a proxy's tunnel",
	},
	{
		name: "8441-4/extended_CONNECT_to_an_ordinary_handler",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s %s %q", r.Method, r.RequestURI, r.Header["Upgrade"])
			if r.URL.Path == "/none" {
				http.NotFound(w, r)
			}
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			for _, path := range []string{"/", "/none"} {
				tn, err := peer.Connect(path)
				if err != nil {
					p.note("client", "%s", fault(err))
				} else {
					p.note("client", "%d", tn.Status)
				}
			}
		},
		what:    "extended CONNECT (RFC 8441)",
		nethttp: `client: RST_STREAM PROTOCOL_ERROR; RST_STREAM PROTOCOL_ERROR`,
		weir:    `client: 501; 404 | handler: GET / ["websocket"]; GET /none ["websocket"]`,
		why:     "offered, and served; handlers see a WebSocket's as a GET with Upgrade, as HTTP/1.1 has it (Config.UpgradeTokens). One that knows nothing of it cannot open a tunnel by accident: its 200 becomes 501",
	},
	{
		name: "net/http/StripPrefix_and_Redirect",
		server: func(p *play, hs *http.Server) {
			mux := http.NewServeMux()
			mux.Handle("/a/", http.StripPrefix("/a", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })))
			mux.Handle("/old", http.RedirectHandler("/new", http.StatusFound))
			hs.Handler = mux
		},
		client: func(p *play) {
			p.get("/a/b")
			p.get("/old", "Location")
			p.get("/a/../old", "Location")
		},
		want: `client: 200 "/b"; 302 Location=["/new"] "<a href=\"/new\">Found</a>.\n\n"; 307 Location=["/old"] "<a href=\"/old\">Temporary Redirect</a>.\n\n"`,
	},
	{
		name: "net/http/CrossOriginProtection",
		server: func(_ *play, hs *http.Server) {
			hs.Handler = http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		},
		client: func(p *play) {
			for _, site := range []string{"same-origin", "cross-site"} {
				p.do(p.request("POST", "/", strings.NewReader("x"), "Sec-Fetch-Site", site))
			}
		},
		want: `client: 200; 403 "cross-origin request detected from Sec-Fetch-Site header\n"`,
	},
}
