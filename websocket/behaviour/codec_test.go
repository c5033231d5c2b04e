package behaviour_test

import (
	"bytes"
	"compress/flate"
	"io"
	"strconv"
	"strings"

	"weir/wsframe"
)

// codec is permessage-deflate of a client (RFC 7692) on compress/flate of the standard library.
type codec struct {
	keepOut, keepIn bool // context takeover of what it sends, and of what it receives
	bitsIn          int  // window of what it receives
	w               *flate.Writer
	sent            bytes.Buffer
	history         []byte // of what was received
}

const flushed = "\x00\x00\xff\xff" // what RFC 7692, 7.2.1 has cut off

// newCodec does what the server's answer says; nil: compression was not agreed on.
func newCodec(answer string) *codec {
	words := strings.Split(answer, "; ")
	if words[0] != "permessage-deflate" {
		return nil
	}
	c := &codec{keepOut: true, keepIn: true, bitsIn: 15}
	level := flate.BestCompression
	for _, w := range words[1:] {
		name, value, _ := strings.Cut(w, "=")
		n, _ := strconv.Atoi(value)
		switch name {
		case "client_no_context_takeover":
			c.keepOut = false
		case "server_no_context_takeover":
			c.keepIn = false
		case "server_max_window_bits":
			c.bitsIn = n
		case "client_max_window_bits":
			if n < 15 {
				level = flate.HuffmanOnly // no references: fits any window
			}
		}
	}
	c.w, _ = flate.NewWriter(&c.sent, level) // the level is one of its own
	return c
}

// compress gives the payload of a compressed message.
func (c *codec) compress(s string) string {
	c.sent.Reset()
	if !c.keepOut {
		c.w.Reset(&c.sent)
	}
	_, _ = io.WriteString(c.w, s) // into memory
	_ = c.w.Flush()
	return strings.TrimSuffix(c.sent.String(), flushed)
}

// inflate reads the payload of a compressed message, with no more history than was agreed on.
func (c *codec) inflate(h *house, why, p string) string {
	h.Helper()
	r := flate.NewReaderDict(strings.NewReader(p+flushed+"\x01\x00\x00\xff\xff"), c.history)
	b, err := io.ReadAll(r)
	if err != nil {
		h.Fatalf("%s: %x does not inflate: %v", why, p, err)
	}
	if c.keepIn {
		c.history = append(c.history, b...)
		c.history = c.history[max(0, len(c.history)-1<<c.bitsIn):]
	}
	return string(b)
}

// rsv1 encodes a frame that says to be compressed.
func rsv1(h wsframe.Header, payload string) []byte {
	h.RSV1 = true
	return frame(h, payload)
}

// deflated is a whole text message, compressed.
func (c *client) deflated(s string) []byte {
	return rsv1(wsframe.Header{Fin: true, Op: wsframe.Text}, c.compress(s))
}
