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

// headerOf builds the header of a request: names in the form of net/http, cookies joined (RFC 9113, 8.2.3). host is
// not part of it.
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

// appendFields appends a header as fields, names in lower case and in order. Fields of a connection, and those that skip
// names, are left out, and so is what is no valid field.
func appendFields(fs []hpack.HeaderField, h http.Header, skip func(name string) bool) []hpack.HeaderField {
	keys := make([]string, 0, len(h))
	for k := range h {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		name := strings.ToLower(k)
		if !validToken(name) || hopByHop(name) || skip != nil && skip(name) {
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

// trimValue takes the white space off that a field value cannot have (RFC 9113, 8.2.1).
func trimValue(v string) string { return strings.Trim(v, " \t") }

// tunnelFields is the header block of a 200 that opens a tunnel. Fields of HTTP/1.1's handshake are dropped (RFC 8441, 5),
// and so are those that a 2xx to CONNECT cannot have (RFC 9110, 9.3.6); a field that cannot be sent is an error.
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
		fs = append(fs, hpack.HeaderField{Name: "date", Value: time.Now().UTC().Format(http.TimeFormat), Sensitive: true}) // tables of it are not worth their room
	}
	return appendFields(fs, h, func(name string) bool {
		return name == "sec-websocket-accept" || name == "content-length"
	}), nil
}

// statusField is the :status of an answer.
func statusField(status int) hpack.HeaderField {
	return hpack.HeaderField{Name: ":status", Value: strconv.Itoa(status)}
}
