package autobahn_test

import (
	"bytes"
	"encoding/binary"
	"time"
	"unicode/utf8"
)

// text checks the UTF-8 of a text as it comes.
func (s *flawed) text(b []byte, end bool) bool {
	if s.op != 1 || s.noUTF8 {
		return true
	}
	b = append(s.rest, b...)
	for len(b) > 0 {
		if s.surrogates && b[0] == 0xed && (len(b) < 2 || b[1] >= 0xa0) {
			if len(b) < 3 {
				break
			}
			b = b[3:]
			continue
		}
		if !utf8.FullRune(b) {
			break
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 || s.noNonCharacters && r&0xfffe == 0xfffe {
			return false
		}
		b = b[n:]
	}
	s.rest = bytes.Clone(b)
	return !end || len(b) == 0 || s.openEnd
}

func (s *flawed) control(op byte, p []byte) error {
	pong := byte(0x8a)
	if s.copies {
		pong = s.first&0xf0 | 10
	}
	switch op {
	case 9:
		switch {
		case s.noPong || s.closed && !s.pongAfterClose:
		case s.wrongPong:
			s.send(pong, append([]byte("x"), p[:min(len(p), 124)]...))
		case s.slowPong && s.op != 0:
			s.late = append(s.late, p)
		default:
			s.send(pong, p)
		}
	case 10:
		if s.pongPong {
			s.send(pong, p)
		}
	case 8:
		return s.close(p)
	default:
		if s.opcodeEcho {
			s.send(0x80|op, p)
		}
	}
	return nil
}

func (s *flawed) close(p []byte) error {
	code := uint16(1005)
	switch {
	case s.closed:
		return nil
	case s.noCloseReply:
		return errFlawed
	case s.wholeClose:
		s.send(0x88, p)
		return errFlawed
	case len(p) == 1 && !s.closeOfOne:
		return s.fail(1002)
	case len(p) > 1:
		code = binary.BigEndian.Uint16(p)
		valid := code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999 && !s.fewCodes
		if !valid && !s.badCodes {
			return s.fail(1002)
		}
		if !utf8.Valid(p[2:]) && !s.reasonUnchecked {
			return s.fail(1007)
		}
	}
	body := p[:min(len(p), 2)&^1]
	switch {
	case s.noCode:
		body = nil
	case s.replyCode != 0:
		body = binary.BigEndian.AppendUint16(nil, s.replyCode)
	case s.badReason:
		body = append(bytes.Clone(body), 0xff)
	}
	s.send(0x88, body)
	if s.echoAfterClose || s.pongAfterClose {
		s.closed = true
		_ = s.nc.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		return nil
	}
	return errFlawed
}
