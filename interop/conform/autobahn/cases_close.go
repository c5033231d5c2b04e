package autobahn

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"weir/interop/conform/wire"
)

// closes are 7.*: the closing handshake (RFC 6455, 5.5.1, 7).
func closes() []spec {
	const greet = "Hello World!"
	const nothing = "a close frame comes back, and nothing else"
	const refused = "the peer fails the connection with 1002, or drops it"
	done := closing(1000, "")
	long := bytes.Repeat([]byte("BAsd7&jh23"), 262144/10+1)[:262144]
	answer := func(codes ...int) ending { return ending{byMe: true, codes: codes} }
	all := []spec{
		{id: "7.1.1", title: "a text, then a close frame when it has come back", expect: "the text comes back, then a close frame", frames: []wire.Frame{text(greet)}, ok: []seen{echoed(greet)}},
		{id: "7.1.2", title: "two close frames", expect: nothing, end: done, after: []wire.Frame{frame(wire.Close, "")}},
		{id: "7.1.3", title: "a ping after the close frame", expect: nothing, end: done, after: []wire.Frame{ping("")}},
		{id: "7.1.4", title: "a text after the close frame", expect: nothing, end: done, after: []wire.Frame{text(greet)}},
		{id: "7.1.5", title: "a close frame within a text", expect: nothing, frames: []wire.Frame{t0("fragment1")}, end: done, after: []wire.Frame{c1("fragment2")}},
		{id: "7.1.6", title: "256 KiB of text, a text, a close frame, and a ping", expect: "informational: what comes back before the close frame",
			frames: []wire.Frame{text(long), text(greet)}, end: done, after: []wire.Frame{ping("")}, info: true},
		{id: "7.3.1", title: "a close frame without body", expect: nothing, end: body("")},
		{id: "7.3.2", title: "a close frame with a body of one octet", expect: refused, end: body("a"), close: answer(1002)},
		{id: "7.3.3", title: "a close frame with a code", expect: nothing, end: done},
		{id: "7.3.4", title: "a close frame with code and reason", expect: nothing, end: closing(1000, greet)},
		{id: "7.3.5", title: "a close frame with the longest reason", expect: nothing, end: closing(1000, strings.Repeat("*", 123))},
		{id: "7.3.6", title: "a close frame with a reason that is too long", expect: refused, end: closing(1000, strings.Repeat("*", 124)), close: answer(1002)},
		{id: "7.5.1", title: "a close frame with a reason that is no UTF-8", expect: "the peer fails the connection with 1007 or 1002, or drops it", end: closing(1000, badText), close: answer(1002, 1007)},
	}
	for i, c := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		all = append(all, spec{id: fmt.Sprintf("7.7.%d", i+1), title: fmt.Sprintf("a close frame with code %d", c), expect: nothing + "; its code is this one, or 1000",
			end: closing(c, ""), close: ending{byMe: true, codes: []int{1000, c}, clean: true}})
	}
	for i, c := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		all = append(all, spec{id: fmt.Sprintf("7.9.%d", i+1), title: fmt.Sprintf("a close frame with code %d", c), expect: refused, end: closing(c, ""), close: answer(1002)})
	}
	for i, c := range []int{5000, 65535} {
		all = append(all, spec{id: fmt.Sprintf("7.13.%d", i+1), title: fmt.Sprintf("a close frame with code %d", c), expect: "informational: nothing says what comes of it",
			end: closing(c, ""), close: normal(), info: true})
	}
	for i := range all {
		s := &all[i]
		s.section, s.kill, s.quiet = "RFC 6455, 7", time.Second, s.id != "7.1.1"
		if s.close.codes == nil {
			s.close = normal()
		}
		s.close.fatalCode = !s.info
	}
	return all
}
