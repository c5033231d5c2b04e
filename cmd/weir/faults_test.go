package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/stream/memnet"
	"weir/websocket"

	"golang.org/x/net/http2"
)

const (
	faultsTimeout = 5 * time.Second
	dripping      = 1300 * time.Millisecond
	answerTime    = 2 * time.Second // for the body of a refusal

	faultsProxy = "proxy.test:3128"
	readReset   = "read tcp 127.0.0.1:49152->127.0.0.1:80: read: connection reset by peer"
	late        = "context deadline exceeded"
)

// wrong is what a peer does at a hop, and what has to come of it.
type wrong struct {
	name string
	do   func(p *badPeer)
	says string // the whole error, behind the URL
	code int    // of `weir connect`

	after  time.Duration // when Dial returns
	is     error         // what errors.Is finds
	status int           // of the response
	body   string
	cut    bool // the body is not all
	strict bool // certificates are verified
	dial   func() error
}

// says writes s, and goes on listening.
func says(s string) func(*badPeer) { return func(p *badPeer) { p.write(s); p.wait() } }

// endsWith writes s, and ends.
func endsWith(s string) func(*badPeer) { return func(p *badPeer) { p.write(s); p.end() } }

// drips writes s an octet now and then, again and again.
func drips(s string) func(*badPeer) { return func(p *badPeer) { p.drip(s) } }

func silent(p *badPeer) { p.wait() }
func resets(p *badPeer) { p.reset() }

