package upgrade

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"weir/stream"
)

// h1Request is a good opening handshake over HTTP/1.1 (RFC 6455, 1.3), changed by lines: "Name:
// value" adds a line, "Name:" takes the field away, "=Name: value" puts it in the place of all
// others.
func h1Request(lines ...string) *http.Request {
	r := httptest.NewRequest("GET", "http://example.com/chat", nil)
	return change(r, append([]string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Version: 13"}, lines...))
}

// h2Request is a good one over HTTP/2 (RFC 8441, 5.1), as weir's HTTP/2 hands it over.
func h2Request(lines ...string) *http.Request {
	r := proto(httptest.NewRequest("GET", "https://example.com/chat", nil), 2, 0)
	r.Proto, r.Body = "HTTP/2.0", http.NoBody
	return token(change(r, append([]string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Version: 13"}, lines...)), "websocket")
}

// connectRequest is one whose token is not in h2.Config.UpgradeTokens.
func connectRequest(token string) *http.Request {
	r := h2Request("Connection:", "Upgrade:", "Sec-WebSocket-Key:")
	r.Method = http.MethodConnect
	r.Header[":protocol"] = []string{token}
	return r.WithContext(stream.WithToken(context.Background(), token))
}

func change(r *http.Request, lines []string) *http.Request {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case strings.HasSuffix(name, ":"):
			r.Header.Del(strings.TrimSuffix(name, ":"))
		case name[0] == '=':
			r.Header.Set(name[1:], value)
		default:
			r.Header.Add(name, value)
		}
	}
	return r
}

func method(r *http.Request, m string) *http.Request {
	r.Method = m
	return r
}

func token(r *http.Request, token string) *http.Request {
	return r.WithContext(stream.WithToken(r.Context(), token))
}

// noToken is r as a client may have sent it.
func noToken(r *http.Request) *http.Request { return r.WithContext(context.Background()) }

func proto(r *http.Request, major, minor int) *http.Request {
	r.ProtoMajor, r.ProtoMinor = major, minor
	return r
}

// BEHAVIOUR of the opening handshake, row by row.
func TestWebSocket(t *testing.T) {
	upgrade := http.Header{"Connection": {"upgrade"}, "Upgrade": {"websocket"}}
	oldVersion := http.Header{"Connection": {"upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13, 8, 7"}}
	connectVersion := http.Header{"Sec-Websocket-Version": {"13, 8, 7"}}
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	for _, c := range []struct {
		name   string
		r      *http.Request
		status int // 0: accepted
		header http.Header
	}{
		{"6455-4.2.1/fine", h1Request(), 0, nil},
		{"6455-4.2.1/lists_in_any_case", h1Request("=Connection: keep-alive, UPGRADE", "=Upgrade: h2c, WebSocket"), 0, nil},
		{"6455-4.2.1/lists_over_lines", h1Request("=Connection: keep-alive", "Connection: ,upgrade,", "=Upgrade: foo", "Upgrade: websocket"), 0, nil},
		{"6455-4.2.1/not_GET", method(h1Request(), "POST"), 426, upgrade},
		{"6455-4.2.1/CONNECT", method(h1Request(), "CONNECT"), 426, upgrade},
		{"6455-4.2.1/no_Connection", h1Request("Connection:"), 426, upgrade},
		{"6455-4.2.1/no_upgrade_token", h1Request("=Connection: keep-alive, upgraded"), 426, upgrade},
		{"6455-4.2.1/no_Upgrade", h1Request("Upgrade:"), 426, upgrade},
		{"6455-4.2.1/no_websocket_element", h1Request("=Upgrade: h2c, websocket2"), 426, upgrade},
		{"6455-4.2.1/plain_request", h1Request("Upgrade:", "Connection:", "Sec-WebSocket-Key:", "Sec-WebSocket-Version:"), 426, upgrade},
		{"6455-4.2.1/HTTP_1.0", proto(h1Request(), 1, 0), 400, nil},
		{"6455-4.2.1/HTTP_1.0_before_upgrade", proto(h1Request("Upgrade:"), 1, 0), 400, nil},
		{"6455-4.2.1/no_key", h1Request("Sec-WebSocket-Key:"), 400, nil},
		{"6455-4.2.1/two_keys", h1Request("Sec-WebSocket-Key: " + key), 400, nil},
		{"6455-4.2.1/key_of_15", h1Request("=Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"), 400, nil},
		{"6455-4.2.1/key_of_17", h1Request("=Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="), 400, nil},
		{"6455-4.2.1/key_not_base64", h1Request("=Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!=="), 400, nil},
		{"6455-4.2.1/key_without_padding", h1Request("=Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"), 400, nil},
		{"6455-4.2.1/empty_key", h1Request("=Sec-WebSocket-Key: "), 400, nil},
		{"6455-4.2.1/no_version", h1Request("Sec-WebSocket-Version:"), 400, nil},
		{"6455-4.2.1/version_no_number", h1Request("=Sec-WebSocket-Version: thirteen"), 400, nil},
		{"6455-4.2.1/version_with_sign", h1Request("=Sec-WebSocket-Version: +13"), 400, nil},
		{"6455-4.2.1/version_with_zero", h1Request("=Sec-WebSocket-Version: 013"), 400, nil},
		{"6455-11.3.5/version_list", h1Request("=Sec-WebSocket-Version: 13, 8"), 400, nil},
		{"6455-11.3.5/version_twice", h1Request("Sec-WebSocket-Version: 8"), 400, nil},
		{"6455-4.4/version_8", h1Request("=Sec-WebSocket-Version: 8"), 0, nil},
		{"6455-4.4/version_7", h1Request("=Sec-WebSocket-Version: 7"), 0, nil},
		{"6455-4.4/version_12", h1Request("=Sec-WebSocket-Version: 12"), 426, oldVersion},
		{"6455-4.4/version_0", h1Request("=Sec-WebSocket-Version: 0"), 426, oldVersion},
		{"6455-4.4/version_99", h1Request("=Sec-WebSocket-Version: 99"), 426, oldVersion},
		{"6455-9.1/malformed", h1Request("Sec-WebSocket-Extensions: permessage-deflate; ="), 400, nil},
		{"6455-9.1/empty", h1Request("Sec-WebSocket-Extensions: "), 400, nil},
		{"6455-9.1/unknown_ignored", h1Request("Sec-WebSocket-Extensions: x-foo; a=1, bar"), 0, nil},
		{"6455-10.2/own_host", h1Request("Origin: http://example.com"), 0, nil},
		{"6455-10.2/foreign", h1Request("Origin: http://evil.example"), 403, nil},
		{"order/key_before_version", h1Request("Sec-WebSocket-Key:", "=Sec-WebSocket-Version: 99"), 400, nil},
		{"order/version_before_extensions", h1Request("=Sec-WebSocket-Version: 99", "Sec-WebSocket-Extensions: ="), 426, oldVersion},
		{"order/extensions_before_origin", h1Request("Sec-WebSocket-Extensions: =", "Origin: http://evil.example"), 400, nil},

		{"8441-5/fine", h2Request(), 0, nil},
		{"8441-5/any_case", token(h2Request(), "WebSocket"), 0, nil},
		{"8441-5/CONNECT", connectRequest("websocket"), 0, nil},
		{"8441-5/CONNECT_in_any_case", connectRequest("webSocket"), 0, nil},
		{"8441-4/CONNECT_of_net/http", noToken(connectRequest("websocket")), 0, nil},
		{"8441-5/key_ignored", h2Request("=Sec-WebSocket-Key: nonsense", "Sec-WebSocket-Key: twice"), 0, nil},
		{"8441-5/content_length_0", h2Request("Content-Length: 0"), 0, nil},
		{"8441-5/version_8", h2Request("=Sec-WebSocket-Version: 8"), 0, nil},
		{"8441-5/another_method", method(h2Request(), "POST"), 400, nil},
		{"8441-5/GET_that_looks_like_one", noToken(h2Request()), 400, nil},
		{"8441-5/GET_with_:protocol", noToken(method(connectRequest("websocket"), "GET")), 400, nil},
		{"6455-4.2.1/no_upgrade_token_on_2", h2Request("=Connection: keep-alive"), 400, nil},
		{"6455-4.2.1/no_websocket_element_on_2", h2Request("=Upgrade: h2c"), 400, nil},
		{"9220-3/unknown_protocol", connectRequest("connect-udp"), 501, nil},
		{"9220-3/unknown_protocol_as_GET", token(h2Request(), "connect-udp"), 501, nil},
		{"9220-3/h2c", connectRequest("h2c"), 501, nil},
		{"9220-3/plain_CONNECT", noToken(connectRequest("")), 501, nil},
		{"6455-4.4/connect_without_version", h2Request("Sec-WebSocket-Version:"), 400, connectVersion},
		{"6455-4.4/connect_version_12", h2Request("=Sec-WebSocket-Version: 12"), 400, connectVersion},
		{"6455-9.1/connect_malformed", h2Request("Sec-WebSocket-Extensions: a b"), 400, nil},
		{"6455-10.2/connect_own_host", h2Request("Origin: https://example.com"), 0, nil},
		{"6455-10.2/connect_foreign", h2Request("Origin: https://evil.example"), 403, nil},
		{"9220-3/fine", proto(h2Request(), 3, 0), 0, nil},
		{"9220-3/unknown_protocol_on_3", proto(connectRequest("x"), 3, 0), 501, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := WebSocket(c.r, nil)
			if c.status == 0 {
				if err != nil || h.HTTPMajor != c.r.ProtoMajor {
					t.Errorf("handshake %+v, %v", h, err)
				}
				return
			}
			e, ok := errors.AsType[*HandshakeError](err)
			if !ok || e.Status != c.status || !reflect.DeepEqual(e.Header, c.header) || e.Rule == "" {
				t.Errorf("%#v", err)
			}
		})
	}
}

// RFC 6455, 4.2.2 and RFC 8441, 5.
func TestHandshakeHeader(t *testing.T) {
	config := &WebSocketConfig{Subprotocols: []string{"v3", "v2", "v1"}}
	offer := []string{"Sec-WebSocket-Protocol: v1, v0", "Sec-WebSocket-Protocol: v2"}
	for _, c := range []struct {
		name      string
		r         *http.Request
		set, want http.Header
	}{
		{"6455-4.2.2/fields", h1Request(), http.Header{"Set-Cookie": {"a", "b"}},
			http.Header{"Set-Cookie": {"a", "b"}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}},
		{"6455-4.2.2/subprotocol", h1Request(offer...), http.Header{},
			http.Header{"Sec-Websocket-Protocol": {"v2"}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}},
		{"8441-5/fields", h2Request(offer...), http.Header{"X": {"y"}}, http.Header{"X": {"y"}, "Sec-Websocket-Protocol": {"v2"}}},
		{"8441-5/key_gets_no_answer", h2Request("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), http.Header{}, http.Header{}},
		{"8441-5/no_subprotocol_in_common", h2Request("Sec-WebSocket-Protocol: V1"), http.Header{}, http.Header{}},
		{"init/its_subprotocol_wins", h2Request(offer...), http.Header{"Sec-Websocket-Protocol": {"own"}}, http.Header{"Sec-Websocket-Protocol": {"own"}}},
		{"init/its_extensions_go", h2Request(), http.Header{"Sec-Websocket-Extensions": {"permessage-deflate"}}, http.Header{}},
		{"9110-8.6/no_body", h2Request(), http.Header{"Content-Length": {"5"}, "Transfer-Encoding": {"chunked"}, "Trailer": {"x"}}, http.Header{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := WebSocket(c.r, config)
			if err != nil {
				t.Fatal(err)
			}
			h.Header(c.set)
			if !reflect.DeepEqual(c.set, c.want) {
				t.Errorf("got  %v\nwant %v", c.set, c.want)
			}
		})
	}
}

// RFC 6455, 9.1.
func TestParseExtensions(t *testing.T) {
	one := func(name string, params ...Param) []Extension { return []Extension{{name, params}} }
	for _, c := range []struct {
		lines []string
		want  []Extension
		ok    bool
	}{
		{nil, nil, true},
		{[]string{"foo"}, one("foo"), true},
		{[]string{"foo", "bar"}, append(one("foo"), one("bar")...), true},
		{[]string{" foo ,\tbar "}, append(one("foo"), one("bar")...), true},
		{[]string{",, foo,,", ""}, one("foo"), true},
		{[]string{"foo;a;b=1"}, one("foo", Param{Name: "a"}, Param{Name: "b", Value: "1", HasValue: true}), true},
		{[]string{"foo ; a ; b = 1"}, one("foo", Param{Name: "a"}, Param{Name: "b", Value: "1", HasValue: true}), true},
		{[]string{`foo; b="10"`}, one("foo", Param{Name: "b", Value: "10", HasValue: true}), true},
		{[]string{`foo; b="1\0"`}, one("foo", Param{Name: "b", Value: "10", HasValue: true}), true},
		{[]string{"foo; a=1; a=2"}, one("foo", Param{Name: "a", Value: "1", HasValue: true}, Param{Name: "a", Value: "2", HasValue: true}), true},
		{[]string{"Foo; A=b"}, one("Foo", Param{Name: "A", Value: "b", HasValue: true}), true},
		{[]string{""}, nil, false},
		{[]string{" , "}, nil, false},
		{[]string{"foo bar"}, nil, false},
		{[]string{"foo;"}, nil, false},
		{[]string{"foo; a="}, nil, false},
		{[]string{"foo; =1"}, nil, false},
		{[]string{"foo=1"}, nil, false},
		{[]string{`"foo"`}, nil, false},
		{[]string{`foo; a="b`}, nil, false},
		{[]string{`foo; a="b\`}, nil, false},
		{[]string{`foo; a=""`}, nil, false},
		{[]string{`foo; a="b c"`}, nil, false},
		{[]string{`foo; a="b,c"`}, nil, false},
		{[]string{`foo; a="b"c`}, nil, false},
		{[]string{"foo; a=b=c"}, nil, false},
		{[]string{"f\u00f6o"}, nil, false},
		{[]string{"foo\x00"}, nil, false},
	} {
		got, ok := ParseExtensions(c.lines)
		if ok != c.ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v; want %+v, %v", c.lines, got, ok, c.want, c.ok)
		}
	}
}

func FuzzParseExtensions(f *testing.F) {
	f.Add(`permessage-deflate; client_max_window_bits="10", x;y=z`)
	f.Fuzz(func(t *testing.T, line string) {
		list, ok := ParseExtensions([]string{line})
		if ok != (len(list) > 0) {
			t.Fatalf("%q: %v, %v", line, list, ok)
		}
		var again []string
		for _, e := range list {
			s := e.Name
			for _, p := range e.Params {
				if s += ";" + p.Name; p.HasValue {
					s += "=" + p.Value
				}
			}
			again = append(again, s)
		}
		if l, ok := ParseExtensions(again); len(again) > 0 && (!ok || !reflect.DeepEqual(l, list)) {
			t.Fatalf("%q: %v, then %v", line, list, l)
		}
	})
}

func TestRefuse(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		status int
		header http.Header
		body   string
	}{
		{"426", upgradeRequired("RFC 6455, 4.2.1", "websocket", "text"), 426, http.Header{"Connection": {"upgrade"}, "Upgrade": {"websocket"}}, "text (RFC 6455, 4.2.1)\n"},
		{"own_500", &HandshakeError{Status: 500, Msg: "secret"}, 500, nil, "Internal Server Error\n"},
		{"other", errors.New("secret"), 500, nil, "Internal Server Error\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Refuse(w, c.err)
			if w.Code != c.status || w.Body.String() != c.body {
				t.Errorf("%d %q", w.Code, w.Body)
			}
			for name, v := range c.header {
				if !slices.Equal(w.Header()[name], v) {
					t.Errorf("%s: %q", name, w.Header()[name])
				}
			}
		})
	}
	w := httptest.NewRecorder()
	w.Header().Set("Connection", "close")
	Refuse(w, upgradeRequired("RFC 6455, 4.2.1", "websocket", "text"))
	if got := w.Header()["Connection"]; !slices.Equal(got, []string{"close", "upgrade"}) {
		t.Errorf("Connection: %q", got)
	}
}
