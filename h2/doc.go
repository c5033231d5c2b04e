// Package h2 is HTTP/2 (RFC 9113) with extended CONNECT (RFC 8441). On the server's side it is a
// layer for net/http: [ConfigureServer] makes the HTTP/2 of an [http.Server] this package's. On the
// client's side [Client] opens many streams on one connection.
//
// Ordinary requests reach the same http.Handler with the whole contract of http.ResponseWriter. The
// ResponseWriter of an extended CONNECT is a stream.Opener: it turns the request into a
// stream.Stream that lives on after ServeHTTP. Where its token is in Config.UpgradeTokens it is an
// http.Hijacker as well, for handlers that know HTTP/1.1 alone.
//
// The protocol itself is in core*.go: octets and the time in, events and octets out; no socket,
// clock, lock or goroutine. conn.go and its neighbours are the shell round it. Of
// golang.org/x/net/http2 only the Framer is used, and hpack.
package h2