// spoken are what servers of other protocols begin with.
var spoken = []struct{ name, octets string }{
	{"HTTP/1.1", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"},
	{"HTTP/2", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"},
	{"TLS", "\x15\x03\x01\x00\x02\x02\x46"},
	{"SSH", "SSH-2.0-OpenSSH_9.9\r\n"},
	{"SMTP or FTP", "220 mail.test ESMTP\r\n"},
}

// others are the servers of other protocols than one, at a hop whose error is given by words.
func others(than string, code int, words func(name string) string) (rows []wrong) {
	for _, s := range spoken {
		if s.name != than {
			rows = append(rows, wrong{name: s.name, do: says(s.octets), says: words(s.name), code: code},
				wrong{name: s.name + " and the end", do: endsWith(s.octets), says: words(s.name), code: code})
		}
	}
	return rows
}

// lates are a silent peer, and one that drips s.
func lates(what, s string) []wrong {
	return []wrong{
		{name: "silent", do: silent, says: what + late, code: exitTimeout, after: faultsTimeout, is: context.DeadlineExceeded},
		{name: "drip", do: drips(s), says: what + late, code: exitTimeout, after: faultsTimeout, is: context.DeadlineExceeded},
	}
}

// lost are connections that end at a hop, before it has begun and in the middle of s.
func losses(what, end, middle, s string) []wrong {
	return []wrong{
		{name: "reset", do: resets, says: what + readReset, code: exitConnect, is: syscall.ECONNRESET},
		{name: "end", do: endsWith(""), says: what + end, code: exitConnect, is: io.EOF},
		{name: "end in the middle", do: endsWith(s), says: what + middle, code: exitConnect, is: io.ErrUnexpectedEOF},
	}
}

// wrongs are what may go wrong at a hop of a way.
func (w way) wrongs(hop string) []wrong {
	switch hop {
	case hopDial:
		what := "no connection: "
		if w.proxy != "direct" {
			what = "no connection to the proxy " + faultsProxy + ": "
		}
		refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		return []wrong{
			{name: "silent", says: what + late, code: exitTimeout, after: faultsTimeout, is: context.DeadlineExceeded},
			{name: "refusal", dial: func() error { return refused }, says: what + "dial tcp: connection refused", code: exitConnect, is: syscall.ECONNREFUSED},
		}
	case hopProxyTLS:
		return wrongTLS("no TLS with the proxy "+faultsProxy+": ", "proxy.test")
	case hopTLS:
		rows := wrongTLS("no TLS with the server: ", "weir.test")
		if w.http2() {
			rows = append(rows,
				wrong{name: "another ALPN", do: func(p *badPeer) { p.secure(&tls.Config{NextProtos: []string{"http/1.1"}}); p.wait() },
					says: "no TLS with the server: remote error: tls: no application protocol", code: exitConnect},
				wrong{name: "no ALPN", do: func(p *badPeer) { p.secure(&tls.Config{}); p.wait() },
					says: "no WebSocket: the server does not speak HTTP/2 (RFC 9113, 3.2)", code: exitProtocol})
		}
		return rows
	case hopTunnel:
		return wrongTunnel()
	case hopMethod, hopPassword, hopReply:
		return w.wrongSOCKS(hop)
	case hopSettings:
		return wrongSettings()
	case hopResponse:
		if w.http2() {
			return wrongResponse2()
		}
		return wrongResponse1()
	}
	panic(hop)
}

func wrongTLS(what, name string) []wrong {
	rows := append(lates(what, "\x16\x03\x03\x40\x00"), losses(what, "the peer ended the connection: EOF", "unexpected EOF", "\x16\x03\x03")...)
	rows = append(rows, others("TLS", exitConnect, func(name string) string {
		return what + "the peer speaks " + name + ", and not TLS (RFC 8446, 5.1)"
	})...)
	return append(rows,
		wrong{name: "garbage", do: says("garbage garbage"), says: what + "tls: first record does not look like a TLS handshake", code: exitConnect},
		wrong{name: "refusal", do: says("\x15\x03\x03\x00\x02\x02\x28"), says: what + "remote error: tls: handshake failure", code: exitConnect},
		wrong{name: "an old version", do: func(p *badPeer) {
			p.secure(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
			p.wait()
		}, says: what + "remote error: tls: protocol version not supported", code: exitConnect},
		wrong{name: "a certificate of nobody", do: func(p *badPeer) { p.secure(&tls.Config{}); p.wait() }, strict: true,
			says: what + "tls: failed to verify certificate: x509: certificate signed by unknown authority", code: exitConnect})
}

func wrongTunnel() []wrong {
	what := "no tunnel of the proxy " + faultsProxy + ": "
	answered := "the proxy " + faultsProxy + " answered "
	rows := append(lates(what+"h1: no response: ", "HTTP/1.1 200 OK\r\nX: "), losses(what+"h1: response: ", "unexpected EOF", "unexpected EOF", "HTTP/1.1 200 OK\r\nX")...)
	rows[3].is = io.ErrUnexpectedEOF
	rows = append(rows, others("HTTP/1.1", exitConnect, func(name string) string {
		return what + "h1: the peer speaks " + name + ", and not HTTP/1.1 (RFC 9112, 4)"
	})...)
	for _, c := range refusals("407 Proxy Authentication Required") {
		c.says, c.code = answered+"407 Proxy Authentication Required", exitConnect
		rows = append(rows, c)
	}
	return append(rows,
		wrong{name: "garbage", do: says("garbage\r\n\r\n"), says: what + `h1: response: malformed HTTP response "garbage"`, code: exitConnect},
		wrong{name: "a long head", do: says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70_000)), says: what + "h1: response: a head of over 65536 octets", code: exitConnect},
		wrong{name: "103 again and again", do: says(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 4000)), says: what + "h1: response: a head of over 65536 octets", code: exitConnect},
		wrong{name: "HTTP/2.0 200", do: says("HTTP/2.0 200 OK\r\n\r\n"), status: 200,
			says: answered + "200 OK: h1: 200 from HTTP/2.0 on a connection of HTTP/1.1 (RFC 9112, 2.3)", code: exitConnect},
		wrong{name: "HTTP/2.0 407", do: says("HTTP/2.0 407 No\r\nContent-Length: 0\r\n\r\n"), status: 407, says: answered + "407 No", code: exitConnect},
		wrong{name: "101", do: says("HTTP/1.1 101 Switching Protocols\r\n\r\n"), status: 101, says: answered + "101 Switching Protocols", code: exitConnect},
		wrong{name: "302", do: says("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), status: 302, says: answered + "302 Found", code: exitConnect},
		wrong{name: "escapes", do: says("HTTP/1.1 502 \x1b[2J\u202e\r\nContent-Length: 0\r\n\r\n"), status: 502, says: answered + "502 \u241b[2J\ufffd", code: exitConnect})
}

// refusals are refusals over HTTP/1.1, whose body may end or not. Their words are the caller's.
func refusals(status string) []wrong {
	number := map[string]int{"407 Proxy Authentication Required": 407, "403 Forbidden": 403}[status]
	head := "HTTP/1.1 " + status + "\r\n"
	return []wrong{
		{name: "refusal", do: says(head + "Content-Length: 12\r\n\r\nwho are you?"), status: number, body: "who are you?"},
		{name: "refusal, chunked", do: says(head + "Transfer-Encoding: chunked\r\n\r\n3\r\nwho\r\n0\r\n\r\n"), status: number, body: "who"},
		{name: "refusal up to the end", do: endsWith(head + "\r\nwho are you?"), status: number, body: "who are you?"},
		{name: "refusal without end", do: says(head + "\r\nwho are"), status: number, body: "who are", cut: true, after: answerTime},
		{name: "refusal that is late", do: says(head + "Content-Length: 12\r\n\r\nwho are"), status: number, body: "who are", cut: true, after: answerTime},
		{name: "refusal that drips", do: func(p *badPeer) { p.write(head + "\r\n"); p.drip("no") }, status: number, body: "n", cut: true, after: answerTime},
		{name: "refusal, and a reset", do: func(p *badPeer) {
			p.write(head + "Content-Length: 12\r\n\r\nwho are")
			p.reset()
		}, status: number, body: "who are", cut: true},
	}
}

// wrongSOCKS has the words of golang.org/x/net/proxy, and what the Dialer puts before them.
func (w way) wrongSOCKS(hop string) []wrong {
	what := "no connection of the proxy " + faultsProxy + ": "
	port := map[bool]string{false: "80", true: "443"}[w.tls()]
	asked := "socks connect tcp " + faultsProxy + "->weir.test:" + port + ": "
	first := map[string]string{hopMethod: "\x05", hopPassword: "\x01", hopReply: "\x05\x00\x00"}[hop]
	rows := lates(what, first+first)
	rows[1].do = func(p *badPeer) { time.Sleep(time.Second); p.write(first); p.wait() } // a second octet would be an answer
	rows = append(rows, losses(what+asked, "", "unexpected EOF", first)...)
	rows[3].says = what + "the proxy ended the connection: " + asked + "EOF"
	say := func(name, octets, words string) {
		rows = append(rows, wrong{name: name, do: says(octets), says: what + words, code: exitConnect})
	}
	switch hop {
	case hopMethod:
		say("HTTP/1.1", "HTTP/1.1 400 Bad Request\r\n\r\n",
			`it is no SOCKS5 proxy: it answered "HT" (RFC 1928, 3): `+asked+"unexpected protocol version 72")
		say("SOCKS4", "\x00\x5b\x00\x00",
			`it is no SOCKS5 proxy: it answered "\x00[" (RFC 1928, 3): `+asked+"unexpected protocol version 0")
		say("refusal", "\x05\xff", asked+"no acceptable authentication methods")
		if w.proxy == "socks5" {
			// Without a user the library does not look at the method that the proxy chose, and asks
			// for the server: what comes of it is the proxy's to say, and this one is silent.
			rows = append(rows, wrong{name: "another method", do: says("\x05\x01"), says: what + late,
				code: exitTimeout, after: faultsTimeout, is: context.DeadlineExceeded})
		} else {
			say("another method", "\x05\x01", asked+"unsupported authentication method 1")
		}
	case hopPassword:
		say("garbage", "\x05\x00", asked+"invalid username/password version")
		say("refusal", "\x01\x01", asked+"username/password authentication failed")
	case hopReply:
		say("garbage", "\x04\x00\x00\x01\x7f\x00\x00\x01\x00\x50", asked+"unexpected protocol version 4")
		say("a reserved field", "\x05\x00\x01\x01\x7f\x00\x00\x01\x00\x50", asked+"non-zero reserved field")
		say("an address of no type", "\x05\x00\x00\x09", asked+"unknown address type 9")
		for code, words := range []string{1: "general SOCKS server failure",
			2: "connection not allowed by ruleset", 3: "network unreachable", 4: "host unreachable",
			5: "connection refused", 6: "TTL expired", 7: "command not supported",
			8: "address type not supported", 9: "unknown code: 9"} {
			if code > 0 {
				octets := "\x05" + string(rune(code)) + "\x00\x01\x7f\x00\x00\x01\x00\x50"
				say("refusal: "+words, octets, asked+"unknown error "+words)
			}
		}
	}
	return rows
}

func wrongSettings() []wrong {
	const what = "no WebSocket: "
	rows := append(lates(what+"h2: no SETTINGS of the server: ", "\x00\x00\x06\x04\x00\x00\x00\x00\x00")[:1],
		wrong{name: "drip", do: drips("\x00\x00\x12\x04\x00\x00\x00\x00\x00"), says: what + "h2: no SETTINGS of the server: " + late, code: exitTimeout, after: faultsTimeout, is: context.DeadlineExceeded})
	rows = append(rows, losses(what+"h2: no SETTINGS of the server: ", "unexpected EOF", "unexpected EOF", "\x00\x00\x06\x04")...)
	rows[3].is = io.ErrUnexpectedEOF
	rows = append(rows, others("HTTP/2", exitProtocol, func(name string) string {
		return what + "h2: connection PROTOCOL_ERROR: the server speaks " + name + ", and not HTTP/2 (RFC 9113, 3.4)"
	})...)
	return append(rows,
		wrong{name: "garbage", do: says("garbage garbage"), says: what + "h2: connection FRAME_SIZE_ERROR: frame over SETTINGS_MAX_FRAME_SIZE (RFC 9113, 4.2)", code: exitProtocol},
		wrong{name: "PING first", do: func(p *badPeer) { p.fr.WritePing(false, [8]byte{}); p.wait() },
			says: what + "h2: connection PROTOCOL_ERROR: the first frame is not SETTINGS (RFC 9113, 3.4)", code: exitProtocol},
		wrong{name: "refusal", do: func(p *badPeer) { p.fr.WriteSettings(); p.wait() },
			says: what + "h2: the server does not offer extended CONNECT (RFC 8441, 3)", code: exitRefused, is: h2.ErrNoExtendedConnect},
		wrong{name: "a setting of no value", do: func(p *badPeer) {
			p.fr.WriteSettings(http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 2})
			p.wait()
		}, says: what + "h2: connection PROTOCOL_ERROR: ENABLE_CONNECT_PROTOCOL over 1, or taken back (RFC 8441, 3)", code: exitProtocol})
}

func wrongResponse1() []wrong {
	const what, answered = "no WebSocket: ", "the server answered "
	rows := append(lates(what+"h1: no response: ", "HTTP/1.1 101 Switching Protocols\r\nX: "), losses(what+"h1: response: ", "unexpected EOF", "unexpected EOF", "HTTP/1.1 101 Switching")...)
	rows[3].is = io.ErrUnexpectedEOF
	rows = append(rows, others("HTTP/1.1", exitProtocol, func(name string) string {
		return what + "h1: the peer speaks " + name + ", and not HTTP/1.1 (RFC 9112, 4)"
	})...)
	for _, c := range refusals("403 Forbidden") {
		c.says, c.code = answered+"403 Forbidden: the handshake was refused", exitRefused
		rows = append(rows, c)
	}
	switched := func(name string, octets func(p *badPeer) string, words string) {
		rows = append(rows, wrong{name: name, do: func(p *badPeer) { p.write(octets(p)); p.wait() }, status: 101, says: words, code: exitProtocol})
	}
	replaced := func(old, with string) func(p *badPeer) string {
		return func(p *badPeer) string { return strings.Replace(p.switched("HTTP/1.1", ""), old, with, 1) }
	}
	switched("another Upgrade", replaced("Upgrade: websocket", "Upgrade: h2c"), "the answer's Upgrade is not websocket (RFC 6455, 4.1)")
	switched("another Connection", replaced("Connection: Upgrade", "Connection: close"), "the answer's Connection is not upgrade (RFC 6455, 4.1)")
	switched("another Accept", replaced("Accept: ", "Accept: x"), "the answer's Sec-WebSocket-Accept does not fit the key (RFC 6455, 4.1)")
	switched("two of Accept", func(p *badPeer) string { return p.switched("HTTP/1.1", "Sec-WebSocket-Accept: x\r\n") }, "the answer's Sec-WebSocket-Accept does not fit the key (RFC 6455, 4.1)")
	switched("a subprotocol", func(p *badPeer) string { return p.switched("HTTP/1.1", "Sec-WebSocket-Protocol: chat\r\n") },
		"the answer names a subprotocol that was not offered: chat (RFC 6455, 4.1)")
	switched("an extension", func(p *badPeer) string { return p.switched("HTTP/1.1", "Sec-WebSocket-Extensions: x\r\n") },
		"the answer names an extension that was not offered: x (RFC 6455, 9.1)")
	switched("HTTP/1.0", func(p *badPeer) string { return p.switched("HTTP/1.0", "") }, answered+"101 Switching Protocols: h1: 101 from HTTP/1.0 (RFC 9110, 15.2)")
	for _, proto := range []string{"HTTP/2.0", "HTTP/3.0"} {
		words := answered + "101 Switching Protocols: h1: 101 from " + proto + " on a connection of HTTP/1.1 (RFC 9112, 2.3)"
		switched(proto, func(p *badPeer) string { return p.switched(proto, "") }, words)
		switched(proto+" and nothing else", func(*badPeer) string { return proto + " 101 Switching Protocols\r\n\r\n" }, words)
	}
	refused := func(name, octets string, status int, words string) {
		rows = append(rows, wrong{name: name, do: says(octets), status: status, says: answered + words + ": the handshake was refused", code: exitRefused})
	}
	refused("200", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "200 OK")
	refused("HTTP/2.0 200", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "200 OK")
	refused("302", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", 302, "302 Found")
	refused("escapes", "HTTP/1.1 403 \x1b[2J\u202e\r\nContent-Length: 0\r\n\r\n", 403, "403 \u241b[2J\ufffd")
	return append(rows,
		wrong{name: "garbage", do: says("garbage\r\n\r\n"), says: what + `h1: response: malformed HTTP response "garbage"`, code: exitProtocol},
		wrong{name: "a long head", do: says("HTTP/1.1 101 Switching Protocols\r\nX: " + strings.Repeat("x", 70_000)), says: what + "h1: response: a head of over 65536 octets", code: exitProtocol},
		wrong{name: "103 again and again", do: says(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 4000)), says: what + "h1: response: a head of over 65536 octets", code: exitProtocol})
}

func wrongResponse2() []wrong {
	const what, answered = "no WebSocket: ", "the server answered "
	rows := append(lates(what+"h2: no response: ", "\x00\x00\x20\x01\x04\x00\x00\x00\x01"), losses(what+"h2: no response: ", "unexpected EOF", "unexpected EOF", "\x00\x00\x20\x01")...)
	rows[3].is = io.ErrUnexpectedEOF
	frames := func(name string, do func(p *badPeer), words string, code int) *wrong {
		rows = append(rows, wrong{name: name, do: func(p *badPeer) { do(p); p.wait() }, says: words, code: code})
		return &rows[len(rows)-1]
	}
	stream := what + "h2: stream 1 PROTOCOL_ERROR: "
	frames("garbage", func(p *badPeer) { p.fr.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, []byte{0x80}) },
		what+"h2: connection COMPRESSION_ERROR: the field block cannot be decoded (RFC 9113, 4.3)", exitProtocol)
	frames("a large frame", func(p *badPeer) { p.write("\x00\x40\x01\x01\x04\x00\x00\x00\x01") },
		what+"h2: connection FRAME_SIZE_ERROR: frame over SETTINGS_MAX_FRAME_SIZE (RFC 9113, 4.2)", exitProtocol)
	frames("PUSH_PROMISE", func(p *badPeer) {
		p.fr.WriteRawFrame(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, 1, []byte{0, 0, 0, 2})
	},
		what+"h2: connection PROTOCOL_ERROR: PUSH_PROMISE from a client, or one that was not allowed (RFC 9113, 8.4)", exitProtocol)
	frames("no status", func(p *badPeer) { p.headers(false, "a", "b") }, stream+":status missing (RFC 9113, 8.3.2)", exitProtocol)
	frames("101", func(p *badPeer) { p.headers(false, ":status", "101") }, stream+"101 (Switching Protocols) (RFC 9113, 8.6)", exitProtocol)
	frames("DATA first", func(p *badPeer) { p.fr.WriteData(1, false, []byte("x")) }, stream+"DATA before the response (RFC 9113, 8.1)", exitProtocol)
	frames("a field of HTTP/1.1", func(p *badPeer) { p.headers(false, ":status", "200", "connection", "upgrade") },
		stream+"field of an HTTP/1.1 connection (RFC 9113, 8.2.2)", exitProtocol)
	frames("RST_STREAM", func(p *badPeer) { p.fr.WriteRSTStream(1, http2.ErrCodeInternal) }, what+"h2: stream 1: the peer says INTERNAL_ERROR", exitConnect)
	frames("200 with END_STREAM", func(p *badPeer) { p.headers(true, ":status", "200") },
		answered+"200 OK: h2: response 200 with END_STREAM: stream: the peer has already ended its side", exitProtocol).status = 200
	frames("a subprotocol", func(p *badPeer) { p.headers(false, ":status", "200", "sec-websocket-protocol", "chat") },
		"the answer names a subprotocol that was not offered: chat (RFC 6455, 4.1)", exitProtocol).status = 200
	frames("an extension", func(p *badPeer) { p.headers(false, ":status", "200", "sec-websocket-extensions", "x") },
		"the answer names an extension that was not offered: x (RFC 6455, 9.1)", exitProtocol).status = 200
	rows = append(rows, wrong{name: "GOAWAY and the end", do: func(p *badPeer) {
		p.fr.WriteGoAway(1, http2.ErrCodeInternal, []byte("out of\x1b[2J memory"))
		p.end()
	}, says: what + "h2: connection: the peer says INTERNAL_ERROR: out of\u241b[2J memory", code: exitConnect})
	refused := func(name string, do func(p *badPeer), body string, cut bool) {
		r := frames(name, do, answered+"403 Forbidden: the handshake was refused", exitRefused)
		r.status, r.body, r.cut = 403, body, cut
		if cut {
			r.after = answerTime
		}
	}
	refused("refusal", func(p *badPeer) { p.headers(false, ":status", "403"); p.fr.WriteData(1, true, []byte("who are you?")) }, "who are you?", false)
	refused("refusal without body", func(p *badPeer) { p.headers(true, ":status", "403") }, "", false)
	refused("refusal without end", func(p *badPeer) { p.headers(false, ":status", "403"); p.fr.WriteData(1, false, []byte("who are")) }, "who are", true)
	refused("refusal that drips", func(p *badPeer) {
		p.headers(false, ":status", "403")
		gone := make(chan struct{})
		go func() { p.wait(); close(gone) }() // ends with the client
		for {
			select {
			case <-gone:
				return
			case <-time.After(dripping):
				p.fr.WriteData(1, false, []byte("n"))
			}
		}
	}, "n", true)
	return rows
}

