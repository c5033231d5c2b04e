package main

import (
	"fmt"
	"strconv"
	"strings"

	"weir/websocket"
)

// deflateFlag is the value of --deflate: K=V pairs, joined by commas.
type deflateFlag struct{ *websocket.DeflateOptions }

// Set reads pairs into the options. What it does not name stays as it is.
func (f deflateFlag) Set(pairs string) error {
	for pair := range strings.SplitSeq(pairs, ",") {
		name, value, has := strings.Cut(strings.TrimSpace(pair), "=")
		if err := f.set(name, value, has); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return f.Check()
}

func (f deflateFlag) set(name, value string, has bool) (err error) {
	switch name {
	case "level":
		if f.Level, err = parseBetween(value, 0, 9); f.Level == 0 {
			f.Level = -1 // zlib's 0: stored blocks
		}
	case "mem-level":
		_, err = parseBetween(value, 1, 9) // zlib's; the compressor has none
	case "server-max-window-bits":
		f.ServerMaxWindowBits, err = parseBetween(value, 8, 15)
	case "client-max-window-bits":
		f.ClientMaxWindowBits, err = parseBetween(value, 8, 15)
	case "server-no-context-takeover":
		f.ServerNoContextTakeover, err = parseSwitch(value, has)
	case "client-no-context-takeover":
		f.ClientNoContextTakeover, err = parseSwitch(value, has)
	default:
		err = fmt.Errorf("no such parameter")
	}
	return err
}

// String is the flag's default in the help: none.
func (f deflateFlag) String() string { return "" }

// Type is what the help calls the value.
func (f deflateFlag) Type() string { return "K=V,..." }

func parseBetween(value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q: a number from %d to %d", value, low, high)
	}
	return n, nil
}

// parseSwitch is true for a name that stands alone.
func parseSwitch(value string, has bool) (bool, error) {
	if !has {
		return true, nil
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%q: true or false", value)
	}
	return on, nil
}
