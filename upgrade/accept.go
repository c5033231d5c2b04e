package upgrade

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"

	"weir/h1"
	"weir/stream"
)

// Accept answers r with 101 or 200 and header, and makes a stream of it: through the stream.Opener
// behind w, or over HTTP/1.1 by hijacking the connection; wrappers of w that have Unwrap do not get
// in the way. The answer leaves with the first Send. An error is a *HandshakeError for Refuse, as
// long as nothing has been taken over; one that is stream.ErrAnswered says that the request has
// been answered before, be it in part: then there is nothing to refuse.
//
// On HTTP/1.1 header says Upgrade and Connection itself, as Handshake.Header does. A body of up to
// h1.MaxBody octets is dropped.
func Accept(w http.ResponseWriter, r *http.Request, header http.Header) (stream.Stream, error) {
	b := behind(w)
	s, err := b.accept(w, r, header)
	if errors.Is(err, http.ErrHijacked) {
		err = stream.ErrAnswered
	}
	if b.opener != nil && err == nil || errors.Is(err, stream.ErrAnswered) {
		note(w)
	}
	return s, err
}

// Unanswered gives stream.ErrAnswered if an answer to w's request was begun, as far as can be seen:
// by a Watcher, by what h2 or net/http knows. A protocol asks before it judges the request, for
// what it would refuse has an answer then.
func Unanswered(w http.ResponseWriter) error {
	if b := behind(w); b.answered() {
		note(w)
		return stream.ErrAnswered
	}
	return nil
}

// chain is what stands behind an http.ResponseWriter, as far as Unwrap goes.
type chain struct {
	opener stream.Opener       // nil: there is none
	done   bool                // one of them says that it has been answered
	last   http.ResponseWriter // which has no Unwrap
}

func behind(w http.ResponseWriter) (b chain) {
	for ; w != nil; w = unwrap(w) {
		b.last = w
		watched, isWatcher := w.(*Watcher)
		o, opens := w.(stream.Opener)
		switch {
		case isWatcher:
			b.done = b.done || watched.Answered()
		case opens:
			a, knows := w.(interface{ Answered() bool })
			b.done = b.done || knows && a.Answered()
			b.opener = o
			return b
		}
	}
	return b
}

// unwrap gives what w wraps, nil if it does not say.
func unwrap(w http.ResponseWriter) http.ResponseWriter {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return nil
}

// note tells the Watchers in front of the transport that w was answered.
func note(w http.ResponseWriter) {
	for ; w != nil; w = unwrap(w) {
		if watched, ok := w.(*Watcher); ok {
			watched.note()
		}
	}
}

func (b *chain) accept(w http.ResponseWriter, r *http.Request, header http.Header) (stream.Stream, error) {
	if b.answered() {
		return nil, stream.ErrAnswered
	}
	if b.opener != nil {
		s, err := b.opener.OpenStream(header)
		if errors.Is(err, stream.ErrHalfClosed) {
			return nil, &HandshakeError{Status: http.StatusBadRequest, Rule: "RFC 9113, 8.5", Msg: "the request has already ended"}
		}
		return s, err
	}
	if r.ProtoMajor != 1 {
		return nil, b.noTransport()
	}
	if r.Header.Get("Expect") != "" || r.ContentLength < 0 || r.ContentLength > h1.MaxBody {
		return nil, &HandshakeError{Status: http.StatusBadRequest, Rule: "RFC 9110, 7.8", Msg: "an upgrade with a body of this kind is refused",
			Header: http.Header{"Connection": {"close"}}}
	}
	s, err := h1.Open(w, r, header)
	if body, ok := errors.AsType[*h1.BodyError](err); ok {
		return nil, bodyRefused(body)
	}
	if errors.Is(err, http.ErrNotSupported) {
		return nil, b.noTransport()
	}
	return s, err
}

// answered says that an answer was begun, as far as can be seen.
func (b *chain) answered() bool { return b.done || b.opener == nil && wroteHeader(b.last) }

// bodyRefused is the answer to a body that does not come.
func bodyRefused(err *h1.BodyError) *HandshakeError {
	e := &HandshakeError{Status: http.StatusBadRequest, Rule: "RFC 9110, 7.8", Msg: "the body before the upgrade did not come whole",
		Header: http.Header{"Connection": {"close"}}}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		e.Status, e.Rule, e.Msg = http.StatusRequestTimeout, "RFC 9110, 15.5.9", "the body before the upgrade did not come in time"
	}
	return e
}

// mostWrappers is how many wrappers without Unwrap wroteHeader looks behind.
const mostWrappers = 32

// wroteHeader looks whether the http.ResponseWriter of net/http's HTTP/1.1 has had its WriteHeader.
// It does not say so, and its Hijack would send the answer and succeed: the 101 would stand behind
// a whole answer. A wrapper that has Hijack and no Unwrap mostly embeds what it wraps. What cannot
// be seen, a field of another name too, counts as not written.
func wroteHeader(w http.ResponseWriter) bool {
	v := reflect.ValueOf(w)
	for range mostWrappers {
		if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return false
		}
		if t := v.Type(); t.PkgPath() == "net/http" && t.Name() == "response" {
			f := v.FieldByName("wroteHeader")
			return f.IsValid() && f.Kind() == reflect.Bool && f.Bool()
		}
		f, ok := v.Type().FieldByName("ResponseWriter")
		if !ok || !f.Anonymous || f.Type.Kind() != reflect.Interface || len(f.Index) > 1 {
			return false
		}
		if v = v.FieldByIndex(f.Index).Elem(); !v.IsValid() {
			return false
		}
	}
	return false
}

// noTransport is the error where the last writer is none that a stream can be made of. It names its
// type: either it wraps the server's and hides it, or it is the server's, and not weir's.
func (b *chain) noTransport() error {
	msg := fmt.Sprintf("a %T hides the server's http.ResponseWriter: it needs the method Unwrap() http.ResponseWriter, "+
		"and HTTP/2 websocket.ConfigureServer", b.last)
	t := reflect.TypeOf(b.last)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
		msg = "there is no http.ResponseWriter"
	case t.PkgPath() == "net/http" && t.Name() == "timeoutWriter":
		msg = fmt.Sprintf("http.TimeoutHandler stands around the handler: its http.ResponseWriter (%T) has no method "+
			"Unwrap() http.ResponseWriter; leave WebSockets out of it", b.last)
	case t.PkgPath() == "net/http" || strings.HasPrefix(t.PkgPath(), "net/http/internal/") || t.PkgPath() == "golang.org/x/net/http2":
		msg = fmt.Sprintf("the server's http.ResponseWriter is a %T, with neither stream.Opener nor http.Hijacker: "+
			"call websocket.ConfigureServer", b.last)
	}
	return &HandshakeError{Status: http.StatusInternalServerError, Msg: msg}
}
