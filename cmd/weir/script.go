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

// step does one element of a script: it appends a command, or changes the handler, or brings it down.
type step func(c *commands, out websocket.Commands) websocket.Commands

// maxDelay bounds what an "after" may ask for.
const maxDelay = 24 * time.Hour

// parseScript reads a JSON array of objects with one member each. Nothing is obeyed of a script that has a mistake.
func parseScript(text []byte) ([]step, error) {
	var elements []map[string]json.RawMessage
	if err := decode(text, &elements); err != nil {
		return nil, fmt.Errorf("a script is a JSON array of objects: %w", err)
	}
	if elements == nil {
		return nil, errors.New("a script is a JSON array of objects: null")
	}
	steps := make([]step, 0, len(elements))
	for i, e := range elements {
		if len(e) != 1 {
			return nil, fmt.Errorf("element %d: an object with one member, not %d", i, len(e))
		}
		for name, value := range e {
			parse, ok := parserOf(name)
			if !ok {
				return nil, fmt.Errorf("element %d: unknown command %q", i, name)
			}
			s, err := parse(value)
			if err != nil {
				return nil, fmt.Errorf("element %d: %s: %w", i, name, err)
			}
			steps = append(steps, s)
		}
	}
	return steps, nil
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
	case "after":
		return parseAfter, true
	}
	return nil, false
}

// stringStep, boolStep and trueStep read a value of that kind and make a command of it when its turn comes.
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
	v, err := valueOf[struct {
		Code   uint16
		Reason string
	}](value)
	return commandStep(func() websocket.Command { return websocket.Close(websocket.CloseCode(v.Code), v.Reason) }), err
}

func parseSetOptions(value []byte) (step, error) {
	v, err := valueOf[struct {
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
		c.MaxFrameSize = zeroIsNone(*v.MaxFrameSize)
	}
	return commandStep(func() websocket.Command { return websocket.SetOptions(c) }), nil
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

func parseAfter(value []byte) (step, error) {
	v, err := valueOf[struct {
		MS       int64
		Commands json.RawMessage
	}](value)
	if err != nil {
		return nil, err
	}
	if v.MS < 0 || v.MS > maxDelay.Milliseconds() {
		return nil, fmt.Errorf("ms %d: milliseconds, 0 to a day", v.MS)
	}
	steps, err := parseScript(v.Commands)
	if err != nil {
		return nil, err
	}
	d := time.Duration(v.MS) * time.Millisecond
	return func(c *commands, out websocket.Commands) websocket.Commands {
		c.postpone(d, steps)
		return out
	}, nil
}

// valueOf decodes the one value of an element. null is no value: encoding/json would take it for anything.
func valueOf[T any](value []byte) (v T, err error) {
	if string(bytes.TrimSpace(value)) == "null" {
		return v, errors.New("null")
	}
	return v, decode(value, &v)
}

// decode is json.Unmarshal without its leniency: unknown members and trailing text are errors.
func decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the value")
	}
	return nil
}
