// Package flow is the window arithmetic of HTTP/2 (RFC 9113, 5.2 and 6.9): a Window is what we may send, a Credit what
// the peer may send. One pair stands for a connection, one for each stream.
//
// Both are plain values without a lock: they belong to whoever owns the connection's state. An error leaves them as
// they were. Whether it costs the stream or the connection is the caller's to know.
package flow
