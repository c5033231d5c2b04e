package h2

import "time"

// lowat says how many octets the socket may hold that have not been sent. What is in it has its
// order for good: an echo waits behind it, whatever its urgency. A socket has room for megabytes,
// which a slow link takes seconds for; and a fast link needs some, for else it has nothing to send
// until we have woken up. So the limit is as low as the link has always something to send, which
// the system is asked for now and then.
type lowat struct {
	limit     int       // 0: there is none
	asked     time.Time // when the system was
	busy, dry time.Duration
}

const (
	// lowatFirst is the limit to begin with, lowatLeast and lowatMost what it may become.
	lowatFirst = 256 << 10
	lowatLeast = 32 << 10
	lowatMost  = 4 << 20
	// lowatSpan is how often the system is asked, while there is much to write: lowatBulk octets in
	// one write.
	lowatSpan = 20 * time.Millisecond
	lowatBulk = maxOut / 2
)

// due says that the system is to be asked, when a write of n octets begins.
func (l *lowat) due(n int, now time.Time) bool {
	if n < lowatBulk || now.Sub(l.asked) < lowatSpan {
		return false
	}
	l.asked = now
	return true
}

// adapt takes for how long, since the connection began, there were octets in the socket or on their
// way, and for how much of that there were none to send though we had some. It says whether limit
// is another.
func (l *lowat) adapt(busy, dry time.Duration) (changed bool) {
	b, d := busy-l.busy, dry-l.dry
	was := l.limit
	switch {
	case l.limit == 0:
		l.limit = lowatFirst
	case b < lowatSpan/4:
		return false // too short to say anything
	case d > b/16:
		l.limit = min(2*l.limit, lowatMost)
	case d == 0:
		l.limit = max(l.limit-l.limit/4, lowatLeast)
	}
	l.busy, l.dry = busy, dry
	return l.limit != was
}
