package autobahn

import (
	"fmt"
	"time"

	"weir/interop/conform/wire"
)

// fragmentation is 5.*.
func fragmentation() []spec {
	const f1, f2, f3, f4 = "fragment1", "fragment2", "fragment3", "fragment4"
	const stray, question = "non-continuation payload", "ping payload"
	list := func(fs ...wire.Frame) []wire.Frame { return fs }
	whole := []seen{echoed(f1 + f2)}
	between := list(t0(f1), ping(question), c1(f2))
	answered := []seen{ponged(question), echoed(f1 + f2)}
	twice := func(fs ...wire.Frame) []wire.Frame { return append(fs, fs...) }
	good := func(title string, style style, fs []wire.Frame, ok []seen) spec {
		return spec{title: title, expect: "the message comes back whole", frames: fs, style: style, ok: ok, shut: time.Second, close: normal()}
	}
	bad := func(title string, style style, fs []wire.Frame) spec {
		return spec{title: title, expect: "the peer fails the connection with 1002, or drops it", frames: fs, style: style, kill: time.Second, close: fault()}
	}
	part := bad("a message in two frames, a continuation of nothing, and a text", plain, list(t0(f1), c1(f2), c0(f3), text(f4)))
	part.ok = whole
	all := []spec{
		bad("a ping in two frames", plain, list(open(ping(f1)), c1(f2))),
		bad("a pong in two frames", plain, list(open(pong(f1)), c1(f2))),
		good("a text in two frames", plain, list(t0(f1), c1(f2)), whole),
		good("a text in two frames, each in a write of its own", synced, list(t0(f1), c1(f2)), whole),
		good("a text in two frames, in writes of one octet", 1, list(t0(f1), c1(f2)), whole),
		good("a text in two frames with a ping between them", plain, between, answered),
		good("a text in two frames with a ping between them, each in a write of its own", synced, between, answered),
		good("a text in two frames with a ping between them, in writes of one octet", 1, between, answered),
		bad("a last continuation of nothing, and a text", plain, list(c1(stray), text(hello))),
		bad("a last continuation of nothing, and a text, each in a write of its own", synced, list(c1(stray), text(hello))),
		bad("a last continuation of nothing, and a text, in writes of one octet", 1, list(c1(stray), text(hello))),
		bad("a continuation of nothing, and a text", plain, list(c0(stray), text(hello))),
		bad("a continuation of nothing, and a text, each in a write of its own", synced, list(c0(stray), text(hello))),
		bad("a continuation of nothing, and a text, in writes of one octet", 1, list(c0(stray), text(hello))),
		strictly(part),
		bad("twice a continuation of nothing, then a text in two frames", plain, twice(c0(f1), t0(f2), c1(f3))),
		bad("twice a last continuation of nothing, then a text in two frames", plain, twice(c1(f1), t0(f2), c1(f3))),
		bad("a text that begins within another", plain, list(t0(f1), text(f2))),
		good("a text in five frames, with two pings and a pause", plain, nil, nil),
		good("a text in five frames, with two pings and a pause, each in a write of its own", synced, nil, nil),
	}
	for i := range all {
		s := &all[i]
		s.id, s.section = fmt.Sprintf("5.%d", i+1), "RFC 6455, 5.4"
		if s.frames != nil {
			continue
		}
		s.ok = []seen{ponged("pongme 1!"), ponged("pongme 2!"), echoed(f1 + f2 + f3 + f4 + "fragment5")}
		s.play = func(t *tester) {
			send := func(fs ...wire.Frame) {
				for _, f := range fs {
					t.send(t.spec.style, f)
				}
			}
			send(t0(f1), c0(f2), ping("pongme 1!"))
			t.after(time.Second, func() {
				send(c0(f3), c0(f4), ping("pongme 2!"), c1("fragment5"))
				t.shut(time.Second)
			})
		}
	}
	return all
}
