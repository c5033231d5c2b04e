package h3

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir/internal/asupgrade"

	"github.com/quic-go/qpack"
)

func field(name, value string) qpack.HeaderField {
	return qpack.HeaderField{Name: name, Value: value}
}

// tunnelFields are those of a 200 that opens a tunnel. A field that cannot be sent is an error.
func tunnelFields(h http.Header) ([]qpack.HeaderField, error) {
	if err := asupgrade.CheckFields(h); err != nil {
		return nil, fmt.Errorf("h3: %w", err)
	}
	fs := statusAndDate(http.StatusOK, h)
	options := asupgrade.ConnectionOptions(h)
	return asupgrade.AppendFields(fs, h, options, asupgrade.NotInTunnel, field), nil
}

// answerFields are those of an answer that a handler wrote as one of HTTP/1.1.
func answerFields(status int, h http.Header) []qpack.HeaderField {
	options := asupgrade.ConnectionOptions(h)
	return asupgrade.AppendFields(statusAndDate(status, h), h, options, nil, field)
}

// statusAndDate are the fields that every answer has (RFC 9110, 6.6.1).
func statusAndDate(status int, h http.Header) []qpack.HeaderField {
	fs := append(make([]qpack.HeaderField, 0, len(h)+2), field(":status", strconv.Itoa(status)))
	if _, ok := h["Date"]; !ok && status >= 200 {
		fs = append(fs, field("date", time.Now().UTC().Format(http.TimeFormat)))
	}
	return fs
}

// encodeHead appends a HEADERS frame. There is no dynamic table (RFC 9204, 3.2.3).
func encodeHead(b []byte, fs []qpack.HeaderField) []byte {
	var block bytes.Buffer
	e := qpack.NewEncoder(&block)
	for _, f := range fs {
		_ = e.WriteField(f) // a bytes.Buffer takes all
	}
	b = appendFrame(b, frameHeaders, uint64(block.Len()))
	return append(b, block.Bytes()...)
}

// validPath says whether s can be a request's target: no white space, no controls, no fragment (RFC
// 3986, 3.3). http3 has seen to the rest. Whoever writes it into a line of HTTP/1.1 or of a log
// would be told another.
func validPath(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// validAuthority says whether s has only octets that an authority may have (RFC 3986, 3.2).
func validAuthority(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !alnum && !strings.ContainsRune("-._~%!$&'()*+,;=:[]@", rune(c)) {
			return false
		}
	}
	return true
}
