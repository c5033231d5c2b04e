package h2

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir/internal/asupgrade"

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

// appendFields is asupgrade.AppendFields for HPACK.
func appendFields(fs []hpack.HeaderField, h http.Header, connection []string,
	skip func(name string) bool) []hpack.HeaderField {
	return asupgrade.AppendFields(fs, h, connection, skip, func(name, value string) hpack.HeaderField {
		return hpack.HeaderField{Name: name, Value: value}
	})
}

// tunnelFields is the header block of a 200 that opens a tunnel. Fields of HTTP/1.1's handshake are
// dropped (RFC 8441, 5), and so are those that a 2xx to CONNECT cannot have (RFC 9110, 9.3.6); a
// field that cannot be sent is an error.
func tunnelFields(h http.Header) ([]hpack.HeaderField, error) {
	if err := asupgrade.CheckFields(h); err != nil {
		return nil, fmt.Errorf("h2: %w", err)
	}
	fs := make([]hpack.HeaderField, 1, len(h)+2)
	fs[0] = hpack.HeaderField{Name: ":status", Value: "200"}
	if _, ok := h["Date"]; !ok {
		fs = append(fs, dateField(time.Now()))
	}
	return appendFields(fs, h, asupgrade.ConnectionOptions(h), asupgrade.NotInTunnel), nil
}

// answerFields is the header block of an answer that a handler wrote as one of HTTP/1.1.
func answerFields(status int, h http.Header) []hpack.HeaderField {
	fs := append(make([]hpack.HeaderField, 0, len(h)+2), statusField(status))
	if _, ok := h["Date"]; !ok && status >= 200 {
		fs = append(fs, dateField(time.Now()))
	}
	return appendFields(fs, h, asupgrade.ConnectionOptions(h), nil)
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

// trimValue takes the white space off that a field value cannot have (RFC 9113, 8.2.1).
func trimValue(v string) string { return asupgrade.TrimValue(v) }

// hopByHop says whether a field, by its lower-case name, has no meaning in HTTP/2 (RFC 9113,
// 8.2.2).
func hopByHop(name string) bool { return asupgrade.HopByHop(name) }
