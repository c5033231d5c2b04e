package h1

import "time"

// moment is how long a Send waits for the writer, where writing may block and nobody knows whether it will. What a peer
// that reads is sent has left by then.
const moment = 2 * time.Millisecond

// patience is the wait of a Send for the writer's goroutine, or of that for the socket.
type patience struct {
	run     func()      // write, made once, so that starting it allocates nothing
	timer   *time.Timer // made by the first wait
	until   time.Time   // zero: nobody waits
	writeBy time.Time   // of the socket's next Write; the writer's
}

// patient makes what somebody needs who waits. With mu held, or by the writer's goroutine.
func (t *tunnel) patient() *patience {
	if t.wait == nil {
		t.wait = &patience{run: t.write}
	}
	return t.wait
}

// handOver queues v without its first done octets, and gives the queue to a goroutine. On plain TCP that is all: the socket
// is full. Elsewhere a Write may block, and whoever called Send has other things to do: a session whose peer does not read
// must still read itself, for two such peers would wait for each other. A Write under way cannot be taken from the
// goroutine that is in it, so it is another's from the start. With mu held, which is given up while we wait: for a
// moment, after which v counts as queued.
func (t *tunnel) handOver(v [][]byte, done int) {
	t.enqueue(v, done)
	w := t.patient()
	go w.run() // ends when the queue is empty, or at a failed write
	if t.tries || !w.until.IsZero() {
		return
	}
	w.until = time.Now().Add(moment)
	t.hurry(moment)
	for t.writing && !t.over && !w.until.IsZero() {
		t.wake.wait(&t.mu)
	}
	w.disarm()
}

// hurry has giveUp called in d.
func (t *tunnel) hurry(d time.Duration) {
	if w := t.patient(); w.timer == nil {
		w.timer = time.AfterFunc(d, t.giveUp)
	} else {
		w.timer.Reset(d)
	}
}

func (w *patience) disarm() {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.until = time.Time{}
}

// giveUp ends the wait, on a goroutine of the timer's. It may come late, in the time of the next.
func (t *tunnel) giveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.wait; !w.until.IsZero() && !time.Now().Before(w.until) {
		w.until = time.Time{}
		t.wake.ring()
	}
}
