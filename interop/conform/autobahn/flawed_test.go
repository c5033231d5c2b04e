package autobahn_test

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
)

// flaws are what is wrong with a flawed server; the zero value conforms.
type flaws struct {
	noUTF8, lateUTF8  bool
	reasonUnchecked   bool
	faultCode         uint16 // in place of 1002 and 1007
	noCloseReply      bool
	staysOpen         bool // the connection, after both close frames
	echoAfterClose    bool
	badCodes          bool // close codes are not looked at, and come back
	closeOfOne        bool // a close frame of one octet is taken
	noPong, wrongPong bool
	slowPong          bool // pongs come when no message is under way
	noMaskCheck       bool
	ignoreRSV         bool
	ignoreOpcode      bool
	fragmentedControl bool
	longControl       bool
	strayContinuation bool
	interleaved       bool
	shortEcho         bool // an octet is missing
	changedEcho       bool // an octet is another
	truncated         int  // octets past which echoes are cut
	otherKind         bool // text comes back as binary
	maskedEcho        bool
	maskedAll         bool // control frames, too
	longForms         bool // a length of 126 in nine octets, taken and sent
	plainAnswer       bool // an answer with nothing of what was offered
	corruptDeflate    bool
	lateTakeover      bool // messages refer to those before, although the answer says they do not
	wideWindow        bool // the window is 15 bits, whatever was agreed on
	rsvOnAll          bool // RSV1 on every frame of a compressed message
	bombs             bool // everything is inflated, and nothing larger than a megabyte comes back
	firstProtocol     bool // a subprotocol that was not offered
	anyHandshake      bool // what is wrong with a handshake is overlooked
	limit             int  // octets of a message past which it closes with 1009; 0: none
	drops             bool // the connection, at a fault, without a close frame
	wholeClose        bool // close frames come back as they came
	rsvEcho           bool // with the RSV bits of what came
	copies            bool // pongs have FIN and RSV of their pings
	opcodeEcho        bool // frames of reserved opcodes come back
	pongPong          bool // a pong is answered with a pong
	lateEcho          bool // echoes wait until all that came is read, and are lost at a fault
	pongAfterClose    bool
	replyCode         uint16 // of each closing handshake
	noCode            bool   // close frames are answered without a code
	fewCodes          bool   // codes from 3000 on are refused
	badReason         bool   // close frames are answered with a reason that is no UTF-8
	piecemeal         bool   // each frame of a message comes back as a message
	noNonCharacters   bool   // U+FFFE and the like are refused
	surrogates        bool   // are taken in UTF-8
	openEnd           bool   // a text may end within a character
	noDeflate         bool
	uncompressed      bool   // what comes back is not compressed
	extension         string // is answered, whatever was offered
	pings             bool   // a ping before each echo
	twice             bool   // messages come back twice
}

// flawed is a server of HTTP/1.1 that echoes.
type flawed struct {
	flaws
	nc      net.Conn
	br      *bufio.Reader
	deflate bool
	bits    int
	w       *flate.Writer
	packed  bytes.Buffer
	closed  bool

	op   byte // of the message under way, 0 if none
	rsv1 bool
	msg  []byte
	rest []byte   // of a character
	late [][]byte // pings, with slowPong
	held []byte   // frames, with lateEcho

	first, top byte // the first octet of the frame, and of the first one of the message
}

func (f flaws) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-Websocket-Key")
	raw, err := base64.StdEncoding.DecodeString(key)
	good := r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(strings.Join(r.Header["Connection"], ",")), "upgrade") && !strings.Contains(r.Header.Get("Sec-Websocket-Extensions"), ";;") && err == nil && len(raw) == 16 && len(r.Header["Sec-Websocket-Key"]) == 1
	if !good && !f.anyHandshake {
		w.Header().Set("Upgrade", "websocket")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if r.Header.Get("Sec-Websocket-Version") != "13" && !f.anyHandshake {
		w.Header().Set("Sec-Websocket-Version", "13")
		w.WriteHeader(http.StatusUpgradeRequired)
		return
	}
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer nc.Close()
	s := &flawed{flaws: f, nc: nc, br: brw.Reader}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if x := s.negotiate(strings.Join(r.Header["Sec-Websocket-Extensions"], ",")); x != "" {
		head += "Sec-WebSocket-Extensions: " + x + "\r\n"
	}
	if p := r.Header.Get("Sec-Websocket-Protocol"); f.firstProtocol {
		head += "Sec-WebSocket-Protocol: other\r\n"
	} else if slices.Contains(strings.Split(p, ", "), "one") {
		head += "Sec-WebSocket-Protocol: one\r\n"
	}
	if _, err := io.WriteString(nc, head+"\r\n"); err != nil {
		return
	}
	s.serve()
}

