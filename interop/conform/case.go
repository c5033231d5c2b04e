package conform

import (
	"context"
	"slices"
	"time"

	"weir/stream"
)

// Case is one thing that a peer is asked.
type Case struct {
	ID      string // dotted, in the order of the suite: "6.4.1", "8441.settings.first"
	Title   string // what is done, one line
	Expect  string // what the peer has to do, one line
	Section string // what it follows from, "RFC 8441, 3"; may be empty
	Strict  bool   // asks more than the suite of that number does: run only when asked to

	// Heavy cases measure: they run one at a time, after all others. Busy ones keep a processor
	// busy, and measure nothing: they run two at a time, after those that are neither.
	Heavy, Busy bool

	// Over are the transports it makes sense on; none: all.
	Over []stream.Transport

	// Limit is how long it may take, by the target's pace; what takes longer has failed. 0: 30 s.
	Limit time.Duration

	// Run asks. It returns when ctx ends, and leaves nothing behind: no connection, no goroutine.
	Run func(ctx context.Context, t *Target, log *Log) Outcome
}

// DefaultLimit is the Limit of a case that has none.
const DefaultLimit = 30 * time.Second

// RunsOver says whether the case makes sense on a transport.
func (c *Case) RunsOver(t stream.Transport) bool {
	return len(c.Over) == 0 || slices.Contains(c.Over, t)
}

// Group is what the case stands under in a table: the first part of its ID, "6", or the first two
// of a suite that is named, "8441.settings".
func (c *Case) Group() string { return groupOf(c.ID) }
