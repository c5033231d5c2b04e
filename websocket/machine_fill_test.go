package websocket

import (
	"bytes"
	"testing"
	"time"

	"weir/wsframe"
)

// half is a machine in the middle of a message of n octets, of which the first k have come.
func half(t *testing.T, n, k int) (m *machine, rest []byte) {
	t.Helper()
	v := newMachine(&Options{}, time.Unix(0, 0))
	m = &v
	frame := wsframe.AppendHeader(nil, wsframe.Header{Fin: true, Op: wsframe.Binary, Masked: true, Length: int64(n)})
	start := len(frame)
	frame = append(frame, bytes.Repeat([]byte{7}, n)...) // the key is 0
	m.feed(frame[:start+k], false, time.Unix(0, 0))
	if f, ok := m.next(); ok {
		t.Fatalf("a whole frame of a half: %v", f)
	}
	m.settle()
	return m, frame[start+k:]
}

// What is read to where it belongs is not copied, and the message is the same.
func TestFill(t *testing.T) {
	m, rest := half(t, 200_000, 1000)
	for len(rest) > 0 {
		b := m.fill()
		if b == nil { // the end is too short to be worth it
			b = make([]byte, len(rest))
		}
		n := copy(b, rest)
		rest = rest[n:]
		m.filled()
		m.feed(b[:n], false, time.Unix(0, 0))
		f, ok := m.next()
		if ok != (len(rest) == 0) {
			t.Fatalf("whole: %v with %d octets to come", ok, len(rest))
		}
		if ok && (len(f.Payload) != 200_000 || bytes.Count(f.Payload, []byte{7}) != 200_000) {
			t.Error("the message is another")
		}
		m.settle()
	}
}

// A room that a transport may be reading to is nobody else's, whatever becomes of its message meanwhile.
func TestFillOutlivesTheMessage(t *testing.T) {
	for name, end := range map[string]func(*machine){
		"the session ends":    func(m *machine) { m.goingAway() },
		"more than room came": func(m *machine) { m.input.grow(cap(m.input.msg)) },
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := half(t, 200_000, 5000)
			b := m.fill()
			if b == nil {
				t.Fatal("no room in a large message")
			}
			end(m)
			for range 100 {
				r := takeRoom(5000, 200_000, 0)
				if c := r.b[:cap(r.b)]; &c[len(c)-1] == &b[:cap(b)][cap(b)-1] {
					t.Fatal("the room is somebody else's while it is being read to")
				}
			}
		})
	}
}

// Nothing is lent where what comes next may be something else.
func TestFillOfNothing(t *testing.T) {
	v := newMachine(&Options{}, time.Unix(0, 0))
	if v.fill() != nil {
		t.Error("room for the octets of no message")
	}
	m, _ := half(t, 6000, 3000)
	if m.fill() != nil {
		t.Error("room for less than is worth it")
	}
	m, _ = half(t, 200_000, 1000)
	m.setActive(false)
	if m.fill() != nil {
		t.Error("room while nothing is to be looked at (BEHAVIOUR 3)")
	}
}
