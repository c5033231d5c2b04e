// Package wire is WebSockets by hand: frames with any header, any length and any mask, cut anywhere (RFC 6455, 5.2), and
// connections that carry octets as they are, over HTTP/1.1 and HTTP/2, of a client ([Dial]) or a server ([Accept]).
// It shares nothing with the WebSocket stack of this module.
package wire