// negotiate agrees to the first offer of permessage-deflate.
func (s *flawed) negotiate(offers string) string {
	switch {
	case s.extension != "":
		return s.extension
	case s.noDeflate:
		return ""
	}
	for offer := range strings.SplitSeq(offers, ",") {
		parts := strings.Split(offer, ";")
		if strings.TrimSpace(parts[0]) != "permessage-deflate" {
			continue
		}
		s.bits = 15
		answer, good := "permessage-deflate; client_no_context_takeover; server_no_context_takeover", true
		had := map[string]bool{}
		for _, p := range parts[1:] {
			name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			n, _ := strconv.Atoi(value)
			number := n >= 8 && n <= 15 && strconv.Itoa(n) == value
			switch {
			case name == "server_max_window_bits" && number:
				s.bits = n
				answer += "; server_max_window_bits=" + value
			case (name == "server_no_context_takeover" || name == "client_no_context_takeover") && value == "", name == "client_max_window_bits" && (value == "" || number):
			default:
				good = false
			}
			good = good && !had[name]
			had[name] = true
		}
		if !good {
			continue
		}
		s.deflate = true
		if s.wideWindow {
			s.bits = 15
		}
		if s.plainAnswer {
			s.bits = 15
			return "permessage-deflate; client_no_context_takeover"
		}
		return answer
	}
	return ""
}

var errFlawed = fmt.Errorf("it has ended")

func (s *flawed) serve() {
	for s.frame() == nil {
		if s.br.Buffered() == 0 {
			_, _ = s.nc.Write(s.held) // the next read fails, too
			s.held = nil
		}
	}
	if !s.staysOpen {
		_ = s.nc.(interface{ CloseWrite() error }).CloseWrite()
	}
	_ = s.nc.SetReadDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, s.br) // the tester ends it, whenever it has a turn
}

// fail fails the connection.
func (s *flawed) fail(code uint16) error {
	if s.faultCode != 0 {
		code = s.faultCode
	}
	if !s.closed && !s.drops {
		s.send(0x88, binary.BigEndian.AppendUint16(nil, code))
	}
	return errFlawed
}