// worth says that a hop of a way is no more of the same: what a proxy does wrong does not depend on
// all that comes behind it, nor what a server does on each proxy before it.
func (w way) worth(hop string) bool {
	switch hop {
	case hopDial:
		return true
	case hopTLS, hopSettings, hopResponse:
		return w.proxy == "direct" || w.proxy == "https" || w.proxy == "socks5"
	}
	return w.transport == "h1" || w.transport == "h2"
}

// TestFaults runs every way, and everything that may go wrong at each of its hops, in fake time.
func TestFaults(t *testing.T) {
	faultsCert()
	rows := 0
	for _, proxy := range proxiesOfWays {
		for _, transport := range transportsOfWays {
			w := way{proxy, transport}
			t.Run(proxy+"/"+transport+"/fine", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { w.fine(t) })
			})
			for _, hop := range w.hops() {
				if !w.worth(hop) {
					continue
				}
				for _, c := range w.wrongs(hop) {
					rows++
					t.Run(proxy+"/"+transport+"/"+hop+"/"+c.name, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { w.play(t, hop, c) })
					})
				}
			}
		}
	}
	t.Logf("%d rows", rows)
	if rows < 120 {
		t.Errorf("only %d rows", rows)
	}
}

// fine is a way on which nothing is wrong.
func (w way) fine(t *testing.T) {
	n := &network{way: w, ln: memnet.Listen()}
	go n.serve() // ends with the listener
	d := n.dialer()
	c, res, err := d.Dial(t.Context(), w.url(), nil)
	if err != nil {
		t.Fatal(err)
	}
	info := c.Session().StreamInfo()
	if string(info.Transport) != w.transport || (info.TLS != nil) != w.tls() || (res.TLS != nil) != w.tls() {
		t.Errorf("transport %s, TLS %v, and of the response %v", info.Transport, info.TLS != nil, res.TLS != nil)
	}
	c.Session().Cut()
	n.leave(t, d)
}

