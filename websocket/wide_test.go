package websocket

import (
	"math"
	"testing"

	"weir/wsframe"
)

// TestWideLength: a frame may announce up to 2^63-1 octets (RFC 6455, 5.2), and an int may have 32
// bits.
func TestWideLength(t *testing.T) {
	for _, length := range []int64{1<<31 - 1, 1 << 31, 1<<32 + 5, math.MaxInt64} {
		var told []Event
		m := newMachine(&Options{MaxFrameSize: -1}, epoch)
		m.one().trace = func(e Event) { told = append(told, e) }
		frame := wsframe.AppendHeader(nil, wsframe.Header{Fin: true, Op: wsframe.Binary, Masked: true, Length: length})
		m.feed(append(frame, "the first octets"...), false, epoch)
		if f, ok := m.next(); ok || m.ended {
			t.Errorf("%d octets: a frame of %d octets, ended: %v", length, len(f.Payload), m.ended)
		}
		if want := int(min(length, math.MaxInt)); len(told) != 1 || told[0].Bytes != want {
			t.Errorf("%d octets are told as %+v, want %d", length, told, want)
		}
		if n := m.expects(); n != mostExpected {
			t.Errorf("%d octets: %d are expected, want %d", length, n, mostExpected)
		}
		m.settle()
		if room := cap(m.input.msg.octets()); room > 8<<10 {
			t.Errorf("%d octets are announced, and 16 have room for %d", length, room)
		}
	}
}

// TestWideMessage: a message that goes in pieces may have more than 2^31 octets.
func TestWideMessage(t *testing.T) {
	const before = 1<<31 - 2
	m := newMachine(&Options{}, epoch)
	m.fragment(wsframe.Binary, []byte("ab"), false)
	m.few.size += before - 2
	m.fragment(wsframe.Continuation, []byte("abcd"), true)
	m.pass(wsframe.Binary, false, []byte("ab"), true, false)
	m.input.size += before - 2
	m.pass(wsframe.Binary, false, []byte("abcd"), false, true)
	if want := (Counts{Messages: 1, Bytes: before + 4}); m.stats.In != want || m.stats.Out != want {
		t.Errorf("%+v, want %+v each way", m.stats, want)
	}
}
