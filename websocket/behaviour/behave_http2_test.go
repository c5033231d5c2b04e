package behaviour_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"weir/h2/h2test"
	"weir/upgrade"
	"weir/websocket"
)

// BEHAVIOUR 1: the handshake over HTTP/2. Nothing but a stream error or an answer comes of a bad
// one.

// http2Row is an extended CONNECT, changed by fields, and its answer. Status 0:
// RST_STREAM(PROTOCOL_ERROR).
type http2Row struct {
	id, name string
	fields   []string
	status   int
	answer   map[string]string
}

func TestHandshakeHTTP2(t *testing.T) {
	with := func(fields ...string) []string { return append(fields, "sec-websocket-version", "13") }
	versions := map[string]string{"sec-websocket-version": "13, 8, 7"}
	for _, r := range []http2Row{
		{"1.h2.fine", "8441-5/fine", with(), 200, map[string]string{"sec-websocket-accept": "", "upgrade": "", "connection": "", "content-length": ""}},
		{"1.h2.fine", "8441-5/any_case", with(":protocol", "WebSocket"), 200, nil},
		{"1.h2.fine", "8441-5/key_ignored", with("sec-websocket-key", "nonsense"), 200, map[string]string{"sec-websocket-accept": ""}},
		{"1.h2.fine", "8441-5/content_length_0", with("content-length", "0"), 200, nil},
		{"1.h2.fine", "8441-5/te_trailers", with("te", "trailers"), 200, nil},
		{"1.h2.other_protocol", "9220-3/h2c", with(":protocol", "h2c"), 501, nil},
		{"1.h2.protocol", "8441-4/with_get", with(":method", "GET"), 0, nil},
		{"1.h2.protocol", "8441-4/empty", with(":protocol", ""), 0, nil},
		{"1.h2.protocol", "8441-4/space", with(":protocol", "web socket"), 0, nil},
		{"1.h2.protocol", "8441-4/CR", with(":protocol", "websocket\r"), 0, nil},
		{"1.h2.protocol", "8441-4/LF", with(":protocol", "web\nsocket"), 0, nil},
		{"1.h2.protocol", "8441-4/NUL", with(":protocol", "websocket\x00"), 0, nil},
		{"1.h2.pseudo", "8441-4/no_scheme", with(":scheme", "-"), 0, nil},
		{"1.h2.pseudo", "8441-4/no_path", with(":path", "-"), 0, nil},
		{"1.h2.pseudo", "8441-4/no_authority", with(":authority", "-"), 0, nil},
		{"1.h2.pseudo", "9113-8.5/without_protocol", with(":protocol", "-"), 0, nil},
		{"1.h2.fields", "9113-8.2.2/connection", with("connection", "upgrade"), 0, nil},
		{"1.h2.fields", "9113-8.2.2/upgrade", with("upgrade", "websocket"), 0, nil},
		{"1.h2.fields", "9113-8.2.2/keep_alive", with("keep-alive", "timeout=5"), 0, nil},
		{"1.h2.fields", "9113-8.2.2/proxy_connection", with("proxy-connection", "keep-alive"), 0, nil},
		{"1.h2.fields", "9113-8.2.2/transfer_encoding", with("transfer-encoding", "chunked"), 0, nil},
		{"1.h2.fields", "9113-8.2.2/te", with("te", "gzip"), 0, nil},
		{"1.h2.fields", "9113-8.2.1/upper_case", with("X-Upper", "1"), 0, nil},
		{"1.h2.fields", "9113-8.3.1/host_other", with("host", "other.test"), 0, nil},
		{"1.h2.end_stream", "9113-8.5/end_stream", with("END_STREAM", ""), 400, nil},
		{"1.h2.version", "6455-4.4/none", nil, 400, versions},
		{"1.h2.version", "6455-4.4/12", []string{"sec-websocket-version", "12"}, 400, versions},
		{"1.h2.version", "6455-4.4/no_number", []string{"sec-websocket-version", "x"}, 400, versions},
		{"1.h2.version", "6455-4.4/8", []string{"sec-websocket-version", "8"}, 200, nil},
		{"1.h2.method", "8441-5/get", with(":method", "GET", ":protocol", "-"), 400, nil},
		{"1.h2.others_live", "9113-5.4.2/reset", with(":path", "-"), 0, nil},
		{"1.h2.others_live", "9113-5.4.2/refused", with("origin", "http://evil.test"), 403, nil},
		{"1.failed_check", "8441-5/version", nil, 400, nil},
		{"1.failed_check", "8441-5/origin", with("origin", "http://evil.test"), 403, nil},
		{"1.failed_check", "8441-5/method", with(":method", "GET", ":protocol", "-"), 400, nil},
	} {
		t.Run(r.name, func(t *testing.T) { row(t, r.id, overHTTP2, func(h *house) { h.http2Row(r) }) })
	}
}

