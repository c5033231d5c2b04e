package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"weir/websocket"
)

// commands is the handler of /commands: it returns the commands that its peer writes.
type commands struct {
	config  *config
	session *websocket.Session
	report  map[websocket.FrameType]string // frames to report, by the name they get
	pending map[*later]*time.Timer
	later   burden // of pending, with all that is within
}

// later is what a timer of an "after" posts.
type later struct {
	steps []step
	own   burden // without that of what is within
}

func (s *server) commandsEndpoint(*http.Request, *query) websocket.Handler {
	return &commands{config: s.config, pending: make(map[*later]*time.Timer)}
}

// Init keeps the session for Post.
func (c *commands) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	c.session = s
	return out
}

// Handle obeys a script, echoes binary, and reports what it was asked to report.
func (c *commands) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	switch f.Type {
	case websocket.TextFrame:
		s, err := parseScript(f.Payload)
		if err == nil {
			err = c.admit(s.later)
		}
		if err != nil {
			return append(out, message("error", err.Error()))
		}
		return c.run(s.steps, out)
	case websocket.BinaryFrame:
		return append(out, f.Reply())
	}
	if name, ok := c.report[f.Type]; ok {
		out = append(out, message(name, string(f.Payload)))
	}
	return out
}

// Info runs what an "after" has put off.
func (c *commands) Info(msg any, out websocket.Commands) websocket.Commands {
	l := msg.(*later)
	delete(c.pending, l)
	c.later.add(burden{-l.own.count, -l.own.octets})
	return c.run(l.steps, out)
}

// Terminate forgets what has been put off.
func (c *commands) Terminate(websocket.Reason, *websocket.PartialRequest) {
	for _, t := range c.pending {
		t.Stop()
	}
}

func (c *commands) run(steps []step, out websocket.Commands) websocket.Commands {
	for _, s := range steps {
		out = s(c, out)
	}
	return out
}

// admit takes what a script puts off, if there is room for it.
func (c *commands) admit(more burden) error {
	sum := c.later
	sum.add(more)
	switch {
	case sum.count > maxPending:
		return fmt.Errorf("after: more than %d are to come", maxPending)
	case sum.octets > maxPendingOctets && sum.count > more.count:
		return fmt.Errorf("after: more than %d octets are to come", maxPendingOctets)
	}
	c.later = sum
	return nil
}

// postpone has l run by the info callback d later.
func (c *commands) postpone(d time.Duration, l *later) {
	// Post fails once the session has ended, or where its backlog is full: both lose this script
	// alone.
	c.pending[l] = time.AfterFunc(d, func() { _ = c.session.Post(l) })
}

// message is the text message {"name":"value"}.
func message(name, value string) websocket.Command {
	b, err := json.Marshal(map[string]string{name: value})
	if err != nil {
		panic("weir: BUG: message: " + err.Error())
	}
	return websocket.Text(b)
}
