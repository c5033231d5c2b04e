package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
	"syscall"
)

// serveMinimal is a yardstick: framing and nothing else, a parked goroutine a connection. Over cleartext it has no buffer
// while it waits. No close handshake but an answer, no fragments, no limits, no UTF-8, no timers: what no server can do
// without in earnest, so nothing in Go that keeps to the RFC with a goroutine a connection is much cheaper.
func serveMinimal(l net.Listener, s setting) {
	srv := &minimal{broadcast: s.Broadcast}
	l = secured(l, s)
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go srv.serve(c) // ends with the connection
	}
}

type minimal struct {
	broadcast bool
	members   room[net.Conn]
}

// minimalSize is what one read takes.
const minimalSize = 64 << 10

var minimalBuffers = sync.Pool{New: func() any { return new([minimalSize]byte) }}

// minimalReader reads from a socket into a buffer that it takes only when something has arrived.
type minimalReader struct {
	c    net.Conn
	raw  syscall.RawConn // nil over TLS
	call func(fd uintptr) bool
	buf  *[minimalSize]byte
	at   int // octets in buf that are kept
	n    int
	err  error
}

func newMinimalReader(c net.Conn) *minimalReader {
	r := &minimalReader{c: c}
	if t, ok := c.(*net.TCPConn); ok {
		r.raw, r.err = t.SyscallConn()
		r.call = r.attempt
	}
	return r
}

func (r *minimalReader) attempt(fd uintptr) bool {
	had := r.buf != nil
	if !had {
		r.buf = minimalBuffers.Get().(*[minimalSize]byte)
	}
	n, err := syscall.Read(int(fd), r.buf[r.at:])
	if err == syscall.EAGAIN || err == syscall.EINTR {
		if !had && r.at == 0 {
			minimalBuffers.Put(r.buf)
			r.buf = nil
		}
		return false
	}
	r.n, r.err = n, err
	if n == 0 && err == nil {
		r.err = io.EOF
	}
	return true
}

// more reads behind what is kept, and gives all of it.
func (r *minimalReader) more() ([]byte, error) {
	if r.raw == nil {
		if r.buf == nil {
			r.buf = minimalBuffers.Get().(*[minimalSize]byte)
		}
		n, err := r.c.Read(r.buf[r.at:])
		if n > 0 {
			err = nil
		}
		return r.buf[:r.at+n], err
	}
	if err := r.raw.Read(r.call); err != nil {
		return nil, err
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.buf[:r.at+r.n], nil
}

// keep keeps rest, the end of what more gave, for the next call.
func (r *minimalReader) keep(rest []byte) {
	if r.at = copy(r.buf[:], rest); r.at == 0 {
		minimalBuffers.Put(r.buf)
		r.buf = nil
	}
}

func (m *minimal) serve(c net.Conn) {
	defer c.Close()
	r := newMinimalReader(c)
	if r.err != nil || !minimalUpgrade(c, r) {
		return
	}
	if m.broadcast {
		m.members.join(c)
		defer m.members.leave(c)
	}
	var large []byte // of messages that the buffer cannot hold
	for {
		b, err := r.more()
		if err != nil {
			return
		}
		if large, err = m.answer(c, r, b, large); err != nil {
			return
		}
	}
}

var errMinimal = errors.New("closed, or a frame that a minimal server does not know")

// answer unmasks every frame in b where it is, and writes the answers: a server's head is four octets shorter, so it fits
// before its payload; what several frames give is moved together and leaves in one write.
func (m *minimal) answer(c net.Conn, r *minimalReader, b, large []byte) ([]byte, error) {
	out := 0 // answers are at b[:out]
	in := 0
	for {
		head, n, ok := minimalHead(b[in:])
		if !ok {
			break
		}
		whole := head + 4 + n
		if len(b)-in < whole {
			if whole > minimalSize {
				return m.large(c, r, b, out, in, head, n, large)
			}
			break
		}
		f := b[in : in+whole]
		unmask(f[head+4:], [4]byte(f[head:head+4]))
		op := f[0] & 0xf
		copy(b[out:], f[:head])
		b[out+1] &= 0x7f
		copy(b[out+head:], f[head+4:])
		if m.broadcast && op < 8 {
			answer := b[out : out+head+n]
			m.members.say(func(c net.Conn) { _, _ = c.Write(answer) }) // an error ends that member's goroutine
		} else {
			out += head + n
		}
		in += whole
		if op == 8 {
			_, _ = c.Write(b[:out]) // it ends all the same
			return large, errMinimal
		}
	}
	if out > 0 {
		if _, err := c.Write(b[:out]); err != nil {
			return large, err
		}
	}
	r.keep(b[in:])
	return large, nil
}

// minimalHead is the length of a frame's head without the key, and of its payload; ok if the head is whole, key too.
func minimalHead(b []byte) (head, n int, ok bool) {
	if len(b) < 6 {
		return 0, 0, false
	}
	switch head, n = 2, int(b[1]&0x7f); n {
	case 126:
		head, n = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if len(b) < 14 {
			return 0, 0, false
		}
		head, n = 10, int(binary.BigEndian.Uint64(b[2:]))
	}
	return head, n, len(b) >= head+4
}

// large answers a message that is longer than the buffer: it is read whole into memory of its own, and leaves from there.
func (m *minimal) large(c net.Conn, r *minimalReader, b []byte, out, in, head, n int, large []byte) ([]byte, error) {
	if n > maxMessage {
		return large, errMinimal
	}
	if out > 0 {
		if _, err := c.Write(b[:out]); err != nil {
			return large, err
		}
	}
	f := b[in:]
	if cap(large) < head+n {
		large = make([]byte, head+n)
	}
	large = large[:head+n]
	key := [4]byte(f[head : head+4])
	copy(large, f[:head])
	large[1] &= 0x7f
	got := copy(large[head:], f[head+4:])
	r.keep(nil)
	if _, err := io.ReadFull(c, large[head+got:]); err != nil {
		return large, err
	}
	unmask(large[head:], key)
	_, err := c.Write(large)
	return large, err
}

// minimalUpgrade answers the opening handshake, of which it looks at one field.
func minimalUpgrade(c net.Conn, r *minimalReader) bool {
	var b []byte
	for {
		var err error
		if b, err = r.more(); err != nil {
			return false
		}
		if bytes.HasSuffix(b, []byte("\r\n\r\n")) {
			break
		}
		r.at = len(b)
		if r.at == minimalSize {
			return false
		}
	}
	i := bytes.Index(bytes.ToLower(b), []byte("\nsec-websocket-key:"))
	if i < 0 {
		return false
	}
	key, _, _ := bytes.Cut(b[i+len("\nsec-websocket-key:"):], []byte("\r"))
	sum := sha1.Sum(append(bytes.TrimSpace(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	r.at = 0
	r.keep(nil)
	_, err := fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	return err == nil
}
