package peers

import (
	"fmt"
	"net"
	"testing"
)

// TestProxies: WebSockets from clients of HTTP/1.1 and of HTTP/2 through proxies that go on by extended CONNECT (RFC 8441),
// in cleartext and over TLS.
func TestProxies(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, addr, backend string, tls bool){"HAProxy": haproxy, "nghttpx": nghttpx} {
		for transport, tls := range map[string]bool{"h2c": false, "h2": true} {
			for version, open := range map[string]opener{"h1": openH1, "h2": openH2} {
				t.Run(fmt.Sprintf("%s/%s_client/%s_backend", name, version, transport), func(t *testing.T) {
					s := serve(t, "--max-frame-size", "0")
					addr, backend := unused(t), s.http
					if tls {
						backend = s.https
					}
					start(t, addr, backend, tls)
					carries(t, s, transport, func(path string) socket { return open(t, addr, path) })
				})
			}
		}
	}
}

func haproxy(t *testing.T, addr, backend string, tls bool) {
	how := "proto h2 ws h2"
	if tls {
		how = "ssl verify none alpn h2,http/1.1 ws h2"
	}
	proxy(t, addr, "haproxy", "-db", "-f", file(t, "haproxy.cfg", fmt.Sprintf(`defaults
	mode http
	option abortonclose
	timeout connect 10s
	timeout client 60s
	timeout server 60s
	timeout tunnel 60s
frontend clients
	bind %s
	default_backend weir
backend weir
	server weir %s %s
`, addr, backend, how)))
}

func nghttpx(t *testing.T, addr, backend string, tls bool) {
	how := "proto=h2"
	if tls {
		how += ";tls"
	}
	comma := func(addr string) string {
		host, port, _ := net.SplitHostPort(addr)
		return host + "," + port
	}
	proxy(t, addr, "nghttpx", "--conf=/dev/null", "--workers=1", "--log-level=ERROR", "--insecure",
		"--frontend="+comma(addr)+";no-tls", "--backend="+comma(backend)+";;"+how)
}

// carries says that messages of many sizes pass, and close codes both ways.
func carries(t *testing.T, s *server, transport string, open func(path string) socket) {
	w := open("/echo")
	octets := 0
	for i, size := range sizes {
		octets += size
		if got := w.echo(i%2 == 0, size); got != "" {
			t.Fatalf("%d octets: %s", size, got)
		}
	}
	if code, text := w.close(4001, "grüße"); code != 4001 {
		t.Errorf("our close 4001 was answered with %d %q", code, text)
	}
	counts := map[string]any{"messages": len(sizes), "bytes": octets}
	s.wantEnd("/echo", transport, event{"reason": "remote", "code": 4001, "text": "grüße", "in": counts, "out": counts})

	w = open("/close?code=4002&reason=over")
	if code, text := w.closing(); code != 4002 || text != "over" {
		t.Errorf("the server's close 4002 arrived as %d %q", code, text)
	}
	s.wantEnd("/close", transport, event{"reason": "stop"})

	w = open("/echo")
	w.cut()
	s.wantEnd("/echo", transport, event{"reason": "error:closed"})

	w = open("/echo") // what came before has harmed nobody
	if got := w.echo(true, 5); got != "" {
		t.Error(got)
	}
	if code, _ := w.close(1000, ""); code != 1000 {
		t.Errorf("our close 1000 was answered with %d", code)
	}
	s.wantEnd("/echo", transport, event{"reason": "remote", "code": 1000})
}

// sizes are on both sides of the borders of RFC 6455, 5.2, of a frame and of a window.
var sizes = []int{0, 1, 125, 126, 16384, 65535, 65536, 200000, 1 << 20}