func (h *house) http2Row(r http2Row) {
	live := h.open(new(actor), nil)
	a := new(actor)
	h.handler, h.opts = a, nil
	tun, err := h.peer().Connect("/", r.fields...)
	if r.status == 0 {
		h.wantProtocolError(err)
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
	if r, err := h.peer().Get("/plain"); err != nil || r.Status != 200 {
		h.Fatalf("the connection is not usable: %v", err)
	}
}

func (h *house) wantProtocolError(err error) {
	h.Helper()
	if re, ok := errors.AsType[*h2test.ResetError](err); !ok || re.Code != http2.ErrCodeProtocol {
		h.Fatalf("%v, want RST_STREAM(PROTOCOL_ERROR)", err)
	}
}

// RFC 8441, 4: a pseudo-header field twice (RFC 9113, 8.3).
func TestProtocolTwice(t *testing.T) {
	row(t, "1.h2.protocol", overHTTP2, func(h *house) {
		tun, err := h.peer().Open(false, ":method", "CONNECT", ":protocol", "websocket", ":protocol", "websocket",
			":scheme", "http", ":authority", "example.test", ":path", "/", "sec-websocket-version", "13")
		if err != nil {
			h.Fatal(err)
		}
		h.wantProtocolError(tun.Answer(1e9))
	})
}

// RFC 8441, 3: without the setting a client must not use :protocol.
func TestExtendedConnectOff(t *testing.T) {
	off := func(_ *http.Server, cfg *websocket.Config) { cfg.HTTP2.NoExtendedConnect = true }
	rowWith(t, "1.h2.off", overHTTP2, off, func(h *house) {
		settings, err := h.peer().Settings()
		if _, there := settings[http2.SettingEnableConnectProtocol]; err != nil || there {
			h.Fatalf("settings %v, %v", settings, err)
		}
		_, err = h.peer().Connect("/", "sec-websocket-version", "13")
		h.wantProtocolError(err)
	})
	row(t, "1.h2.fine", overHTTP2, func(h *house) {
		if settings, _ := h.peer().Settings(); settings[http2.SettingEnableConnectProtocol] != 1 {
			h.Fatalf("settings %v", settings)
		}
	})
}

// RFC 8441, 5: routers, middleware and init see what they would see of RFC 6455, 4.1.
func TestConnectAsGet(t *testing.T) {
	row(t, "1.h2.as_get", overHTTP2, func(h *house) {
		a := new(actor)
		var seen []string
		note := func(r *http.Request) {
			_, raw := r.Header[":protocol"]
			seen = append(seen, fmt.Sprint(r.Method, " ", r.Proto, " ", r.Header["Connection"], r.Header["Upgrade"], len(r.Header.Get("Sec-Websocket-Key")), raw, " ", upgrade.Token(r)))
		}
		ws := websocket.Handle(func(_ http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
			note(r)
			return a, nil
		})
		h.mux.Handle("GET /routed/{name}", http.NewCrossOriginProtection().Handler(ws))
		tun, err := h.peer().Connect("/routed/a", "sec-websocket-version", "13", "sec-fetch-site", "same-origin")
		if err != nil || tun.Status != 200 {
			h.Fatalf("%d, %v", tun.Status, err)
		}
		c := &client{house: h, wire: tun}
		c.send(text("hello"))
		c.wantText("the stream is open", "hello")
		if want := []string{"GET HTTP/2.0 [Upgrade] [websocket] 24 false websocket"}; !slices.Equal(seen, want) {
			h.Fatalf("init saw %q, want %q", seen, want)
		}
		if p := a.session().Request(); p.Method != "CONNECT" || p.Version != "2" {
			h.Fatalf("the PartialRequest is %+v", p)
		}
	})
}

// A 2xx would look like an open tunnel (RFC 9110, 9.3.6).
func TestConnectNotOpened(t *testing.T) {
	row(t, "1.h2.not_opened", overHTTP2, func(h *house) {
		if tun, err := h.peer().Connect("/plain", "sec-websocket-version", "13"); err != nil || tun.Status != 501 {
			h.Fatalf("%+v, %v", tun, err)
		}
	})
}

func TestPlainConnect(t *testing.T) {
	plain := []string{":method", "CONNECT", ":authority", "other.test:443"}
	row(t, "1.h2.plain_connect", overHTTP2, func(h *house) {
		tun, err := h.peer().Open(false, plain...)
		if err != nil || tun.Answer(1e9) != nil || tun.Status != 501 {
			h.Fatalf("%+v, %v", tun, err)
		}
	})
	var target string
	toHandler := func(srv *http.Server, cfg *websocket.Config) {
		cfg.HTTP2.PlainConnect = true
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			target = strings.Join([]string{r.Method, r.Host, r.Header.Get(":protocol")}, " ")
			w.WriteHeader(403)
		})
	}
	rowWith(t, "1.h2.plain_connect", overHTTP2, toHandler, func(h *house) {
		tun, err := h.peer().Open(false, plain...)
		if err != nil || tun.Answer(1e9) != nil || tun.Status != 403 || target != "CONNECT other.test:443 " {
			h.Fatalf("%+v, %v, %q", tun, err, target)
		}
	})
}
