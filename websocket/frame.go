package websocket

import "weir/wsframe"

// FrameType is the kind of a frame: the opcode of RFC 6455, 11.8.
type FrameType uint8

// The frame types. A handler sees the first four, and messages are of the first two: they arrive
// whole, and close frames are the stack's affair. The others are for Event.
const (
	TextFrame         FrameType = 1
	BinaryFrame       FrameType = 2
	PingFrame         FrameType = 9
	PongFrame         FrameType = 10
	ContinuationFrame FrameType = 0
	CloseFrame        FrameType = 8
)

// String is the type in a word: text, binary, ping, pong, continuation, close.
func (t FrameType) String() string { return wsframe.Opcode(t).String() }

// isControl says that t is a ping, a pong or a close (RFC 6455, 5.5).
func (t FrameType) isControl() bool { return wsframe.Opcode(t).IsControl() }

// Frame is one text or binary message, one ping or one pong.
//
// PAYLOAD IS LENT. Its octets are the stack's again as soon as the callback has returned, and the
// next message will overwrite them. A handler that keeps them, in a variable, a channel, a
// goroutine, a message that it posts, keeps a copy: bytes.Clone(f.Payload), or string(f.Payload).
// To return them in a command is allowed, and costs no copy.
//
// Under the race detector, and with Options.PoisonPayloads, they are overwritten with Poison at
// once, and not only some time later: a test that keeps a payload fails.
type Frame struct {
	Type    FrameType // text, binary, ping or pong
	Payload []byte    // lent until the callback returns
}

// IsData says that the frame is a text or binary message.
func (f Frame) IsData() bool { return f.Type == TextFrame || f.Type == BinaryFrame }

// Reply is the command that sends the frame back as it came: a message as a message, a ping as a
// pong. (The stack has answered the ping already.)
func (f Frame) Reply() Command {
	if f.Type == PingFrame {
		return Pong(f.Payload)
	}
	return Command{kind: CommandFrame, op: f.Type, data: f.Payload}
}
