package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// Frame types, flags and settings of HTTP/2 (RFC 9113, 6) that a client of tunnels meets.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePush         = 0x5
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindow       = 0x8
	frameContinuation = 0x9

	flagEnd        = 0x1 // END_STREAM; ACK of SETTINGS and PING
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20

	settingPush       = 0x2
	settingStreams    = 0x3
	settingWindow     = 0x4
	settingFrameSize  = 0x5
	settingConnect    = 0x8
	settingHeaderList = 0x6
)

const (
	defaultWindow = 65535
	connWindow    = 64 << 20 // what the server may send ahead on a connection
)

// h2Link is one connection of HTTP/2.
type h2Link struct {
	l       *link
	enc     *hpack.Encoder
	dec     *hpack.Decoder
	block   []byte // the encoder's output
	waiting []*socket
	streams []*socket // stream 2i+1 is at i

	settings  bool // the server's have come
	window    int64
	initial   int64
	frameSize int
	limit     uint32

	queue []*socket // with something to send, in turn
	head  int

	in      h2Frame
	charged int64 // DATA since the last WINDOW_UPDATE of the connection
}

// h2Frame is the frame that is being read.
type h2Frame struct {
	head   [9]byte
	n      int // octets in head
	inside bool
	left   int // of the payload
	typ    byte
	flags  byte
	stream uint32
	pad    int    // octets of padding at the end of DATA; -1: its length is to come
	buf    []byte // the payload of other frames
	block  []byte // fields of a HEADERS that goes on
	end    bool   // END_STREAM was on that HEADERS
}

// h2Stream is what a socket is on a connection of HTTP/2.
type h2Stream struct {
	id      uint32
	window  int64
	rest    []byte // of the frame that is being sent
	control []byte // frames to send before the next message
	queued  bool
	fin     bool // END_STREAM goes with the last of control
	charged int64
}

func newH2(l *link) *h2Link {
	h := &h2Link{l: l, window: defaultWindow, initial: defaultWindow, frameSize: 16384, limit: 1<<32 - 1}
	h.in.pad = 0
	return h
}

// Write takes the encoder's output.
func (h *h2Link) Write(b []byte) (int, error) {
	h.block = append(h.block, b...)
	return len(b), nil
}

func appendHead(dst []byte, n int, typ, flags byte, stream uint32) []byte {
	return append(dst, byte(n>>16), byte(n>>8), byte(n), typ, flags, byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

func appendSetting(dst []byte, id uint16, v uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(dst, id), v)
}

func appendWindow(dst []byte, stream uint32, n int64) []byte {
	return binary.BigEndian.AppendUint32(appendHead(dst, 4, frameWindow, 0, stream), uint32(n))
}

// start sends the preface.
func (h *h2Link) start() {
	h.enc = hpack.NewEncoder(h)
	h.dec = hpack.NewDecoder(4096, nil)
	b := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	b = appendHead(b, 12, frameSettings, 0, 0)
	b = appendSetting(b, settingPush, 0)
	b = appendSetting(b, settingWindow, uint32(h.l.e.cfg.Window))
	b = appendWindow(b, 0, connWindow-defaultWindow)
	h.l.out.add(b)
}

// openWaiting opens the streams whose turn has come, once the server's settings are there (RFC 8441, 3).
func (h *h2Link) openWaiting(now int64) {
	if !h.settings || len(h.waiting) == 0 {
		return
	}
	c := h.l.e.cfg
	for _, s := range h.waiting {
		if uint32(len(h.streams)) >= h.limit {
			s.fail(fmt.Errorf("handshake: the server takes %d streams a connection", h.limit))
			continue
		}
		s.h2.id, s.h2.window = uint32(2*len(h.streams)+1), h.initial
		h.streams = append(h.streams, s)
		s.asked = now
		h.block = h.block[:0]
		field := func(name, value string) {
			_ = h.enc.WriteField(hpack.HeaderField{Name: name, Value: value}) // Write never fails
		}
		host, scheme := c.URL.Host, "http"
		if v := c.Header.Get("Host"); v != "" {
			host = v
		}
		if c.secure() {
			scheme = "https"
		}
		field(":method", "CONNECT")
		field(":protocol", "websocket")
		field(":scheme", scheme)
		field(":authority", host)
		field(":path", c.URL.RequestURI())
		field("sec-websocket-version", "13")
		if c.Compress {
			field("sec-websocket-extensions", offer(c))
		}
		for name, values := range c.Header {
			for _, v := range values {
				if name != "Host" {
					field(strings.ToLower(name), v)
				}
			}
		}
		if len(h.block) > h.frameSize {
			s.fail(errors.New("handshake: header of over one frame"))
			continue
		}
		h.l.out.add(appendHead(nil, len(h.block), frameHeaders, flagEndHeaders, s.h2.id))
		h.l.out.add(h.block)
	}
	h.waiting = h.waiting[:0]
	h.l.e.shell.kick(h.l)
}

// stream is the socket of an id, nil if it is over or was never opened.
func (h *h2Link) stream(id uint32) *socket {
	if i := int(id / 2); id&1 == 1 && i < len(h.streams) && h.streams[i].state != gone {
		return h.streams[i]
	}
	return nil
}

// answer judges the fields of a response (RFC 8441, 5).
func (h *h2Link) answer(s *socket, fields []hpack.HeaderField, end bool, now int64) error {
	status, agreed := "", ""
	for _, f := range fields {
		switch f.Name {
		case ":status":
			status = f.Value
		case "sec-websocket-extensions":
			agreed = f.Value
		}
	}
	switch {
	case s.state != opening:
		return errors.New("wrong answer: trailers")
	case len(status) == 3 && status[0] == '1':
		return nil
	case status != "200" || end:
		code := 0
		_, _ = fmt.Sscan(status, &code) // no number: not refused, but broken
		return &handshakeError{code, "refused: " + status}
	}
	if err := h.l.e.run.checkExtensions(agreed); err != nil {
		return err
	}
	s.opened(now)
	return nil
}

// retire ends a stream from our side, if the server has not.
func (h *h2Link) retire(s *socket, was state) {
	if h.l.state != linkIsUp || s.h2.id == 0 || was == leaving {
		return
	}
	const cancel = 8
	h.reset(s.h2.id, cancel)
}

func (h *h2Link) reset(id, code uint32) {
	h.l.out.add(binary.BigEndian.AppendUint32(appendHead(nil, 4, frameReset, 0, id), code))
	h.l.e.shell.kick(h.l)
}

// leave sends the close frame, with END_STREAM.
func (h *h2Link) leave(s *socket) {
	s.h2.control = append(s.h2.control, closeFrame...)
	s.h2.fin = true
	h.ready(s)
}
