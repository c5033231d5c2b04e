package websocket_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/h3"
	"weir/h3/h3test"
	"weir/upgrade"
	"weir/websocket"
)

// BEHAVIOUR 1 and 7 where HTTP/3 is not as HTTP/2 (RFC 9220).

// http3Row is an extended CONNECT, changed by fields, and its answer. Status 0: RESET_STREAM with
// H3_MESSAGE_ERROR.
type http3Row struct {
	id, name string
	fields   []string
	status   int
	answer   map[string]string
}

func TestHandshakeHTTP3(t *testing.T) {
	with := func(fields ...string) []string { return append(fields, "sec-websocket-version", "13") }
	versions := map[string]string{"sec-websocket-version": "13, 8, 7"}
	for _, r := range []http3Row{
		{"1.h3.fine", "9220-3/fine", with(), 200, map[string]string{"sec-websocket-accept": "", "upgrade": "", "connection": "", "content-length": ""}},
		{"1.h3.fine", "9220-3/any_case", with(":protocol", "WebSocket"), 200, nil},
		{"1.h3.fine", "9220-3/key_ignored", with("sec-websocket-key", "nonsense"), 200, map[string]string{"sec-websocket-accept": ""}},
		{"1.h3.fine", "9220-3/content_length_0", with("content-length", "0"), 200, nil},
		{"1.h3.fine", "9114-4.2/te_trailers", with("te", "trailers"), 200, nil},
		{"1.h3.other_protocol", "9220-3/h2c", with(":protocol", "h2c"), 501, nil},
		{"1.h3.malformed", "8441-4/with_get", with(":method", "GET"), 0, nil},
		{"1.h3.malformed", "8441-4/empty", with(":protocol", ""), 0, nil},
		{"1.h3.malformed", "8441-4/space", with(":protocol", "web socket"), 0, nil},
		{"1.h3.malformed", "8441-4/CR", with(":protocol", "websocket\r"), 0, nil},
		{"1.h3.malformed", "8441-4/LF", with(":protocol", "web\nsocket"), 0, nil},
		{"1.h3.malformed", "8441-4/NUL", with(":protocol", "websocket\x00"), 0, nil},
		{"1.h3.malformed", "8441-4/no_scheme", with(":scheme", "-"), 0, nil},
		{"1.h3.malformed", "8441-4/no_path", with(":path", "-"), 0, nil},
		{"1.h3.malformed", "8441-4/no_authority", with(":authority", "-"), 0, nil},
		{"1.h3.malformed", "9114-4.4/without_protocol", with(":protocol", "-"), 0, nil},
		{"1.h3.malformed", "9114-4.2/connection", with("connection", "upgrade"), 0, nil},
		{"1.h3.malformed", "9114-4.2/upgrade", with("upgrade", "websocket"), 0, nil},
		{"1.h3.malformed", "9114-4.2/keep_alive", with("keep-alive", "timeout=5"), 0, nil},
		{"1.h3.malformed", "9114-4.2/proxy_connection", with("proxy-connection", "keep-alive"), 0, nil},
		{"1.h3.malformed", "9114-4.2/transfer_encoding", with("transfer-encoding", "chunked"), 0, nil},
		{"1.h3.malformed", "9114-4.2/te", with("te", "gzip"), 0, nil},
		{"1.h3.malformed", "9114-4.2/upper_case", with("X-Upper", "1"), 0, nil},
		{"1.h3.malformed", "9114-4.3.1/host_other", with("host", "other.test"), 0, nil},
		{"1.h3.version", "6455-4.4/none", nil, 400, versions},
		{"1.h3.version", "6455-4.4/12", []string{"sec-websocket-version", "12"}, 400, versions},
		{"1.h3.version", "6455-4.4/no_number", []string{"sec-websocket-version", "x"}, 400, versions},
		{"1.h3.version", "6455-4.4/8", []string{"sec-websocket-version", "8"}, 200, nil},
		{"1.h3.method", "9220-3/get", with(":method", "GET", ":protocol", "-"), 400, nil},
		{"1.h3.others_live", "9114-4.1.2/reset", with(":path", "-"), 0, nil},
		{"1.h3.others_live", "9114-4.1.2/refused", with("origin", "http://evil.test"), 403, nil},
		{"1.failed_check", "9220-3/version", nil, 400, nil},
		{"1.failed_check", "9220-3/origin", with("origin", "http://evil.test"), 403, nil},
	} {
		t.Run(r.name, func(t *testing.T) { row(t, r.id, overHTTP3, func(h *house) { h.http3Row(r) }) })
	}
}

