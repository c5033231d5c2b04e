package behaviour_test

import (
	"errors"
	"io"
	"sync"
	"time"

	"weir/stream"
)

// pipeBuffer is how many octets wait for the session without holding up Write.
const pipeBuffer = 4 << 10

// pipeWire makes a wire of the client's end of a pipe.
type pipeWire struct {
	st       stream.Stream
	mu       sync.Mutex
	changed  *sync.Cond
	in       []byte
	fin      bool
	err      error
	over     bool
	deadline time.Time
	full     bool // what was written waits for the window
}

func newPipeWire(st stream.Stream) *pipeWire {
	w := &pipeWire{st: st}
	w.changed = sync.NewCond(&w.mu)
	st.Attach(w, stream.Limits{Low: pipeBuffer})
	return w
}

func (w *pipeWire) Data(b []byte, fin bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = append(w.in, b...)
	w.fin = fin
	w.changed.Broadcast()
}

func (w *pipeWire) Drained() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.full = false
	w.changed.Broadcast()
}

func (w *pipeWire) Closed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err, w.over = err, true
	w.changed.Broadcast()
}

func (w *pipeWire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	time.AfterFunc(time.Until(t), w.changed.Broadcast)
	return nil
}

func (w *pipeWire) Read(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.in) == 0 {
		switch {
		case w.fin:
			return 0, io.EOF
		case w.over && w.err != nil:
			return 0, w.err
		case w.over:
			return 0, io.EOF
		case !w.deadline.IsZero() && !time.Now().Before(w.deadline):
			return 0, errors.New("read deadline")
		}
		w.changed.Wait()
	}
	n := copy(b, w.in)
	w.in = w.in[n:]
	w.st.Release(n)
	return n, nil
}

// Write waits for the session's window, but for a few octets, as a socket has room for.
func (w *pipeWire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.st.Send([][]byte{b}, false)
	for w.full = n > pipeBuffer; w.full && !w.over; {
		w.changed.Wait()
	}
	return len(b), err
}

func (w *pipeWire) CloseWrite() error { _, err := w.st.Send(nil, true); return err }
func (w *pipeWire) reset()            { w.st.Reset(stream.Cancel) }
