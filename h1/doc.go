// Package h1 makes a stream of an HTTP/1.1 connection that was asked to switch protocols (RFC 9110, 7.8): [Open] on the
// server's side, [Request] on the client's.
//
// On Linux a stream in cleartext has no goroutine, and none of net.Conn is left: one epoll watches all of them, and a few
// workers read what is ready and tell the sinks. Elsewhere a stream has one goroutine, which does that. In both cases a
// second one writes, only while octets wait for the peer. On a plain TCP connection neither an idle stream nor one
// without credit holds a buffer.
package h1
