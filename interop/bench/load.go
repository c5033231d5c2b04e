package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// document is 1 KiB of JSON as services send it.
func document() []byte {
	var b strings.Builder
	b.WriteString(`{"type":"update","items":[`)
	for i := 0; b.Len() < 960; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"name":"sensor-%02d","value":%d.%d,"ok":%v}`, 48271*i%99991, i, i*37%100, i*7%10, i%3 > 0)
	}
	b.WriteString(`]}`)
	doc := []byte(b.String())
	return append(doc, bytes.Repeat([]byte{' '}, max(0, 1024-len(doc)))...)[:1024]
}

// request is the frame that is sent again and again, masked, and the field that offers compression. A compressed message
// refers to none before it, which a client may do whatever was agreed on.
func request(s setting) (frame []byte, offer string) {
	payload, first := s.message, byte(0x81)
	if s.compress {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 6)
		w.Write(s.message)
		w.Flush()
		payload, first = bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}), 0xc1
		offer = "Sec-WebSocket-Extensions: permessage-deflate"
		if !s.takeover {
			offer += "; server_no_context_takeover; client_no_context_takeover"
		}
		offer += "\r\n"
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
	return frame, offer
}

// echoes sends n messages on c, one at a time. Answers are counted, not looked into: the client must cost little.
func echoes(c net.Conn, frame []byte, offer string, s setting, n int) error {
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", offer)
	r := bufio.NewReaderSize(c, 4096)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	agreed := resp.Header.Get("Sec-WebSocket-Extensions")
	if resp.StatusCode != 101 || (agreed != "") != s.compress || strings.Contains(agreed, "server_no_context_takeover") == s.takeover && s.compress {
		return fmt.Errorf("handshake: %s, %q", resp.Status, agreed)
	}
	for range n {
		if _, err := c.Write(frame); err != nil {
			return err
		}
		if err := skipFrame(r, s.compress); err != nil {
			return err
		}
	}
	return nil
}

// skipFrame reads an answer: one text frame, compressed if that was agreed on.
func skipFrame(r *bufio.Reader, compressed bool) error {
	h, err := r.Peek(4)
	if err != nil {
		return err
	}
	if want := map[bool]byte{false: 0x81, true: 0xc1}[compressed]; h[0] != want {
		return fmt.Errorf("first octet of an answer %#x, want %#x", h[0], want)
	}
	n := 2 + int(h[1])
	switch h[1] {
	case 126:
		n = 4 + int(binary.BigEndian.Uint16(h[2:]))
	case 127:
		return errors.New("an answer of over 64 KiB")
	}
	_, err = io.CopyN(io.Discard, r, int64(n))
	return err
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