// leave ends what the Dialer keeps, and waits until the peers have seen the end of everything:
// within a second, which HTTP/2 gives a peer to read GOAWAY.
func (n *network) leave(t *testing.T, d *websocket.Dialer) {
	synctest.Wait() // what was dialled has been accepted, and what nobody waits for is off
	d.CloseIdle()
	start := time.Now()
	n.conns.Wait()
	if took := time.Since(start); took > time.Second {
		t.Errorf("the connections were closed after %v", took)
	}
	n.ln.Close()
}

func (w way) play(t *testing.T, hop string, c wrong) {
	n := &network{way: w, bad: hop, fault: c.do, dial: c.dial, ln: memnet.Listen()}
	go n.serve() // ends with the listener
	d := n.dialer()
	if c.strict {
		d.TLS = nil
		if hop == hopTLS && w.proxy == "https" { // the proxy is believed
			d.TLS = &tls.Config{VerifyConnection: believeProxy, InsecureSkipVerify: true}
			c.says = strings.Replace(c.says, "tls: failed to verify certificate: ", "", 1)
		}
	}
	var connected atomic.Bool
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	start := time.Now()
	conn, res, err := d.Dial(ctx, w.url(), nil)
	took := time.Since(start)
	if conn != nil || err == nil {
		t.Fatal("it was opened")
	}
	if want := "websocket: dial " + w.url() + ": " + c.says; err.Error() != want {
		t.Errorf("the error is\n%s\nwant\n%s", err, want)
	}
	if took != c.after {
		t.Errorf("after %v, want %v", took, c.after)
	}
	if c.is != nil && !errors.Is(err, c.is) {
		t.Errorf("errors.Is does not find %v", c.is)
	}
	de, ok := errors.AsType[*websocket.DialError](err)
	if !ok || de.Response != res {
		t.Errorf("%#v, and response %v", err, res)
	}
	if byProxy := hop == hopDial && w.proxy != "direct" || hop == hopProxyTLS || hop == hopTunnel || strings.HasPrefix(hop, "SOCKS"); ok && (de.Proxy == faultsProxy) != byProxy {
		t.Errorf("the proxy to blame is %q", de.Proxy)
	}
	c.response(t, res)
	ee, _ := errors.AsType[*exitError](dialExit(err, connected.Load()))
	if ee == nil || ee.code != c.code {
		t.Errorf("`weir connect` ends with %v, want %d", ee, c.code)
	}
	n.leave(t, d)
}

// response compares what there is of one.
func (c *wrong) response(t *testing.T, res *http.Response) {
	switch {
	case c.status == 0 && res != nil:
		t.Errorf("a response: %v", res)
	case c.status == 0:
	case res == nil || res.StatusCode != c.status:
		t.Errorf("response %v, want status %d", res, c.status)
	default:
		body, err := io.ReadAll(res.Body)
		if string(body) != c.body || (err != nil) != c.cut || c.cut && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("body %q, %v; want %q", body, err, c.body)
		}
	}
}

// believeProxy verifies what is not the proxy's as a client without roots would.
func believeProxy(s tls.ConnectionState) error {
	if s.ServerName == "proxy.test" {
		return nil
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: s.ServerName})
	return err
}
