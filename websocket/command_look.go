package websocket

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Kind is what c is. Which of the other methods say something depends on it.
func (c Command) Kind() CommandKind { return c.kind }

// Type is the type of the frame: of CommandFrame and CommandPrepared. For all others it is 0.
func (c Command) Type() FrameType { return c.op }

// Payload is the frame's: of CommandFrame and CommandPrepared. For all others it is nil. It is not
// a copy, unless the command was made of a string.
func (c Command) Payload() []byte {
	switch p, prepared := c.val.(*Prepared); {
	case c.kind == CommandPrepared && prepared:
		return p.payload
	case c.kind == CommandFrame && c.data == nil:
		return []byte(c.text)
	}
	return c.data
}

// Code is the code of CommandClose. For all others it is 0.
func (c Command) Code() CloseCode { return c.code }

// Text is the text of CommandClose. For all others it is empty.
func (c Command) Text() string {
	if c.kind == CommandClose {
		return c.text
	}
	return ""
}

// On is the argument of CommandActive and CommandDeflate. For all others it is false.
func (c Command) On() bool { return c.flag }

// Value is the argument of CommandSetOptions, which is of type Changes, of CommandShutdownReason,
// and of CommandPrepared, which is a *Prepared. For all others it is nil.
func (c Command) Value() any { return c.val }

// Equal says that c and d want the same. Payloads are compared by their octets, be they of a string
// or of a []byte, and prepared frames by type and payload; what ShutdownReason was given is
// compared as reflect.DeepEqual does.
func (c Command) Equal(d Command) bool {
	if c.kind != d.kind || c.op != d.op || c.flag != d.flag || c.code != d.code {
		return false
	}
	switch c.kind {
	case CommandFrame, commandFragment, CommandPrepared:
		return string(c.Payload()) == string(d.Payload())
	}
	return c.text == d.text && reflect.DeepEqual(c.val, d.val)
}

// shownPayload is how much of a payload String shows.
const shownPayload = 64

// String is c as Go spells it: Text("hello"), Close(1000, "bye"), Active(false). Of a payload over
// 64 octets the beginning is shown, and how many octets it has.
func (c Command) String() string {
	switch c.kind {
	case CommandNone:
		return "Command{}"
	case CommandFrame:
		return commandName(c.op) + "(" + shown(c.Payload()) + ")"
	case CommandPrepared:
		return "SendPrepared(" + commandName(c.op) + " " + shown(c.Payload()) + ")"
	case CommandClose:
		return fmt.Sprintf("Close(%d, %q)", c.code, c.text)
	case CommandActive, CommandDeflate:
		return fmt.Sprintf("%s(%t)", c.kind, c.flag)
	case CommandSetOptions, CommandShutdownReason:
		return fmt.Sprintf("%s(%+v)", c.kind, c.val)
	case commandFragment:
		return fmt.Sprintf("%s(%s, %t)", c.kind, shown(c.data), c.flag)
	}
	return c.kind.String() + "()"
}

// commandName is the function that makes frames of a type.
func commandName(t FrameType) string {
	name := t.String()
	return strings.ToUpper(name[:1]) + name[1:]
}

func shown(p []byte) string {
	if len(p) <= shownPayload {
		return strconv.Quote(string(p))
	}
	return fmt.Sprintf("%d octets, %q...", len(p), p[:shownPayload])
}

var commandNames = [...]string{"none", "Frame", "SendPrepared", "Close", "Active", "Deflate",
	"SetOptions", "ShutdownReason", "Hibernate", "Stop", "fragment"}

// String is the function that makes commands of the kind, and Frame for those of Text, Binary, Ping
// and Pong.
func (k CommandKind) String() string {
	if int(k) < len(commandNames) {
		return commandNames[k]
	}
	return "CommandKind(" + strconv.Itoa(int(k)) + ")"
}
