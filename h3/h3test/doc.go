// Package h3test has what tests of HTTP/3 stand on: a packet network in memory and a client that
// says any frame.
//
// A [Network] joins net.PacketConns. It loses, delays, reorders and duplicates packets, and changes
// the address that a client is seen under. It works in the fake time of testing/synctest.
//
// A [Peer] is the client of one HTTP/3 connection, octet by octet. It is built on
// golang.org/x/net/quic, with frames and QPACK (RFC 9204) of its own, and shares nothing with
// package h3 or with quic-go: it must not trust what it tests. A [Server] gives the same for each
// client that comes.
package h3test