func (h *house) http3Row(r http3Row) {
	live := h.open(new(actor), nil)
	a := new(actor)
	h.handler, h.opts = a, nil
	tun, err := h.shared3().Connect("/", r.fields...)
	if r.status == 0 {
		h.wantMessageError(err)
	} else if err != nil || tun.Status != r.status {
		h.Fatalf("status %d, %v, want %d", tun.Status, err, r.status)
	}
	for name, want := range r.answer {
		if got := tun.Field(name); got != want {
			h.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r.status == 200 {
		c := &client{house: h, wire: tun}
		c.send(text("hello"))
		c.wantText("the stream is open", "hello")
	} else if told := a.told(); told != "" {
		h.Errorf("a failed check told the handler %s", told)
	}
	live.send(text("alive"))
	live.wantText("other WebSockets of the connection live", "alive")
	if status, err := h.get("/plain"); err != nil || status != 200 {
		h.Fatalf("the connection is not usable: %v", err)
	}
}

func (h *house) wantMessageError(err error) {
	h.Helper()
	if code, ok := h3test.CloseCode(err); !ok || code != h3test.MessageError || h.shared3().Err() != nil {
		h.Fatalf("%v, want a reset with H3_MESSAGE_ERROR", err)
	}
}

func TestProtocolTwiceHTTP3(t *testing.T) {
	row(t, "1.h3.malformed", overHTTP3, func(h *house) {
		tun, err := h.shared3().Open(":method", "CONNECT", ":protocol", "websocket", ":protocol", "websocket",
			":scheme", "https", ":authority", "example.test", ":path", "/", "sec-websocket-version", "13")
		if err != nil {
			h.Fatal(err)
		}
		h.wantMessageError(tun.Answer(time.Minute))
	})
}

// FIN that comes with the CONNECT: a tunnel cannot be half closed at birth.
func TestConnectEndedHTTP3(t *testing.T) {
	row(t, "1.h3.end_stream", overHTTP3, func(h *house) {
		a := new(actor)
		h.handler, h.opts = a, nil
		tun, err := h.shared3().Stream()
		if err != nil {
			h.Fatal(err)
		}
		err = tun.End(":method", "CONNECT", ":protocol", "websocket", ":scheme", "https",
			":authority", "example.test", ":path", "/", "sec-websocket-version", "13")
		if err != nil || tun.Answer(time.Minute) != nil || tun.Status != 400 {
			h.Fatalf("status %d, %v", tun.Status, err)
		}
		if body, err := tun.Rest(time.Minute); err != nil || !strings.Contains(string(body), "ended") {
			h.Errorf("body %q, %v", body, err)
		}
		if told := a.told(); told != "" {
			h.Error(told)
		}
	})
}

// RFC 9220, 3: the setting is sent whatever Config says, as quic-go has it.
func TestExtendedConnectOffHTTP3(t *testing.T) {
	row(t, "1.h3.off", overHTTP3, func(h *house) {
		h.h3().quic.Close()
		srv := &http.Server{Handler: h.srv.Handler, TLSConfig: h.srv.TLSConfig}
		q, err := h3.ConfigureServer(srv, &h3.Config{NoExtendedConnect: true})
		if err != nil {
			h.Fatal(err)
		}
		h.h3().socket = h.h3().net.Listen()
		go q.Serve(h.h3().socket) // ends with Close
		h.close = append(h.close, func() { q.Close() })
		settings, err := h.shared3().Settings()
		if err != nil || settings[h3test.SettingEnableConnectProtocol] != 1 {
			h.Errorf("settings %v, %v", settings, err)
		}
		if tun, err := h.shared3().WebSocket("/"); err != nil || tun.Status != 501 {
			h.Errorf("%+v, %v", tun, err)
		}
	})
}

// Routers, middleware and init see what they would see of RFC 6455, 4.1.
func TestConnectAsGetHTTP3(t *testing.T) {
	row(t, "1.h3.as_get", overHTTP3, func(h *house) {
		a := new(actor)
		var seen []string
		ws := websocket.Handle(func(_ http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
			_, raw := r.Header[":protocol"]
			seen = append(seen, fmt.Sprint(r.Method, " ", r.Proto, " ", r.Header["Connection"], r.Header["Upgrade"], len(r.Header.Get("Sec-Websocket-Key")), raw, " ", upgrade.Token(r)))
			return a, nil
		})
		h.mux.Handle("GET /routed/{name}", http.NewCrossOriginProtection().Handler(ws))
		tun, err := h.shared3().WebSocket("/routed/a", "sec-fetch-site", "same-origin")
		if err != nil || tun.Status != 200 {
			h.Fatalf("%+v, %v", tun, err)
		}
		c := &client{house: h, wire: tun}
		c.send(text("hello"))
		c.wantText("the stream is open", "hello")
		if want := []string{"GET HTTP/3.0 [Upgrade] [websocket] 24 false websocket"}; !slices.Equal(seen, want) {
			h.Fatalf("init saw %q, want %q", seen, want)
		}
		if p := a.session().Request(); p.Method != "CONNECT" || p.Version != "3" {
			h.Fatalf("the PartialRequest is %+v", p)
		}
	})
}

func TestConnectNotOpenedHTTP3(t *testing.T) {
	row(t, "1.h3.not_opened", overHTTP3, func(h *house) {
		if tun, err := h.shared3().WebSocket("/plain"); err != nil || tun.Status != 501 {
			h.Fatalf("%+v, %v", tun, err)
		}
	})
}

func TestPlainConnectHTTP3(t *testing.T) {
	row(t, "1.h3.plain_connect", overHTTP3, func(h *house) {
		tun, err := h.shared3().Open(":method", "CONNECT", ":authority", "other.test:443")
		if err != nil || tun.Answer(time.Minute) != nil || tun.Status != 501 {
			h.Fatalf("%+v, %v", tun, err)
		}
	})
}

// A client's GOAWAY names a push (RFC 9114, 5.2), and there are none.
func TestPeerGoesAwayHTTP3(t *testing.T) {
	row(t, "7.h3.goaway", overHTTP3, func(h *house) {
		c := h.open(new(actor), nil)
		if err := h.shared3().Control(h3test.AppendFrame(nil, h3test.FrameGoAway, []byte{0})); err != nil {
			h.Fatal(err)
		}
		h.quiet()
		c.send(text("alive"))
		c.wantText("it goes on", "alive")
		other := h.open(new(actor), nil)
		other.send(text("alive"))
		other.wantText("and so does what is new", "alive")
	})
}

// What must not stand on a tunnel is the connection's end (RFC 9114, 4.4 and 7.1).
func TestFramesHTTP3(t *testing.T) {
	for name, r := range map[string]struct {
		send func(*h3test.Tunnel)
		code h3test.Code
	}{
		"9114-4.4/headers":    {func(t *h3test.Tunnel) { t.Headers("a", "b") }, h3test.FrameUnexpected},
		"9114-4.4/settings":   {func(t *h3test.Tunnel) { t.Frame(h3test.FrameSettings, nil) }, h3test.FrameUnexpected},
		"9114-7.2.8/reserved": {func(t *h3test.Tunnel) { t.Frame(0x6, nil) }, h3test.FrameUnexpected},
		"9114-7.1/cut":        {func(t *h3test.Tunnel) { t.Raw([]byte{0, 5, 0x82}); t.CloseWrite() }, h3test.FrameError},
	} {
		t.Run(name, func(t *testing.T) {
			row(t, "7.h3.frames", overHTTP3, func(h *house) {
				a := new(actor)
				c := h.open(a, nil)
				r.send(c.wire.(*h3test.Tunnel))
				if code, ok := h3test.CloseCode(h.shared3().Wait(time.Minute)); !ok || code != r.code {
					h.Errorf("the connection ends with %v, want %v", h.shared3().Err(), r.code)
				}
				h.wantReason(a, "error:closed")
			})
		})
	}
	row(t, "7.h3.frames", overHTTP3, func(h *house) {
		c := h.open(new(actor), nil)
		c.wire.(*h3test.Tunnel).Frame(0x21, []byte("reserved to be ignored (RFC 9114, 7.2.8)"))
		c.send(text("alive"))
		c.wantText("unknown frames are skipped", "alive")
	})
}

// Either half's end by the peer is the WebSocket's, also while nothing is read of it. With NO_ERROR
// a STOP_SENDING ends our sending alone (RFC 9114, 4.1).
func TestStopSendingHTTP3(t *testing.T) {
	for name, end := range map[string]func(*h3test.Tunnel){
		"reset": func(t *h3test.Tunnel) { t.Reset(h3test.RequestCancelled) },
		"stop":  func(t *h3test.Tunnel) { t.StopSending(h3test.RequestCancelled) },
	} {
		t.Run(name, func(t *testing.T) {
			row(t, "7.h3.halves", overHTTP3, func(h *house) {
				for _, a := range []*actor{{}, inactive()} {
					c := h.open(a, &websocket.Options{Window: 1000, IdleTimeout: -1})
					c.flood(100_000)
					h.quiet()
					end(c.wire.(*h3test.Tunnel))
					h.wantReason(a, "error:closed")
				}
			})
		})
	}
	row(t, "7.h3.halves", overHTTP3, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.wire.(*h3test.Tunnel).StopSending(h3test.NoError)
		h.quiet()
		c.send(text("still"), closing(1000, ""))
		c.wire.CloseWrite()
		h.wantReason(a, "remote")
		if got := a.told(); !strings.Contains(got, "text still") {
			h.Error(got)
		}
	})
}

// STOP_SENDING(H3_NO_ERROR) comes only for a peer that did not end its side in time.
func TestLingerHTTP3(t *testing.T) {
	row(t, "4.linger.reset", overHTTP3, func(h *house) {
		for _, ends := range []bool{true, false} {
			a := new(actor)
			c := h.open(a, nil)
			a.session().Post(websocket.Commands{websocket.Close(1000, "")})
			c.wantClose("our close, and FIN behind it", 1000, "")
			if ends {
				c.wire.CloseWrite()
				<-a.s.Context().Done()
				continue
			}
			start := time.Now()
			code, err := c.wire.(*h3test.Tunnel).Stopped(time.Minute)
			if d := time.Since(start); err == nil && code != h3test.NoError || d < 4*time.Second || d > 6*time.Second {
				h.Errorf("STOP_SENDING %v, %v after %v", code, err, d)
			}
		}
	})
}

// One GOAWAY, with the id of the next stream; what comes later is rejected, and may be made again
// elsewhere (RFC 9114, 5.2).
func TestDrainGoAwayHTTP3(t *testing.T) {
	row(t, "8.h3.goaway", overHTTP3, func(h *house) {
		_, c := h.keeper()
		refuses3(h)
		c.send(closing(1000, ""))
		c.wantClose("to its own end", 1000, "")
		c.wire.CloseWrite()
		if code, ok := h3test.CloseCode(h.shared3().Wait(time.Minute)); !ok || code != h3test.NoError {
			h.Errorf("behind the last the connection ends with %v", h.shared3().Err())
		}
	})
}
