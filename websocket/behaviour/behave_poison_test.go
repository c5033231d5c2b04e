package behaviour_test

import (
	"bytes"
	"strings"
	"testing"

	"weir/websocket"
	"weir/wsframe"
)

// poisoned is n octets of what a lent payload is overwritten with.
func poisoned(n int) string {
	return strings.Repeat(websocket.Poison, n/len(websocket.Poison)+1)[:n]
}

// keeping is a handler with the fault that is looked for. It says what became of a payload that it
// kept before anything else is received.
type keeping struct{ s *websocket.Session }

func (k *keeping) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	k.s = s
	return out
}

func (k *keeping) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	k.s.Post(f.Payload)
	return append(out, f.Reply()) // the loan includes the answer
}

func (k *keeping) Info(msg any, out websocket.Commands) websocket.Commands {
	return append(out, websocket.Deflate(false), websocket.Binary(bytes.Clone(msg.([]byte))))
}

// A payload that is kept is poisoned once its callback has returned, wherever it stood: in the
// transport's buffer, in a message of fragments, in what was inflated, in a control frame; large or
// small. What was sent back is whole.
func TestPoison(t *testing.T) {
	row(t, "2.poison", all, func(h *house) {
		for _, r := range []struct {
			name  string
			offer string
			op    wsframe.Opcode
			send  func(c *client, payload string)
		}{
			{"message", "", wsframe.Binary, func(c *client, p string) { c.send(binary(p)) }},
			{"fragments", "", wsframe.Text, func(c *client, p string) { c.send(begin(wsframe.Text, p[:1]), more(p[1:2]), last(p[2:])) }},
			{"in pieces", "", wsframe.Binary, func(c *client, p string) {
				b := binary(p)
				c.send(b[:len(b)/2])
				settle()
				c.send(b[len(b)/2:])
			}},
			{"ping", "", wsframe.Pong, func(c *client, p string) { c.send(ping(p)) }},
			{"deflated", "permessage-deflate", wsframe.Text, func(c *client, p string) { c.send(c.deflated(p)) }},
		} {
			for _, size := range []int{5, 100, 5000, 70_000} {
				if r.op == wsframe.Pong && size > 125 {
					continue
				}
				h.offer = r.offer
				c := h.open(new(keeping), &websocket.Options{PoisonPayloads: true, Compress: r.offer != ""})
				p := strings.Repeat("a", size)
				r.send(c, p)
				switch {
				case r.op == wsframe.Pong:
					c.want(r.name+": the stack's answer", wsframe.Pong, p)
					c.want(r.name+": the handler's", wsframe.Pong, p)
				case r.offer != "":
					c.wantDeflated(r.name+": the answer", p)
				default:
					c.want(r.name+": the answer", r.op, p)
				}
				c.want(r.name+": what was kept", wsframe.Binary, poisoned(size))
				c.reset()
			}
			h.offer = ""
		}
	})
}

// Without the option and the race detector nothing is overwritten for it.
func TestPoisonIsOff(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector poisons always")
	}
	each(t, all, func(h *house) {
		c := h.open(new(keeping), nil)
		c.send(text("kept"))
		c.wantText("the answer", "kept")
		c.want("what was kept", wsframe.Binary, "kept")
	})
}

// Under the race detector it is on by itself.
func TestPoisonUnderRace(t *testing.T) {
	if !raceEnabled {
		t.Skip("this is for the race detector")
	}
	each(t, all, func(h *house) {
		c := h.open(new(keeping), nil)
		c.send(text("kept"))
		c.wantText("the answer", "kept")
		c.want("what was kept", wsframe.Binary, "lent")
	})
}
