// Package h3 is HTTP/3 for an http.Server (RFC 9114), with extended CONNECT (RFC 9220): each such
// request can become a stream.Stream. QUIC and ordinary requests are those of
// github.com/quic-go/quic-go; a tunnel is a raw QUIC stream, and its DATA frames are written and
// read here.
//
// [ConfigureServer] mounts it beside the server on TCP, whose Handler, TLSConfig and BaseContext it
// uses; [Server.Serve] serves a UDP socket.
//
// A [Client] is the other side of one connection, which opens streams by extended CONNECT. A
// [Dialer] opens it, and fits into websocket.Dialer.HTTP3.
package h3
