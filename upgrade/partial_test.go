package upgrade

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"weir/stream"
)

func TestPartial(t *testing.T) {
	extended := func(r *http.Request) *http.Request { return token(r, "websocket") }
	request := func(host, target string, major, minor int) *http.Request {
		r := proto(httptest.NewRequest("GET", target, nil), major, minor)
		r.Host, r.RemoteAddr = host, "192.0.2.1:1234"
		return r
	}
	for _, c := range []struct {
		name string
		r    *http.Request
		info stream.Info
		want PartialRequest
		url  string
	}{
		{"h1", request("example.com", "/chat?a=b", 1, 1), stream.Info{Transport: stream.H1},
			PartialRequest{"GET", "1.1", "http", "example.com", 80, "/chat", "a=b", "192.0.2.1:1234", 0, nil}, "http://example.com:80/chat?a=b"},
		{"h2_over_TLS", extended(request("example.com:8443", "/", 2, 0)), stream.Info{Transport: stream.H2, ID: 5, TLS: new(tls.ConnectionState)},
			PartialRequest{"CONNECT", "2", "https", "example.com", 8443, "/", "", "192.0.2.1:1234", 5, nil}, "https://example.com:8443/"},
		{"IPv6", request("[::1]", "/a%20b", 2, 0), stream.Info{Transport: stream.H2C, ID: 1},
			PartialRequest{"GET", "2", "http", "[::1]", 80, "/a b", "", "192.0.2.1:1234", 1, nil}, "http://[::1]:80/a%20b"},
		{"in_memory", request("h", "/", 1, 1), stream.Info{Transport: stream.Mem},
			PartialRequest{"GET", "1.1", "http", "h", 80, "/", "", "192.0.2.1:1234", 0, nil}, "http://h:80/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := Partial(c.r, c.info)
			if *p != c.want {
				t.Errorf("got  %+v\nwant %+v", *p, c.want)
			}
			if p.URL().String() != c.url {
				t.Errorf("URL %s", p.URL())
			}
		})
	}
}
