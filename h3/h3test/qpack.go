package h3test

import (
	"errors"
	"fmt"

	"golang.org/x/net/http2/hpack"
)

// Field is one field line, or a pseudo-header field.
type Field struct{ Name, Value string }

// Fields makes field lines of names and values in turn.
func Fields(pairs ...string) []Field {
	if len(pairs)%2 != 0 {
		panic("h3test: a name without a value")
	}
	var fs []Field
	for i := 0; i < len(pairs); i += 2 {
		fs = append(fs, Field{pairs[i], pairs[i+1]})
	}
	return fs
}

// AppendSection appends an encoded field section (RFC 9204, 4.5). It refers to the static table
// where that has a name or a line, and to no dynamic table.
func AppendSection(dst []byte, fields ...Field) []byte {
	dst = append(dst, 0, 0) // Required Insert Count and Base
	for _, f := range fields {
		name, both := staticIndex(f)
		switch {
		case both >= 0: // indexed field line: RFC 9204, 4.5.2
			dst = appendPrefixed(dst, 0xc0, 6, uint64(both))
		case name >= 0: // literal with name reference: RFC 9204, 4.5.4
			dst = appendPrefixed(dst, 0x50, 4, uint64(name))
			dst = appendString(dst, 0, 7, f.Value)
		default: // literal with literal name: RFC 9204, 4.5.6
			dst = appendString(dst, 0x20, 3, f.Name)
			dst = appendString(dst, 0, 7, f.Value)
		}
	}
	return dst
}

// AppendHuffman appends a field section whose strings are all literals in Huffman code.
func AppendHuffman(dst []byte, fields ...Field) []byte {
	dst = append(dst, 0, 0)
	for _, f := range fields {
		dst = appendPrefixed(dst, 0x28, 3, hpack.HuffmanEncodeLength(f.Name))
		dst = hpack.AppendHuffmanString(dst, f.Name)
		dst = appendPrefixed(dst, 0x80, 7, hpack.HuffmanEncodeLength(f.Value))
		dst = hpack.AppendHuffmanString(dst, f.Value)
	}
	return dst
}

func appendString(dst []byte, first byte, prefix int, s string) []byte {
	return append(appendPrefixed(dst, first, prefix, uint64(len(s))), s...)
}

// appendPrefixed appends an integer with a prefix of so many bits (RFC 7541, 5.1).
func appendPrefixed(dst []byte, first byte, bits int, n uint64) []byte {
	full := uint64(1)<<bits - 1
	if n < full {
		return append(dst, first|byte(n))
	}
	dst = append(dst, first|byte(full))
	for n -= full; n >= 128; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}

var errSection = errors.New("h3test: the field section ends too early")

// ParseSection is an encoded field section's lines. It may refer to no dynamic table: a Peer never
// allows one.
func ParseSection(b []byte) ([]Field, error) {
	var fs []Field
	for range 2 {
		n, rest, err := prefixed(b, 8)
		if err != nil {
			return nil, err
		}
		if n != 0 {
			return nil, fmt.Errorf("h3test: the field section refers to a dynamic table: %d", n)
		}
		b = rest
	}
	for len(b) > 0 {
		f, rest, err := line(b)
		if err != nil {
			return fs, err
		}
		fs, b = append(fs, f), rest
	}
	return fs, nil
}

func line(b []byte) (f Field, rest []byte, err error) {
	first := b[0]
	switch {
	case first&0xc0 == 0xc0: // indexed, static
		n, rest, err := prefixed(b, 6)
		if err != nil {
			return f, nil, err
		}
		f, ok := staticEntry(n)
		if !ok {
			return f, nil, fmt.Errorf("h3test: no entry %d in the static table", n)
		}
		return f, rest, nil
	case first&0xf0 == 0x50 || first&0xf0 == 0x70: // literal with name reference, static
		n, rest, err := prefixed(b, 4)
		if err != nil {
			return f, nil, err
		}
		f, ok := staticEntry(n)
		if !ok {
			return f, nil, fmt.Errorf("h3test: no entry %d in the static table", n)
		}
		f.Value, rest, err = text(rest, 7)
		return f, rest, err
	case first&0xe0 == 0x20: // literal with literal name
		f.Name, rest, err = text(b, 3)
		if err != nil {
			return f, nil, err
		}
		f.Value, rest, err = text(rest, 7)
		return f, rest, err
	}
	return f, nil, fmt.Errorf("h3test: the field line 0x%02x refers to a dynamic table", first)
}

// text is a string whose length has a prefix of so many bits; the bit above says Huffman.
func text(b []byte, bits int) (string, []byte, error) {
	if len(b) == 0 {
		return "", nil, errSection
	}
	huffman := b[0]&(1<<bits) != 0
	n, b, err := prefixed(b, bits)
	if err != nil {
		return "", nil, err
	}
	if n > uint64(len(b)) {
		return "", nil, errSection
	}
	if !huffman {
		return string(b[:n]), b[n:], nil
	}
	s, err := hpack.HuffmanDecodeToString(b[:n])
	return s, b[n:], err
}

func prefixed(b []byte, bits int) (uint64, []byte, error) {
	if len(b) == 0 {
		return 0, nil, errSection
	}
	full := uint64(1)<<bits - 1
	n := uint64(b[0]) & full
	b = b[1:]
	if n < full {
		return n, b, nil
	}
	for shift := 0; shift < 56; shift += 7 {
		if len(b) == 0 {
			return 0, nil, errSection
		}
		c := b[0]
		b = b[1:]
		n += uint64(c&0x7f) << shift
		if c < 0x80 {
			return n, b, nil
		}
	}
	return 0, nil, errors.New("h3test: an integer of more than 8 octets")
}
