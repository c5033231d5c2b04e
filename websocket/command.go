package websocket

import (
	"time"
)

// Command is one thing a callback wants done (Cowboy manual, cowboy_websocket, commands()). The
// zero Command does nothing.
//
// Its payload is borrowed until the commands of that callback have been applied: then it has been
// sent, or copied. What Session.Send is given is copied at once.
//
// Tests compare commands by Equal, and print them.
type Command struct {
	kind CommandKind
	op   FrameType
	flag bool
	code CloseCode
	data []byte
	text string
	val  any
}

// Commands is what a callback returns: they apply in order, and their frames leave as one write.
// Append to the slice the callback was given and return it, or return a literal. nil does nothing.
type Commands []Command

// CommandKind is what a Command is, see Command.Kind.
type CommandKind uint8

// The kinds of Command, by the functions that make them.
const (
	CommandNone           CommandKind = iota // the zero Command
	CommandFrame                             // Text, Binary, Ping, Pong
	CommandPrepared                          // SendPrepared
	CommandClose                             // Close
	CommandActive                            // Active
	CommandDeflate                           // Deflate
	CommandSetOptions                        // SetOptions
	CommandShutdownReason                    // ShutdownReason
	CommandHibernate                         // Hibernate
	CommandStop                              // Stop
)

// commandFragment is a Conn's: flag is FIN.
const commandFragment = CommandStop + 1

func frameCommand[T ~string | ~[]byte](op FrameType, payload T) Command {
	switch p := any(payload).(type) {
	case []byte:
		return Command{kind: CommandFrame, op: op, data: p}
	case string:
		return Command{kind: CommandFrame, op: op, text: p}
	}
	return Command{kind: CommandFrame, op: op, data: []byte(payload)}
}

// Text sends a text message in one frame. It is not checked for UTF-8.
func Text[T ~string | ~[]byte](payload T) Command { return frameCommand(TextFrame, payload) }

// Binary sends a binary message in one frame.
func Binary[T ~string | ~[]byte](payload T) Command { return frameCommand(BinaryFrame, payload) }

// Ping sends a ping of at most 125 octets.
func Ping[T ~string | ~[]byte](payload T) Command { return frameCommand(PingFrame, payload) }

// Pong sends a pong of at most 125 octets. Pings are answered by the stack: there is no need to.
func Pong[T ~string | ~[]byte](payload T) Command { return frameCommand(PongFrame, payload) }

// Close sends a close frame and ends the session with reason Stop. Code 0 with no text is the empty
// close frame. The codes are 1000 to 1003, 1007 to 1014 and 3000 to 4999, the text is UTF-8 of at
// most 123 octets; anything else is a crash of the handler, or an error of Session.Send. What
// follows in the list is dropped.
func Close(code CloseCode, text string) Command {
	return Command{kind: CommandClose, code: code, text: text}
}

// Active says whether frames are delivered. Active(false) stops that from the end of this callback
// on, and gives the peer no more credit: it may send Options.Window octets ahead and then waits.
// Posted messages still arrive. Active(true) goes on, with what was held first.
func Active(on bool) Command { return Command{kind: CommandActive, flag: on} }

// Deflate says whether the data frames that follow are compressed. It has no effect where
// compression was not negotiated.
func Deflate(on bool) Command { return Command{kind: CommandDeflate, flag: on} }

// Changes are the options that may change while a session runs. Zero leaves one as it is, negative
// means none.
type Changes struct {
	IdleTimeout  time.Duration // the timer starts anew
	MaxFrameSize int64         // octets; from the next frame on
}

// SetOptions changes options of the running session.
func SetOptions(c Changes) Command { return Command{kind: CommandSetOptions, val: c} }

// ShutdownReason is reported as Reason.Shutdown at any end but a crash.
func ShutdownReason(v any) Command { return Command{kind: CommandShutdownReason, val: v} }

// Hibernate is there so that handlers ported from Cowboy read the same. It does nothing: a session
// that waits has given back every buffer by itself, with this command or without.
func Hibernate() Command { return Command{kind: CommandHibernate} }

// Stop ends the session: close 1000 without text, reason Stop. What follows in the list is dropped.
func Stop() Command { return Command{kind: CommandStop} }
