// Package h1 makes a stream of an HTTP/1.1 connection that was asked to switch protocols (RFC 9110, 7.8): [Open] on the
// server's side, [Request] on the client's.
//
// A stream has one goroutine, which reads and tells the sink, and a second one only while octets wait for the peer.
// On a plain TCP connection neither an idle reader nor a reader without credit holds a buffer.
package h1
