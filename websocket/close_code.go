package websocket

import "weir/wsframe"

// CloseCode is the code of a close frame (RFC 6455, 7.4). 0 stands for a close frame without one.
//
// 1000 to 1003, 1007 to 1014 and 3000 to 4999 can be sent, and received; the others a peer must not
// send. 3000 to 3999 are registered with IANA, by libraries and frameworks, and 4000 to 4999 are
// for what two programs agree on.
type CloseCode uint16

// The codes of RFC 6455, 7.4.1, and of IANA's registry of WebSocket close codes (RFC 6455, 11.7).
const (
	CloseNormalClosure           CloseCode = 1000 // what the WebSocket was for is done
	CloseGoingAway               CloseCode = 1001 // the server shuts down, or the browser leaves the page
	CloseProtocolError           CloseCode = 1002 // a frame broke RFC 6455
	CloseUnsupportedData         CloseCode = 1003 // a message of a type that is not taken
	CloseNoStatusReceived        CloseCode = 1005 // never sent; an empty close frame is 0 here
	CloseAbnormalClosure         CloseCode = 1006 // never sent; that there was none is in Reason
	CloseInvalidFramePayloadData CloseCode = 1007 // text that is not UTF-8
	ClosePolicyViolation         CloseCode = 1008 // against a rule that no other code says
	CloseMessageTooBig           CloseCode = 1009
	CloseMandatoryExtension      CloseCode = 1010 // a client's: an extension is missing
	CloseInternalError           CloseCode = 1011 // the server cannot go on: a crash
	CloseServiceRestart          CloseCode = 1012
	CloseTryAgainLater           CloseCode = 1013
	CloseBadGateway              CloseCode = 1014
	CloseTLSHandshake            CloseCode = 1015 // never sent
	CloseUnauthorized            CloseCode = 3000 // as HTTP's 401
	CloseForbidden               CloseCode = 3003 // as HTTP's 403
	CloseTimeout                 CloseCode = 3008 // as HTTP's 408
)

// Sendable says whether a close frame may carry c; the peer's may carry the same codes.
func (c CloseCode) Sendable() bool { return wsframe.CloseCode(c).Sendable() }
