// Package rfc8441 is a conformance suite for WebSockets over HTTP/2: the handshake by extended CONNECT (RFC 8441), and what
// the rules of HTTP/2 (RFC 9113) become when a stream is a WebSocket that lives for hours among others.
//
// It asks any server with an endpoint that echoes. Where the RFCs leave a choice, the best is OK and the tolerable
// NON-STRICT; what they demand nothing of is INFORMATIONAL.
package rfc8441
