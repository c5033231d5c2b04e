// Package wsframe is the wire of RFC 6455: frame headers, masking, UTF-8, close codes, and a Reader that takes octets
// cut anywhere. It parses slices and appends to slices; it knows no socket, clock or goroutine.
package wsframe
