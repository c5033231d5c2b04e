package deflate

import "sync"

// encoder compresses one message with its history: to tokens (match.go), codes for them (codes.go), bits (block.go).
//
// Each message of a session has to put its history into the tables anew, because the compressor before was another
// session's. The general compressor has tables of 0.4 to 1.2 MB for that, of which little is in the cache when it comes
// out of the pool: an echo of 1 KiB with 8 KiB of history would spend two thirds of its time there. Here they have
// 8 KiB, and two octets for each of text, and filling them is a third of the compressing. All in all an encoder has
// 270 KiB, of which a message touches as much as it and its history are long.
type encoder struct {
	head [1 << hashBits]uint16 // where four octets with that hash were last
	prev [1 << 16]uint16       // where four octets with the hash of those here were before
	text [1<<16 + 8]byte       // from 1: history, then the message. 0 is nowhere; at the end what a wide load may touch

	tokens   [maxMessage]token
	count    int
	literals alphabet // and lengths
	distance alphabet
	lengths  alphabet // of the codes of both (RFC 1951, 3.2.7)
	runs     [literals + distances + 1]run
	runCount int
}

// maxMessage is as far as this pays; without history, a quarter of it. Over that the general compressor's way through a
// message counts for more than what it takes to start.
const maxMessage = 16 << 10

// effort is what a level does for a message.
type effort struct {
	stride  int // 1 or 2: history is looked up by every octet of it, or by every second
	depth   int // places looked at for a match
	lazy    int // a match under this length gives way to a longer one an octet further
	enough  int // from this length on a match is long enough to look no further
	history int // octets of it; see Writer.history
}

// efforts are the levels. From one to the next messages cost more and become smaller: prose, code, JSON, and a mix.
var efforts = [maxLevel + 1]effort{
	1: {2, 2, 0, 16, 4 << 10},
	2: {2, 4, 0, 32, 4 << 10},
	3: {2, 8, 0, 32, 4 << 10},
	4: {2, 4, 8, 32, 8 << 10},
	5: {2, 6, 16, 64, 8 << 10},
	6: {2, 12, 16, 64, 8 << 10},
	7: {1, 24, 32, 128, 32 << 10},
	8: {1, 48, 64, maxMatch, 32 << 10},
	9: {1, 256, maxMatch, maxMatch, 32 << 10},
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// append compresses parts, maxMessage octets at most, after the history a, b; no distance is over window.
func (e *encoder) append(dst, a, b []byte, parts [][]byte, window int, by *effort) []byte {
	start := 1 + copy(e.text[1:1+1<<maxBits], a)
	start += copy(e.text[start:1+1<<maxBits], b)
	end := start
	for _, p := range parts {
		end += copy(e.text[end:start+maxMessage], p)
	}
	e.prime(start, by.stride)
	e.parse(start, end, window, by)
	size, dynamic := e.choose()
	if size > end-start+6 {
		return appendStored(dst, [][]byte{e.text[start:end]})
	}
	return e.write(dst, size, dynamic)
}
