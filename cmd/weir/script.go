package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"weir/websocket"
)

// step does one element of a script: it appends a command, or changes the handler, or brings it
// down.
type step func(c *commands, out websocket.Commands) websocket.Commands

// Bounds of what a session's scripts may put off. They are far beyond what the test of a client
// needs.
const (
	maxDelay         = 24 * time.Hour // of one "after"
	maxDepth         = 32             // of "after" within "after"
	maxPending       = 1000           // "after" that are to come, with those within them
	maxPendingOctets = 4 << 20        // of their scripts; one script may be longer
)

// burden is what scripts that are to come hold.
type burden struct{ count, octets int }

func (b *burden) add(c burden) {
	b.count += c.count
	b.octets += c.octets
}

// parsed is a script that was read: what it does, and what it puts off.
type parsed struct {
	steps []step
	later burden
}

// parseScript reads a JSON array of objects with one member each. Nothing is obeyed of a script
// that has a mistake. The text is gone through once, however deep it is nested.
func parseScript(text []byte) (parsed, error) {
	r := &scriptReader{json.NewDecoder(bytes.NewReader(text))}
	s, err := r.script(0)
	if err != nil {
		return parsed{}, err
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return parsed{}, errNotScript("text after the value")
	}
	return s, nil
}

func errNotScript(what any) error {
	if err, ok := what.(error); ok {
		return fmt.Errorf("a script is a JSON array of objects: %w", err)
	}
	return fmt.Errorf("a script is a JSON array of objects: %v", what)
}

// scriptReader reads a script token by token.
type scriptReader struct{ *json.Decoder }

// script reads one that stands within so many others.
func (r *scriptReader) script(depth int) (parsed, error) {
	var s parsed
	if err := r.delim('['); err != nil {
		return s, errNotScript(err)
	}
	for i := 0; r.More(); i++ {
		do, later, err := r.element(depth)
		if err != nil {
			return s, fmt.Errorf("element %d: %w", i, err)
		}
		s.steps = append(s.steps, do)
		s.later.add(later)
	}
	if err := r.delim(']'); err != nil {
		return s, errNotScript(err)
	}
	return s, nil
}

// element reads an object with one member.
func (r *scriptReader) element(depth int) (do step, later burden, err error) {
	if err := r.delim('{'); err != nil {
		return nil, later, fmt.Errorf("an object with one member: %w", err)
	}
	if !r.More() {
		return nil, later, errors.New("an object with one member, not 0")
	}
	name, err := r.name()
	if err != nil {
		return nil, later, err
	}
	if name == "after" {
		do, later, err = r.after(depth + 1)
	} else if parse, ok := parserOf(name); !ok {
		return nil, later, fmt.Errorf("unknown command %.40q", name)
	} else {
		var value json.RawMessage
		if err = r.Decode(&value); err == nil {
			do, err = parse(value)
		}
	}
	switch {
	case err != nil:
		return nil, later, fmt.Errorf("%s: %w", name, err)
	case r.More():
		return nil, later, errors.New("an object with one member, not more")
	}
	return do, later, r.delim('}')
}

// name reads the name of a member.
func (r *scriptReader) name() (string, error) {
	t, err := r.Token()
	name, _ := t.(string) // the decoder takes nothing else there
	return name, err
}

func (r *scriptReader) delim(want json.Delim) error {
	t, err := r.Token()
	switch {
	case err != nil:
		return err
	case t == want:
		return nil
	case t == nil:
		return errors.New("null")
	}
	return fmt.Errorf("%.40q in place of %q", fmt.Sprint(t), want.String())
}

// after reads the object of an "after" that stands within depth-1 others.
func (r *scriptReader) after(depth int) (do step, all burden, err error) {
	if depth > maxDepth {
		return nil, all, fmt.Errorf("more than %d within each other", maxDepth)
	}
	begin := r.InputOffset()
	if err := r.delim('{'); err != nil {
		return nil, all, err
	}
	var ms int64
	var listed *parsed
	for r.More() {
		name, err := r.name()
		if err != nil {
			return nil, all, err
		}
		switch name {
		case "ms":
			var value json.RawMessage
			if err = r.Decode(&value); err == nil {
				ms, err = valueOf[int64](value)
			}
		case "commands":
			var s parsed
			s, err = r.script(depth)
			listed = &s
		default:
			err = fmt.Errorf("unknown member %.40q", name)
		}
		if err != nil {
			return nil, all, err
		}
	}
	if err := r.delim('}'); err != nil {
		return nil, all, err
	}
	switch {
	case ms < 0 || ms > maxDelay.Milliseconds():
		return nil, all, fmt.Errorf("ms %d: milliseconds, 0 to a day", ms)
	case listed == nil:
		return nil, all, errors.New("no commands")
	}
	all = burden{listed.later.count + 1, int(r.InputOffset() - begin)}
	l := &later{steps: listed.steps, own: burden{1, all.octets - listed.later.octets}}
	d := time.Duration(ms) * time.Millisecond
	return func(c *commands, out websocket.Commands) websocket.Commands {
		c.postpone(d, l)
		return out
	}, all, nil
}

