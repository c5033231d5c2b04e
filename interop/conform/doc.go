// Package conform runs conformance suites against a WebSocket server, over HTTP/1.1 and HTTP/2, and against clients.
//
// The suites are packages beside this one: autobahn has the case catalogue that the field knows by its numbers, rfc8441
// what WebSockets over HTTP/2 add. They talk through package wire, which shares no code with the WebSocket stack of this
// module: a suite must not trust what it tests.
package conform
