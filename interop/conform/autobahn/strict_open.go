package autobahn

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/wire"
	wstream "weir/stream"
)

// sampleKey and its answer are those of RFC 6455, 1.3.
const sampleKey, sampleAccept = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// handshakeRow is a request that opens a WebSocket over HTTP/1.1, or must not.
type handshakeRow struct {
	id, title, expect, section string
	line                       string   // in place of "GET ? HTTP/1.1"
	change                     []string // fields in place of the good ones: a name alone leaves it out, a name given twice is sent twice
	judge                      func(r *http.Response) (conform.Verdict, string)
}

// openings are the cases of the opening handshake, and those with more than one connection.
func openings() []conform.Case {
	var all []conform.Case
	for _, row := range handshakeRows() {
		all = append(all, conform.Case{
			ID: "strict.open." + row.id, Title: row.title, Expect: row.expect, Section: row.section, Strict: true, Over: []wstream.Transport{wstream.H1, wstream.H1TLS},
			Run: func(ctx context.Context, t *conform.Target, log *conform.Log) conform.Outcome {
				r, err := wire.Exchange(ctx, t, row.request(t), log)
				if err != nil {
					if row.mustOpen() {
						return conform.Fail("no answer: " + err.Error())
					}
					return conform.Outcome{Body: conform.NonStrict, Close: conform.OK, Why: "no answer: " + err.Error()}
				}
				v, why := row.judge(r)
				return conform.Outcome{Body: v, Close: conform.OK, Why: why}
			},
		})
	}
	return append(all, conform.Case{ID: "strict.concurrency.two", Title: "two WebSockets, with messages in turn", Expect: "each message comes back where it was sent", Section: "RFC 6455, 1.1", Strict: true, Run: inTurn})
}

func (h *handshakeRow) mustOpen() bool { return h.expect == opens }

// request is the octets of the row's request.
func (h *handshakeRow) request(t *conform.Target) []byte {
	line := strings.Replace(h.line, "?", t.RequestURI(), 1)
	if line == "" {
		line = "GET " + t.RequestURI() + " HTTP/1.1"
	}
	changed := map[string]bool{}
	for _, f := range h.change {
		name, _, _ := strings.Cut(f, ":")
		changed[strings.ToLower(name)] = true
	}
	b := line + "\r\n"
	for _, f := range []string{"Host: " + t.Authority(), "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: " + sampleKey, "Sec-WebSocket-Version: 13"} {
		if name, _, _ := strings.Cut(f, ":"); !changed[strings.ToLower(name)] {
			b += f + "\r\n"
		}
	}
	for _, f := range h.change {
		if strings.Contains(f, ":") {
			b += f + "\r\n"
		}
	}
	return []byte(b + "\r\n")
}

const opens = "101, with Upgrade, Connection and the Sec-WebSocket-Accept of the key"

// isOpen judges an answer that has to open a WebSocket.
func isOpen(r *http.Response) (conform.Verdict, string) {
	switch {
	case r.StatusCode != http.StatusSwitchingProtocols:
		return conform.Failed, "answered " + r.Status
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return conform.Failed, fmt.Sprintf("Upgrade: %q (RFC 6455, 4.2.2)", r.Header.Get("Upgrade"))
	case !strings.Contains(strings.ToLower(strings.Join(r.Header["Connection"], ",")), "upgrade"):
		return conform.Failed, fmt.Sprintf("Connection: %q (RFC 6455, 4.2.2)", r.Header["Connection"])
	case r.Header.Get("Sec-Websocket-Accept") != sampleAccept:
		return conform.Failed, fmt.Sprintf("Sec-WebSocket-Accept: %q (RFC 6455, 4.2.2)", r.Header.Get("Sec-Websocket-Accept"))
	case len(r.Header["Sec-Websocket-Extensions"]) > 0:
		return conform.Failed, "an extension was agreed to that was not offered (RFC 6455, 4.2.2)"
	case len(r.Header["Sec-Websocket-Protocol"]) > 0:
		return conform.Failed, "a subprotocol was chosen that was not offered (RFC 6455, 4.2.2)"
	}
	return conform.OK, ""
}

// isRefused judges an answer that may open none. The statuses are those that are right; others of a
// refusal are not strict.
func isRefused(right ...int) func(r *http.Response) (conform.Verdict, string) {
	return func(r *http.Response) (conform.Verdict, string) {
		for _, s := range right {
			if r.StatusCode == s {
				return conform.OK, ""
			}
		}
		if r.StatusCode == http.StatusSwitchingProtocols {
			return conform.Failed, "it was opened"
		}
		return conform.NonStrict, "answered " + r.Status
	}
}

// isVersion judges the answer to a version that does not exist: the server says which it has (RFC
// 6455, 4.4).
func isVersion(r *http.Response) (conform.Verdict, string) {
	v, why := isRefused(426, 400)(r)
	if v == conform.OK && r.Header.Get("Sec-Websocket-Version") == "" {
		return conform.NonStrict, "no Sec-WebSocket-Version in the answer (RFC 6455, 4.4)"
	}
	return v, why
}

// leniently makes an answer that opened the WebSocket not strict: the RFC leaves the check to the
// server.
func leniently(judge func(r *http.Response) (conform.Verdict, string)) func(r *http.Response) (conform.Verdict, string) {
	return func(r *http.Response) (conform.Verdict, string) {
		v, why := judge(r)
		if v == conform.Failed && r.StatusCode == http.StatusSwitchingProtocols && len(r.Header["Sec-Websocket-Extensions"]) == 0 {
			return conform.NonStrict, why
		}
		return v, why
	}
}

