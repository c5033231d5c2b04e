package h2

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// headerOf builds the header of a request: names in the form of net/http, cookies joined (RFC 9113,
// 8.2.3). host is not part of it.
func headerOf(fs []hpack.HeaderField) http.Header {
	h := make(http.Header, len(fs))
	values := make([]string, 0, len(fs)) // one allocation for all fields that come once
	cookies := 0
	for _, f := range fs {
		name := http.CanonicalHeaderKey(f.Name)
		switch f.Name {
		case "host":
			continue
		case "cookie":
			if cookies++; cookies > 1 {
				continue // joined below
			}
		}
		if have, ok := h[name]; ok {
			h[name] = append(have, f.Value)
			continue
		}
		values = append(values, f.Value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if cookies > 1 {
		var b strings.Builder
		for _, f := range fs {
			if f.Name == "cookie" {
				if b.Len() > 0 {
					b.WriteString("; ")
				}
				b.WriteString(f.Value)
			}
		}
		h["Cookie"] = []string{b.String()}
	}
	return h
}

// appendFields appends a header as fields, names in lower case and in order. Fields of a
// connection, and those that connection or skip names, are left out, and so is what is no valid
// field.
func appendFields(fs []hpack.HeaderField, h http.Header, connection []string,
	skip func(name string) bool) []hpack.HeaderField {
	keys := make([]string, 0, len(h))
	for k := range h {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		name := strings.ToLower(k)
		if !validToken(name) || hopByHop(name) || slices.Contains(connection, name) ||
			skip != nil && skip(name) {
			continue
		}
		for _, v := range h[k] {
			v = trimValue(v)
			if !httpguts.ValidHeaderFieldValue(v) || name == "te" && v != "trailers" {
				continue
			}
			fs = append(fs, hpack.HeaderField{Name: name, Value: v})
		}
	}
	return fs
}

// connectionOptions are what the Connection field of a header lists, in lower case: "close", and
// names of fields that belong to the connection as well (RFC 9110, 7.6.1).
func connectionOptions(h http.Header) (options []string) {
	for k, vv := range h {
		if len(k) != len("Connection") || !strings.EqualFold(k, "Connection") {
			continue
		}
		for _, v := range vv {
			for o := range strings.SplitSeq(v, ",") {
				if o = strings.ToLower(trimValue(o)); o != "" {
					options = append(options, o)
				}
			}
		}
	}
	return options
}

// takeLength gives the Content-Length of an answer's header, -1 if there is none. What stays in h
// is one value, for with two the answer is malformed (RFC 9113, 8.1.1): the first, as net/http has
// it, and none if that is no number. A Content-Length without values stays: with it a handler says
// that there shall be none.
func takeLength(h http.Header) int64 {
	const name = "Content-Length"
	vv, ok := h[name]
	for k, more := range h {
		if len(k) == len(name) && k != name && strings.EqualFold(k, name) { // set past Header.Set
			vv, ok = append(vv, more...), true
			delete(h, k)
		}
	}
	if !ok {
		return -1
	}
	if len(vv) == 0 {
		h[name] = nil
		return -1
	}
	n, err := strconv.ParseUint(vv[0], 10, 63)
	if err != nil {
		delete(h, name)
		return -1
	}
	h[name] = vv[:1]
	return int64(n)
}

// trimValue takes the white space off that a field value cannot have (RFC 9113, 8.2.1).
func trimValue(v string) string { return strings.Trim(v, " \t") }

// tunnelFields is the header block of a 200 that opens a tunnel. Fields of HTTP/1.1's handshake are
// dropped (RFC 8441, 5), and so are those that a 2xx to CONNECT cannot have (RFC 9110, 9.3.6); a
// field that cannot be sent is an error.
func tunnelFields(h http.Header) ([]hpack.HeaderField, error) {
	for k, vv := range h {
		if !validToken(k) {
			return nil, fmt.Errorf("h2: header field name %q (RFC 9113, 8.2.1)", k)
		}
		for _, v := range vv {
			if !httpguts.ValidHeaderFieldValue(v) {
				return nil, fmt.Errorf("h2: value of header field %q (RFC 9113, 8.2.1)", k)
			}
		}
	}
	fs := make([]hpack.HeaderField, 1, len(h)+2)
	fs[0] = hpack.HeaderField{Name: ":status", Value: "200"}
	if _, ok := h["Date"]; !ok {
		fs = append(fs, dateField(time.Now()))
	}
	return appendFields(fs, h, connectionOptions(h), func(name string) bool {
		return name == "sec-websocket-accept" || name == "content-length"
	}), nil
}

// answerFields is the header block of an answer that a handler wrote as one of HTTP/1.1.
func answerFields(status int, h http.Header) []hpack.HeaderField {
	fs := append(make([]hpack.HeaderField, 0, len(h)+2), statusField(status))
	if _, ok := h["Date"]; !ok {
		fs = append(fs, dateField(time.Now()))
	}
	return appendFields(fs, h, connectionOptions(h), nil)
}

// dateField is the date of an answer (RFC 9110, 6.6.1). It changes each second: HPACK's tables are
// not for it.
func dateField(now time.Time) hpack.HeaderField {
	v := now.UTC().Format(http.TimeFormat)
	return hpack.HeaderField{Name: "date", Value: v, Sensitive: true}
}

// statusField is the :status of an answer.
func statusField(status int) hpack.HeaderField {
	return hpack.HeaderField{Name: ":status", Value: strconv.Itoa(status)}
}
