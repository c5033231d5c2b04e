package load

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
)

// Opcodes (RFC 6455, 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

const (
	fin  = 0x80
	rsv1 = 0x40
)

// maskKey masks every frame that leaves. A browser takes a new one for each (RFC 6455, 5.3), which makes no difference to
// who unmasks.
var maskKey = [4]byte{0x5a, 0x11, 0xc3, 0x7e}

// appendFrame appends a masked frame.
func appendFrame(dst []byte, first byte, payload []byte) []byte {
	dst = append(dst, first)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = append(dst, maskKey[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	for i := range dst[start:] {
		dst[start+i] ^= maskKey[i&3]
	}
	return dst
}

// compress is a message as permessage-deflate has it, without a word of an earlier one (RFC 7692, 7.2.1): what a client may
// send whatever was agreed on.
func compress(b []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, 6)
	if err != nil {
		panic("load: BUG: " + err.Error())
	}
	_, _ = w.Write(b) // a bytes.Buffer takes everything
	_ = w.Flush()
	return bytes.TrimSuffix(out.Bytes(), []byte{0, 0, 0xff, 0xff})
}

// message is one payload, and the frame it is sent in.
type message struct {
	plain []byte
	wire  []byte
}

// messages builds the frames once.
func messages(c *Config) []message {
	first := byte(fin | opText)
	if c.Binary {
		first = fin | opBinary
	}
	all := make([]message, len(c.Payloads))
	for i, p := range c.Payloads {
		if c.Compress {
			all[i] = message{p, appendFrame(nil, first|rsv1, compress(p))}
		} else {
			all[i] = message{p, appendFrame(nil, first, p)}
		}
	}
	return all
}
