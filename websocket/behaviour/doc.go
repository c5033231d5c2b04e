// Package behaviour holds the tests of what a WebSocket does (docs/behaviour.md), over every
// transport. They are apart from package websocket because go.sum of a program has the modules that
// the tests of its imports need, and HTTP/3 needs several.
package behaviour
