package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"golang.org/x/net/http2"
)

// serveXNet is what Go has for WebSockets over HTTP/2 without weir: the server of golang.org/x/net/http2, which takes
// extended CONNECT with GODEBUG=http2xconnect=1, and frames by hand over the request's body and the ResponseWriter.
func serveXNet(l net.Listener, s setting) {
	var members room[*xnetMember]
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { xnetEcho(w, r, s, &members) })
	srv := &http2.Server{MaxConcurrentStreams: 1000, MaxReadFrameSize: 16384}
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go srv.ServeConn(c, &http2.ServeConnOpts{Handler: h}) // ends with the connection
	}
}

// xnetMember is a WebSocket in a room: whoever speaks writes to it.
type xnetMember struct {
	mu sync.Mutex
	w  http.ResponseWriter
}

func (m *xnetMember) write(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.w.Write(b); err != nil {
		return err
	}
	return http.NewResponseController(m.w).Flush()
}

func xnetEcho(w http.ResponseWriter, r *http.Request, s setting, members *room[*xnetMember]) {
	if r.Method != http.MethodConnect || r.Header.Get(":protocol") != "websocket" {
		http.Error(w, "not a WebSocket", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusOK)
	m := &xnetMember{w: w}
	if m.write(nil) != nil {
		return
	}
	if s.Broadcast {
		members.join(m)
		defer members.leave(m)
	}
	in := bufio.NewReaderSize(r.Body, 4096)
	var frame []byte
	for {
		var err error
		if frame, err = readFrame(in, frame); err != nil {
			return
		}
		if s.Broadcast && frame[0]&0xf < 8 {
			members.say(func(m *xnetMember) { _ = m.write(frame) }) // an error ends that member's handler
		} else if m.write(frame) != nil || frame[0]&0xf == 8 {
			return
		}
	}
}

// readFrame reads one masked frame, and makes it one that a server sends. dst is reused.
func readFrame(r *bufio.Reader, dst []byte) ([]byte, error) {
	var head [14]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return nil, err
	}
	n, used := int(head[1]&0x7f), 2
	switch n {
	case 126:
		used = 4
	case 127:
		used = 10
	}
	if _, err := io.ReadFull(r, head[2:used+4]); err != nil {
		return nil, err
	}
	switch used {
	case 4:
		n = int(binary.BigEndian.Uint16(head[2:]))
	case 10:
		n = int(binary.BigEndian.Uint64(head[2:]))
	}
	if n > maxMessage {
		return nil, io.ErrShortBuffer
	}
	if cap(dst) < used+n {
		dst = make([]byte, used+n)
	}
	dst = dst[:used+n]
	copy(dst, head[:used])
	dst[1] &= 0x7f
	if _, err := io.ReadFull(r, dst[used:]); err != nil {
		return nil, err
	}
	unmask(dst[used:], [4]byte(head[used:used+4]))
	return dst, nil
}

// unmask takes the mask off b, eight octets at a time (RFC 6455, 5.3).
func unmask(b []byte, key [4]byte) {
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}
