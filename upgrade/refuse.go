package upgrade

import (
	"errors"
	"io"
	"net/http"
	"time"

	"weir/h1"
)

const (
	// bodyMoment is how long a refusal waits for a body, so that the connection can be used again.
	bodyMoment = 250 * time.Millisecond
	// bodyDrain is how long what comes of a body behind the answer is read and dropped. To close
	// before would be a TCP reset, which takes the answer from a client that still sends
	// (RFC 9112, 9.6).
	bodyDrain = 5 * time.Second
)

// RefuseRequest is Refuse for r, whose body nobody reads. net/http waits for the rest of a body
// before it answers, or before it closes the connection, for ever on a server without ReadTimeout.
// So over HTTP/1.1 one that is not there within 250 ms is not waited for: the answer leaves with
// `Connection: close`, and the connection is closed 5 s later at the latest.
func RefuseRequest(w http.ResponseWriter, r *http.Request, err error) {
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		drain := bodyDrain
		if e, ok := errors.AsType[*HandshakeError](err); ok && e.Status == http.StatusRequestTimeout {
			drain = 0 // it has been waited for
		} else if !bodyCame(w, r) {
			w.Header().Set("Connection", "close")
		}
		// If it fails no handler can bound the time.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drain))
	}
	Refuse(w, err)
}

// bodyCame reads the rest of r's body, if it comes at once. A body in chunks that has been waited
// for cannot be read any more.
func bodyCame(w http.ResponseWriter, r *http.Request) bool {
	if r.ContentLength < 0 || r.ContentLength > h1.MaxBody || r.Header.Get("Expect") != "" {
		return false
	}
	if http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyMoment)) != nil {
		return false
	}
	_, err := io.Copy(io.Discard, r.Body)
	return err == nil
}

// boundBody is for an answer of init's: what it left of r's body has a time, see RefuseRequest. The
// answer waits for it in net/http.
func (w *Watcher) boundBody(r *http.Request) {
	if r.ProtoMajor == 1 && r.ContentLength != 0 && !w.hijacked.Load() {
		// If it fails no handler can bound the time.
		_ = http.NewResponseController(w.w).SetReadDeadline(time.Now().Add(bodyDrain))
	}
}
