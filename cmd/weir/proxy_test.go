package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/pires/go-proxyproto"

	"weir/h2/h2test"
)

// proxyHeader is what a proxy would write for a client at source.
func proxyHeader(t *testing.T, version byte, source string) []byte {
	t.Helper()
	src := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(source))
	dst := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 99), Port: 80}
	if src.IP.To4() == nil {
		dst.IP = net.ParseIP("2001:db8::99")
	}
	b, err := proxyproto.HeaderProxyFromAddrs(version, src, dst).Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reported opens /headers on c and gives what it says.
func reported(t *testing.T, c net.Conn, fields ...string) requestReport {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	res, in := upgradeOn(t, c, "/headers", fields...)
	if res.StatusCode != 101 {
		t.Fatal(res.Status)
	}
	r := &raw{t: t, octets: h1octets{c.(halfCloser), in}}
	_, p, err := r.frame()
	if err != nil {
		t.Fatal(err)
	}
	var got requestReport
	if err := json.Unmarshal(p, &got); err != nil {
		t.Fatal(err)
	}
	r.want(ended("1000")...)
	return got
}

func TestProxyProtocol(t *testing.T) {
	p := start(t, "--proxy-protocol")
	local, err := (&proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}).Format()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		header []byte
		peer   string // prefix of remote_addr
		ip     string
	}{
		{"v1/ipv4", proxyHeader(t, 1, "203.0.113.7:4711"), "203.0.113.7:4711", "203.0.113.7"},
		{"v1/ipv6", proxyHeader(t, 1, "[2001:db8::7]:4711"), "[2001:db8::7]:4711", "2001:db8::7"},
		{"v1/unknown", []byte("PROXY UNKNOWN\r\n"), "127.0.0.1:", "127.0.0.1"},
		{"v2/ipv4", proxyHeader(t, 2, "203.0.113.7:4711"), "203.0.113.7:4711", "203.0.113.7"},
		{"v2/ipv6", proxyHeader(t, 2, "[2001:db8::7]:4711"), "[2001:db8::7]:4711", "2001:db8::7"},
		{"v2/local", local, "127.0.0.1:", "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dialTCP(t, p.http)
			if _, err := conn.Write(c.header); err != nil {
				t.Fatal(err)
			}
			got := reported(t, conn)
			open := p.event("open", "/headers")
			if !strings.HasPrefix(got.RemoteAddr, c.peer) || got.ClientIP != c.ip || open["remote_addr"] != got.RemoteAddr {
				t.Errorf("remote_addr %s, client_ip %s, and %v in the open event; want %s and %s", got.RemoteAddr, got.ClientIP, open["remote_addr"], c.peer, c.ip)
			}
			p.wantEnd("/headers", event{"reason": "stop"})
		})
	}
	t.Run("h2c", func(t *testing.T) {
		conn := dialTCP(t, p.http)
		if _, err := conn.Write(proxyHeader(t, 2, "203.0.113.8:4711")); err != nil {
			t.Fatal(err)
		}
		peer, err := h2test.Dial(conn)
		if err != nil {
			t.Fatal(err)
		}
		tunnel, err := peer.Connect("/echo", "sec-websocket-version", "13")
		if err != nil || tunnel.Status != 200 {
			t.Fatalf("status %d, %v", tunnel.Status, err)
		}
		if e := p.event("open", "/echo"); e["remote_addr"] != "203.0.113.8:4711" || e["transport"] != "h2c" {
			t.Errorf("open event %v", e)
		}
		tunnel.Reset(http2.ErrCodeCancel)
		p.wantEnd("/echo", event{"reason": "error:closed"})
	})
	t.Run("reset", func(t *testing.T) { // through the wrapper to the socket
		conn := dialTCP(t, p.http)
		conn.Write(proxyHeader(t, 1, "203.0.113.7:4711"))
		upgradeOn(t, conn, "/echo")
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
		p.wantEnd("/echo", event{"reason": "error:closed"})
	})
	const get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, first := range map[string]string{
		"none":               get,
		"none/h2c":           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"v1/cut":             "PROXY TCP4 203.0.113.7 192.0.2.",
		"v1/bad_address":     "PROXY TCP4 203.0.113.700 192.0.2.1 1 2\r\n" + get,
		"v1/bad_port":        "PROXY TCP4 203.0.113.7 192.0.2.1 1 66000\r\n" + get,
		"v1/without_cr":      "PROXY TCP4 203.0.113.7 192.0.2.1 1 2\n" + get,
		"v1/endless":         "PROXY TCP4 " + strings.Repeat("1", 5000),
		"v2/cut":             string(proxyproto.SIGV2) + "\x21\x11\x00\x0c\xcb\x00",
		"v2/bad_version":     string(proxyproto.SIGV2) + "\x11\x11\x00\x0c" + strings.Repeat("\x01", 12) + get,
		"v2/bad_command":     string(proxyproto.SIGV2) + "\x2f\x11\x00\x0c" + strings.Repeat("\x01", 12) + get,
		"v2/bad_length":      string(proxyproto.SIGV2) + "\x21\x11\x00\x02\x01\x01" + get,
		"v2/too_long":        string(proxyproto.SIGV2) + "\x21\x11\xff\xff" + strings.Repeat("\x01", 60000),
		"v2/ipv6_of_12":      string(proxyproto.SIGV2) + "\x21\x21\x00\x0c" + strings.Repeat("\x01", 12) + get,
		"signature/nearly":   string(proxyproto.SIGV2[:11]) + "X" + get,
		"nothing_but_an_end": "",
	} {
		t.Run("refused/"+name, func(t *testing.T) {
			conn := dialTCP(t, p.http)
			conn.SetDeadline(time.Now().Add(patience))
			conn.Write([]byte(first)) // it may be closed before all is said
			conn.(*net.TCPConn).CloseWrite()
			got, err := io.ReadAll(conn)
			if len(got) > 0 || os.IsTimeout(err) {
				t.Errorf("answered %q, %v; want nothing but the end", got, err)
			}
		})
	}
	t.Run("a_second_header_is_no_request", func(t *testing.T) { // a client that writes one of its own behind the proxy's
		conn := dialTCP(t, p.http)
		conn.Write(append(proxyHeader(t, 1, "203.0.113.7:4711"), "PROXY TCP4 198.51.100.1 192.0.2.1 1 2\r\n"+get...))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != 400 {
			t.Errorf("answered %v, %v; want 400", res, err)
		}
	})
	t.Run("tls_has_none", func(t *testing.T) {
		if res, text := fetch(t, client(t, false), http.MethodGet, p.https+"/healthz", nil); res.StatusCode != 200 {
			t.Errorf("%s %s", res.Status, text)
		}
	})
}

