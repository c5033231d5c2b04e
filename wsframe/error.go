package wsframe

// Error is a breach of RFC 6455, by the peer in what it sent or by us in what was to be sent.
type Error struct {
	Code CloseCode // what a close frame says about it (RFC 6455, 7.4.1)
	Rule string    // the section, as "RFC 6455, 5.5"; for a limit of ours what RFC 6455, 10.4 asks for
	Msg  string
}

func (e *Error) Error() string { return "wsframe: " + e.Msg + " (" + e.Rule + ")" }
