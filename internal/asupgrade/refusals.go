package asupgrade

import (
	"net/http"
	"sync"
)

// maxRefusals is how many paths are warned of.
const maxRefusals = 100

// Refusals finds answers to a WebSocket as handlers give them that do not take it for what it is,
// or that find no http.Hijacker because a wrapper of the http.ResponseWriter hides it. Over
// HTTP/1.1 they may work, and a browser does not say why. The zero value is ready.
type Refusals struct {
	mu    sync.Mutex
	paths map[string]struct{}
}

// New says, once a path, that status is such an answer. The path to be told of is not longer than
// 200 octets.
func (r *Refusals) New(path string, status int) (short string, ok bool) {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUpgradeRequired:
	case http.StatusInternalServerError, http.StatusNotImplemented: // it found no Hijacker
	default:
		return "", false
	}
	path = path[:min(len(path), 200)]
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.paths[path]; known || len(r.paths) == maxRefusals {
		return "", false
	}
	if r.paths == nil {
		r.paths = map[string]struct{}{}
	}
	r.paths[path] = struct{}{}
	return path, true
}
