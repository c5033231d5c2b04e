package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// read reads frames until the link ends.
func (c *Conn) read(r *bufio.Reader) {
	defer close(c.done)
	for {
		f, rest, err := ReadFrame(r)
		if err != nil {
			c.put(ending(err, rest))
			return
		}
		if !c.put(Event{Kind: Arrived, At: time.Now(), Frame: f}) {
			c.put(ending(net.ErrClosed, 0))
			return
		}
	}
}

// ReadFrame reads one frame, unmasked; it judges nothing. With an error comes how many octets of the frame there were.
// What a header announces costs nothing before it is there.
func ReadFrame(r *bufio.Reader) (f Frame, read int, err error) {
	var head [14]byte
	take := func(n int) []byte {
		if err != nil {
			return head[read : read+n]
		}
		b := head[read : read+n]
		var got int
		got, err = io.ReadFull(r, b)
		read += got
		return b
	}
	b := take(2)
	if err != nil {
		return f, read, err
	}
	f.Fin, f.RSV, f.Op, f.Masked = b[0]&0x80 != 0, b[0]>>4&7, Opcode(b[0]&15), b[1]&0x80 != 0
	length := uint64(b[1] & 0x7f)
	f.LengthOctets = 1
	switch length {
	case 126:
		f.LengthOctets = 3
		length = uint64(binary.BigEndian.Uint16(take(2)))
	case 127:
		f.LengthOctets = 9
		length = binary.BigEndian.Uint64(take(8))
	}
	if f.Masked && err == nil {
		copy(f.Key[:], take(4))
	}
	if err != nil {
		return f, read, err
	}
	if length > maxPayload {
		return f, read, fmt.Errorf("a frame of %d octets: %w", length, errLost)
	}
	f.Payload, err = readPayload(r, int(length))
	read += len(f.Payload)
	if f.Masked {
		mask(f.Payload, f.Key)
	}
	return f, read, err
}

// readPayload reads n octets into a slice that grows with them.
func readPayload(r io.Reader, n int) ([]byte, error) {
	p := make([]byte, min(n, 256<<10), min(n, 256<<10)+16) // an inflater has something to append
	for have := 0; ; {
		got, err := io.ReadFull(r, p[have:])
		if have += got; have == n || err != nil {
			return p[:have], err
		}
		more := make([]byte, min(n, 4*len(p)))
		copy(more, p)
		p = more
	}
}
