package h2test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Encoder turns frames in text form into octets, keeping HPACK's state.
type Encoder struct {
	buf bytes.Buffer
	hp  *hpack.Encoder
}

// Block is the HPACK block of fields, given as name and value in turn.
func (e *Encoder) Block(fields ...string) []byte {
	if e.hp == nil {
		e.hp = hpack.NewEncoder(&e.buf)
	}
	e.buf.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = e.hp.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into memory
	}
	return bytes.Clone(e.buf.Bytes())
}

// Append appends the octets of one frame in text form to dst. The forms, [] optional:
//
//	SETTINGS [ACK] [NAME=n ...]           PING [ACK] [hex]
//	HEADERS id [END_STREAM] [NO_END_HEADERS] [PRIORITY=dep] [PAD=n] [name=value ...]
//	CONTINUATION id [NO_END_HEADERS] [name=value ...]
//	DATA id [END_STREAM] [PAD=n] ["text" or LEN=n]
//	RST_STREAM id CODE                    GOAWAY last CODE ["text"]
//	WINDOW_UPDATE id n                    PRIORITY id dep
//	PRIORITY_UPDATE id ["value"]
//	RAW type flags id [hex]               (numbers in any base of Go)
//
// A word with spaces is quoted as in Go: "user-agent=a b".
func (e *Encoder) Append(dst []byte, line string) ([]byte, error) {
	w, err := Words(line)
	if err != nil || len(w) == 0 {
		return dst, fmt.Errorf("h2test: cannot read %q: %v", line, err)
	}
	a := args{words: w[1:]}
	switch w[0] {
	case "SETTINGS":
		var flags http2.Flags
		if a.flag("ACK") {
			flags = http2.FlagSettingsAck
		}
		var p []byte
		for _, kv := range a.words {
			k, v, _ := strings.Cut(kv, "=")
			id, ok := settingNames[k]
			if !ok {
				id = http2.SettingID(a.number(k))
			}
			p = binary.BigEndian.AppendUint16(p, uint16(id))
			p = binary.BigEndian.AppendUint32(p, a.number(v))
		}
		dst = AppendFrame(dst, http2.FrameSettings, flags, 0, p)
	case "PING":
		var flags http2.Flags
		if a.flag("ACK") {
			flags = http2.FlagPingAck
		}
		p := make([]byte, 8)
		if len(a.words) > 0 {
			p = Hex(a.words[0])
		}
		dst = AppendFrame(dst, http2.FramePing, flags, 0, p)
	case "HEADERS", "CONTINUATION":
		dst = e.headers(dst, w[0], &a)
	case "DATA":
		id := a.id()
		var flags http2.Flags
		if a.flag("END_STREAM") {
			flags |= http2.FlagDataEndStream
		}
		pad, padded := a.value("PAD")
		var p []byte
		if n, ok := a.value("LEN"); ok {
			p = bytes.Repeat([]byte{'x'}, int(n))
		} else if len(a.words) > 0 {
			p = []byte(a.words[0])
		}
		if padded {
			flags |= http2.FlagDataPadded
			p = append(append([]byte{byte(pad)}, p...), make([]byte, pad)...)
		}
		dst = AppendFrame(dst, http2.FrameData, flags, id, p)
	case "RST_STREAM":
		id := a.id()
		dst = AppendFrame(dst, http2.FrameRSTStream, 0, id, binary.BigEndian.AppendUint32(nil, a.code()))
	case "GOAWAY":
		p := binary.BigEndian.AppendUint32(nil, a.id())
		p = binary.BigEndian.AppendUint32(p, a.code())
		if len(a.words) > 0 {
			p = append(p, a.words[0]...)
		}
		dst = AppendFrame(dst, http2.FrameGoAway, 0, 0, p)
	case "WINDOW_UPDATE", "PRIORITY":
		id := a.id()
		p := binary.BigEndian.AppendUint32(nil, a.id())
		t := http2.FrameWindowUpdate
		if w[0] == "PRIORITY" {
			t, p = http2.FramePriority, append(p, 15)
		}
		dst = AppendFrame(dst, t, 0, id, p)
	case "PRIORITY_UPDATE":
		p := binary.BigEndian.AppendUint32(nil, a.id())
		for _, w := range a.words {
			p = append(p, w...)
		}
		dst = AppendFrame(dst, http2.FramePriorityUpdate, 0, 0, p)
	case "RAW":
		t, flags, id := a.id(), a.id(), a.id()
		var p []byte
		if len(a.words) > 0 {
			p = Hex(strings.Join(a.words, ""))
		}
		dst = AppendFrame(dst, http2.FrameType(t), http2.Flags(flags), id, p)
	default:
		return dst, fmt.Errorf("h2test: unknown frame in %q", line)
	}
	if a.err != nil {
		return dst, fmt.Errorf("h2test: %q: %w", line, a.err)
	}
	return dst, nil
}

