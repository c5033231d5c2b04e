package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// bodySilence is how long nothing may come of a request's body. http.Server.ReadTimeout would bound
// all of it, and an upload may take as long as it likes.
const bodySilence = 30 * time.Second

// boundBodies gives every body its time, also one that no handler reads: net/http reads it behind
// the handler. Those of WebSockets have a shorter one (upgrade.RefuseRequest, h1.BodyTime).
func boundBodies(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && r.Method != http.MethodConnect {
			moreTime(w)
		}
		h.ServeHTTP(w, r)
	})
}

func moreTime(w http.ResponseWriter) {
	// If it fails the next Read says what is wrong.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodySilence))
}

// dropBody reads a body to its end, and counts it. False: it did not come whole; one that has not
// come in time is answered.
func dropBody(w http.ResponseWriter, r *http.Request) (n int64, ok bool) {
	n, err := io.Copy(io.Discard, &steadyBody{w, r.Body})
	switch {
	case err == nil:
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // as in moreTime
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		http.Error(w, "408 the body did not come in time", http.StatusRequestTimeout)
	}
	return n, err == nil
}

// steadyBody is a body that has its time anew whenever something of it has come.
type steadyBody struct {
	w    http.ResponseWriter
	body io.Reader
}

func (b *steadyBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if n > 0 && err == nil {
		moreTime(b.w)
	}
	return n, err
}
