package reach

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"
)

// Host is a host, without a port, as it is dialled: a name beyond ASCII in its A-labels
// (RFC 5891, 5), anything else as it is. The zone of an IPv6 address stays.
func Host(host string) (string, error) {
	name, zone, zoned := strings.Cut(host, "%")
	if zoned && strings.Contains(name, ":") {
		return name + "%" + zone, nil
	}
	for i := range len(host) {
		if host[i] < 0x80 {
			continue
		}
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil || ascii == "" {
			return "", fmt.Errorf("host %q is no name (RFC 5891, 5)", host)
		}
		return ascii, nil
	}
	return host, nil
}

// Unzoned is a host or an address without the zone, which means something on this machine alone and
// is never sent (RFC 6874, 4).
func Unzoned(host string) string {
	if name, _, ok := strings.Cut(host, "%"); ok && strings.Contains(name, ":") {
		return name
	}
	return host
}

var errAuthority = errors.New("not a host and a port")

// Authority is host[:port] as the fields Host and :authority have it: the host is that of Host and
// Unzoned, and an empty port is left out.
func Authority(hostport string) (string, error) {
	host, port := hostport, ""
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		host, port = hostport[:i], hostport[i:]
	}
	if port == ":" {
		port = ""
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return "", errAuthority
		}
		host = "[" + Unzoned(inner) + "]"
	}
	host, err := Host(host)
	if err != nil {
		return "", err
	}
	if host == "" || strings.Contains(host, "@") || !httpguts.ValidHostHeader(host+port) {
		return "", errAuthority
	}
	return host + port, nil
}