func (e *Encoder) headers(dst []byte, kind string, a *args) []byte {
	id := a.id()
	flags := http2.FlagHeadersEndHeaders
	if a.flag("NO_END_HEADERS") {
		flags = 0
	}
	if a.flag("END_STREAM") {
		flags |= http2.FlagHeadersEndStream
	}
	dep, prio := a.value("PRIORITY")
	pad, padded := a.value("PAD")
	var fields []string
	for _, kv := range a.words {
		i := strings.Index(kv[1:], "=") + 1 // a pseudo field's colon may not be taken for the end
		if i == 0 {
			a.err = fmt.Errorf("no = in field %q", kv)
			return dst
		}
		fields = append(fields, kv[:i], kv[i+1:])
	}
	var p []byte
	if padded {
		flags |= http2.FlagHeadersPadded
		p = append(p, byte(pad))
	}
	if prio {
		flags |= http2.FlagHeadersPriority
		p = append(binary.BigEndian.AppendUint32(p, dep), 15)
	}
	p = append(p, e.Block(fields...)...)
	p = append(p, make([]byte, pad)...)
	t := http2.FrameHeaders
	if kind == "CONTINUATION" {
		t = http2.FrameContinuation
	}
	return AppendFrame(dst, t, flags, id, p)
}

// args are the words of a line that have not been taken yet, and the first thing that was wrong
// with one.
type args struct {
	words []string
	err   error
}

func (a *args) flag(name string) bool {
	for i, w := range a.words {
		if w == name {
			a.words = append(a.words[:i:i], a.words[i+1:]...)
			return true
		}
	}
	return false
}

func (a *args) value(name string) (uint32, bool) {
	for i, w := range a.words {
		if v, ok := strings.CutPrefix(w, name+"="); ok {
			a.words = append(a.words[:i:i], a.words[i+1:]...)
			return a.number(v), true
		}
	}
	return 0, false
}

func (a *args) number(s string) uint32 {
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil && a.err == nil {
		a.err = err
	}
	return uint32(n)
}

func (a *args) id() uint32 {
	if len(a.words) == 0 {
		a.err = fmt.Errorf("a number is missing")
		return 0
	}
	w := a.words[0]
	a.words = a.words[1:]
	return a.number(w)
}

func (a *args) code() uint32 {
	if len(a.words) == 0 {
		a.err = fmt.Errorf("a code is missing")
		return 0
	}
	for c := http2.ErrCode(0); c <= http2.ErrCodeHTTP11Required; c++ {
		if c.String() == a.words[0] {
			a.words = a.words[1:]
			return uint32(c)
		}
	}
	return a.id()
}

// Words splits a line at spaces; a word that begins with a quote is a Go string.
func Words(line string) ([]string, error) {
	var ws []string
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return ws, nil
		}
		if line[0] == '"' {
			q, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, err
			}
			s, err := strconv.Unquote(q)
			if err != nil {
				return nil, err
			}
			ws, line = append(ws, s), line[len(q):]
			continue
		}
		w, rest, _ := strings.Cut(line, " ")
		ws, line = append(ws, w), rest
	}
}
