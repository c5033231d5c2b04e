package upgrade

import (
	"net/url"
	"strconv"
)

// Kind is the first word of a terminate reason (Cowboy guide, handlers, terminate/3).
type Kind uint8

// The kinds of Reason.
const (
	Normal  Kind = iota // init answered the request itself
	Stop                // the handler ended it, or the server drained
	Timeout             // nothing happened for the idle timeout
	Remote              // the peer ended it, in a protocol that has a word for it
	Error               // Name says which
	Crash               // a callback panicked or called Goexit: Class and Value say how
)

var kindNames = [...]string{"normal", "stop", "timeout", "remote", "error", "crash"}

// String is the kind in a word.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

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

// String is the class in a word; that of no crash is empty.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "class " + strconv.Itoa(int(c))
}

// Closed is the Name of a Reason of kind Error: the client has gone, or the stream was cut.
const Closed = "closed"

// Reason is why what a handler did has ended: what terminate/3 gets. WebSockets have a Reason of
// their own, websocket.Reason, which says more.
type Reason struct {
	Kind  Kind   // what kind of end it was
	Name  string // Error: Closed, or a word of the protocol's
	Err   error  // Error: what was behind it, nil for a plain end; for logs
	Class Class  // Crash
	Value any    // Crash: the panic's value; nil for Goexit
}

// String is the reason in a word or two: normal, stop, timeout, remote, error:closed, crash:throw.
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
	Path    string // decoded, as that of url.URL
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

// Terminator is the optional terminate/3 of a handler: called once, last. Handlers of WebSockets
// have websocket.Terminator.
type Terminator interface {
	Terminate(Reason, *PartialRequest)
}
