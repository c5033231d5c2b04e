package websockettest

import (
	"fmt"
	"strings"

	"weir/websocket"
	"weir/wsframe"
)

// Frame is one frame as a peer sends or gets it (RFC 6455, 5.2). The zero Type is a continuation,
// and a frame ends its message unless it says More:
//
//	Frame{Type: websocket.TextFrame, More: true, Payload: "hel"} // the message hello
//	Frame{Payload: "lo"}                                         // in two fragments
//
// Frames compare with ==.
type Frame struct {
	Type       websocket.FrameType // 0: a continuation
	More       bool                // FIN is not set: fragments follow
	Compressed bool                // RSV1 is set: permessage-deflate (RFC 7692)
	Payload    string              // what is compressed, or was. Of a close frame: the code in 2 octets, and the text
}

// control says whether a type is that of a control frame (RFC 6455, 5.5).
func control(t websocket.FrameType) bool { return t&8 != 0 }

// Text is a text message in one frame.
func Text(s string) Frame { return Frame{Type: websocket.TextFrame, Payload: s} }

// Binary is a binary message in one frame.
func Binary(s string) Frame { return Frame{Type: websocket.BinaryFrame, Payload: s} }

// Ping is a ping.
func Ping(s string) Frame { return Frame{Type: websocket.PingFrame, Payload: s} }

// Pong is a pong.
func Pong(s string) Frame { return Frame{Type: websocket.PongFrame, Payload: s} }

// Close is a close frame; code 0 is the empty one.
func Close(code websocket.CloseCode, text string) Frame {
	return Frame{Type: websocket.CloseFrame,
		Payload: string(wsframe.AppendClose(nil, wsframe.CloseCode(code), text))}
}

// shown is how many octets of a payload messages show.
const shown = 40

// String is f in words: text "hello", binary 70000 octets "xxx…", close 1000 "bye".
func (f Frame) String() string {
	var b strings.Builder
	b.WriteString(f.Type.String())
	if f.Compressed {
		b.WriteString(" compressed")
	}
	switch {
	case f.Type == websocket.CloseFrame && len(f.Payload) >= 2:
		fmt.Fprintf(&b, " %d %q", int(f.Payload[0])<<8|int(f.Payload[1]), f.Payload[2:])
	case f.Type == websocket.CloseFrame && f.Payload == "":
	case len(f.Payload) > shown:
		fmt.Fprintf(&b, " %d octets %q…", len(f.Payload), f.Payload[:shown])
	default:
		fmt.Fprintf(&b, " %q", f.Payload)
	}
	if f.More {
		b.WriteString(" and more")
	}
	return b.String()
}

// differs says where two payloads that are too long to be shown begin to differ, "" if they do not.
func differs(got, want Frame) string {
	a, b := got.Payload, want.Payload
	if a == b || len(a) <= shown && len(b) <= shown {
		return ""
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("; from octet %d on %q, and not %q", i, cutAt(a[i:]), cutAt(b[i:]))
}

func cutAt(s string) string { return s[:min(len(s), shown)] }
