package autobahn

import (
	"fmt"
	"runtime"
	"time"

	"weir/interop/conform/wire"
)

const (
	word     = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5" // five Greek letters
	greeting = "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!"
	badText  = word + "\xed\xa0\x80edited"     // a surrogate
	farText  = word + "\xf4\x90\x80\x80edited" // past U+10FFFF
)

// texts are 6.*: UTF-8 (RFC 6455, 8.1).
func texts() []spec {
	middle := "middle frame payload"
	good := func(id, title string, text string, fs ...wire.Frame) spec {
		return spec{id: id, title: title, expect: "the text comes back", frames: fs, ok: []seen{echoed(text)}, shut: time.Second, close: normal()}
	}
	bad := func(id, title string, fs ...wire.Frame) spec {
		return spec{id: id, title: title, expect: "the peer fails the connection with 1007, or drops it", frames: fs, kill: time.Second, close: invalid()}
	}
	all := []spec{
		good("6.1.1", "an empty text", "", text("")),
		good("6.1.2", "an empty text in three frames", "", t0(""), c0(""), c1("")),
		good("6.1.3", "a text between two empty frames", middle, t0(""), c0(middle), c1("")),
		good("6.2.1", "a text in one frame", greeting, text(greeting)),
		good("6.2.2", "a text in two frames, cut between characters", greeting, t0(greeting[:15]), c1(greeting[15:])),
		good("6.2.3", "a text in frames of one octet", greeting, fragments(wire.Text, []byte(greeting), 1)...),
		good("6.2.4", "a text without ASCII in frames of one octet", word, fragments(wire.Text, []byte(word), 1)...),
		bad("6.3.1", "a text that is no UTF-8, in one frame", text(badText)),
		bad("6.3.2", "a text that is no UTF-8, in frames of one octet", fragments(wire.Text, []byte(badText), 1)...),
		failFast("6.4.1", "a bad character in the second of three frames, with pauses", false, len(word), len(word)+4),
		failFast("6.4.2", "a bad octet by itself in the second of three frames, with pauses", false, len(word)+1, len(word)+2),
		failFast("6.4.3", "a bad character in the second of three parts of one frame, with pauses", true, len(word), len(word)+4),
		failFast("6.4.4", "a bad octet by itself in the second of three parts of one frame, with pauses", true, len(word)+1, len(word)+2),
	}
	for _, g := range sequences {
		for i, seq := range g.texts {
			id := fmt.Sprintf("6.%d.%d", g.group, i+1)
			s := bad(id, g.title, text(seq.text))
			if seq.valid {
				s = good(id, g.title, seq.text, text(seq.text))
			}
			s.title += fmt.Sprintf(": % x", seq.text)
			s.shut, s.kill = 0, time.Second/2
			all = append(all, s)
		}
	}
	for i := range all {
		all[i].section = "RFC 6455, 8.1"
	}
	return all
}

// failFast are 6.4.*: after each part comes a second, in which the peer has to see what is wrong.
// whole: the parts are of one frame.
func failFast(id, title string, whole bool, first, second int) spec {
	return spec{
		id: id, title: title, expect: "the peer fails the connection with 1007, or drops it, within a second of the bad octet; later is not strict",
		ok: []seen{timeout("A")}, lax: &[]seen{timeout("A"), timeout("B")}, close: invalid(),
		play: func(t *tester) {
			var b []byte // the frame that is written in parts
			head := 0
			if whole {
				b = t.c.Append(nil, t0(farText))
				head = len(b) - len(farText)
			}
			part := func(from, to int, f wire.Frame) {
				if !whole {
					t.put(f)
					t.flush()
					return
				}
				if from == 0 {
					from -= head
				}
				_ = t.c.Write(b[head+from : head+to]) // the end of the connection comes as an event
				runtime.Gosched()
			}
			part(0, first, t0(farText[:first]))
			t.after(time.Second, func() {
				if t.state != opened {
					return
				}
				t.record(timeout("A"))
				part(first, second, c0(farText[first:second]))
				t.unless(time.Second, func() {
					if t.state != opened {
						return
					}
					t.record(timeout("B"))
					part(second, len(farText), c1(farText[second:]))
					if whole {
						t.put(c1(""))
					}
					t.kill(time.Second)
				})
			})
		},
	}
}
