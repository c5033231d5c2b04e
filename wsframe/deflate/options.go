package deflate

// Options is what one side wants of permessage-deflate. The zero value is the default.
//
// Compressors work in buffers of a fixed size and choose their own block types, so there is nothing for zlib's
// memory level and strategy to act on.
type Options struct {
	// Level is the compressor's, 1 (fastest) to 9 (smallest); 0: 6; negative: stored blocks, no compression.
	// Levels 1 to 3 take the best of few candidates for a match, 4 to 6 see whether the next octet has a better one,
	// 7 to 9 look at many, in all of the window. In a window under 15 bits, messages over 16 KiB (4 without takeover)
	// have one level, close to 5.
	Level int

	ServerNoContextTakeover bool // the server forgets its window after each message
	ClientNoContextTakeover bool // the client forgets its window after each message

	ServerMaxWindowBits int // of what the server sends, 8 to 15; 0: 15
	ClientMaxWindowBits int // of what the client sends, 8 to 15; 0: 15
}

// Check says what is wrong with the values of o, nil if nothing is. Negotiate, Offer and Accept take the nearest
// allowed value instead.
func (o *Options) Check() error {
	switch {
	case o.Level > maxLevel:
		return &Error{Msg: "level over 9"}
	case o.ServerMaxWindowBits != 0 && o.ServerMaxWindowBits != clampBits(o.ServerMaxWindowBits):
		return &Error{Rule: "RFC 7692, 7.1.2.1", Msg: "server window bits outside 8 to 15"}
	case o.ClientMaxWindowBits != 0 && o.ClientMaxWindowBits != clampBits(o.ClientMaxWindowBits):
		return &Error{Rule: "RFC 7692, 7.1.2.2", Msg: "client window bits outside 8 to 15"}
	}
	return nil
}

const (
	minBits, maxBits       = 8, 15
	defaultLevel, maxLevel = 6, 9
)

// clampBits is n as a number of window bits.
func clampBits(n int) int {
	if n == 0 {
		return maxBits
	}
	return min(max(n, minBits), maxBits)
}

// Params is what both sides have agreed on (RFC 7692, 7.1). Window bits are never 0.
type Params struct {
	ServerNoContextTakeover, ClientNoContextTakeover bool
	ServerMaxWindowBits, ClientMaxWindowBits         int
}

// Server is the codec of a server under p; level as in Options.
func (p Params) Server(level int) (Writer, Reader) {
	return NewWriter(level, p.ServerMaxWindowBits, !p.ServerNoContextTakeover),
		NewReader(p.ClientMaxWindowBits, !p.ClientNoContextTakeover)
}

// Client is the codec of a client under p; level as in Options.
func (p Params) Client(level int) (Writer, Reader) {
	return NewWriter(level, p.ClientMaxWindowBits, !p.ClientNoContextTakeover),
		NewReader(p.ServerMaxWindowBits, !p.ServerNoContextTakeover)
}

// Error is a breach of RFC 7692 or RFC 1951, or an option that cannot be.
type Error struct {
	Rule string // the section, as "RFC 7692, 7.1.2.1"; empty if none says it
	Msg  string
}

func (e *Error) Error() string {
	if e.Rule == "" {
		return "deflate: " + e.Msg
	}
	return "deflate: " + e.Msg + " (" + e.Rule + ")"
}
