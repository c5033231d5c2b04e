package upgrade

import (
	"net/url"
	"strconv"

	"weir/wsframe"
)

// Kind is the first word of a terminate reason (Cowboy manual, cowboy_websocket, terminate/3).
type Kind uint8

// The kinds of Reason.
const (
	Normal  Kind = iota // init answered the request itself
	Stop                // the handler closed, or the server drained
	Timeout             // nothing was received for the idle timeout
	Remote              // the peer sent a close frame; Code and Text as it did
	Error               // Err says which: badframe, badencoding, badsize, closed, timeout, or an errno
	Crash               // a callback panicked or called Goexit; Class and Value
)

var kindNames = [...]string{"normal", "stop", "timeout", "remote", "error", "crash"}

func (k Kind) String() string { return kindNames[k] }

// Class is what kind of crash it was (Erlang's classes).
type Class uint8

// The classes of a Crash.
const (
	ClassNone  Class = iota
	ClassError       // a panic with an error value, runtime errors among them
	ClassExit        // runtime.Goexit
	ClassThrow       // a panic with any other value
)

var classNames = [...]string{"", "error", "exit", "throw"}

func (c Class) String() string { return classNames[c] }

// Names of Reason.Name beside an errno's.
const (
	BadFrame    = "badframe"    // protocol error: 1002
	BadEncoding = "badencoding" // text or close text not UTF-8: 1007
	BadSize     = "badsize"     // over MaxFrameSize: 1009; too many fragments: 1008
	Closed      = "closed"      // ended without a close frame
	TimedOut    = "timeout"     // nothing could be sent for SendTimeout
)

// Reason is why a handler's session ended: what terminate/3 gets.
type Reason struct {
	Kind     Kind
	Code     wsframe.CloseCode // Remote: the peer's code, 0 if its close frame was empty
	Text     string            // Remote: the peer's close text
	Name     string            // Error: BadFrame … or the errno's name in lower case, else "other"
	Err      error             // Error: what was behind it, nil for a plain end; for logs
	Class    Class             // Crash
	Value    any               // Crash: the panic's value; nil for Goexit
	Shutdown any               // what ShutdownReason set; nil if nothing, and on a crash
}

// String is the reason in one word, as the test server's events spell it: normal, stop, timeout,
// remote, error:badframe, crash:throw.
func (r Reason) String() string {
	switch r.Kind {
	case Error:
		return "error:" + r.Name
	case Crash:
		return "crash:" + r.Class.String()
	}
	return r.Kind.String()
}

// PartialRequest is what is kept of a request once it is a session: Cowboy's partial Req, the
// result of ReqFilter. By default everything here but Extra is filled in.
type PartialRequest struct {
	Method  string // on the wire: GET, or CONNECT on HTTP/2 and HTTP/3
	Version string // "1.1", "2", "3"
	Scheme  string // "http" or "https", from the connection
	Host    string // without the port
	Port    int    // of Host; the scheme's default when Host names none
	Path    string
	Query   string // raw, without the question mark
	Peer    string // the remote address
	Stream  uint64 // stream id; 0 on HTTP/1.1
	Extra   any    // for a ReqFilter to fill
}

// URL puts scheme, host, path and query together again.
func (p *PartialRequest) URL() *url.URL {
	host := p.Host
	if p.Port != 0 {
		host += ":" + strconv.Itoa(p.Port)
	}
	return &url.URL{Scheme: p.Scheme, Host: host, Path: p.Path, RawQuery: p.Query}
}

// Terminator is the optional terminate/3 of a handler, of whatever protocol: called once, last.
type Terminator interface {
	Terminate(Reason, *PartialRequest)
}
