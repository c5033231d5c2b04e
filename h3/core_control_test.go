package h3

import (
	"fmt"
	"reflect"
	"testing"
)

// controlled reads a control stream, cut at one place.
func controlled(b []byte, at int) (events []string, r controlReader, fault *ConnError) {
	tell := func(ev controlEvent) {
		if ev.settings != nil {
			events = append(events, fmt.Sprint("settings ", *ev.settings))
			return
		}
		events = append(events, fmt.Sprint(ev.goAway, ev.id, ev.ignored))
	}
	for _, part := range [][]byte{b[:at], b[at:]} {
		if fault = r.feed(append([]byte(nil), part...), tell); fault != nil {
			break
		}
	}
	return events, r, fault
}

// FuzzControl: any cut of a server's control stream gives the same events, and the same fault; what
// is kept of it is bounded.
func FuzzControl(f *testing.F) {
	f.Add([]byte{frameSettings, 4, 8, 1, 6, 9, frameGoAway, 1, 4, 0x21, 2, 1, 1, frameGoAway, 1, 0}, 3)
	f.Add([]byte{frameSettings, 0x40, 2, 8, 2}, 1)
	f.Add([]byte{frameSettings, 0, frameGoAway, 2, 4, 4}, 2)
	f.Add([]byte{frameSettings, 0, 0x21, 0xff, 1, 2, 3, 4, 5, 6, 7, 8}, 2)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		if at < 0 || at > len(b) {
			at = len(b) / 2
		}
		whole, r, fault := controlled(b, 0)
		parts, _, other := controlled(b, at)
		if !reflect.DeepEqual(whole, parts) || !reflect.DeepEqual(fault, other) {
			t.Errorf("whole: %v, %v; cut at %d: %v, %v", whole, fault, at, parts, other)
		}
		if len(r.buf) > maxControlFrame+16 {
			t.Errorf("%d octets are kept", len(r.buf))
		}
		if fault != nil && (fault.Rule == "" || fault.Code == NoError) {
			t.Error(fault)
		}
	})
}

// FuzzQPACKStream: the same for the streams of QPACK.
func FuzzQPACKStream(f *testing.F) {
	f.Add([]byte{0x20, 0x20, 0x21}, 1, false)
	f.Add([]byte{0x7f, 0x80, 1, 0x41}, 2, true)
	f.Fuzz(func(t *testing.T, b []byte, at int, decoder bool) {
		if at < 0 || at > len(b) {
			at = len(b) / 2
		}
		whole, parts := qpackReader{decoder: decoder}, qpackReader{decoder: decoder}
		n, fault := whole.feed(b)
		m, other := parts.feed(b[:at])
		if other == nil {
			k, err := parts.feed(b[at:])
			m, other = m+k, err
		}
		if n != m || !reflect.DeepEqual(fault, other) {
			t.Errorf("%d, %v; cut at %d: %d, %v", n, fault, at, m, other)
		}
	})
}

// FuzzSection: no field section of a server's crashes the client, or passes the limit.
func FuzzSection(f *testing.F) {
	f.Add(encodeHead(nil, statusAndDate(200, nil))[2:], false)
	f.Add([]byte{0, 0, 0xd9, 0xff}, false)
	f.Fuzz(func(t *testing.T, b []byte, trailers bool) {
		const most = 1000
		s, err := decodeSection(b, trailers, most)
		if err != nil {
			return
		}
		size := 0
		for k, vv := range s.header {
			for _, v := range vv {
				size += len(k) + len(v) + 32
			}
		}
		if size > most || trailers != (s.status == 0) {
			t.Errorf("%d octets, status %d", size, s.status)
		}
	})
}
