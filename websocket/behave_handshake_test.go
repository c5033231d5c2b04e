package websocket_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"weir/h2/h2test"
	"weir/websocket"
)

// BEHAVIOUR 1: the handshake, through a real server. The checks one by one are in package upgrade.

// request changes lines of the request that is fine: "Name: value" replaces or adds, "-Name" takes out, another first
// line begins with its method.
func request(changes ...string) string {
	lines := strings.Split(strings.TrimSuffix(upgradeRequest, "\r\n\r\n"), "\r\n")
	for _, c := range changes {
		if !strings.Contains(c, ": ") && !strings.HasPrefix(c, "-") {
			lines[0] = c
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(c, "-"), ":")
		var kept []string
		for _, l := range lines {
			if !strings.HasPrefix(l, name+":") {
				kept = append(kept, l)
			}
		}
		if lines = kept; !strings.HasPrefix(c, "-") {
			lines = append(lines, c)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func TestHandshakeHTTP1(t *testing.T) {
	for name, row := range map[string]struct {
		request string
		status  int
		fields  map[string]string
	}{
		"6455-4.2.2/fine":              {request(), 101, map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "X-Init": "set", "Date": ""}},
		"6455-4.2.1/version_8":         {request("Sec-WebSocket-Version: 8"), 101, nil},
		"6455-4.2.1/lists_and_case":    {request("Connection: keep-alive, UPGRADE", "Upgrade: foo, WebSocket"), 101, nil},
		"6455-4.2.1/post":              {request("POST / HTTP/1.1", "Content-Length: 0"), 426, map[string]string{"Connection": "upgrade", "Upgrade": "websocket"}},
		"6455-4.2.1/no_connection":     {request("-Connection"), 426, map[string]string{"Connection": "upgrade", "Upgrade": "websocket"}},
		"6455-4.2.1/no_upgrade":        {request("-Upgrade"), 426, nil},
		"6455-4.2.1/h2c":               {request("Upgrade: h2c"), 426, nil},
		"6455-4.2.1/http_1.0":          {request("GET / HTTP/1.0"), 400, nil},
		"6455-4.2.1/no_key":            {request("-Sec-WebSocket-Key"), 400, nil},
		"6455-4.2.1/key_of_15":         {request("Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1"), 400, nil},
		"6455-4.2.1/no_version":        {request("-Sec-WebSocket-Version"), 400, nil},
		"6455-4.4/version_12":          {request("Sec-WebSocket-Version: 12"), 426, map[string]string{"Sec-Websocket-Version": "13, 8, 7", "Upgrade": "websocket"}},
		"6455-9.1/extensions":          {request("Sec-WebSocket-Extensions: a;;b"), 400, nil},
		"6455-9.1/unknown_extension":   {request("Sec-WebSocket-Extensions: foo; bar=1"), 101, map[string]string{"Sec-Websocket-Extensions": ""}},
		"6455-4.2.2/origin_same":       {request("Origin: http://weir.test"), 101, nil},
		"6455-4.2.2/origin_other":      {request("Origin: http://evil.test"), 403, nil},
		"6455-4.2.2/subprotocol":       {request("Sec-WebSocket-Protocol: one, two, three"), 101, map[string]string{"Sec-Websocket-Protocol": "two"}},
		"6455-4.2.2/subprotocol_other": {request("Sec-WebSocket-Protocol: four"), 101, map[string]string{"Sec-Websocket-Protocol": ""}},
		"9110-7.8/body":                {request("Content-Length: 3") + "abc", 101, nil},
		"9110-7.8/chunked":             {request("Transfer-Encoding: chunked") + "0\r\n\r\n", 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, []string{"h1", "h1tls"}, func(h *house) {
				if h.tls() {
					row.request = strings.ReplaceAll(row.request, "http://weir", "https://weir")
				}
				h.handler, h.opts = new(actor), &websocket.Options{Subprotocols: []string{"two", "one"}}
				nc := h.dial()
				resp, rest := h.upgrade(nc, strings.Replace(row.request, " / ", " /fields ", 1))
				if resp.StatusCode != row.status {
					h.Fatalf("status %d, want %d", resp.StatusCode, row.status)
				}
				for name, want := range row.fields {
					if got := strings.Join(resp.Header[name], "|"); got != want {
						h.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				c := &client{house: h, wire: &h1wire{Conn: nc, r: rest}}
				if row.status == 101 {
					c.send(text("hello"))
					c.wantText("the stream is open", "hello")
					return
				}
				if told := h.handler.(*actor).told(); told != "" {
					h.Fatalf("a failed check told the handler %s", told)
				}
				if io.Copy(io.Discard, resp.Body); resp.Close {
					return
				}
				resp, _ = h.upgrade(nc, "GET /plain HTTP/1.1\r\nHost: weir.test\r\n\r\n")
				if resp.StatusCode != 200 {
					h.Fatalf("the connection is not usable for the next request: %d", resp.StatusCode)
				}
			})
		})
	}
}

func TestHandshakeHTTP2(t *testing.T) {
	v13 := []string{"sec-websocket-version", "13"}
	for name, row := range map[string]struct {
		fields []string
		status int // 0: RST_STREAM(PROTOCOL_ERROR)
		answer map[string]string
	}{
		"8441-5/fine":                    {v13, 200, map[string]string{"sec-websocket-accept": "", "upgrade": "", "connection": "", "x-init": "set"}},
		"8441-5/any_case":                {append([]string{":protocol", "WebSocket"}, v13...), 200, nil},
		"8441-5/key_ignored":             {append([]string{"sec-websocket-key", "nonsense"}, v13...), 200, map[string]string{"sec-websocket-accept": ""}},
		"8441-5/content_length_0":        {append([]string{"content-length", "0"}, v13...), 200, nil},
		"8441-5/subprotocol":             {append([]string{"sec-websocket-protocol", "one, two"}, v13...), 200, map[string]string{"sec-websocket-protocol": "two"}},
		"9220-3/unknown_protocol":        {append([]string{":protocol", "h2c"}, v13...), 501, nil},
		"8441-4/protocol_with_get":       {append([]string{":method", "GET"}, v13...), 0, nil},
		"8441-4/protocol_empty":          {append([]string{":protocol", ""}, v13...), 0, nil},
		"8441-4/no_scheme":               {append([]string{":scheme", "-"}, v13...), 0, nil},
		"8441-4/no_path":                 {append([]string{":path", "-"}, v13...), 0, nil},
		"8441-4/no_authority":            {append([]string{":authority", "-"}, v13...), 0, nil},
		"9113-8.5/scheme_without":        {append([]string{":protocol", "-"}, v13...), 0, nil},
		"9113-8.2.2/connection":          {append([]string{"connection", "upgrade"}, v13...), 0, nil},
		"9113-8.2.2/upgrade":             {append([]string{"upgrade", "websocket"}, v13...), 0, nil},
		"9113-8.2.2/te":                  {append([]string{"te", "gzip"}, v13...), 0, nil},
		"9113-8.3.1/host_other":          {append([]string{"host", "other.test"}, v13...), 0, nil},
		"9113-8.5/end_stream":            {append([]string{"END_STREAM", ""}, v13...), 400, nil},
		"6455-4.4/no_version":            {nil, 400, map[string]string{"sec-websocket-version": "13, 8, 7"}},
		"6455-4.4/version_12":            {[]string{"sec-websocket-version", "12"}, 400, map[string]string{"sec-websocket-version": "13, 8, 7"}},
		"6455-9.1/extensions":            {append([]string{"sec-websocket-extensions", "a;;b"}, v13...), 400, nil},
		"6455-4.2.2/origin_other":        {append([]string{"origin", "http://evil.test"}, v13...), 403, nil},
		"8441-5/another_method_on_route": {[]string{":method", "GET", ":protocol", "-"}, 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, []string{"h2c", "h2"}, func(h *house) {
				live := h.open(new(actor), nil)
				h.handler, h.opts = new(actor), &websocket.Options{Subprotocols: []string{"two", "one"}}
				tun, err := h.peer().Connect("/fields", row.fields...)
				if row.status == 0 {
					if re, ok := errors.AsType[*h2test.ResetError](err); !ok || re.Code != 1 {
						h.Fatalf("%v, want RST_STREAM(PROTOCOL_ERROR)", err)
					}
				} else if err != nil || tun.Status != row.status {
					h.Fatalf("status %d, %v, want %d", tun.Status, err, row.status)
				}
				for name, want := range row.answer {
					if got := tun.Field(name); got != want {
						h.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				if row.status == 200 {
					c := &client{house: h, wire: tun}
					c.send(text("hello"))
					c.wantText("the stream is open", "hello")
				}
				live.send(text("alive"))
				live.wantText("other WebSockets of the connection live", "alive")
				if r, err := h.peer().Get("/plain"); err != nil || r.Status != 200 {
					h.Fatalf("the connection is not usable: %v", err)
				}
			})
		})
	}
}

// What init does besides naming a handler.
func TestInitAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		init   func(http.ResponseWriter, *actor) websocket.Handler
		status int
		reason string
		log    string
	}{
		"answered":             {func(w http.ResponseWriter, _ *actor) websocket.Handler { w.WriteHeader(401); return nil }, 401, "", ""},
		"answered_and_named":   {func(w http.ResponseWriter, a *actor) websocket.Handler { io.WriteString(w, "x"); return a }, 200, "normal", ""},
		"nothing":              {func(http.ResponseWriter, *actor) websocket.Handler { return nil }, 500, "", "named no handler"},
		"informational_is_not": {func(w http.ResponseWriter, a *actor) websocket.Handler { w.WriteHeader(103); return a }, 101, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, overHTTP, func(h *house) {
				a := new(actor)
				h.mux.Handle("/init", websocket.Handle(func(w http.ResponseWriter, _ *http.Request) (websocket.Handler, *websocket.Options) {
					return row.init(w, a), nil
				}))
				want, got := row.status, 0
				if h.http2() {
					if want == 101 {
						want = 200
					}
					if want == 200 && row.reason != "" {
						want = 501 // a 2xx would look like an accepted WebSocket
					}
					tun, err := h.peer().Connect("/init", "sec-websocket-version", "13")
					if err != nil {
						h.Fatal(err)
					}
					got = tun.Status
				} else {
					resp, rest := h.upgrade(h.dial(), strings.Replace(upgradeRequest, " / ", " /init ", 1))
					if resp.StatusCode == 103 {
						var err error
						if resp, err = http.ReadResponse(rest, nil); err != nil {
							h.Fatal(err)
						}
					}
					got = resp.StatusCode
				}
				if got != want {
					h.Fatalf("status %d, want %d", got, want)
				}
				if row.reason != "" {
					h.wantReason(a, row.reason)
				}
				if !strings.Contains(h.log.String(), row.log) {
					h.Fatalf("log %q", h.log)
				}
			})
		})
	}
}
