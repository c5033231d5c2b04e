package h2

import (
	"time"

	"golang.org/x/net/http2"
)

const (
	frameTypes = int(http2.FrameContinuation) + 2 // and all others
	codes      = int(HTTP11Required) + 2          // and all others
)

// counts are what one connection has seen; plain numbers, under its lock.
type counts struct {
	in, out        [frameTypes]uint64
	streams        uint64 // opened
	tunnels        uint64 // opened
	tunnelsNow     int
	connBlocked    time.Duration
	streamsBlocked time.Duration
	rare           *rareCounts // nil while there is nothing to count
}

type rareCounts struct {
	resetsIn, resetsOut   [codes]uint64
	goAwaysIn, goAwaysOut [codes]uint64
	limits                [limits]uint64
}

func (n *counts) seldom() *rareCounts {
	if n.rare == nil {
		n.rare = new(rareCounts)
	}
	return n.rare
}

func (n *counts) hit(l Limit) { n.seldom().limits[l]++ }

func frameIndex(t http2.FrameType) int { return min(int(t), frameTypes-1) }
func codeIndex(c Code) int             { return int(min(c, Code(codes-1))) }

// received is the number of frames that came in.
func (n *counts) received() (sum uint64) {
	for _, k := range n.in {
		sum += k
	}
	return sum
}
