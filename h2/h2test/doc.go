// Package h2test plays the client of an HTTP/2 connection in tests, and with Options.Server the server, frame by frame.
//
// It is built on golang.org/x/net/http2's Framer and on nothing of package h2: it must not trust what it tests. A [Peer] opens
// extended CONNECT tunnels (RFC 8441) and plain requests, and sends and expects single frames. Frames have a text form
// ([Encoder.Append], [Frame.String]), so that a dialogue can be read: "RST_STREAM 1 PROTOCOL_ERROR".
//
// Everything works over any [net.Conn], in a synctest bubble over an in-memory one too.
package h2test
