package h2

import (
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// request is a request's field section, checked.
type request struct {
	method, scheme, authority, path string
	protocol                        string // of an extended CONNECT (RFC 8441, 4), else ""
	length                          int64  // content-length, -1 if there is none; always -1 for CONNECT
	fields                          []hpack.HeaderField
	tooBig                          bool // over the limits: there is no more than the method
}

// fault is a malformed field section: stream error PROTOCOL_ERROR (RFC 9113, 8.1.1).
type fault struct{ rule, msg string }

// parseRequest judges the fields of a request. request.fields is the part of fs behind the pseudo fields.
func parseRequest(fs []hpack.HeaderField) (request, *fault) {
	r := request{length: -1}
	var seen [6]bool
	n := 0
	for ; n < len(fs) && fs[n].IsPseudo(); n++ {
		f := fs[n]
		var to *string
		var i int
		switch f.Name {
		case ":method":
			to, i = &r.method, 0
		case ":scheme":
			to, i = &r.scheme, 1
		case ":authority":
			to, i = &r.authority, 2
		case ":path":
			to, i = &r.path, 3
		case ":protocol":
			to, i = &r.protocol, 4
		default:
			return r, &fault{"RFC 9113, 8.3", "unknown pseudo field"}
		}
		if seen[i] {
			return r, &fault{"RFC 9113, 8.3", "pseudo field twice"}
		}
		seen[i] = true
		*to = f.Value
	}
	host, length, te := "", "", false
	for i := range fs[n:] {
		f := &fs[n+i]
		if fault := checkField(f); fault != nil {
			return r, fault
		}
		switch f.Name {
		case "host":
			if host != "" && host != f.Value {
				return r, &fault{"RFC 9113, 8.3.1", "two hosts"}
			}
			host = f.Value
		case "content-length":
			n, err := strconv.ParseUint(f.Value, 10, 63)
			differs := length != "" && length != f.Value // equal ones are one (RFC 9110, 8.6)
			if r.method != "CONNECT" && (err != nil || differs) {
				return r, &fault{"RFC 9113, 8.1.1", "content-length that is no number, or two"}
			}
			r.length, length = int64(n), f.Value
		case "te":
			if te {
				return r, &fault{"RFC 9113, 8.2.2", "te twice"}
			}
			te = true
		}
	}
	if host != "" {
		if r.authority != "" && !strings.EqualFold(host, r.authority) {
			return r, &fault{"RFC 9113, 8.3.1", "host other than :authority"}
		}
		if !seen[2] && r.method != "CONNECT" {
			r.authority = host
		}
	}
	if r.method == "CONNECT" {
		r.length = -1 // RFC 9113, 8.5: there is no content; peers send content-length: 0 all the same
	}
	r.fields = fs[n:]
	return r, checkPseudo(&r, seen[1], seen[3], seen[4])
}

// checkPseudo judges the pseudo fields together (RFC 9113, 8.3.1 and 8.5; RFC 8441, 4).
func checkPseudo(r *request, scheme, path, protocol bool) *fault {
	if !validToken(r.method) {
		return &fault{"RFC 9113, 8.3.1", ":method missing or no token"}
	}
	if r.authority != "" && (strings.Contains(r.authority, "@") || !httpguts.ValidHostHeader(r.authority)) {
		return &fault{"RFC 9113, 8.3.1", ":authority that is none"}
	}
	if protocol {
		switch {
		case r.method != "CONNECT":
			return &fault{"RFC 8441, 4", ":protocol on another method"}
		case !validToken(r.protocol):
			return &fault{"RFC 8441, 4", ":protocol that is no token"}
		case r.authority == "":
			return &fault{"RFC 8441, 4", "extended CONNECT without :authority"}
		}
	} else if r.method == "CONNECT" {
		if scheme || path || r.authority == "" {
			return &fault{"RFC 9113, 8.5", "CONNECT has :authority, and neither :scheme nor :path"}
		}
		return nil
	}
	switch web := strings.EqualFold(r.scheme, "https") || strings.EqualFold(r.scheme, "http"); {
	case !validScheme(r.scheme):
		return &fault{"RFC 9113, 8.3.1", ":scheme missing or bad"}
	case !web && !protocol: // of nothing else is this server the origin (RFC 9110, 4.3)
		return &fault{"RFC 9110, 4.2", ":scheme other than http and https"}
	case r.authority == "":
		return &fault{"RFC 9110, 4.2.1", "http and https URIs have a host"}
	}
	if !validPath(r.path) && !(r.path == "*" && r.method == "OPTIONS") {
		return &fault{"RFC 9113, 8.3.1", ":path missing or bad"}
	}
	return nil
}

// checkTrailers judges a trailer section: no pseudo fields (RFC 9113, 8.1).
func checkTrailers(fs []hpack.HeaderField) *fault {
	for i := range fs {
		if f := checkField(&fs[i]); f != nil {
			return f
		}
	}
	return nil
}

// checkField judges one regular field (RFC 9113, 8.2.1 and 8.2.2). White space around the value is
// no part of it, and is taken off (RFC 9110, 5.5): there are clients that send it, and they mean no
// harm.
func checkField(f *hpack.HeaderField) *fault {
	f.Value = trimValue(f.Value)
	switch {
	case f.IsPseudo():
		return &fault{"RFC 9113, 8.3", "pseudo field after others, or in trailers"}
	case !validToken(f.Name) || strings.ToLower(f.Name) != f.Name:
		return &fault{"RFC 9113, 8.2.1", "field name with upper case, or no token"}
	case !httpguts.ValidHeaderFieldValue(f.Value):
		return &fault{"RFC 9113, 8.2.1", "field value with control characters"}
	case hopByHop(f.Name), f.Name == "te" && f.Value != "trailers" && f.Value != "":
		return &fault{"RFC 9113, 8.2.2", "field of an HTTP/1.1 connection"}
	}
	return nil
}

// validToken is token of RFC 9110, 5.6.2.
func validToken(s string) bool { return httpguts.ValidHeaderFieldName(s) }

// validScheme is scheme of RFC 3986, 3.1.
func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (i == 0 || (s[i] < '0' || s[i] > '9') && s[i] != '+' && s[i] != '-' && s[i] != '.') {
			return false
		}
	}
	return s != ""
}

// validPath is an absolute path with a query: no fragment, no white space, no controls.
func validPath(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f || s[i] == '#' {
			return false
		}
	}
	return strings.HasPrefix(s, "/")
}
