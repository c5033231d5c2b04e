package upgrade

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// WebSocketConfig is what a server decides about opening handshakes. The zero value and nil are the
// defaults.
type WebSocketConfig struct {
	// Origins that a browser may come from, besides those of the request's own host. Patterns:
	// "https://example.com" is one origin; "example.com" any scheme; "*.example.com" its subdomains
	// and not itself; a port as in "example.com:8443", ":*" for any, the scheme's default if none
	// is named; "null" and "file://" what browsers say of pages without a host; "*" everything.
	// Hosts compare in any case, and beyond ASCII by their A-labels. A pattern that can match
	// nothing, such as "https://example.com/", is a mistake: all requests are answered 500.
	Origins []string
	// OnlyOrigins leaves nothing but Origins: the request's own host is not allowed by itself.
	OnlyOrigins bool
	// Subprotocols that the server speaks, the most wanted first.
	Subprotocols []string
}

// Check says what is wrong with c, which may be nil: an origin pattern that can match nothing
// (*PatternError), a subprotocol that no client can offer. WebSocket looks for each request, and
// answers 500; a program that looks when it starts finds it earlier.
func (c *WebSocketConfig) Check() error {
	if c == nil {
		return nil
	}
	for _, p := range c.Origins {
		if msg := patternFault(p); msg != "" {
			return &PatternError{p, msg}
		}
	}
	for _, p := range c.Subprotocols {
		if p == "" || strings.ContainsAny(p, ", \t") {
			return fmt.Errorf("upgrade: subprotocol %q: it is one name, without spaces and commas (RFC 6455, 4.1)", p)
		}
	}
	return nil
}

// Handshake is an opening handshake that can be accepted.
type Handshake struct {
	Version     int         // Sec-WebSocket-Version: 13, 8 or 7
	Subprotocol string      // chosen; empty: none
	Extensions  []Extension // offered, in order, unknown ones too
	HTTPMajor   int         // 1, 2 or 3

	accept string // Sec-WebSocket-Accept, on HTTP/1.1
}

const versions = "13, 8, 7"

// WebSocket checks an opening handshake: RFC 6455, 4.2.1 on HTTP/1.1, RFC 8441, 5 on HTTP/2 and RFC
// 9220, 3 on HTTP/3. An error is a *HandshakeError for Refuse. c may be nil.
func WebSocket(r *http.Request, c *WebSocketConfig) (*Handshake, error) {
	if c == nil {
		c = new(WebSocketConfig)
	}
	if err := c.Check(); err != nil {
		return nil, &HandshakeError{Status: http.StatusInternalServerError, Msg: err.Error()}
	}
	h := &Handshake{HTTPMajor: r.ProtoMajor}
	if err := h.check(r); err != nil {
		return nil, err
	}
	var ok bool
	if h.Extensions, ok = ParseExtensions(r.Header["Sec-Websocket-Extensions"]); !ok {
		return nil, &HandshakeError{Status: http.StatusBadRequest, Rule: "RFC 6455, 9.1", Msg: "malformed Sec-WebSocket-Extensions"}
	}
	if err := checkOrigin(r, h.Version, c); err != nil {
		return nil, err
	}
	h.Subprotocol = choose(c.Subprotocols, r.Header["Sec-Websocket-Protocol"])
	return h, nil
}

// check judges the request, by the same form on every version of HTTP: see asked. Over HTTP/2 and
// HTTP/3 nothing is said of the key (RFC 8441, 5), and there is no 426.
func (h *Handshake) check(r *http.Request) error {
	const rule = "RFC 6455, 4.2.1"
	if err := asked(r, "websocket"); err != nil {
		return err
	}
	if r.Method != http.MethodGet && (r.ProtoMajor == 1 || r.Method != http.MethodConnect) {
		return notAsked(r, "websocket")
	}
	if r.ProtoMajor == 1 {
		keys := r.Header["Sec-Websocket-Key"]
		if len(keys) != 1 {
			return &HandshakeError{Status: http.StatusBadRequest, Rule: rule, Msg: "one Sec-WebSocket-Key needed"}
		}
		if !validKey(keys[0]) {
			return &HandshakeError{Status: http.StatusBadRequest, Rule: rule, Msg: "Sec-WebSocket-Key is not 16 octets in base64"}
		}
		h.accept = AcceptKey(keys[0])
	}
	var ok bool
	h.Version, ok = version(r)
	switch {
	case ok && known(h.Version):
		return nil
	case r.ProtoMajor >= 2:
		return &HandshakeError{Status: http.StatusBadRequest, Rule: "RFC 6455, 4.4", Msg: "unknown Sec-WebSocket-Version",
			Header: http.Header{"Sec-Websocket-Version": {versions}}}
	case !ok:
		return &HandshakeError{Status: http.StatusBadRequest, Rule: rule, Msg: "one Sec-WebSocket-Version needed"}
	}
	e := upgradeRequired("RFC 6455, 4.4", "websocket", "unknown Sec-WebSocket-Version")
	e.Header["Sec-Websocket-Version"] = []string{versions}
	return e
}

// version reads Sec-WebSocket-Version, which stands once (RFC 6455, 11.3.5) and is a number without
// leading zeros (RFC 6455, 4.3).
func version(r *http.Request) (int, bool) {
	lines := r.Header["Sec-Websocket-Version"]
	if len(lines) != 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(lines[0], 10, 31)
	return int(n), err == nil && strconv.FormatUint(n, 10) == lines[0]
}

func known(version int) bool { return version == 13 || version == 8 || version == 7 }

func validKey(key string) bool {
	b, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(b) == 16 && len(key) == 24 // the decoder skips line ends
}

// AcceptKey is the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455, 4.2.2).
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// choose gives the first of ours that the client offers (RFC 6455, 4.2.2; subprotocols compare with
// case).
func choose(ours, lines []string) string {
	if len(ours) == 0 || len(lines) == 0 {
		return ""
	}
	offered := slices.Collect(elements(lines))
	for _, p := range ours {
		if slices.Contains(offered, p) {
			return p
		}
	}
	return ""
}

// Header puts the fields of the answer into dst, which holds what the application wants to send
// with it: its Sec-WebSocket-Protocol wins, its Sec-WebSocket-Extensions is dropped, and so is what
// frames a body (RFC 9110, 8.6 and 9.3.6).
func (h *Handshake) Header(dst http.Header) {
	for _, name := range []string{"Sec-Websocket-Extensions", "Sec-Websocket-Accept", "Connection", "Upgrade",
		"Content-Length", "Transfer-Encoding", "Trailer"} {
		delete(dst, name)
	}
	if h.HTTPMajor == 1 {
		dst["Upgrade"] = []string{"websocket"}
		dst["Connection"] = []string{"Upgrade"}
		dst["Sec-Websocket-Accept"] = []string{h.accept}
	}
	if _, ok := dst["Sec-Websocket-Protocol"]; !ok && h.Subprotocol != "" {
		dst["Sec-Websocket-Protocol"] = []string{h.Subprotocol}
	}
}
