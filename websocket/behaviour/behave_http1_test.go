package behaviour_test

import (
	"io"
	"strings"
	"testing"

	"weir/websocket"
)

// BEHAVIOUR 1: the handshake over HTTP/1.1, through a real server. The checks one by one are in package upgrade.

// request changes lines of the request that is fine: "Name: value" replaces, "+Name: value" adds, "-Name" takes out,
// another first line begins with its method.
func request(changes ...string) string {
	lines := strings.Split(strings.TrimSuffix(upgradeRequest, "\r\n\r\n"), "\r\n")
	for _, c := range changes {
		if !strings.Contains(c, ": ") && !strings.HasPrefix(c, "-") {
			lines[0] = c
			continue
		}
		if added, ok := strings.CutPrefix(c, "+"); ok {
			lines = append(lines, added)
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

// http1Row is a request and its answer.
type http1Row struct {
	id, name string
	request  string
	status   int
	fields   map[string]string
}

func TestHandshakeHTTP1(t *testing.T) {
	upgrade := map[string]string{"Connection": "upgrade", "Upgrade": "websocket"}
	versions := map[string]string{"Sec-Websocket-Version": "13, 8, 7", "Connection": "upgrade", "Upgrade": "websocket"}
	for _, r := range []http1Row{
		{"1.h1.fine", "6455-4.2.2/fine", request(), 101, map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Date": ""}},
		{"1.h1.version", "6455-4.4/version_8", request("Sec-WebSocket-Version: 8"), 101, nil},
		{"1.h1.version", "6455-4.4/version_7", request("Sec-WebSocket-Version: 7"), 101, nil},
		{"1.h1.version", "6455-4.4/version_12", request("Sec-WebSocket-Version: 12"), 426, versions},
		{"1.h1.version", "6455-4.4/version_0", request("Sec-WebSocket-Version: 0"), 426, versions},
		{"1.h1.no_websocket", "6455-4.2.1/lists_and_case", request("Connection: keep-alive, UPGRADE", "Upgrade: foo, WebSocket"), 101, nil},
		{"1.h1.no_websocket", "6455-4.2.1/lines", request("Connection: keep-alive", "+Connection: Upgrade", "Upgrade: foo", "+Upgrade: websocket"), 101, nil},
		{"1.h1.no_websocket", "6455-4.2.1/post", request("POST / HTTP/1.1", "Content-Length: 0"), 426, upgrade},
		{"1.h1.no_websocket", "6455-4.2.1/no_connection", request("-Connection"), 426, upgrade},
		{"1.h1.no_websocket", "6455-4.2.1/other_connection", request("Connection: keep-alive"), 426, upgrade},
		{"1.h1.no_websocket", "6455-4.2.1/no_upgrade", request("-Upgrade"), 426, upgrade},
		{"1.h1.no_websocket", "6455-4.2.1/h2c", request("Upgrade: h2c"), 426, upgrade},
		{"1.h1.http_1_0", "6455-4.2.1/get", request("GET / HTTP/1.0"), 400, nil},
		{"1.h1.http_1_0", "6455-4.2.1/before_no_upgrade", request("GET / HTTP/1.0", "-Upgrade", "-Connection"), 400, nil},
		{"1.h1.no_key", "6455-4.2.1/none", request("-Sec-WebSocket-Key"), 400, nil},
		{"1.h1.no_key", "6455-4.2.1/two", request("+Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, nil},
		{"1.h1.no_key", "6455-4.2.1/of_15", request("Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1"), 400, nil},
		{"1.h1.no_key", "6455-4.2.1/no_base64", request("Sec-WebSocket-Key: !!!!IHNhbXBsZSBub25jZQ=="), 400, nil},
		{"1.h1.no_version", "6455-4.2.1/none", request("-Sec-WebSocket-Version"), 400, nil},
		{"1.h1.no_version", "6455-4.2.1/no_number", request("Sec-WebSocket-Version: x"), 400, nil},
		{"1.h1.body", "9110-7.8/3_octets", request("Content-Length: 3") + "abc", 101, nil},
		{"1.h1.body", "9110-7.8/64Ki", request("Content-Length: 65536") + strings.Repeat("b", 65536), 101, nil},
		{"1.h1.body_refused", "9110-7.8/chunked", request("Transfer-Encoding: chunked") + "0\r\n\r\n", 400, nil},
		{"1.h1.body_refused", "9110-7.8/over_64Ki", request("Content-Length: 65537"), 400, nil},
		{"1.h1.body_refused", "9110-10.1.1/expect", request("Expect: 100-continue", "Content-Length: 3"), 400, nil},
		{"1.h1.old_origin", "6455-4.1/other", request("Sec-WebSocket-Version: 8", "Sec-WebSocket-Origin: http://evil.test"), 403, nil},
		{"1.h1.old_origin", "6455-4.1/same", request("Sec-WebSocket-Version: 8", "Sec-WebSocket-Origin: http://weir.test"), 101, nil},
		{"1.h1.old_origin", "6455-4.1/not_for_13", request("Sec-WebSocket-Origin: http://evil.test"), 101, nil},
	} {
		t.Run(r.name, func(t *testing.T) { row(t, r.id, overHTTP1, func(h *house) { h.http1Row(r) }) })
	}
}

func (h *house) http1Row(r http1Row) {
	if h.tls() {
		r.request = strings.ReplaceAll(r.request, "http://weir", "https://weir")
	}
	a := new(actor)
	h.handler, h.opts = a, nil
	nc := h.dial()
	resp, rest := h.upgrade(nc, r.request)
	if resp.StatusCode != r.status {
		h.Fatalf("status %d, want %d", resp.StatusCode, r.status)
	}
	for name, want := range r.fields {
		if got := strings.Join(resp.Header[name], "|"); got != want {
			h.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r.status == 101 {
		c := &client{house: h, wire: &h1wire{Conn: nc, r: rest}}
		c.send(text("hello"))
		c.wantText("the stream is open", "hello")
		return
	}
	if told := a.told(); told != "" {
		h.Fatalf("a failed check told the handler %s", told)
	}
	if r.id == "1.h1.body_refused" && !resp.Close {
		h.Error("the connection stays open")
	}
}

// A failed check tells the handler nothing, and leaves the connection to the next request.
func TestFailedCheckHTTP1(t *testing.T) {
	row(t, "1.failed_check", overHTTP1, func(h *house) {
		nc := h.dial()
		for _, bad := range []string{request("-Upgrade"), request("-Sec-WebSocket-Key"), request("Origin: http://evil.test"), request("Sec-WebSocket-Version: 9")} {
			a := new(actor)
			h.handler = a
			resp, _ := h.upgrade(nc, bad)
			if resp.StatusCode < 400 || resp.Close {
				h.Fatal(resp.Status, resp.Close)
			}
			io.Copy(io.Discard, resp.Body)
			if told := a.told(); told != "" {
				h.Fatalf("told %s", told)
			}
			if resp, _ = h.upgrade(nc, "GET /plain HTTP/1.1\r\nHost: weir.test\r\nContent-Length: 0\r\n\r\n"); resp.StatusCode != 200 {
				h.Fatal("the next request:", resp.Status)
			}
			io.Copy(io.Discard, resp.Body)
		}
	})
}

// The first frames may come with the request, in one segment.
func TestFramesBehindTheRequest(t *testing.T) {
	row(t, "1.h1.early_octets", overHTTP1, func(h *house) {
		h.handler = new(actor)
		nc := h.dial()
		resp, rest := h.upgrade(nc, upgradeRequest+string(text("early"))+string(text("bird")))
		if resp.StatusCode != 101 {
			h.Fatal(resp.Status)
		}
		c := &client{house: h, wire: &h1wire{Conn: nc, r: rest}}
		c.wantText("kept", "early")
		c.wantText("kept", "bird")
	})
}

var _ websocket.Handler = (*actor)(nil)
