package asupgrade

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// h1Content finds the content of an HTTP/1.1 response in the octets behind its head (RFC 9112,
// 6.3).
type h1Content struct {
	length  int64 // octets to come; -1: all until the end
	chunked bool
	in      chunkPart
	line    []byte // of a line that is not whole
	done    bool   // nothing is to come
	mute    bool   // what comes is not sent
}

// chunkPart is where in chunked content the next octet stands (RFC 9112, 7.1).
type chunkPart uint8

const (
	inSize chunkPart = iota
	inChunk
	behindChunk
	inTrailer
)

// maxChunkLine is how many octets the line of a chunk's size, and a trailer, may have.
const maxChunkLine = 4096

// contentOf reads from a head how its content is framed, and takes away what HTTP/2 and HTTP/3 do
// not have.
func contentOf(status int, h http.Header) (*h1Content, error) {
	c := &h1Content{length: TakeLength(h)}
	codings := slices.Clone(h["Transfer-Encoding"])
	delete(h, "Transfer-Encoding")
	switch {
	case !BodyAllowed(status):
		c.done = true
		if status == http.StatusNoContent {
			delete(h, "Content-Length")
		}
	case len(codings) == 1 && strings.EqualFold(codings[0], "chunked"):
		c.chunked, c.length = true, -1
		delete(h, "Content-Length")
	case len(codings) > 0:
		return nil, errors.New("transfer coding " + strconv.Quote(strings.Join(codings, ", ")))
	case c.length == 0:
		c.done = true
	}
	return c, nil
}

// take appends what of p is content. What comes behind the content is dropped.
func (c *h1Content) take(out [][]byte, p []byte) ([][]byte, error) {
	if !c.chunked {
		if c.length >= 0 {
			p = p[:min(int64(len(p)), c.length)]
			c.length -= int64(len(p))
			c.done = c.length == 0
		}
		return append(out, p), nil
	}
	for len(p) > 0 && !c.done {
		if c.in == inChunk {
			n := min(int64(len(p)), c.length)
			out, p = append(out, p[:n]), p[n:]
			if c.length -= n; c.length == 0 {
				c.in = behindChunk
			}
			continue
		}
		n := bytes.IndexByte(p, '\n') + 1
		whole := n > 0
		if !whole {
			n = len(p)
		}
		c.line, p = append(c.line, p[:n]...), p[n:]
		if len(c.line) > maxChunkLine {
			return nil, errors.New("the line of a chunk is too long")
		}
		if whole {
			line := strings.TrimRight(string(c.line), "\r\n")
			c.line = nil
			if err := c.framed(line); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// framed takes a line between chunks.
func (c *h1Content) framed(line string) error {
	switch c.in {
	case inSize:
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
		if err != nil || n < 0 {
			return errors.New("the size of a chunk is " + strconv.Quote(line))
		}
		if c.length, c.in = n, inChunk; n == 0 {
			c.in = inTrailer
		}
	case behindChunk:
		if line != "" {
			return errors.New("a chunk is longer than its size")
		}
		c.in = inSize
	case inTrailer:
		c.done = line == ""
	}
	return nil
}

// end says that there is no more, and gives false if the content is not whole.
func (c *h1Content) end() bool {
	c.done = c.done || !c.chunked && c.length < 0
	return c.done
}
