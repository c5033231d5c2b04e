// Package upgrade is what becomes of a request that asks for another protocol: the opening handshake of WebSocket on
// every version of HTTP (RFC 6455, 4; RFC 8441, 5; RFC 9220, 3), and taking the request over as a stream.
package upgrade
