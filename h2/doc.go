// Package h2 is an HTTP/2 server layer for net/http (RFC 9113) with extended CONNECT (RFC 8441): [ConfigureServer] makes
// the HTTP/2 of an [http.Server] this package's.
//
// Ordinary requests reach the same http.Handler with the whole contract of http.ResponseWriter. The ResponseWriter of an
// extended CONNECT is a stream.Opener: it turns the request into a stream.Stream that lives on after ServeHTTP.
//
// The protocol itself is in core*.go: octets and the time in, events and octets out; no socket, clock, lock or goroutine.
// conn.go and its neighbours are the shell round it. Of golang.org/x/net/http2 only the Framer is used, and hpack.
package h2
