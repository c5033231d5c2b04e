package h2

import (
	"testing"
	"time"
)

// TestDeadlineAfterTheEnd: a deadline that is set when its stream has closed starts no timer, and one that was running
// is stopped.
func TestDeadlineAfterTheEnd(t *testing.T) {
	c := &conn{core: newCore(limitConfig(Config{}), true, nil, time.Now())}
	x := &exchange{c: c, s: &coreStream{}}
	x.reading.init(x)
	x.writing.init(x)
	x.writing.set(time.Now().Add(time.Hour))
	x.event(event{kind: evClosed})
	if x.writing.timer.Stop() {
		t.Error("the timer of the write deadline runs on")
	}
	x.reading.set(time.Now().Add(time.Hour))
	if x.reading.timer != nil {
		t.Error("a read deadline set after the end has a timer")
	}
}
