package upgrade

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
)

// HandshakeError is a handshake refused, and the answer it gets. Nothing but that answer comes of
// it.
type HandshakeError struct {
	Status int         // of the answer
	Header http.Header // fields of the answer beside the usual ones; nil: none
	Rule   string      // the section that was broken, "RFC 6455, 4.2.1"; empty for a decision of the server's
	Msg    string      // what is wrong, in a few words: the body of the answer, but for 500
}

func (e *HandshakeError) Error() string {
	if e.Rule == "" {
		return fmt.Sprintf("upgrade: %s: %d", e.Msg, e.Status)
	}
	return fmt.Sprintf("upgrade: %s (%s): %d", e.Msg, e.Rule, e.Status)
}

// Refuse answers with err if it is a *HandshakeError, with 500 and no detail otherwise. Logging is
// the caller's. A `Connection: close` that is set already stays. RefuseRequest is for requests that
// may have a body.
func Refuse(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*HandshakeError](err)
	if !ok || e.Status == http.StatusInternalServerError {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	closing := w.Header().Get("Connection") == "close"
	maps.Copy(w.Header(), e.Header)
	if lines := e.Header["Connection"]; closing && len(lines) > 0 && lines[0] != "close" {
		w.Header()["Connection"] = append([]string{"close"}, lines...) // net/http looks at the first
	}
	text := e.Msg
	if e.Rule != "" {
		text += " (" + e.Rule + ")"
	}
	http.Error(w, text, e.Status)
}