// A PROXY header is taken from those that the flag names. Each peer whose connections are dropped
// is told of, once.
func TestProxyProtocolFrom(t *testing.T) {
	const get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	ask := func(t *testing.T, p *process, from string, octets ...[]byte) string {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := d.DialContext(testContext(t), "tcp", strings.TrimPrefix(p.http, "http://"))
		if err != nil {
			t.Skipf("%s is no address of this machine: %v", from, err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		conn.Write(bytes.Join(octets, nil)) // it may be closed before all is said
		conn.(*net.TCPConn).CloseWrite()
		got, err := io.ReadAll(conn)
		if os.IsTimeout(err) {
			t.Error(err)
		}
		return string(got)
	}
	header := proxyHeader(t, 1, "203.0.113.7:4711")
	for _, c := range []struct {
		name, flags string
		refused     map[string]string // why, by peer
	}{
		{"default", "", map[string]string{}},
		{"others", "--proxy-protocol-from=192.0.2.0/24", map[string]string{"127.0.0.1": "--proxy-protocol-from", "127.0.0.2": "--proxy-protocol-from"}},
		{"one of two", "--proxy-protocol-from=192.0.2.0/24 --proxy-protocol-from=127.0.0.2", map[string]string{"127.0.0.1": "--proxy-protocol-from"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, append([]string{"--proxy-protocol"}, strings.Fields(c.flags)...)...)
			for range 3 {
				for _, peer := range []string{"127.0.0.1", "127.0.0.2"} {
					got := ask(t, p, peer, header, []byte(get))
					if _, refused := c.refused[peer]; refused != (got == "") {
						t.Errorf("%s is answered %q", peer, got)
					}
				}
			}
			for _, bad := range []string{get, "", "PROXY TCP4 \n"} { // without a header
				if got := ask(t, p, "127.0.0.2", []byte(bad)); got != "" {
					t.Errorf("%q is answered %q", bad, got)
				}
			}
			c.refused["127.0.0.2"] = cmp.Or(c.refused["127.0.0.2"], "no PROXY header: ")
			p.signal(syscall.SIGTERM)
			p.wantExit(exitOK)
			log := p.stderr.String()
			if n := strings.Count(log, "a connection was dropped"); n != len(c.refused) {
				t.Errorf("%d warnings, want %d:\n%s", n, len(c.refused), log)
			}
			for peer, why := range c.refused {
				if !strings.Contains(log, "peer="+peer+` reason="`+why) {
					t.Errorf("nothing of %s, %q:\n%s", peer, why, log)
				}
			}
		})
	}
}

// By default a proxy is near. However many peers stray in, the log and the memory stay small.
func TestProxiesDefault(t *testing.T) {
	near := new(config).proxies()
	for a, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "10.1.2.3:1": true, "172.16.0.1:1": true, "172.31.255.255:1": true,
		"192.168.1.1:1": true, "[fd00::1]:1": true, "172.32.0.1:1": false, "203.0.113.7:1": false, "[2001:db8::1]:1": false, "[fe80::1%eth0]:1": false, "0.0.0.0:1": false,
	} {
		l := proxyListener{from: near}
		if got := l.proxy(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a))); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
	if l := (proxyListener{from: near}); !l.proxy(&net.UnixAddr{Name: "@", Net: "unix"}) {
		t.Error("a unix socket's peer is refused")
	}
	var log bytes.Buffer
	s := &strays{log: slog.New(slog.NewTextHandler(&log, nil)), told: map[string]bool{}}
	for i := range 100_000 {
		s.warn(&net.TCPAddr{IP: net.IPv4(203, 0, byte(i>>8), byte(i)), Port: i}, "")
	}
	if n := strings.Count(log.String(), "\n"); n != straysMost+1 || len(s.told) != n || !strings.Contains(log.String(), "peer=others") {
		t.Errorf("%d lines, %d peers kept", n, len(s.told))
	}
}

