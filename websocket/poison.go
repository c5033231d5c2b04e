package websocket

// Poison is what a payload that was lent is overwritten with, again and again, see
// Options.PoisonPayloads: a test that finds it in a message has kept a payload.
const Poison = "lent payload! "

// poison overwrites p.
func poison(p []byte) {
	for len(p) > 0 {
		p = p[copy(p, Poison):]
	}
}

// poisons says that payloads are poisoned.
func (s *Session) poisons() bool { return raceEnabled || s.m.opt.PoisonPayloads }