func (s *flawed) send(first byte, p []byte) {
	b := []byte{first}
	var mask byte
	if s.maskedAll || s.maskedEcho && first&15 < 8 {
		mask = 0x80
	}
	switch n := len(p); {
	case n < 126 && !(s.longForms && first&15 < 8):
		b = append(b, mask|byte(n))
	case n < 65536 && !s.longForms:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if mask != 0 {
		b = append(b, 0, 0, 0, 0)
	}
	if b = append(b, p...); s.lateEcho && first&15 < 8 {
		s.held = append(s.held, b...)
		return
	}
	_, _ = s.nc.Write(b) // the next read fails, too
}

// frame takes one frame.
func (s *flawed) frame() error {
	var h [14]byte
	if _, err := io.ReadFull(s.br, h[:2]); err != nil {
		return err
	}
	fin, rsv, op, masked, n := h[0]&0x80 != 0, h[0]>>4&7, h[0]&15, h[1]&0x80 != 0, uint64(h[1]&127)
	control := op >= 8
	s.first = h[0]
	switch {
	case rsv&3 != 0 && !s.ignoreRSV, rsv&4 != 0 && !s.ignoreRSV && (!s.deflate || control || op == 0):
		return s.fail(1002)
	case (op > 2 && op < 8 || op > 10) && !s.ignoreOpcode:
		return s.fail(1002)
	case control && !fin && !s.fragmentedControl, op == 0 && s.op == 0 && !s.strayContinuation && !s.fragmentedControl, (op == 1 || op == 2) && s.op != 0 && !s.interleaved:
		return s.fail(1002)
	case control && n > 125 && !s.longControl, !masked && !s.noMaskCheck:
		return s.fail(1002)
	}
	switch n {
	case 126:
		if _, err := io.ReadFull(s.br, h[:2]); err != nil {
			return err
		}
		if n = uint64(binary.BigEndian.Uint16(h[:])); n < 126 && !s.longForms {
			return s.fail(1002)
		}
	case 127:
		if _, err := io.ReadFull(s.br, h[:8]); err != nil {
			return err
		}
		if n = binary.BigEndian.Uint64(h[:]); n < 65536 && !s.longForms || n>>63 != 0 {
			return s.fail(1002)
		}
	}
	var key [4]byte
	if masked {
		if _, err := io.ReadFull(s.br, key[:]); err != nil {
			return err
		}
	}
	switch {
	case control || op > 2:
		p := make([]byte, n)
		if _, err := io.ReadFull(s.br, p); err != nil {
			return err
		}
		for i := range p {
			p[i] ^= key[i&3]
		}
		return s.control(op, p)
	case op != 0:
		s.top = h[0]
		s.op, s.rsv1, s.msg, s.rest = op, rsv&4 != 0 && s.deflate, nil, nil
	}
	buf := make([]byte, 16<<10)
	for at := 0; n > 0; {
		k, err := s.br.Read(buf[:min(uint64(len(buf)), n)])
		for i := range buf[:k] {
			buf[i] ^= key[at&3]
			at++
		}
		s.msg = append(s.msg, buf[:k]...)
		if !s.rsv1 && !s.lateUTF8 && !s.text(buf[:k], false) {
			return s.fail(1007)
		}
		if s.limit > 0 && len(s.msg) > s.limit {
			return s.fail(1009)
		}
		if n -= uint64(k); err != nil {
			return err
		}
	}
	if s.piecemeal && !fin {
		s.send(0x80|s.op, s.msg)
		s.msg = nil
	}
	if fin {
		return s.message()
	}
	return nil
}

// message echoes the message that is whole.
func (s *flawed) message() error {
	op, p := s.op, s.msg
	s.msg = nil
	if s.rsv1 {
		var err error
		if p, err = s.inflate(p); err != nil {
			return s.fail(1002)
		}
		s.rest = nil
		if !s.text(p, true) {
			return s.fail(1007)
		}
		if len(p) > 1<<20 && !s.bombs {
			return s.fail(1009)
		}
	} else if s.lateUTF8 && !s.text(p, true) || !s.lateUTF8 && !s.text(nil, true) {
		return s.fail(1007)
	}
	s.op = 0
	if s.closed && !s.echoAfterClose {
		return nil
	}
	if s.pings {
		s.send(0x89, []byte("are you there?"))
	}
	if op == 0 {
		op = 2
	}
	switch {
	case s.shortEcho && len(p) > 0:
		p = p[:len(p)-1]
	case s.changedEcho && len(p) > 1000:
		p = append(bytes.Clone(p[:len(p)-1]), '?')
	case s.truncated > 0 && len(p) > s.truncated:
		p = p[:s.truncated]
	case s.otherKind:
		op = 2
	}
	s.echo(op, p)
	if s.twice {
		s.echo(op, p)
	}
	for _, q := range s.late {
		s.send(0x8a, q)
	}
	s.late = nil
	return nil
}

func (s *flawed) echo(op byte, p []byte) {
	if s.bombs && len(p) > 1<<20 {
		p = p[:1<<20]
	}
	if !s.rsv1 || s.uncompressed {
		if s.rsvEcho {
			op |= s.top & 0x70
		}
		s.send(0x80|op, p)
		return
	}
	s.packed.Reset()
	switch {
	case s.w == nil && s.bits < 15:
		s.w, _ = flate.NewWriterWindow(&s.packed, 1<<s.bits)
	case s.w == nil:
		s.w, _ = flate.NewWriter(&s.packed, 5)
	case !s.lateTakeover:
		s.w.Reset(&s.packed)
	}
	_, _ = s.w.Write(p)
	_ = s.w.Flush()
	b := bytes.TrimSuffix(s.packed.Bytes(), []byte("\x00\x00\xff\xff"))
	if s.corruptDeflate {
		b = append([]byte{7}, b...)
	}
	if s.rsvOnAll {
		s.send(0x40|op, b[:len(b)/2])
		s.send(0xc0, b[len(b)/2:])
		return
	}
	s.send(0xc0|op, b)
}

func (s *flawed) inflate(p []byte) ([]byte, error) {
	r := flate.NewReader(io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	return io.ReadAll(io.LimitReader(r, 64<<20))
}
