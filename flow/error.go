package flow

// MaxWindow is the largest window (RFC 9113, 6.9.1).
const MaxWindow = 1<<31 - 1

// DefaultWindow is the window of connections, and of streams until SETTINGS say otherwise (RFC 9113, 6.9.2).
const DefaultWindow = 65535

// Error is a breach of flow control by the peer.
type Error struct {
	Rule string // the section, as "RFC 9113, 6.9"
	Msg  string
}

func (e *Error) Error() string { return "flow: " + e.Msg + " (" + e.Rule + ")" }

// What a Window or a Credit refuses. Zero is a PROTOCOL_ERROR, the others are a FLOW_CONTROL_ERROR.
var (
	ErrZero     = &Error{"RFC 9113, 6.9", "WINDOW_UPDATE of 0"}
	ErrOverflow = &Error{"RFC 9113, 6.9.1", "WINDOW_UPDATE takes a window over 2^31-1"}
	ErrExceeded = &Error{"RFC 9113, 6.9.1", "more octets than the window allows"}
	ErrSettings = &Error{"RFC 9113, 6.9.2", "SETTINGS_INITIAL_WINDOW_SIZE takes a window over 2^31-1"}
)
