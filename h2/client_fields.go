package h2

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"weir/internal/reach"

	"golang.org/x/net/http2/hpack"
)

// requestFields are the fields of an extended CONNECT (RFC 8441, 4), the pseudo fields first, the
// others sorted by name.
func requestFields(r *http.Request) ([]hpack.HeaderField, error) {
	protocol := r.Header[":protocol"]
	switch {
	case r.Method != http.MethodConnect || len(protocol) != 1 || !validToken(protocol[0]):
		return nil, errors.New("h2: a request that is no extended CONNECT (RFC 8441, 4)")
	case r.Body != nil && r.Body != http.NoBody, r.ContentLength != 0:
		return nil, errors.New("h2: CONNECT with a body (RFC 9113, 8.5)")
	case r.URL == nil || !validScheme(r.URL.Scheme):
		return nil, errors.New("h2: a URL without a scheme (RFC 8441, 4)")
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	authority, err := reach.Authority(host)
	if err != nil {
		return nil, fmt.Errorf("h2: host %q: %w (RFC 9113, 8.3.1)", host, err)
	}
	path := r.URL.RequestURI()
	if !validPath(path) {
		return nil, fmt.Errorf("h2: path %q (RFC 9113, 8.3.1)", path)
	}
	fs := make([]hpack.HeaderField, 0, 5+len(r.Header))
	fs = append(fs, hpack.HeaderField{Name: ":method", Value: "CONNECT"}, hpack.HeaderField{Name: ":protocol", Value: protocol[0]},
		hpack.HeaderField{Name: ":scheme", Value: strings.ToLower(r.URL.Scheme)}, hpack.HeaderField{Name: ":authority", Value: authority},
		hpack.HeaderField{Name: ":path", Value: path})
	for k, vv := range r.Header {
		name := strings.ToLower(k)
		switch name {
		case ":protocol", "host": // :authority, as net/http has it
			continue
		case "content-length":
			return nil, errors.New("h2: CONNECT with a content-length (RFC 9113, 8.5)")
		}
		for _, v := range vv {
			f := hpack.HeaderField{Name: name, Value: v, Sensitive: secret(name)}
			if fault := checkField(&f); fault != nil {
				return nil, fmt.Errorf("h2: field %q: %s (%s)", k, fault.msg, fault.rule)
			}
			fs = append(fs, f)
		}
	}
	slices.SortStableFunc(fs[5:], func(a, b hpack.HeaderField) int { return strings.Compare(a.Name, b.Name) })
	return fs, nil
}

// secret names the fields whose values are kept out of HPACK's tables (RFC 7541, 7.1.3).
func secret(name string) bool {
	return name == "authorization" || name == "proxy-authorization" || name == "cookie"
}
