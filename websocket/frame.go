package websocket

import "weir/wsframe"

// FrameType is the kind of a frame that a handler sees or sends.
type FrameType = wsframe.Opcode

// The frame types a handler sees. Close frames and fragments never reach it: messages arrive reassembled.
const (
	TextFrame   FrameType = wsframe.Text
	BinaryFrame FrameType = wsframe.Binary
	PingFrame   FrameType = wsframe.Ping
	PongFrame   FrameType = wsframe.Pong
)

const continuation = wsframe.Continuation

// CloseCode is a close code of RFC 6455, 7.4.
type CloseCode = wsframe.CloseCode

// Frame is one text or binary message, one ping or one pong.
type Frame struct {
	Type    FrameType
	Payload []byte // lent until the callback returns; returning it in a command is allowed
}

// IsData says that the frame is a text or binary message.
func (f Frame) IsData() bool { return f.Type == TextFrame || f.Type == BinaryFrame }

// Reply is the command that sends the frame back as it came: a message as a message, a ping as a pong.
// (The stack has answered the ping already.)
func (f Frame) Reply() Command {
	if f.Type == PingFrame {
		return Pong(f.Payload)
	}
	return Command{kind: cmdFrame, op: f.Type, data: f.Payload}
}
