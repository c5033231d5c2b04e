// Package stream is the contract between a transport and what runs over it.
//
// A transport (h1, h2, the in-memory [Pipe]) turns one request into one [Stream]: a bidirectional run of octets with
// half-close, reset and credit. What runs over it (a WebSocket session, a tunnel) is a [Sink]. Neither knows the other.
//
// Flow control is in octets and belongs to the sink: a transport delivers at most [Limits.Window] octets that have not
// been given back with [Stream.Release], then stops taking octets from the peer. On HTTP/2 that withholds WINDOW_UPDATE
// (RFC 9113, 5.2), on HTTP/1.1 the socket is not read.
package stream
