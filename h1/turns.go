package h1

import (
	"time"

	"weir/stream"
)

// Enlist implements stream.Runner.
func (t *tunnel) Enlist(u stream.Turner) {
	if t.sock != nil {
		t.sock.enlist(u)
		return
	}
	go takeTurns(u) // ends when nothing is left to do
}

func takeTurns(u stream.Turner) {
	for u.Turn(time.Now()) {
	}
}
