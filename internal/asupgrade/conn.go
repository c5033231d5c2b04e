package asupgrade

import (
	"bufio"
	"net"

	"weir/stream"
)

// Conn gives what Hijack does for a request whose stream tr is. A 101 that has been said leaves.
func Conn(tr *Translator) (net.Conn, *bufio.ReadWriter) {
	c := &hijacked{stream.NewConn(tr, 0)}
	_, _ = tr.Send(nil, false) // an error is told by the Conn
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c))
}

// hijacked is the net.Conn that Hijack gives.
type hijacked struct{ *stream.Conn }

// Close ends our side behind what was written. If something was received that nobody has read, the
// client is told at once to send no more, as TCP does it: RST_STREAM(NO_ERROR) follows.
func (h *hijacked) Close() error {
	unread := h.Buffered() > 0
	err := h.Conn.Close()
	if err == nil && unread {
		h.Reset(stream.NoError)
	}
	return err
}
