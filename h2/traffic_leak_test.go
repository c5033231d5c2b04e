package h2_test

import (
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
)

// TestNoRequestIsKept: a connection that is idle holds nothing of the requests it has served,
// however they ended.
func TestNoRequestIsKept(t *testing.T) {
	for _, frames := range [][]string{
		{"HEADERS 1 END_STREAM :method=GET :scheme=http :authority=a :path=/"},
		{"HEADERS 1 :method=POST :scheme=http :authority=a :path=/", `DATA 1 END_STREAM "body"`},
		{"HEADERS 1 :method=POST :scheme=http :authority=a :path=/", `DATA 1 "body"`,
			"HEADERS 1 END_STREAM x-trailer=1"},
		{"HEADERS 1 :method=POST :scheme=http :authority=a :path=/", `DATA 1 PAD=9 "body"`,
			"RST_STREAM 1 CANCEL"},
	} {
		var held func() bool
		bubble(t, nil, func(w http.ResponseWriter, _ *http.Request) { held = h2.Watch(w) },
			func(s *site) {
				p := s.dial()
				p.Send(frames...)
				time.Sleep(time.Second) // what a turn has left to others is done at the next look
				synctest.Wait()
				for range 3 {
					runtime.GC()
				}
				if held == nil || held() {
					t.Errorf("%q: the request is kept", frames)
				}
				if _, faults := s.h2.Rest(); len(faults) > 0 {
					t.Errorf("%q: %v", frames, faults)
				}
			})
	}
}
