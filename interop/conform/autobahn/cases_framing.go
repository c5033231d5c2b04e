package autobahn

import (
	"bytes"
	"fmt"
	"time"

	"weir/interop/conform/wire"
)

const hello = "Hello, world!"

// octets are eight of them that are no text.
const octets = "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"

// framing are 1.*: messages of every form of the length.
func framing() (all []spec) {
	for i, kind := range []struct {
		op   wire.Opcode
		fill byte
	}{{wire.Text, '*'}, {wire.Binary, 0xfe}} {
		for j, n := range []int{0, 125, 126, 127, 128, 65535, 65536, 65536} {
			p := bytes.Repeat([]byte{kind.fill}, n)
			s := spec{
				id: fmt.Sprintf("1.%d.%d", i+1, j+1), title: fmt.Sprintf("a %v message of %d octets", kind.op, n), expect: "it comes back", section: "RFC 6455, 5.2",
				frames: []wire.Frame{frame(kind.op, p)}, kill: time.Second, ok: []seen{{kind.op.String(), p}}, close: normal(),
			}
			if n > 60000 {
				s.kill = 10 * time.Second
			}
			if j == 7 {
				s.style, s.title = 997, s.title+", in writes of 997"
			}
			all = append(all, s)
		}
	}
	return all
}

// pings are 2.*: pings and pongs.
func pings() []spec {
	var ten []wire.Frame
	var tenBack []seen
	for i := range 10 {
		p := fmt.Sprintf("payload-%d", i)
		ten, tenBack = append(ten, ping(p)), append(tenBack, ponged(p))
	}
	long := bytes.Repeat([]byte{0xfe}, 126)
	all := []spec{
		{title: "a ping without payload", frames: []wire.Frame{ping("")}, ok: []seen{ponged("")}},
		{title: "a ping with text", frames: []wire.Frame{ping(hello)}, ok: []seen{ponged(hello)}},
		{title: "a ping with octets that are no text", frames: []wire.Frame{ping(octets)}, ok: []seen{ponged(octets)}},
		{title: "a ping of 125 octets", frames: []wire.Frame{ping(long[:125])}, ok: []seen{ponged(long[:125])}},
		{title: "a ping of 126 octets", frames: []wire.Frame{ping(long)}, kill: time.Second, close: fault()},
		{title: "a ping of 125 octets, in writes of one", frames: []wire.Frame{ping(long[:125])}, style: 1, shut: 2 * time.Second, ok: []seen{ponged(long[:125])}},
		{title: "a pong that nobody asked for", frames: []wire.Frame{pong("")}, end: closing(1000, "")},
		{title: "a pong with payload that nobody asked for", frames: []wire.Frame{pong("unsolicited pong payload")}, end: closing(1000, "")},
		{title: "a pong that nobody asked for, and a ping", frames: []wire.Frame{pong("unsolicited pong payload"), ping("ping payload")}, ok: []seen{ponged("ping payload")}},
		{title: "ten pings", frames: ten, shut: 3 * time.Second, ok: tenBack},
		{title: "ten pings, in writes of one octet", frames: ten, style: 1, shut: 3 * time.Second, ok: tenBack},
	}
	for i := range all {
		s := &all[i]
		s.id, s.section = fmt.Sprintf("2.%d", i+1), "RFC 6455, 5.5.2"
		switch {
		case s.kill > 0:
			s.expect = "the peer fails the connection with 1002, or drops it"
			continue
		case s.ok == nil:
			s.expect = "nothing comes back but the close frame"
		default:
			s.expect = "a pong with the payload of each ping, in order"
		}
		s.close = normal()
		if s.shut == 0 {
			s.shut = time.Second
		}
	}
	return all
}
