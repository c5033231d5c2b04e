package upgrade

import (
	"errors"
	"net/http"

	"weir/h1"
	"weir/stream"
)

// Accept answers r with 101 or 200 and header, and makes a stream of it: through the stream.Opener behind w, or over
// HTTP/1.1 by hijacking the connection; wrappers of w that have Unwrap do not get in the way. The answer leaves with
// the first Send. An error is a *HandshakeError for Refuse, as long as nothing has been taken over.
//
// On HTTP/1.1 header says Upgrade and Connection itself, as Handshake.Header does. A body of up to h1.MaxBody octets is
// dropped.
func Accept(w http.ResponseWriter, r *http.Request, header http.Header) (stream.Stream, error) {
	o, watched := opener(w)
	if o != nil {
		s, err := o.OpenStream(header)
		switch {
		case errors.Is(err, stream.ErrHalfClosed):
			return nil, &HandshakeError{Status: http.StatusBadRequest, Rule: "RFC 9113, 8.5", Msg: "the request has already ended"}
		case err != nil:
			return nil, err
		}
		watched.note()
		return s, nil
	}
	if r.ProtoMajor != 1 {
		return nil, errNoTransport
	}
	if r.Header.Get("Expect") != "" || r.ContentLength < 0 || r.ContentLength > h1.MaxBody {
		return nil, &HandshakeError{Status: http.StatusBadRequest, Rule: "RFC 9110, 7.8", Msg: "an upgrade with a body of this kind is refused",
			Header: http.Header{"Connection": {"close"}}}
	}
	s, err := h1.Open(w, r, header)
	if errors.Is(err, http.ErrNotSupported) {
		return nil, errNoTransport
	}
	return s, err
}

var errNoTransport = &HandshakeError{Status: http.StatusInternalServerError,
	Msg: "the server's http.ResponseWriter has neither stream.Opener nor http.Hijacker: call websocket.ConfigureServer"}

// opener looks behind w for what opens streams, and for the Watcher on the way, if there is one.
func opener(w http.ResponseWriter) (o stream.Opener, watched *Watcher) {
	for w != nil {
		if x, ok := w.(stream.Opener); ok {
			return x, watched
		}
		if x, ok := w.(*Watcher); ok {
			watched = x
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	return nil, watched
}
