package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// documents are n of 1 KiB of JSON as services send it: alike and never the same, so that a compressor with takeover
// finds in its history what it would find there, and not the message itself.
func documents(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 1))
	names := []string{"alice", "bob", "carol", "dave", "erin", "frank"}
	docs := make([][]byte, n)
	for i := range docs {
		b := fmt.Appendf(nil, `{"type":"update","seq":%d,"items":[`, i)
		for len(b) < 1024 {
			b = fmt.Appendf(b, `{"id":%d,"user":"%s","price":%.2f,"active":%v},`,
				r.IntN(1e6), names[r.IntN(len(names))], r.Float64()*1000, r.IntN(2) == 0)
		}
		docs[i] = b[:1024]
	}
	return docs
}

// requests are the frames that are sent in turn, masked, and the field that offers compression. A compressed message
// refers to none before it, which a client may do whatever was agreed on.
func requests(s setting) (frames [][]byte, offer string) {
	if s.compress {
		offer = "Sec-WebSocket-Extensions: permessage-deflate"
		if !s.takeover {
			offer += "; server_no_context_takeover; client_no_context_takeover"
		}
		offer += "\r\n"
	}
	for _, m := range s.messages {
		frames = append(frames, request(m, s.compress))
	}
	return frames, offer
}

func request(payload []byte, compress bool) (frame []byte) {
	first := byte(0x81)
	if compress {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 6)
		w.Write(payload)
		w.Flush()
		payload, first = bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}), 0xc1
	}
	frame = append(frame, first)
	if len(payload) < 126 {
		frame = append(frame, 0x80|byte(len(payload)))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, 0xfe), uint16(len(payload)))
	}
	key := [4]byte{0x5a, 0x11, 0xc3, 0x7e}
	frame = append(frame, key[:]...)
	for i, c := range payload {
		frame = append(frame, c^key[i&3])
	}
	return frame
}

// echoes sends n messages on c, one at a time, and gives the octets of the answers. They are counted, not looked into:
// the client must cost little.
func echoes(c net.Conn, frames [][]byte, offer string, s setting, n int) (octets int, err error) {
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", offer)
	r := bufio.NewReaderSize(c, 4096)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return 0, err
	}
	agreed := resp.Header.Get("Sec-WebSocket-Extensions")
	if resp.StatusCode != 101 || (agreed != "") != s.compress || strings.Contains(agreed, "server_no_context_takeover") == s.takeover && s.compress {
		return 0, fmt.Errorf("handshake: %s, %q", resp.Status, agreed)
	}
	for i := range n {
		if _, err := c.Write(frames[i%len(frames)]); err != nil {
			return octets, err
		}
		size, err := skipFrame(r, s.compress)
		if err != nil {
			return octets, err
		}
		octets += size
	}
	return octets, nil
}

// skipFrame reads an answer, one text frame, compressed if that was agreed on, and gives its length.
func skipFrame(r *bufio.Reader, compressed bool) (int, error) {
	h, err := r.Peek(4)
	if err != nil {
		return 0, err
	}
	if want := map[bool]byte{false: 0x81, true: 0xc1}[compressed]; h[0] != want {
		return 0, fmt.Errorf("first octet of an answer %#x, want %#x", h[0], want)
	}
	n := 2 + int(h[1])
	switch h[1] {
	case 126:
		n = 4 + int(binary.BigEndian.Uint16(h[2:]))
	case 127:
		return 0, errors.New("an answer of over 64 KiB")
	}
	_, err = r.Discard(n)
	return n, err
}

// cpu is the CPU time of a process in seconds.
func cpu(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	user, err1 := strconv.ParseFloat(f[11], 64)
	system, err2 := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100, errors.Join(err1, err2)
}
