// Package deflate is permessage-deflate (RFC 7692): its negotiation, and the two halves of the codec for whole messages.
// It parses slices and appends to slices; it knows no frame, socket, clock or goroutine.
//
// A Writer or Reader is what one session keeps between messages: with context takeover the octets of the window that
// have been used so far, without it nothing. Compressors and inflaters are three orders of magnitude larger and come
// from pools for the length of one call.
package deflate
