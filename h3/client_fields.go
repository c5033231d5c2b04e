package h3

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"weir/internal/asupgrade"
	"weir/internal/reach"

	"github.com/quic-go/qpack"
	"golang.org/x/net/http/httpguts"
)

// requestFields are the fields of an extended CONNECT (RFC 9220, 3), the pseudo fields first, the
// others sorted by name.
func requestFields(r *http.Request) ([]qpack.HeaderField, error) {
	protocol := r.Header[":protocol"]
	switch {
	case r.Method != http.MethodConnect || len(protocol) != 1 || !httpguts.ValidHeaderFieldName(protocol[0]):
		return nil, errors.New("h3: a request that is no extended CONNECT (RFC 9220, 3)")
	case r.Body != nil && r.Body != http.NoBody, r.ContentLength != 0, len(r.Header["Content-Length"]) > 0:
		return nil, errors.New("h3: CONNECT with content (RFC 9114, 4.4)")
	case r.URL == nil || r.URL.Scheme == "":
		return nil, errors.New("h3: a URL without a scheme (RFC 9220, 3)")
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	authority, err := reach.Authority(host)
	if err != nil {
		return nil, fmt.Errorf("h3: host %q: %w (RFC 9114, 4.3.1)", host, err)
	}
	path := r.URL.RequestURI()
	if !strings.HasPrefix(path, "/") || !httpguts.ValidHeaderFieldValue(path) || strings.ContainsAny(path, " \t#") {
		return nil, fmt.Errorf("h3: path %q (RFC 9114, 4.3.1)", path)
	}
	fs := make([]qpack.HeaderField, 0, 5+len(r.Header))
	fs = append(fs, field(":method", "CONNECT"), field(":protocol", protocol[0]),
		field(":scheme", strings.ToLower(r.URL.Scheme)),
		field(":authority", authority), field(":path", path))
	for k, vv := range r.Header {
		name := strings.ToLower(k)
		if name == ":protocol" || name == "host" { // :authority, as net/http has it
			continue
		}
		for _, v := range vv {
			if fault := badField(name, v); fault != "" {
				return nil, fmt.Errorf("h3: field %q: %s", k, fault)
			}
			fs = append(fs, field(name, v))
		}
	}
	slices.SortStableFunc(fs[5:],
		func(a, b qpack.HeaderField) int { return strings.Compare(a.Name, b.Name) })
	return fs, nil
}

// badField says what is wrong with a field; empty: nothing.
func badField(name, value string) string {
	switch {
	case !httpguts.ValidHeaderFieldName(name) || strings.ToLower(name) != name:
		return "a name that cannot be sent (RFC 9114, 4.2)"
	case !httpguts.ValidHeaderFieldValue(value) || strings.Trim(value, " \t") != value:
		return "a value that cannot be sent (RFC 9114, 10.3)"
	case asupgrade.HopByHop(name), name == "te" && value != "trailers":
		return "a field of an HTTP/1.1 connection (RFC 9114, 4.2)"
	}
	return ""
}

// sectionSize is the size of a field section (RFC 9114, 4.2.2).
func sectionSize(fs []qpack.HeaderField) (n uint64) {
	for _, f := range fs {
		n += uint64(len(f.Name)) + uint64(len(f.Value)) + 32
	}
	return n
}

// section is a field section of a response.
type section struct {
	status int // 0: it was a trailer section
	header http.Header
}

// decodeSection decodes a field section, and holds it against RFC 9114, 4.1.2. most is what it may
// have in octets. A fault is the connection's if it is a *ConnError, else the stream's.
func decodeSection(b []byte, trailers bool, most int) (s section, fault error) {
	malformed := func(rule, text string) (section, error) {
		return s, &StreamError{Code: MessageError, Rule: rule, Text: text}
	}
	s.header = http.Header{}
	next := qpack.NewDecoder().Decode(b)
	size := uint64(0)
	for plain := false; ; {
		f, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return s, &ConnError{Code: QPACKDecompression, Rule: "RFC 9204, 2.2", Text: err.Error()}
		}
		size += uint64(len(f.Name)) + uint64(len(f.Value)) + 32
		switch {
		case size > uint64(most):
			return s, &StreamError{Code: ExcessiveLoad, Rule: "RFC 9114, 4.2.2",
				Text: "a field section over our limit"}
		case strings.HasPrefix(f.Name, ":"):
			switch {
			case trailers:
				return malformed("RFC 9114, 4.3", "a pseudo field in trailers")
			case plain:
				return malformed("RFC 9114, 4.3", "a pseudo field behind others")
			case f.Name != ":status":
				return malformed("RFC 9114, 4.3.2", "a pseudo field that is no response's")
			case s.status != 0:
				return malformed("RFC 9114, 4.3", ":status twice")
			}
			if s.status = statusOf(f.Value); s.status == 0 {
				return malformed("RFC 9114, 4.3.2", "a :status that is no status code")
			}
			if s.status == http.StatusSwitchingProtocols {
				return malformed("RFC 9114, 4.5", "the status 101")
			}
		default:
			plain = true
			if text := badField(f.Name, f.Value); text != "" {
				return malformed("RFC 9114, 4.1.2", text)
			}
			k := http.CanonicalHeaderKey(f.Name)
			s.header[k] = append(s.header[k], f.Value)
		}
	}
	if s.status == 0 && !trailers {
		return malformed("RFC 9114, 4.3.2", "no :status")
	}
	return s, nil
}

// statusOf reads a status code (RFC 9110, 15); 0: it is none.
func statusOf(v string) (n int) {
	if len(v) != 3 || v[0] == '0' {
		return 0
	}
	for i := range 3 {
		if v[i] < '0' || v[i] > '9' {
			return 0
		}
		n = 10*n + int(v[i]-'0')
	}
	return n
}
