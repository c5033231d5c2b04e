package h2

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLookoutRests: the timer of the looks runs while a crew works, and no longer.
func TestLookoutRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lookout
		rests := func(when string) {
			time.Sleep(3 * crewLook)
			synctest.Wait()
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.running || len(l.crews) > 0 {
				t.Errorf("%s: %d crews, timer %v", when, len(l.crews), l.running)
			}
		}
		for range 3 {
			var crews [5]crew
			for i := range crews {
				w := &crews[i]
				w.lookout = &l
				w.mu.Lock()
				w.working = 1
				w.look()
				w.look()
				w.mu.Unlock()
			}
			time.Sleep(3 * crewLook)
			synctest.Wait() // a look may be under way
			l.mu.Lock()
			if !l.running || len(l.crews) != len(crews) {
				t.Errorf("at work: %d crews, timer %v", len(l.crews), l.running)
			}
			l.mu.Unlock()
			for i := range crews {
				w := &crews[i]
				w.mu.Lock()
				w.working = 0
				w.mu.Unlock()
			}
			rests("done")
		}
	})
}