// parserOf finds what reads the value of an element of that name.
func parserOf(name string) (func(value []byte) (step, error), bool) {
	switch name {
	case "text":
		return stringStep(func(s string) websocket.Command { return websocket.Text(s) }), true
	case "binary":
		return parseBinary, true
	case "ping":
		return stringStep(func(s string) websocket.Command { return websocket.Ping(s) }), true
	case "pong":
		return stringStep(func(s string) websocket.Command { return websocket.Pong(s) }), true
	case "close":
		return parseClose, true
	case "active":
		return boolStep(websocket.Active), true
	case "deflate":
		return boolStep(websocket.Deflate), true
	case "set_options":
		return parseSetOptions, true
	case "shutdown_reason":
		return parseShutdownReason, true
	case "hibernate":
		return trueStep(func() websocket.Command { return websocket.Hibernate() }), true
	case "stop":
		return trueStep(func() websocket.Command { return websocket.Stop() }), true
	case "panic":
		return stringStep(func(s string) websocket.Command { panic(s) }), true
	case "panic_error":
		return stringStep(func(s string) websocket.Command { panic(errors.New(s)) }), true
	case "goexit":
		return trueStep(func() websocket.Command { runtime.Goexit(); return websocket.Command{} }), true
	case "report":
		return parseReport, true
	}
	return nil, false
}

// stringStep, boolStep and trueStep read a value of that kind and make a command of it when its
// turn comes.
func stringStep(command func(string) websocket.Command) func([]byte) (step, error) {
	return func(value []byte) (step, error) {
		s, err := valueOf[string](value)
		return commandStep(func() websocket.Command { return command(s) }), err
	}
}

func boolStep(command func(bool) websocket.Command) func([]byte) (step, error) {
	return func(value []byte) (step, error) {
		on, err := valueOf[bool](value)
		return commandStep(func() websocket.Command { return command(on) }), err
	}
}

func trueStep(command func() websocket.Command) func([]byte) (step, error) {
	return func(value []byte) (step, error) {
		on, err := valueOf[bool](value)
		if err == nil && !on {
			err = errors.New("its value is true")
		}
		return commandStep(command), err
	}
}

func commandStep(command func() websocket.Command) step {
	return func(_ *commands, out websocket.Commands) websocket.Commands { return append(out, command()) }
}

func parseBinary(value []byte) (step, error) {
	b, err := valueOf[[]byte](value) // encoding/json reads []byte as base64
	return commandStep(func() websocket.Command { return websocket.Binary(b) }), err
}

func parseClose(value []byte) (step, error) {
	v, err := membersOf[struct {
		Code   uint16
		Reason string
	}](value)
	return commandStep(func() websocket.Command { return websocket.Close(websocket.CloseCode(v.Code), v.Reason) }), err
}

func parseSetOptions(value []byte) (step, error) {
	v, err := membersOf[struct {
		IdleTimeout  *int64 `json:"idle_timeout"`
		MaxFrameSize *int64 `json:"max_frame_size"`
	}](value)
	if err != nil {
		return nil, err
	}
	var c websocket.Changes
	if v.IdleTimeout != nil {
		ms := *v.IdleTimeout
		if ms < 0 || ms > maxDelay.Milliseconds() {
			return nil, fmt.Errorf("idle_timeout %d: milliseconds, 0 to a day", ms)
		}
		c.IdleTimeout = zeroIsNone(time.Duration(ms) * time.Millisecond)
	}
	if v.MaxFrameSize != nil {
		if *v.MaxFrameSize < 0 {
			return nil, fmt.Errorf("max_frame_size %d: octets, 0 or more", *v.MaxFrameSize)
		}
		c.MaxFrameSize = *v.MaxFrameSize
	}
	return func(h *commands, out websocket.Commands) websocket.Commands {
		c := c
		if v.MaxFrameSize != nil {
			c.MaxFrameSize = zeroIsNone(h.config.frameSize(c.MaxFrameSize))
		}
		return append(out, websocket.SetOptions(c))
	}, nil
}

// parseShutdownReason keeps the value as it was written.
func parseShutdownReason(value []byte) (step, error) {
	v := json.RawMessage(bytes.Clone(value))
	return commandStep(func() websocket.Command { return websocket.ShutdownReason(v) }), nil
}

func parseReport(value []byte) (step, error) {
	names, err := valueOf[[]string](value)
	if err != nil {
		return nil, err
	}
	report := make(map[websocket.FrameType]string)
	for _, name := range names {
		switch name {
		case "ping":
			report[websocket.PingFrame] = name
		case "pong":
			report[websocket.PongFrame] = name
		default:
			return nil, fmt.Errorf("%q: ping or pong", name)
		}
	}
	return func(c *commands, out websocket.Commands) websocket.Commands {
		c.report = report
		return out
	}, nil
}

// valueOf decodes the one value of an element. null is no value: encoding/json would take it for
// anything.
func valueOf[T any](value []byte) (v T, err error) {
	if string(value) == "null" {
		return v, errors.New("null")
	}
	return v, json.Unmarshal(value, &v)
}

// membersOf decodes an object whose members all are known.
func membersOf[T any](value []byte) (v T, err error) {
	if string(value) == "null" {
		return v, errors.New("null")
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	return v, d.Decode(&v)
}
