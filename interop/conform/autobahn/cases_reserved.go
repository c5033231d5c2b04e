package autobahn

import (
	"fmt"
	"time"

	"weir/interop/conform/wire"
)

// strictly says that a case may be passed in two ways: what was good is answered, or the answer is lost on the way.
func strictly(s spec) spec {
	s.lax = new([]seen)
	return s
}

// reserved are 3.* and 4.*: what RFC 6455, 5.2 reserves.
func reserved() []spec {
	heard := []seen{echoed(hello)}
	after := func(f wire.Frame) []wire.Frame { return []wire.Frame{text(hello), f, ping("")} }
	all := []spec{
		{id: "3.1", title: "a text with RSV3", frames: []wire.Frame{rsv(1, text(hello))}},
		strictly(spec{id: "3.2", title: "a text, one with RSV2, and a ping", frames: after(rsv(2, text(hello))), ok: heard}),
		strictly(spec{id: "3.3", title: "a text, one with RSV2 and RSV3, and a ping, each in a write of its own", frames: after(rsv(3, text(hello))), style: synced, ok: heard}),
		strictly(spec{id: "3.4", title: "a text, one with RSV1, and a ping, in writes of one octet", frames: after(rsv(4, text(hello))), style: 1, ok: heard}),
		{id: "3.5", title: "a binary message with RSV1 and RSV3", frames: []wire.Frame{rsv(5, blob(octets))}},
		{id: "3.6", title: "a binary message with RSV1 and RSV2", frames: []wire.Frame{rsv(6, blob(hello))}},
		{id: "3.7", title: "a close frame with all of RSV", frames: []wire.Frame{rsv(7, frame(wire.Close, ""))}},
	}
	for g, first := range []wire.Opcode{3, 11} {
		id := func(n int) string { return fmt.Sprintf("4.%d.%d", g+1, n) }
		title := func(n wire.Opcode, how string) string { return fmt.Sprintf("opcode %d%s", first+n, how) }
		last := strictly(spec{id: id(5), title: title(4, " with payload, between a text and a ping, in writes of one octet"), frames: after(frame(first+4, hello)), style: 1, ok: heard})
		all = append(all,
			spec{id: id(1), title: title(0, ""), frames: []wire.Frame{frame(first, "")}},
			spec{id: id(2), title: title(1, " with payload"), frames: []wire.Frame{frame(first+1, "reserved opcode payload")}},
			strictly(spec{id: id(3), title: title(2, ", between a text and a ping"), frames: after(frame(first+2, "")), ok: heard}),
			strictly(spec{id: id(4), title: title(3, " with payload, between a text and a ping"), frames: after(frame(first+3, hello)), ok: heard}),
			last)
	}
	for i := range all {
		s := &all[i]
		s.section, s.kill, s.close = "RFC 6455, 5.2", time.Second, fault()
		s.expect = "the peer fails the connection with 1002, or drops it"
		if s.ok != nil {
			s.expect = "the text comes back, then " + s.expect
		}
	}
	return all
}