// Without the flag nobody's PROXY header is believed.
func TestProxyProtocolOff(t *testing.T) {
	p := start(t)
	for _, header := range [][]byte{proxyHeader(t, 1, "203.0.113.7:4711"), proxyHeader(t, 2, "203.0.113.7:4711")} {
		conn := dialTCP(t, p.http)
		conn.SetDeadline(time.Now().Add(patience))
		conn.Write(append(header, "GET /headers HTTP/1.1\r\nHost: localhost\r\n\r\n"...))
		conn.(*net.TCPConn).CloseWrite()
		if got, _ := io.ReadAll(conn); len(got) > 0 && !bytes.HasPrefix(got, []byte("HTTP/1.1 400 ")) {
			t.Errorf("answered %q", got)
		}
	}
}

// Each client tells of itself what it likes; what counts is what trusted proxies say.
func TestTrustedProxy(t *testing.T) {
	type row struct {
		name   string
		peer   string // as the PROXY header has it
		fields []string
		ip     string
		scheme string // http if empty
		host   string // localhost if empty
	}
	const proxy = "10.0.0.1:5000"
	xff := func(v ...string) (out []string) {
		for _, s := range v {
			out = append(out, "X-Forwarded-For", s)
		}
		return out
	}
	fwd := func(v ...string) (out []string) {
		for _, s := range v {
			out = append(out, "Forwarded", s)
		}
		return out
	}
	p := start(t, "--proxy-protocol", "--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "2001:db8:1::/48", "--trusted-proxy", "192.0.2.1")
	for _, c := range []row{
		{name: "nothing said", peer: proxy, ip: "10.0.0.1"},
		{name: "xff", peer: proxy, fields: xff("203.0.113.7"), ip: "203.0.113.7"},
		{name: "xff/ipv6", peer: "[2001:db8:1::5]:5000", fields: xff("2001:db8::7"), ip: "2001:db8::7"},
		{name: "xff/with ports", peer: proxy, fields: xff("203.0.113.7:4711, [2001:db8:1::9]:80"), ip: "203.0.113.7"},
		{name: "xff/mapped", peer: proxy, fields: xff("203.0.113.7, ::ffff:10.1.2.3"), ip: "203.0.113.7"},
		{name: "xff/through trusted", peer: "192.0.2.1:1", fields: xff("203.0.113.7, 10.0.0.2", "10.0.0.3"), ip: "203.0.113.7"},
		{name: "xff/all trusted", peer: proxy, fields: xff("10.0.0.2,10.0.0.3"), ip: "10.0.0.2"},
		{name: "spoofed/peer is not trusted", peer: "203.0.113.7:4711", fields: append(xff("198.51.100.1"), "Forwarded", "for=198.51.100.1;proto=https;host=evil", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil"), ip: "203.0.113.7"},
		{name: "spoofed/peer next to the trusted", peer: "192.0.2.2:1", fields: xff("198.51.100.1"), ip: "192.0.2.2"},
		{name: "spoofed/client said something", peer: proxy, fields: xff("198.51.100.1, 203.0.113.7"), ip: "203.0.113.7"},
		{name: "spoofed/client said a trusted one", peer: proxy, fields: xff("198.51.100.1, 10.0.0.9", "203.0.113.7, 10.0.0.2"), ip: "203.0.113.7"},
		{name: "spoofed/garbage in between", peer: proxy, fields: xff("198.51.100.1, garbage, 10.0.0.2"), ip: "10.0.0.2"},
		{name: "spoofed/garbage last", peer: proxy, fields: xff("198.51.100.1, "), ip: "10.0.0.1"},
		{name: "spoofed/other header passed on", peer: proxy, fields: append(fwd("for=198.51.100.1;proto=https"), xff("203.0.113.7")...), ip: "10.0.0.1"},
		{name: "both agree", peer: proxy, fields: append(fwd("for=203.0.113.7;proto=https"), xff("203.0.113.7")...), ip: "203.0.113.7", scheme: "https"},

		{name: "7239-4/for", peer: proxy, fields: fwd("for=203.0.113.7"), ip: "203.0.113.7"},
		{name: "7239-4/all", peer: proxy, fields: fwd(`For="203.0.113.7:4711" ;Proto=https; host="example.org:8443";by=10.0.0.1`), ip: "203.0.113.7", scheme: "https", host: "example.org:8443"},
		{name: "7239-4/ipv6", peer: proxy, fields: fwd(`for="[2001:db8::7]:4711"`), ip: "2001:db8::7"},
		{name: "7239-4/through trusted", peer: proxy, fields: fwd("for=203.0.113.7;proto=https, for=10.0.0.2;proto=http", `for="10.0.0.3";proto=http`), ip: "203.0.113.7", scheme: "https"},
		{name: "7239-6.2/unknown", peer: proxy, fields: fwd("for=198.51.100.1, for=unknown, for=10.0.0.2;proto=https"), ip: "10.0.0.2", scheme: "https"},
		{name: "7239-6.3/hidden", peer: proxy, fields: fwd("for=198.51.100.1, for=_hidden"), ip: "10.0.0.1"},
		{name: "7239-4/spoofed by an open quote", peer: proxy, fields: fwd(`for=198.51.100.1;x=", for=203.0.113.7`), ip: "10.0.0.1"},
		{name: "7239-4/spoofed by an open quote and another", peer: proxy, fields: fwd(`for=198.51.100.1;x=", for="203.0.113.7"`), ip: "10.0.0.1"},
		{name: "7239-4/spoofed by a parameter twice", peer: proxy, fields: fwd(`for=203.0.113.7;for=198.51.100.1`), ip: "10.0.0.1"},
		{name: "7239-4/escaped", peer: proxy, fields: fwd(`for=198.51.100.1;x="\",", for=20\3.0.113.7, for="20\3.0.113.7"`), ip: "203.0.113.7"},

		{name: "proto and host", peer: proxy, fields: append(xff("203.0.113.7"), "X-Forwarded-Proto", "https", "X-Forwarded-Host", "example.org"), ip: "203.0.113.7", scheme: "https", host: "example.org"},
		{name: "proto and host/of the client's hop", peer: proxy, fields: append(xff("203.0.113.7, 10.0.0.2"), "X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "example.org, inner"), ip: "203.0.113.7", scheme: "https", host: "example.org"},
		{name: "proto and host/spoofed", peer: proxy, fields: append(xff("198.51.100.1, 203.0.113.7"), "X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "evil, example.org"), ip: "203.0.113.7", scheme: "http", host: "example.org"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dialTCP(t, p.http)
			if _, err := conn.Write(proxyHeader(t, 1, c.peer)); err != nil {
				t.Fatal(err)
			}
			got := reported(t, conn, c.fields...)
			if c.scheme == "" {
				c.scheme = "http"
			}
			if c.host == "" {
				c.host = "localhost"
			}
			if got.RemoteAddr != c.peer || got.ClientIP != c.ip || got.Scheme != c.scheme || got.Authority != c.host {
				t.Errorf("remote_addr %s, client_ip %s, %s://%s; want %s, %s, %s://%s", got.RemoteAddr, got.ClientIP, got.Scheme, got.Authority, c.peer, c.ip, c.scheme, c.host)
			}
		})
	}
}

// Without a PROXY header the peer is who connected; over HTTP/2 the fields are the same.
func TestTrustedProxyHTTP2(t *testing.T) {
	for _, c := range []struct{ trusted, ip string }{{"127.0.0.0/8", "203.0.113.7"}, {"10.0.0.0/8", "127.0.0.1"}} {
		p := start(t, "--trusted-proxy", c.trusted)
		for _, transport := range []string{"h2c", "h2"} {
			r := newLane(t, p, transport).open(t, "/headers", "Forwarded", "for=203.0.113.7")
			_, b, err := r.frame()
			if err != nil {
				t.Fatal(err)
			}
			var got requestReport
			if err := json.Unmarshal(b, &got); err != nil || got.ClientIP != c.ip {
				t.Errorf("%s trusted, over %s: client_ip %s, %v; want %s", c.trusted, transport, got.ClientIP, err, c.ip)
			}
			r.want(ended("1000")...)
		}
	}
}
