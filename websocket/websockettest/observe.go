package websockettest

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"weir/websocket/internal/hook"
)

// watched is an http.Handler whose WebSockets are recorded, and whose panics are kept.
type watched struct {
	handler http.Handler
	record  func(r *http.Request) *record // whose request it is; nil: nobody's

	serving tally // by path

	mu     sync.Mutex
	stacks []string
}

// returned waits until all requests have been served, and fails the test for those that are not.
func (o *watched) returned(t testing.TB, wait time.Duration) {
	t.Helper()
	for _, path := range o.serving.wait(wait) {
		t.Errorf("websockettest: the http.Handler of %s has not returned, though all WebSockets have ended", path)
	}
}

func (o *watched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rec := o.record(r); rec != nil {
		r = r.WithContext(hook.With(r.Context(), rec.hook()))
	}
	o.serving.begin(r.URL.Path)
	defer o.serving.end(r.URL.Path)
	returned := false
	defer func() {
		if !returned {
			o.crashed(r, recover())
		}
	}()
	o.handler.ServeHTTP(w, r)
	returned = true
}

// crashed keeps what the handler of r panics with, or that it ends its goroutine (nil). A panic
// goes on to the server.
func (o *watched) crashed(r *http.Request, v any) {
	what := "called runtime.Goexit (t.Fatal does)"
	if v != nil {
		what = fmt.Sprintf("panicked: %v", v)
	}
	if v != http.ErrAbortHandler { // which is how a handler drops a connection
		o.mu.Lock()
		o.stacks = append(o.stacks,
			fmt.Sprintf("the http.Handler of %s %s\n%s", r.URL.Path, what, debug.Stack()))
		o.mu.Unlock()
	}
	if v != nil {
		panic(v)
	}
}

// last is the stack of the latest crash, behind a new line.
func (o *watched) last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.stacks) == 0 {
		return ""
	}
	return "\n" + o.stacks[len(o.stacks)-1]
}

// report fails the test for each crash.
func (o *watched) report(t testing.TB) {
	t.Helper()
	o.mu.Lock()
	stacks := o.stacks
	o.mu.Unlock()
	for _, s := range stacks {
		t.Errorf("websockettest: %s", s)
	}
}
