package upgrade

import (
	"net/http"
	"strings"

	"weir/stream"
)

// Token is the upgrade token of an extended CONNECT, its :protocol (RFC 8441, 4), as the client
// spelt it; "" for any other request. Handlers see one whose token is in h2.Config.UpgradeTokens,
// as a WebSocket's is, as a GET with Connection and Upgrade. What tells it from such a GET that
// a client sent over HTTP/2 is in the request's context, not in its header.
func Token(r *http.Request) string {
	if token := stream.Token(r.Context()); token != "" || r.Method != http.MethodConnect {
		return token
	}
	return r.Header.Get(":protocol") // net/http's own HTTP/2
}

// Asks says that r asks for an upgrade to token, as the protocols of this package judge it: by
// Connection and Upgrade (RFC 9110, 7.8), over HTTP/2 and HTTP/3 by extended CONNECT. Whether the
// handshake is good is another matter, see WebSocket.
func Asks(r *http.Request, token string) bool { return asked(r, token) == nil }

// asked judges whether r asks for an upgrade to token, on every version of HTTP by the same form:
// that of RFC 9110, 7.8. On HTTP/2 and HTTP/3 it has to be extended CONNECT besides, which alone
// has another form where h2.Config.UpgradeTokens does not name the token. An error is a
// *HandshakeError that says what r is asked for instead.
func asked(r *http.Request, token string) error {
	rule, msg := resource(token)
	if r.ProtoMajor < 1 || r.ProtoMajor == 1 && r.ProtoMinor < 1 {
		return &HandshakeError{Status: http.StatusBadRequest, Rule: rule, Msg: "HTTP/1.1 or later needed"}
	}
	connect := r.ProtoMajor >= 2 && r.Method == http.MethodConnect
	switch got := Token(r); {
	case r.ProtoMajor >= 2 && !strings.EqualFold(got, token):
		if got != "" || connect {
			return &HandshakeError{Status: http.StatusNotImplemented, Rule: "RFC 9220, 3", Msg: msg}
		}
	case connect:
		return nil
	case contains(r.Header["Connection"], "upgrade") && contains(r.Header["Upgrade"], token):
		return nil
	}
	return notAsked(r, token)
}

// notAsked is the answer to a request of another form. There is no 426 on HTTP/2: nothing there
// has an Upgrade field (RFC 9113, 8.6).
func notAsked(r *http.Request, token string) *HandshakeError {
	rule, msg := resource(token)
	if r.ProtoMajor >= 2 {
		return &HandshakeError{Status: http.StatusBadRequest, Rule: "RFC 8441, 5", Msg: msg}
	}
	return upgradeRequired(rule, token, msg)
}

func upgradeRequired(rule, token, msg string) *HandshakeError {
	return &HandshakeError{Status: http.StatusUpgradeRequired, Rule: rule, Msg: msg,
		Header: http.Header{"Connection": {"upgrade"}, "Upgrade": {token}}}
}

// resource is what a handler for token serves, and the section that says how it is asked for.
func resource(token string) (rule, msg string) {
	if token == "websocket" {
		return "RFC 6455, 4.2.1", "this resource is a WebSocket"
	}
	return "RFC 9110, 7.8", "this resource is a tunnel for " + token
}
