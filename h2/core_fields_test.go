package h2

import (
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

func fieldsOf(s string) []hpack.HeaderField {
	var fs []hpack.HeaderField
	for _, w := range strings.Split(s, "|") {
		i := strings.Index(w[1:], "=") + 1
		fs = append(fs, hpack.HeaderField{Name: w[:i], Value: w[i+1:]})
	}
	return fs
}

// TestRequestFields is BEHAVIOUR.md, 1 (HTTP/2) and RFC 9113, 8.2 and 8.3: rule "" is a request that passes.
func TestRequestFields(t *testing.T) {
	const get = ":method=GET|:scheme=http|:path=/|:authority=a"
	const connect = ":method=CONNECT|:protocol=websocket|:scheme=http|:path=/|:authority=a"
	for _, tt := range []struct{ rule, fields string }{
		{"", get},
		{"", ":path=/|:authority=a|:method=GET|:scheme=http"},
		{"", get + "|te=trailers"},
		{"", get + "|te="},
		{"", get + "|x= a|y=a\t|z= \t|te= trailers|host= a|content-length= 1\t"},
		{"", get + "|content-length=1|content-length=1"},
		{"", ":method=GET|:scheme=HTTPS|:path=/|:authority=a"},
		{"", get + "|host=A"},
		{"", ":method=GET|:scheme=http|:path=/|host=a"},
		{"", get + "|content-length=0|x=a\tb"},
		{"", ":method=OPTIONS|:scheme=http|:path=*|:authority=a"},
		{"", connect},
		{"", ":method=CONNECT|:scheme=https|:path=/?q=1|:authority=a:1|:protocol=WebSocket|content-length=0|sec-websocket-key=x"},
		{"", strings.Replace(connect, "websocket", "connect-udp", 1)},
		{"", ":method=CONNECT|:authority=a:443"},

		{"RFC 9113, 8.2.1", get + "|X-Upper=1"},
		{"RFC 9113, 8.2.1", get + "|a b=1"},
		{"RFC 9113, 8.2.1", get + "|x=a\x00b"},
		{"RFC 9113, 8.2.1", get + "|x=a\r\nb: c"},
		{"RFC 9113, 8.2.2", get + "|connection=close"},
		{"RFC 9113, 8.2.2", connect + "|connection=Upgrade"},
		{"RFC 9113, 8.2.2", connect + "|upgrade=websocket"},
		{"RFC 9113, 8.2.2", get + "|keep-alive=5"},
		{"RFC 9113, 8.2.2", get + "|proxy-connection=close"},
		{"RFC 9113, 8.2.2", get + "|transfer-encoding=chunked"},
		{"RFC 9113, 8.2.2", get + "|te=gzip"},
		{"RFC 9113, 8.3", get + "|x=1|:path=/b"},
		{"RFC 9113, 8.3", get + "|:path=/b"},
		{"RFC 9113, 8.3", connect + "|:protocol=websocket"},
		{"RFC 9113, 8.3", get + "|:status=200"},
		{"RFC 9113, 8.3", get + "|:x=1"},
		{"RFC 9113, 8.3.1", ":scheme=http|:path=/|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=G T|:scheme=http|:path=/|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=GET|:path=/|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=GET|:scheme=h/p|:path=/|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=GET|:scheme=http|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=GET|:scheme=http|:path=|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=GET|:scheme=http|:path=a|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=GET|:scheme=http|:path=*|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=GET|:scheme=http|:path=/a#b|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=GET|:scheme=http|:path=/a b|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=GET|:scheme=http|:path=/|:authority=u@a"},
		{"RFC 9113, 8.3.1", get + "|host=b"},
		{"RFC 9113, 8.3.1", get + "|host=a|host=b"},
		{"RFC 9113, 8.1.1", get + "|content-length=x"},
		{"RFC 9113, 8.1.1", get + "|content-length=-1"},
		{"RFC 9113, 8.1.1", get + "|content-length=1|content-length=2"},
		{"RFC 9113, 8.1.1", get + "|content-length="},
		{"RFC 9113, 8.1.1", get + "|content-length=1, 1"},
		{"RFC 9113, 8.2.2", get + "|te=trailers|te=trailers"},
		{"RFC 9110, 4.2.1", ":method=GET|:scheme=http|:path=/"},
		{"RFC 9110, 4.2.1", ":method=GET|:scheme=https|:path=/|:authority="},
		{"RFC 9110, 4.2.1", ":method=GET|:scheme=http|:path=/|:authority=|host=a"},
		{"RFC 9110, 4.2.1", ":method=GET|:scheme=http|:path=/|host="},
		{"RFC 9110, 4.2", ":method=GET|:scheme=ftp|:path=/|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=GET|:scheme=http|:path=/ |:authority=a"},
		{"RFC 9113, 8.5", ":method=CONNECT|:scheme=http|:authority=a"},
		{"RFC 9113, 8.5", ":method=CONNECT|:path=/|:authority=a"},
		{"RFC 9113, 8.5", ":method=CONNECT"},
		{"RFC 8441, 4", ":protocol=websocket|" + get},
		{"RFC 8441, 4", strings.Replace(connect, "websocket", "", 1)},
		{"RFC 8441, 4", strings.Replace(connect, "websocket", "web socket", 1)},
		{"RFC 8441, 4", strings.Replace(connect, "websocket", "web\x00", 1)},
		{"RFC 8441, 4", ":method=CONNECT|:protocol=websocket|:scheme=http|:path=/"},
		{"RFC 9113, 8.3.1", ":method=CONNECT|:protocol=websocket|:path=/|:authority=a"},
		{"RFC 9113, 8.3.1", ":method=CONNECT|:protocol=websocket|:scheme=http|:authority=a"},
	} {
		_, fault := parseRequest(fieldsOf(tt.fields))
		got := ""
		if fault != nil {
			got = fault.rule
		}
		if got != tt.rule {
			t.Errorf("%q: rule %q, want %q", tt.fields, got, tt.rule)
		}
	}
}
