package rfc8441

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// window is the LZ77 window of 15 bits (RFC 7692, 7.1.2).
const window = 32 << 10

// tail is what a sender takes off a message, and a receiver puts back (RFC 7692, 7.2.1 and 7.2.2).
const tail = "\x00\x00\xff\xff"

// inflater is one direction of permessage-deflate, received.
type inflater struct {
	alone bool   // no context takeover
	past  []byte // the window's octets
}

func (z *inflater) message(b []byte) ([]byte, error) {
	// The last block is an empty final one, so that the end is an end.
	src := io.MultiReader(bytes.NewReader(b), strings.NewReader(tail+"\x01\x00\x00\xff\xff"))
	var r io.ReadCloser
	if z.alone {
		z.past = nil
	}
	r = flate.NewReaderDict(src, z.past)
	out, err := io.ReadAll(io.LimitReader(r, 4<<20))
	z.past = append(z.past, out...)
	z.past = z.past[max(0, len(z.past)-window):]
	return out, err
}

// deflated is one message compressed without what came before it.
func deflated(s string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6) // 6 is a level
	_, _ = w.Write([]byte(s))      // into memory
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte(tail))
}

// params are what a server's sec-websocket-extensions agrees to, for permessage-deflate: parameters and their values.
type params map[string]string

// agreed reads the answer's extensions. It fails on anything but nothing or one permessage-deflate in the grammar of RFC 6455, 9.1.
func agreed(value string) (params, error) {
	if strings.Contains(value, ",") {
		return nil, fmt.Errorf("more than one extension is agreed to: %q", value)
	}
	words := strings.Split(value, ";")
	if name := strings.TrimSpace(words[0]); name != "permessage-deflate" {
		return nil, fmt.Errorf("an extension that was not offered: %q (RFC 6455, 9.1)", value)
	}
	p := params{}
	for _, w := range words[1:] {
		name, v, has := strings.Cut(strings.TrimSpace(w), "=")
		if len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
			v = v[1 : len(v)-1]
		}
		if _, twice := p[name]; twice {
			return nil, fmt.Errorf("parameter %s twice: %q (RFC 7692, 7.1)", name, value)
		}
		switch name {
		case "server_no_context_takeover", "client_no_context_takeover":
			if has {
				return nil, fmt.Errorf("parameter %s with a value: %q (RFC 7692, 7.1.1)", name, value)
			}
		case "server_max_window_bits", "client_max_window_bits":
			if n, err := strconv.Atoi(v); err != nil || n < 8 || n > 15 || v[0] == '0' {
				return nil, fmt.Errorf("%s is no number from 8 to 15: %q (RFC 7692, 7.1.2)", name, value)
			}
		default:
			return nil, fmt.Errorf("an unknown parameter: %q (RFC 7692, 7.1)", value)
		}
		p[name] = v
	}
	return p, nil
}

// bits is a window's parameter, 15 if it is not there.
func (p params) bits(name string) int {
	if n, err := strconv.Atoi(p[name]); err == nil {
		return n
	}
	return 15
}

// has says whether a parameter is there.
func (p params) has(name string) bool { _, ok := p[name]; return ok }
