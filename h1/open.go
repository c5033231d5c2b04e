package h1

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/net/http/httpguts"

	"weir/stream"
)

// MaxBody is how long a request body Open reads and drops. Its caller refuses longer ones, and
// those of unknown length.
const MaxBody = 64 << 10

// Open takes over the connection of r and makes a stream of it. The answer is 101 with header and
// nothing else; it leaves with the first Send, in one write. Octets that came behind the request
// head are told first.
//
// The stream ends when somebody else closes the connection that has it from ConnState or
// ConnContext of the http.Server. A connection that neither hook was given belongs to the stream
// alone: on Linux one over plain TCP is closed, and the stream goes on with its descriptor.
//
// w may be wrapped in what has Unwrap, as for http.ResponseController; if nothing behind it can be
// hijacked the error is http.ErrNotSupported. A header that would break the answer's framing is an
// error before anything is taken over.
func Open(w http.ResponseWriter, r *http.Request, header http.Header) (stream.Stream, error) {
	head, err := answer(header)
	if err != nil {
		return nil, err
	}
	if r.ContentLength < 0 || r.ContentLength > MaxBody {
		return nil, fmt.Errorf("h1: a body of %d octets before the upgrade (RFC 9110, 7.8)", r.ContentLength)
	}
	if r.ContentLength > 0 {
		if err := dropBody(w, r); err != nil {
			return nil, &BodyError{err}
		}
	}
	shared := hooked(r) // before the connection is ours: the context may be a user's code
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	opened := false
	defer func() { // also when a method of c panics: it may be a user's
		if !opened {
			c.Close()
		}
	}()
	first := make([]byte, rw.Reader.Buffered())
	if _, err := io.ReadFull(rw.Reader, first); err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	info := stream.Info{Transport: stream.H1, Local: c.LocalAddr(), Remote: c.RemoteAddr(), TLS: r.TLS, Own: true}
	if r.TLS != nil {
		info.Transport = stream.H1TLS
	}
	open := newTunnel
	if shared {
		open = newSharedTunnel
	}
	st := open(c, info, head, first)
	opened = true
	return st, nil
}

// hooked says whether a hook of the http.Server was given the connection of r, and may have kept it
// to close it some day.
func hooked(r *http.Request) bool {
	srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	return ok && (srv.ConnState != nil || srv.ConnContext != nil)
}

// BodyTime is how long Open waits for a request body, on a server without a ReadTimeout.
const BodyTime = 10 * time.Second

// BodyError says that the request's body did not come whole: Err is os.ErrDeadlineExceeded, or what
// the connection failed with, or http.ErrNotSupported: no deadline can be set, for w hides
// SetReadDeadline behind a wrapper without Unwrap.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return "h1: body before the upgrade: " + e.Err.Error() }

func (e *BodyError) Unwrap() error { return e.Err }

// dropBody reads r's body to its end. The time for the head has ended by now, and that of the
// session has not begun.
func dropBody(w http.ResponseWriter, r *http.Request) error {
	srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || srv.ReadTimeout <= 0 {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(BodyTime)); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, r.Body)
	return err
}

// answer is the 101 with header.
func answer(header http.Header) ([]byte, error) {
	if err := checkFields(header); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	if err := header.Write(&b); err != nil {
		return nil, err
	}
	b.WriteString("\r\n")
	return b.Bytes(), nil
}

// checkFields refuses what would break the framing of a head.
func checkFields(header http.Header) error {
	for name, values := range header {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("h1: field name %q (RFC 9110, 5.1)", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("h1: value of field %s (RFC 9110, 5.5)", name)
			}
		}
	}
	return nil
}
