package websocket

import (
	"errors"
	"net/http"

	"weir/stream"
	"weir/upgrade"
	"weir/wsframe/deflate"
)

// StreamOptions are the options of a session on a stream that somebody else has opened: those of
// the session, and what its opening handshake said, if there was one. Of the session's options
// Origins, OnlyOrigins, Subprotocols, Compress and ReqFilter are the handshake's and mean nothing
// here. By default a client has no IdleTimeout.
type StreamOptions struct {
	Options

	// Client says that the stream is a client's end: what is sent is masked, what comes is not (RFC
	// 6455, 5.1).
	Client bool

	// Request is what Session.Request and Terminate have; nil: what the stream's Info says.
	Request *PartialRequest

	// Subprotocol was agreed on; "": none.
	Subprotocol string

	// Extensions were agreed on, spelt as in the answer's Sec-WebSocket-Extensions:
	// permessage-deflate with its parameters, or nothing.
	Extensions string
}

// NewSession runs a WebSocket on st: for transports of one's own, and for tests. st is open, and
// its octets are frames from the first on; the session attaches to it, and ends it. h is called
// from now on, as Handle and DialHandler have it called; o may be nil, and is not to be changed any
// more. An error leaves st as it is.
func NewSession(st stream.Stream, h Handler, o *StreamOptions) (*Session, error) {
	s, err := sessionOn(st, h, o)
	if err != nil {
		return nil, err
	}
	s.begin()
	return s, nil
}

// NewConn is NewSession for people who would rather block than be called back: what Accept and Dial
// give, on a stream that somebody else has opened.
func NewConn(st stream.Stream, o *StreamOptions) (*Conn, error) {
	c := newConn()
	s, err := sessionOn(st, handlerOf(c), o)
	if err != nil {
		return nil, err
	}
	c.s = s
	s.begin()
	return c, nil
}

// sessionOn makes the session, which has not begun.
func sessionOn(st stream.Stream, h Handler, o *StreamOptions) (*Session, error) {
	if o == nil {
		o = new(StreamOptions)
	}
	if err := errors.Join(checkHandler(h), o.Deflate.Check()); err != nil {
		return nil, err
	}
	params, agreed, err := deflateOf(o.Extensions)
	if err != nil {
		return nil, err
	}
	answer := http.Header{}
	answer.Set("Sec-Websocket-Protocol", o.Subprotocol)
	answer.Set("Sec-Websocket-Extensions", o.Extensions)
	info := st.Info()
	req := o.Request
	if req == nil {
		made := new(request).make(info)
		if made.Version == "" { // in memory
			made.Method = http.MethodGet
		}
		req = &made
	}
	own := o.Options
	if o.Client {
		own.IdleTimeout = or(own.IdleTimeout, -1, -1)
	}
	s := newSession(st, h, &own, own.Group, req, answer)
	if o.Client {
		s.headless = false
		s.m.client(info.Transport == stream.H1 || info.Transport == stream.H1TLS, maskingKey)
	}
	if agreed {
		s.m.compress(&own, params)
	}
	return s, nil
}

// deflateOf is what the extensions of an answer agree on. All that there is is permessage-deflate.
func deflateOf(extensions string) (p deflate.Params, agreed bool, err error) {
	if extensions == "" {
		return p, false, nil
	}
	list, ok := upgrade.ParseExtensions([]string{extensions})
	if !ok || len(list) != 1 || list[0].Name != deflate.Name {
		return p, false, errors.New("websocket: not permessage-deflate alone: " + extensions)
	}
	p, err = deflate.Accept(new(deflate.Options), deflateParams(list[0]))
	return p, err == nil, err
}