func handshakeRows() []handshakeRow {
	good := func(id, title string, change ...string) handshakeRow {
		return handshakeRow{id: id, title: title, expect: opens, section: "RFC 6455, 4.2.2", change: change, judge: isOpen}
	}
	bad := func(id, title, section string, right []int, change ...string) handshakeRow {
		return handshakeRow{id: id, title: title, expect: fmt.Sprintf("refused with %v; another status is not strict", right), section: section, change: change, judge: isRefused(right...)}
	}
	const key = "Sec-WebSocket-Key: "
	upgradeRequired := []int{400, 404, 426}
	post, old := bad("post", "a POST", "RFC 6455, 4.2.1", []int{400, 405, 426}), bad("http10", "HTTP/1.0", "RFC 6455, 4.2.1", []int{400, 426, 505})
	post.line, old.line = "POST ? HTTP/1.1", "GET ? HTTP/1.0"
	post.change = []string{"Content-Length: 0"}
	shortKey := bad("key_short", "a key of 15 octets", "RFC 6455, 4.2.1", []int{400}, key+"AAECAwQFBgcICQoLDA0O")
	noBase64 := bad("key_not_base64", "a key that is not base64", "RFC 6455, 4.2.1", []int{400}, key+"not base64 at all")
	shortKey.judge, noBase64.judge = leniently(shortKey.judge), leniently(noBase64.judge)
	malformed := bad("extensions_malformed", "extensions that cannot be parsed", "RFC 6455, 9.1", []int{400}, "Sec-WebSocket-Extensions: ;;, =\"")
	malformed.judge = leniently(malformed.judge)
	noHost := bad("no_host", "no Host", "RFC 9112, 3.2", []int{400}, "Host")
	noHost.judge = leniently(noHost.judge)
	version := func(id, title, field string) handshakeRow {
		return handshakeRow{id: id, title: title, expect: "426 or 400, with Sec-WebSocket-Version; without it: not strict", section: "RFC 6455, 4.4", change: []string{field}, judge: isVersion}
	}
	return []handshakeRow{
		good("good", "a good request"),
		good("case", "names and tokens in other case", "upgrade: WebSocket", "connection: uPGRADE"),
		good("connection_list", "Connection is a list", "Connection: keep-alive, Upgrade"),
		good("connection_lines", "Connection in two lines", "Connection: keep-alive", "Connection: Upgrade"),
		good("extension_unknown", "an extension that nobody knows", "Sec-WebSocket-Extensions: x-unknown; a=1"),
		good("no_origin", "no Origin, as from what is no browser", "Origin"),
		post, old,
		bad("no_upgrade", "no Upgrade", "RFC 6455, 4.2.1", upgradeRequired, "Upgrade"),
		bad("upgrade_other", "Upgrade to something else", "RFC 6455, 4.2.1", upgradeRequired, "Upgrade: h2c"),
		bad("no_connection", "no Connection", "RFC 6455, 4.2.1", upgradeRequired, "Connection"),
		bad("connection_other", "Connection without Upgrade", "RFC 6455, 4.2.1", upgradeRequired, "Connection: keep-alive"),
		bad("no_key", "no key", "RFC 6455, 4.2.1", []int{400, 426}, "Sec-WebSocket-Key"),
		bad("key_empty", "an empty key", "RFC 6455, 4.2.1", []int{400, 426}, "Sec-WebSocket-Key:"),
		bad("key_twice", "two keys", "RFC 6455, 11.3.1", []int{400}, key+sampleKey, key+sampleKey),
		shortKey, noBase64, malformed, noHost,
		bad("no_version", "no version", "RFC 6455, 4.2.1", []int{400, 426}, "Sec-WebSocket-Version"),
		version("version_12", "version 12", "Sec-WebSocket-Version: 12"),
		version("version_99", "version 99", "Sec-WebSocket-Version: 99"),
		bad("version_word", "a version that is no number", "RFC 6455, 11.3.5", []int{400, 426}, "Sec-WebSocket-Version: thirteen"),
	}
}

// inTurn has two WebSockets open at once.
func inTurn(ctx context.Context, t *conform.Target, log *conform.Log) conform.Outcome {
	var cs [2]*wire.Conn
	for i := range cs {
		c, err := wire.Dial(ctx, t, wire.Request{Log: log})
		if err != nil {
			return conform.Outcome{Body: conform.Failed, Close: conform.Failed, Why: err.Error()}
		}
		defer c.Close()
		cs[i] = c
	}
	for n := range 20 {
		for i, c := range cs {
			if err := c.Send(text(fmt.Sprintf("%d of %d", n, i))); err != nil {
				return conform.Fail(err.Error())
			}
		}
		for i := len(cs) - 1; i >= 0; i-- {
			open, cancel := t.Pace.WithTimeout(ctx, 5*time.Second)
			e, ok := cs[i].Next(open, time.Hour)
			cancel()
			if want := fmt.Sprintf("%d of %d", n, i); !ok || e.Kind != wire.Arrived || e.Frame.Op != wire.Text || string(e.Frame.Payload) != want {
				return conform.Fail(fmt.Sprintf("%v in place of %q", e, want))
			}
		}
	}
	return conform.Pass()
}
