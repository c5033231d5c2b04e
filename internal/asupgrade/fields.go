package asupgrade

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// AppendFields appends a header as fields, names in lower case and in order. Fields of a
// connection, and those that connection or skip names, are left out, and so is what is no valid
// field. field makes one.
func AppendFields[F any](fs []F, h http.Header, connection []string, skip func(name string) bool,
	field func(name, value string) F) []F {
	keys := make([]string, 0, len(h))
	for k := range h {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		name := strings.ToLower(k)
		if !httpguts.ValidHeaderFieldName(name) || HopByHop(name) ||
			slices.Contains(connection, name) || skip != nil && skip(name) {
			continue
		}
		for _, v := range h[k] {
			v = TrimValue(v)
			if !httpguts.ValidHeaderFieldValue(v) || name == "te" && v != "trailers" {
				continue
			}
			fs = append(fs, field(name, v))
		}
	}
	return fs
}

// HopByHop says whether a field, its name in lower case, is one of a connection (RFC 9113, 8.2.2;
// RFC 9114, 4.2).
func HopByHop(name string) bool {
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

// ConnectionOptions are what the Connection field of a header lists, in lower case: "close", and
// names of fields that belong to the connection as well (RFC 9110, 7.6.1).
func ConnectionOptions(h http.Header) (options []string) {
	for k, vv := range h {
		if len(k) != len("Connection") || !strings.EqualFold(k, "Connection") {
			continue
		}
		for _, v := range vv {
			for o := range strings.SplitSeq(v, ",") {
				if o = strings.ToLower(TrimValue(o)); o != "" {
					options = append(options, o)
				}
			}
		}
	}
	return options
}

// TakeLength gives the Content-Length of an answer's header, -1 if there is none. What stays in h
// is one value, for with two the answer is malformed (RFC 9113, 8.1.1; RFC 9114, 4.1.2): the first,
// as net/http has it, and none if that is no number. A Content-Length without values stays: with it
// a handler says that there shall be none.
func TakeLength(h http.Header) int64 {
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

// TrimValue takes the white space off that a field value cannot have (RFC 9113, 8.2.1; RFC 9110,
// 5.5).
func TrimValue(v string) string { return strings.Trim(v, " \t") }

// BodyAllowed says whether an answer may have content (RFC 9110, 6.4.1).
func BodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// CheckFields gives an error for a header with a field that cannot be sent.
func CheckFields(h http.Header) error {
	for k, vv := range h {
		if !httpguts.ValidHeaderFieldName(k) {
			return fmt.Errorf("header field name %q (RFC 9110, 5.1)", k)
		}
		for _, v := range vv {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("value of header field %q (RFC 9110, 5.5)", k)
			}
		}
	}
	return nil
}

// NotInTunnel are the fields that a 200 that opens a tunnel does not have: those of HTTP/1.1's
// handshake (RFC 8441, 5), and those that a 2xx to CONNECT cannot have (RFC 9110, 9.3.6).
func NotInTunnel(name string) bool {
	return name == "sec-websocket-accept" || name == "content-length"
}
