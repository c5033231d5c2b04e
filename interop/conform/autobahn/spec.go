package autobahn

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/wire"
)

// spec is one case, for both roles. Most are data alone; those with a play of their own have it in place of the frames.
type spec struct {
	id, title, expect, section string

	frames []wire.Frame  // sent first, each as style says
	style  style         // how they leave
	end    *[]byte       // then a close frame with this body
	after  []wire.Frame  // then these, although they come after a close frame
	kill   time.Duration // after all that: the connection is failed with 1001, if it is there
	shut   time.Duration // or closed with an empty close frame

	play    func(t *tester)            // in place of all that
	message func(t *tester, m message) // takes messages, in place of the list; it sets t.verdict
	answer  func(h http.Header) string // says what is wrong with the answer to the handshake, or ""
	judge   func(t *tester, o *conform.Outcome)

	ok    []seen  // the exact list of what has to be received
	lax   *[]seen // NON-STRICT
	quiet bool    // no close of ours when the list is complete
	close ending
	info  bool // INFORMATIONAL, whatever comes

	busy    bool
	limit   time.Duration
	strict  bool
	oneWay  bool // for servers only
	deflate *deflateCase

	subprotocols []string // offered
}

// style is how frames leave.
type style int

// The styles; a positive one is the octets of a write.
const (
	plain  style = 0 // all in one write
	synced style = -1
)

// ending is what is expected of the close.
type ending struct {
	byMe       bool  // the tester sends the first close frame
	codes      []int // what the peer's may carry, if it carries one
	clean      bool  // close frames both ways, and the server drops the connection in time
	fatalEnd   bool  // the wrong one closing fails the body, too
	fatalCode  bool  // so does a wrong code
	fatalClean bool  // so does an unclean close: strict cases alone
}

// The expectations most cases have.
func normal() ending { return ending{byMe: true, codes: []int{1000}, clean: true} }
func fault() ending  { return ending{codes: []int{1002}} }
func invalid() ending {
	return ending{codes: []int{1007}, fatalEnd: true}
}

// seen is an entry of the list of what the tester received.
type seen struct {
	kind    string // text, binary, pong, timeout
	payload []byte
}

func (s seen) String() string {
	if len(s.payload) > 32 {
		return fmt.Sprintf("%s of %d octets", s.kind, len(s.payload))
	}
	return fmt.Sprintf("%s %q", s.kind, s.payload)
}

func same(a, b []seen) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].kind != b[i].kind || !bytes.Equal(a[i].payload, b[i].payload) {
			return false
		}
	}
	return true
}

// Entries for lists.
func echoed[T string | []byte](p T) seen { return seen{"text", []byte(p)} }
func ponged[T string | []byte](p T) seen { return seen{"pong", []byte(p)} }
func timeout(name string) seen           { return seen{"timeout", []byte(name)} }

// Frames for cases. T and C are text and continuation, with FIN as the number says.
func frame[T string | []byte](op wire.Opcode, p T) wire.Frame {
	return wire.Frame{Fin: true, Op: op, Payload: []byte(p)}
}
func text[T string | []byte](p T) wire.Frame { return frame(wire.Text, p) }
func blob[T string | []byte](p T) wire.Frame { return frame(wire.Binary, p) }
func ping[T string | []byte](p T) wire.Frame { return frame(wire.Ping, p) }
func pong[T string | []byte](p T) wire.Frame { return frame(wire.Pong, p) }
func t0[T string | []byte](p T) wire.Frame   { return wire.Frame{Op: wire.Text, Payload: []byte(p)} }
func c0[T string | []byte](p T) wire.Frame {
	return wire.Frame{Op: wire.Continuation, Payload: []byte(p)}
}
func c1[T string | []byte](p T) wire.Frame { return frame(wire.Continuation, p) }

// rsv sets the reserved bits of a frame.
func rsv(bits byte, f wire.Frame) wire.Frame {
	f.RSV = bits
	return f
}

// open clears the FIN of a frame.
func open(f wire.Frame) wire.Frame {
	f.Fin = false
	return f
}

// fragments cuts a message into frames of size octets. Where size divides its length the last frame is empty, as in the original.
func fragments(op wire.Opcode, p []byte, size int) []wire.Frame {
	if size <= 0 || len(p) <= size {
		return []wire.Frame{frame(op, p)}
	}
	fs := make([]wire.Frame, 0, len(p)/size+1)
	for len(p) >= size {
		fs = append(fs, wire.Frame{Op: op, Payload: p[:size]})
		p, op = p[size:], wire.Continuation
	}
	return append(fs, wire.Frame{Fin: true, Op: op, Payload: p})
}

// closing is the body of a close frame.
func closing(code int, reason string) *[]byte {
	b := append([]byte{byte(code >> 8), byte(code)}, reason...)
	return &b
}

// body is a body as it is.
func body(b string) *[]byte {
	p := []byte(b)
	return &p
}
