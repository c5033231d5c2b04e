package h2_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing/synctest"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// What differences that several cases show, or long ones, are about, and why.
const (
	whyFlood = "end the connection with ENHANCE_YOUR_CALM (RFC 9113, 10.5): Config has a rate for " +
		"each, far above what honest clients do"
	whatUnfinished = "SETTINGS that the client does not acknowledge, or a field block that it does not " +
		"end, for 10 s"
	whyTooMany = "ends the connection with ENHANCE_YOUR_CALM (RFC 9113, 10.5.1); " +
		"Config.MaxContinuations raises it"
)

// parityLimits are about how much a peer may do, and how long it may take.
var parityLimits = []parityCase{
	{
		name: "9113-10.5/many_fields",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%d", len(r.Header))
		},
		client: func(p *play) {
			for _, n := range []int{400, 600} {
				var kv []string
				for i := range n {
					kv = append(kv, fmt.Sprint("x-", i), "v")
				}
				p.ask("GET", "/", kv...)
			}
		},
		what:    "a request with more than 500 fields",
		why:     "431: a field costs more than its octets; Config.MaxHeaderFields raises it",
		nethttp: `client: 200; 200 | handler: 400; 600`,
		go127:   `client: 200; 431 | handler: 400`,
		weir:    `client: 200; 431 | handler: 400`,
	},
	{
		name: "9113-10.5.1/many_CONTINUATIONs",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%d", len(r.Header))
		},
		client: func(p *play) {
			for _, n := range []int{5, 40} {
				lines := []string{"HEADERS 1 END_STREAM NO_END_HEADERS GET"}
				for i := range n {
					lines = append(lines, fmt.Sprintf("CONTINUATION 1 NO_END_HEADERS x-%d=v", i))
				}
				p.wire(append(lines, "CONTINUATION 1 x-end=v")...)
			}
		},
		what: "a field block in more CONTINUATION frames than its octets need",
		why:  whyTooMany,
		nethttp: `handler: 6; 41 | wire: HEADERS 1 END_STREAM :status=200 content-length=0 ` +
			`date=now; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		weir: `handler: 6 | wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now; ` +
			`GOAWAY 1 ENHANCE_YOUR_CALM`,
	},
	{
		name:    "9113-10.5/many_resets_of_the_client",
		handler: waitsQuietly,
		client: func(p *play) {
			for _, n := range []int{200, 600} {
				peer := p.peer(h2test.Options{})
				for range n {
					tn, err := peer.Open(true, ":method", "GET", ":scheme", p.scheme(),
						":authority", "example.test", ":path", "/")
					if err != nil {
						break
					}
					synctest.Wait()
					tn.Reset(http2.ErrCodeCancel)
					synctest.Wait()
				}
				p.note("client", "%v", peer.GoAway())
			}
		},
		what:    "floods: of RST_STREAM, PING, SETTINGS, PRIORITY and the like",
		why:     whyFlood,
		nethttp: `client: <nil>; <nil>`,
		weir:    `client: <nil>; GOAWAY 1001 ENHANCE_YOUR_CALM`,
	},
	{
		name:    "9113-10.5/many_resets_over_time",
		handler: waitsQuietly,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			for range 800 {
				tn := p.open(peer, true, "GET", "/")
				synctest.Wait()
				tn.Reset(http2.ErrCodeCancel)
				time.Sleep(25 * time.Millisecond)
			}
			p.note("client", "%v %v", peer.GoAway(), peer.Err())
		},
		want: `client: <nil> <nil>`,
	},
	{
		name:    "9113-10.5/many_PINGs",
		handler: nothing,
		client: func(p *play) {
			for _, n := range []int{1000, 7000} {
				peer := p.peer(h2test.Options{})
				for range n {
					peer.Send("PING")
				}
				synctest.Wait()
				p.note("client", "%v", peer.GoAway())
			}
		},
		what:    "floods: of RST_STREAM, PING, SETTINGS, PRIORITY and the like",
		why:     whyFlood,
		nethttp: `client: <nil>; <nil>`,
		weir:    `client: <nil>; GOAWAY 0 ENHANCE_YOUR_CALM`,
	},
	{
		name:    "9113-10.5/many_SETTINGS",
		handler: nothing,
		client: func(p *play) {
			for _, n := range []int{200, 1200} {
				peer := p.peer(h2test.Options{})
				for range n {
					peer.Send("SETTINGS INITIAL_WINDOW_SIZE=70000")
					synctest.Wait()
				}
				p.note("client", "%v", peer.GoAway())
			}
		},
		what:    "floods: of RST_STREAM, PING, SETTINGS, PRIORITY and the like",
		why:     whyFlood,
		nethttp: `client: <nil>; <nil>`,
		weir:    `client: <nil>; GOAWAY 0 ENHANCE_YOUR_CALM`,
	},
	{
		name:    "9113-10.5/many_PRIORITYs",
		handler: nothing,
		client: func(p *play) {
			for _, n := range []int{1000, 3000} {
				peer := p.peer(h2test.Options{})
				for range n {
					peer.Send("PRIORITY 1 0")
				}
				synctest.Wait()
				p.note("client", "%v", peer.GoAway())
			}
		},
		what:    "floods: of RST_STREAM, PING, SETTINGS, PRIORITY and the like",
		why:     whyFlood,
		nethttp: `client: <nil>; <nil>`,
		weir:    `client: <nil>; GOAWAY 0 ENHANCE_YOUR_CALM`,
	},
	{
		name: "9113-6.9/many_WINDOW_UPDATEs_of_an_honest_reader",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			for range 3000 {
				io.WriteString(w, "tick")
				w.(http.Flusher).Flush()
			}
		},
		client: func(p *play) { // each frame is given back, on the stream and on the connection
			tn := p.open(p.peer(h2test.Options{}), true, "GET", "/")
			tn.SetReadDeadline(time.Now().Add(patient))
			n, err := io.Copy(io.Discard, tn)
			p.note("client", "%d %s", n, fault(err))
		},
		want: `client: 12000 ok`,
	},
	{
		name:    "9113-6.5.3/SETTINGS_that_are_never_acknowledged",
		handler: nothing,
		client: func(p *play) {
			peer := p.peer(h2test.Options{Manual: true})
			for _, id := range []string{"1", "3"} {
				p.send(peer, "HEADERS "+id+" END_STREAM GET")
				p.frames(peer)
				time.Sleep(time.Minute)
			}
			p.frames(peer)
		},
		what: whatUnfinished,
		why:  "end the connection (RFC 9113, 6.5.3 and 10.5); Config.HandshakeTimeout is the time",
		nethttp: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now; ` +
			`HEADERS 3 END_STREAM :status=200 content-length=0 date=now`,
		weir: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now; ` +
			`GOAWAY 1 SETTINGS_TIMEOUT`,
	},
	{
		name:    "9113-4.3/a_block_that_takes_long",
		handler: nothing,
		client: func(p *play) {
			for _, d := range []time.Duration{5 * time.Second, time.Minute} {
				peer := p.manual()
				p.send(peer, "HEADERS 1 END_STREAM NO_END_HEADERS GET")
				time.Sleep(d)
				p.send(peer, "CONTINUATION 1 a=b")
				p.frames(peer)
			}
		},
		what: whatUnfinished,
		why:  "end the connection (RFC 9113, 6.5.3 and 10.5); Config.HandshakeTimeout is the time",
		nethttp: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
		weir: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now; ` +
			`GOAWAY 1 ENHANCE_YOUR_CALM`,
	},
	{
		name:    "9113-4.1/a_frame_that_takes_long",
		handler: readAll,
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 POST")
			b := h2test.AppendFrame(nil, http2.FrameData, http2.FlagDataEndStream, 1,
				[]byte("hello"))
			peer.WriteRaw(b[:4])
			time.Sleep(5 * time.Minute)
			peer.WriteRaw(b[4:11])
			time.Sleep(5 * time.Minute)
			peer.WriteRaw(b[11:])
			p.frames(peer)
		},
		want: `handler: length=-1 read=5 ok | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "9113-5.1.2/handlers_of_streams_that_were_reset",
		server: func(_ *play, hs *http.Server) {
			hs.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 2}
		},
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/slow") {
				<-p.turn
			}
			p.note("handler", "%s", r.URL.Path)
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			for i := range 2 {
				tn := p.open(peer, true, "GET", fmt.Sprint("/slow", i))
				synctest.Wait()
				tn.Reset(http2.ErrCodeCancel)
				synctest.Wait()
			}
			tn := p.open(peer, true, "GET", "/next") // waits for a handler
			synctest.Wait()
			p.turn <- struct{}{}
			synctest.Wait()
			p.told(tn)
			close(p.turn)
			synctest.Wait()
		},
		want: `client: 200 | handler: /slow0; /next; /slow1`,
	},
	{
		name: "net/http/a_small_answer_beside_a_large_one",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/large" {
				n, err := io.Copy(w, zeros(20<<20))
				p.note("handler", "%d %s", n, fault(err))
				return
			}
			io.WriteString(w, "small")
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			large := p.open(peer, true, "GET", "/large")
			go func() { // ends with the answer
				n, err := io.Copy(io.Discard, large)
				p.note("large", "%d %s", n, fault(err))
				close(p.turn)
			}()
			for range 5 {
				p.told(p.open(peer, true, "GET", "/small"))
			}
			<-p.turn
		},
		want: `client: 200; 200; 200; 200; 200 | handler: 20971520 ok | large: 20971520 ok`,
	},
	{
		name: "9113-5.4.1/a_connection_lost_wakes_Read_and_Write",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			var err error
			if r.URL.Path == "/read" {
				_, err = r.Body.Read(make([]byte, 1))
			} else {
				_, err = io.Copy(w, zeros(1<<20))
			}
			p.note(r.URL.Path, "%s", broken(err))
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			p.open(peer, false, "POST", "/read")
			p.open(peer, true, "GET", "/write").Withhold(true)
			synctest.Wait()
			peer.Close()
			synctest.Wait()
		},
		want: `/read: error | /write: error`,
	},
	{
		name: "net/http/Close_of_the_server_wakes_Read_and_Write",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			var err error
			if r.URL.Path == "/read" {
				_, err = r.Body.Read(make([]byte, 1))
			} else {
				_, err = io.Copy(w, zeros(1<<20))
			}
			p.note(r.URL.Path, "%s", broken(err))
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			p.open(peer, false, "POST", "/read")
			p.open(peer, true, "GET", "/write").Withhold(true)
			synctest.Wait()
			p.hs.Close()
			synctest.Wait()
		},
		want: `/read: error | /write: error`,
	},
	{
		name:    "net/http/a_client_that_closes_between_requests",
		handler: nothing,
		client: func(p *play) {
			for range 3 {
				peer := p.peer(h2test.Options{})
				p.told(p.open(peer, true, "GET", "/"))
				peer.Close()
				synctest.Wait()
			}
			p.note("shutdown", "%s", fault(p.hs.Shutdown(context.Background())))
		},
		want: `client: 200; 200; 200 | shutdown: ok`,
	},
	{
		name: "9113-6.5.2/HEADER_TABLE_SIZE_changes_midway",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			for i := range 20 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("v", i)+r.URL.RawQuery)
			}
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			for _, n := range []int{4096, 0, 100, 4096, 50, 3000, 0, 0, 4096} {
				peer.Send(fmt.Sprint("SETTINGS HEADER_TABLE_SIZE=", n))
				synctest.Wait()
				for range 2 {
					resp, err := p.open(peer, true, "GET", fmt.Sprint("/?", n)).Response(patient)
					if err != nil || resp.Header["x-19"] != strings.Repeat("v", 19)+fmt.Sprint(n) {
						p.note("client", "%d %v", n, err)
					}
				}
			}
			p.note("client", "%v", peer.Err())
		},
		want: `client: <nil>`,
	},
}

// waitsQuietly is a handler that waits for its context.
func waitsQuietly(_ *play, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
