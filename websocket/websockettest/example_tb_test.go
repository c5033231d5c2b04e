package websockettest_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// fakeTB is a test that may fail. It says where, as testing does: at the first caller that is not a
// helper.
type fakeTB struct {
	testing.TB

	mu       sync.Mutex
	helpers  map[string]bool
	failures []string
	logs     []string
	cleanups []func()
}

// try runs f as a test, and gives what it failed with.
func try(t *testing.T, f func(t testing.TB)) (failures []string) {
	tb := &fakeTB{TB: t, helpers: map[string]bool{}}
	done := make(chan struct{})
	go func() { // ends with f and what it has deferred to the end
		defer close(done)
		defer func() {
			for i := len(tb.cleanups) - 1; i >= 0; i-- {
				tb.cleanups[i]()
			}
		}()
		f(tb)
	}()
	<-done
	return tb.failures
}

func (f *fakeTB) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }

func (f *fakeTB) Helper() {
	var pc [1]uintptr
	runtime.Callers(2, pc[:])
	frame, _ := runtime.CallersFrames(pc[:]).Next()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.helpers[frame.Function] = true
}

func (f *fakeTB) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.failures) > 0
}

func (f *fakeTB) Log(args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logs = append(f.logs, fmt.Sprint(args...))
}

func (f *fakeTB) Errorf(format string, args ...any) {
	pc := make([]uintptr, 50)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	f.mu.Lock()
	defer f.mu.Unlock()
	where := "nowhere"
	for more := true; more; {
		var frame runtime.Frame
		if frame, more = frames.Next(); !f.helpers[frame.Function] {
			where = fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
			break
		}
	}
	f.failures = append(f.failures, where+": "+fmt.Sprintf(format, args...))
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Helper()
	f.Errorf(format, args...)
	runtime.Goexit()
}

func (f *fakeTB) Fatal(args ...any) { f.Helper(); f.Fatalf("%s", fmt.Sprint(args...)) }

// wantFailure wants that f fails once, at a line of this package's tests, with all of these words.
func wantFailure(t *testing.T, f func(t testing.TB), words ...string) {
	t.Helper()
	got := try(t, f)
	if len(got) != 1 {
		t.Fatalf("%d failures, want one with %q: %s", len(got), words, strings.Join(got, "\n"))
	}
	for _, w := range words {
		if !strings.Contains(got[0], w) {
			t.Errorf("the failure does not say %q: %s", w, got[0])
		}
	}
	if file, _, _ := strings.Cut(got[0], ":"); !strings.HasSuffix(file, "_test.go") {
		t.Errorf("the failure is not at the test's line: %s", got[0])
	}
}
