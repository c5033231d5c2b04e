// Package asupgrade shows an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220) to handlers
// as HTTP/1.1 has the same wish: a GET with Upgrade that can be hijacked. It also has what both
// versions share of an answer's fields.
package asupgrade
