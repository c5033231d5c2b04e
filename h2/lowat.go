package h2

import "time"

// lowat says how many octets the socket may hold that have not been sent. What is in it has its order
// for good: an echo waits behind it, whatever its urgency. So it is what the link takes in
// lowatTime, as measured: a socket has room for megabytes, which a slow link takes seconds for; a
// fast one needs them, for else it has nothing to send while we are waited for.
type lowat struct {
	limit  int       // 0: there is none
	since  time.Time // when what is measured began
	octets int       // written since
}

const (
	// lowatTime is how long a link may take for what the socket holds.
	lowatTime = 4 * time.Millisecond
	// lowatSpan is how long is measured, and lowatGap how long nothing may be written meanwhile.
	lowatSpan = 10 * time.Millisecond
	lowatGap  = 100 * time.Millisecond
	// lowatLeast and lowatMost are what the limit may be; lowatBulk is what a write has at least
	// that is measured: small ones say nothing about the link.
	lowatLeast = 32 << 10
	lowatMost  = 4 << 20
	lowatBulk  = maxOut / 2
)

// writes notes a write of n octets that begins now, and says whether limit is another.
func (l *lowat) writes(n int, now time.Time) (changed bool) {
	if n < lowatBulk {
		return false
	}
	took := now.Sub(l.since)
	if took > lowatGap {
		l.since, l.octets = now, n
		return false
	}
	if took < lowatSpan {
		l.octets += n
		return false
	}
	limit := min(max(int(float64(l.octets)*float64(lowatTime)/float64(took)), lowatLeast), lowatMost)
	l.since, l.octets = now, n
	if l.limit > 0 && limit < 2*l.limit && 2*limit > l.limit {
		return false
	}
	l.limit = limit
	return true
}
