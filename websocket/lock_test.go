package websocket

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestLock: one holder at a time.
func TestLock(t *testing.T) {
	var l lock
	var wg sync.WaitGroup
	n := 0
	for range 8 {
		wg.Go(func() {
			for i := range 2000 {
				if i%5 > 0 {
					l.Lock()
				} else if !l.TryLock() {
					continue
				}
				n++
				l.Unlock()
			}
		})
	}
	wg.Wait()
	if n < 8*1600 || !l.TryLock() {
		t.Errorf("taken %d times; free in the end: false", n)
	}
}

// TestLockOrder: who came first has it first, and time passes for those who wait.
func TestLockOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lock
		l.Lock()
		var order []int
		for i := range 3 {
			go func() { // ends when it has had its turn
				l.Lock()
				order = append(order, i)
				time.Sleep(time.Second)
				l.Unlock()
			}()
			synctest.Wait()
		}
		start := time.Now()
		l.Unlock()
		if l.TryLock() {
			t.Error("it was given up, not over")
		}
		l.Lock()
		if d := time.Since(start); len(order) != 3 || order[0] != 0 || order[1] != 1 || d != 3*time.Second {
			t.Errorf("order %v, after %v", order, d)
		}
		l.Unlock()
	})
}
