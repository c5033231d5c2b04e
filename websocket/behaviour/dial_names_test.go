package behaviour_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/websocket"
)

// called is how a server was named on the way to it.
type called struct{ addr, sni, host string }

// records makes h tell how its next request came, and refuse it. The address is the dialler's to
// say.
func records(h *house) chan called {
	names := make(chan called, 1)
	h.mux.HandleFunc("/named", func(w http.ResponseWriter, r *http.Request) {
		c := called{host: r.Host}
		if r.TLS != nil {
			c.sni = r.TLS.ServerName
		}
		names <- c
		http.Error(w, "no", http.StatusForbidden)
	})
	return names
}

// Names beyond ASCII are sent and dialled in ASCII, and an IPv6 zone is dialled and not sent (RFC
// 6874, 4), as net/http does both.
func TestDialNames(t *testing.T) {
	each(t, overTCP, func(h *house) {
		names := records(h)
		port := map[bool]string{false: "80", true: "443"}[h.tls()]
		for host, want := range map[string]called{
			"bücher.example":        {"xn--bcher-kva.example:" + port, "xn--bcher-kva.example", "xn--bcher-kva.example"},
			"bücher.example:":       {"xn--bcher-kva.example:" + port, "xn--bcher-kva.example", "xn--bcher-kva.example"},
			"bücher.example:8080":   {"xn--bcher-kva.example:8080", "xn--bcher-kva.example", "xn--bcher-kva.example:8080"},
			"[fe80::1%25eth0]":      {"[fe80::1%eth0]:" + port, "", "[fe80::1]"},
			"[fe80::1%25eth0]:8080": {"[fe80::1%eth0]:8080", "", "[fe80::1]:8080"},
			"[::1]":                 {"[::1]:" + port, "", "[::1]"},
			"weir.test":             {"weir.test:" + port, "weir.test", "weir.test"},
		} {
			if !h.tls() {
				want.sni = ""
			}
			var addr string
			dial := func(ctx context.Context, _, to string) (net.Conn, error) {
				addr = to
				return h.ln.Dial(ctx)
			}
			d := h.dialer()
			d.DialContext = dial
			scheme := map[bool]string{false: "http", true: "https"}[h.tls()]
			if _, resp, err := d.Dial(background, scheme+"://"+host+"/named", nil); resp == nil {
				h.Fatal(err)
			}
			got := <-names
			got.addr = addr
			if got != want {
				h.Errorf("%s: %+v, want %+v", host, got, want)
			}
			d.CloseIdle()
			if h.mode != "h1" && h.mode != "h1tls" {
				continue
			}
			tr := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			resp, err := tr.RoundTrip(&http.Request{Method: http.MethodGet, Header: http.Header{}, URL: mustURL(h.T, scheme+"://"+host+"/named")})
			if err != nil {
				h.Fatal(err)
			}
			resp.Body.Close()
			tr.CloseIdleConnections()
			got = <-names
			if got.addr = addr; got != want && host != "bücher.example:" { // http.NewRequest takes that colon off
				h.Errorf("%s: net/http has %+v, want %+v", host, got, want)
			}
		}
	})
}

func mustURL(t *testing.T, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A certificate for an IPv6 address is good for one with a zone.
func TestDialZoneVerified(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP("fe80::1")}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.d.HTTP = websocket.HTTP1
		s.d.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
		s.d.TLS.RootCAs.AddCert(cert)
		go func() { // ends with its connection
			nc, err := s.ln.Accept()
			if err != nil {
				return
			}
			tc := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
			defer tc.Close()
			io.WriteString(tc, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
			io.Copy(io.Discard, tc)
		}()
		if _, resp, err := s.d.Dial(background, "wss://[fe80::1%25eth0]/", nil); resp == nil || resp.StatusCode != 403 {
			t.Error(err)
		}
		s.ln.Close()
	})
}

// Proxies are asked for the server in ASCII and without a zone, and are dialled in ASCII
// themselves.
func TestDialNamesProxy(t *testing.T) {
	for host, want := range map[string]string{"bücher.example": "xn--bcher-kva.example:80", "[fe80::1%25eth0]:8080": "[fe80::1]:8080", "127.0.0.1": "127.0.0.1:80"} {
		for _, scheme := range []string{"http", "socks5"} {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				var addr string
				dial := s.d.DialContext
				s.d.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
					addr = to
					return dial(ctx, network, to)
				}
				s.d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(scheme + "://prøxy.test") }
				asked := make(chan string, 1)
				go func() { // ends with its connection
					nc, err := s.ln.Accept()
					if err != nil {
						return
					}
					defer nc.Close()
					asked <- proxyAsked(nc, scheme)
				}()
				_, _, err := s.d.Dial(background, "ws://"+host+"/", nil)
				if got := <-asked; got != want {
					t.Errorf("%s: the proxy was asked for %q, want %q", host, got, want)
				}
				port := map[string]string{"http": "80", "socks5": "1080"}[scheme]
				if addr != "xn--prxy-hra.test:"+port {
					t.Errorf("dialled %s", addr)
				}
				if de, ok := errors.AsType[*websocket.DialError](err); !ok || de.Proxy != addr {
					t.Error(err)
				}
				s.ln.Close()
			})
		}
	}
}

// proxyAsked is what a proxy is asked for.
func proxyAsked(nc net.Conn, scheme string) string {
	if scheme == "http" {
		r, err := http.ReadRequest(bufio.NewReader(nc))
		if err != nil {
			return err.Error()
		}
		if r.Host != r.RequestURI {
			return "two names: " + r.Host + ", " + r.RequestURI
		}
		return r.Host
	}
	b := make([]byte, 300)
	io.ReadFull(nc, b[:3])
	nc.Write([]byte{5, 0})
	io.ReadFull(nc, b[:5])
	var host string
	switch b[3] {
	case 1, 4:
		n := map[byte]int{1: 4, 4: 16}[b[3]]
		io.ReadFull(nc, b[5:4+n])
		host = net.IP(b[4 : 4+n]).String()
	case 3:
		io.ReadFull(nc, b[5:5+b[4]])
		host = string(b[5 : 5+b[4]])
	}
	io.ReadFull(nc, b[:2])
	return net.JoinHostPort(host, fmt.Sprint(int(b[0])<<8|int(b[1])))
}

// What cannot be sent is refused before anybody is dialled, with any version of HTTP.
func TestDialRequestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		url  string
		o    websocket.DialOptions
		says string
	}{
		"6455-4.1/no_token":     {o: websocket.DialOptions{Options: websocket.Options{Subprotocols: []string{"a b"}}}, says: `the subprotocol "a b" is no token (RFC 6455, 4.1)`},
		"6455-4.1/empty":        {o: websocket.DialOptions{Options: websocket.Options{Subprotocols: []string{""}}}, says: `the subprotocol "" is no token (RFC 6455, 4.1)`},
		"6455-4.1/list":         {o: websocket.DialOptions{Options: websocket.Options{Subprotocols: []string{"a,b"}}}, says: `"a,b" is no token`},
		"6455-4.1/line":         {o: websocket.DialOptions{Options: websocket.Options{Subprotocols: []string{"a\r\nX: y"}}}, says: `is no token`},
		"6455-4.1/twice":        {o: websocket.DialOptions{Options: websocket.Options{Subprotocols: []string{"a", "b", "a"}}}, says: "the subprotocol a is offered twice (RFC 6455, 4.1)"},
		"host_field":            {o: websocket.DialOptions{Header: http.Header{"Host": {"x"}}}, says: "the field Host is DialOptions.Host"},
		"host_field_lower_case": {o: websocket.DialOptions{Header: http.Header{"host": {"x"}}}, says: "the field Host is DialOptions.Host"},
		"9110-7.2/host":         {o: websocket.DialOptions{Host: "a\r\nX: y"}, says: "(RFC 9110, 7.2)"},
		"9110-7.2/user":         {o: websocket.DialOptions{Host: "u@x"}, says: "(RFC 9110, 7.2)"},
		"9110-5.1/name":         {o: websocket.DialOptions{Header: http.Header{"a b": {"x"}}}, says: `field name "a b" is no token (RFC 9110, 5.1)`},
		"9110-5.1/pseudo":       {o: websocket.DialOptions{Header: http.Header{":path": {"/"}}}, says: `field name ":path" is no token`},
		"9110-5.5/value":        {o: websocket.DialOptions{Header: http.Header{"X": {"a", "b\r\nY: c"}}}, says: "the value of the field X has control characters (RFC 9110, 5.5)"},
		"9110-7.6.1/te":         {o: websocket.DialOptions{Header: http.Header{"Te": {"gzip"}}}, says: "the field Te is the connection's"},
		"9110-7.6.1/keep-alive": {o: websocket.DialOptions{Header: http.Header{"Keep-Alive": {"x"}}}, says: "the field Keep-Alive is the connection's"},
		"9110-8.6/length":       {o: websocket.DialOptions{Header: http.Header{"Content-Length": {"1"}}}, says: "the field Content-Length is"},
		"6455-4.1/key":          {o: websocket.DialOptions{Header: http.Header{"sec-websocket-key": {"x"}}}, says: "the handshake's"},
		"6455-3/fragment":       {url: "ws://x/#f", says: "(RFC 6455, 3)"},
		"6455-3/no_host":        {url: "ws://:80/", says: "(RFC 6455, 3)"},
		"5891-5/name":           {url: "ws://\u00ad/", says: "is no name (RFC 5891, 5)"},
	} {
		for _, v := range []websocket.HTTPVersion{websocket.HTTP1, websocket.HTTP2} {
			d := &websocket.Dialer{HTTP: v, DialContext: func(context.Context, string, string) (net.Conn, error) {
				t.Errorf("%s: dialled", name)
				return nil, syscall.ECONNREFUSED
			}}
			given := c.url
			if given == "" {
				given = "ws://user:secret@weir.test/"
			}
			_, _, err := d.Dial(background, given, &c.o)
			if !errors.Is(err, websocket.ErrRequest) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, want %q", name, err, c.says)
			}
		}
	}
	d := &websocket.Dialer{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }}
	if _, _, err := d.Dial(background, "ws://weir.test/", nil); errors.Is(err, websocket.ErrRequest) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a server that refuses: %v", err)
	}
}

// No password is in an error, whether a URL cannot be parsed, a proxy's cannot, or a server or
// proxy is at fault.
func TestDialPasswords(t *testing.T) {
	refuse := func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
	for _, c := range []struct{ url, proxy, says string }{
		{"ws://user:secret@weir.test/", "", "websocket: dial ws://user:xxxxx@weir.test/: no connection: connection refused"},
		{"ws://user:secret@weir.test:x/", "", "websocket: dial ws://xxxxx@weir.test:x/: bad request: parse \"ws://xxxxx@weir.test:x/\": malformed"},
		{"ftp://user:secret@weir.test/", "", "websocket: dial ftp://user:xxxxx@weir.test/: bad request: "},
		{"ws://weir.test/", "http://user:secret@proxy.test", "no connection to the proxy proxy.test:80: connection refused"},
		{"ws://weir.test/", "socks5://user:secret@proxy.test", "no connection to the proxy proxy.test:1080: connection refused"},
		{"ws://weir.test/", "ftp://user:secret@proxy.test", "proxy ftp://user:xxxxx@proxy.test: unknown scheme"},
		{"ws://weir.test/", "http://user:secret@", "proxy http://user:xxxxx@: no host"},
		{"ws://weir.test/", "http://user:secret@proxy.test:x", `no proxy is known: parse "http://xxxxx@proxy.test:x": invalid port ":x" after host`},
	} {
		d := &websocket.Dialer{DialContext: refuse}
		if c.proxy != "" {
			d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(c.proxy) }
		}
		_, _, err := d.Dial(background, c.url, nil)
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", e, e, e), "secret") {
				t.Errorf("%v shows a password: %#v", err, e)
			}
		}
	}
}

// DialTLSContext gives the connections of wss, with what ALPN chose on them; those of ws and
// through proxies are not its.
func TestDialTLSContext(t *testing.T) {
	for _, mode := range []string{"h1tls", "h2"} {
		each(t, []string{mode}, func(h *house) {
			h.handler = new(actor)
			alpn := map[string]string{"h1tls": "http/1.1", "h2": "h2"}[mode]
			shaken := func(ctx context.Context, offers ...string) (*tls.Conn, error) {
				nc, err := h.ln.Dial(ctx)
				if err != nil {
					return nil, err
				}
				return tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: offers}), nil
			}
			for _, c := range []struct {
				name string
				http websocket.HTTPVersion
				conn func(ctx context.Context) (net.Conn, error)
				says string // the error; empty: it opens
			}{
				{"auto", websocket.HTTPAuto, func(ctx context.Context) (net.Conn, error) { return shaken(ctx, alpn) }, ""},
				{"has shaken hands", websocket.HTTPAuto, func(ctx context.Context) (net.Conn, error) {
					tc, err := shaken(ctx, alpn)
					if err == nil {
						err = tc.HandshakeContext(ctx)
					}
					return tc, err
				}, ""},
				{"says nothing of TLS", map[string]websocket.HTTPVersion{"h1tls": websocket.HTTPAuto, "h2": websocket.HTTP2}[mode], func(ctx context.Context) (net.Conn, error) {
					tc, err := shaken(ctx, alpn)
					return struct{ net.Conn }{tc}, err
				}, ""},
				{"the other version", map[string]websocket.HTTPVersion{"h1tls": websocket.HTTP2, "h2": websocket.HTTP1}[mode], func(ctx context.Context) (net.Conn, error) {
					return shaken(ctx, alpn)
				}, map[string]string{"h1tls": "the server does not speak HTTP/2 (RFC 9113, 3.2)", "h2": "ALPN chose h2, and HTTP/1.1 is wanted"}[mode]},
				{"fails", websocket.HTTPAuto, func(context.Context) (net.Conn, error) { return nil, syscall.ECONNREFUSED }, "no TLS with the server: connection refused"},
			} {
				d := h.dialer()
				d.HTTP = c.http
				d.DialContext = func(context.Context, string, string) (net.Conn, error) {
					h.Errorf("%s: DialContext", c.name)
					return nil, syscall.ECONNREFUSED
				}
				var addr string
				d.DialTLSContext = func(ctx context.Context, _, to string) (net.Conn, error) {
					addr = to
					return c.conn(ctx)
				}
				conn, resp, err := d.Dial(background, "wss://bücher.example/", nil)
				if addr != "xn--bcher-kva.example:443" {
					h.Errorf("%s: dialled %s", c.name, addr)
				}
				if c.says != "" {
					if err == nil || !strings.Contains(err.Error(), c.says) {
						h.Errorf("%s: %v, want %q", c.name, err, c.says)
					}
				} else if err != nil {
					h.Errorf("%s: %v", c.name, err)
				} else {
					if known := c.name != "says nothing of TLS"; (resp.TLS != nil) != known {
						h.Errorf("%s: TLS %v", c.name, resp.TLS)
					}
					conn.Close(1000, "")
				}
				d.CloseIdle()
			}
		})
	}
	t.Run("not asked", func(t *testing.T) {
		d := &websocket.Dialer{
			DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
				t.Error("DialTLSContext")
				return nil, io.EOF
			},
			DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED },
		}
		if _, _, err := d.Dial(background, "ws://weir.test/", nil); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
		d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("https://proxy.test") }
		if _, _, err := d.Dial(background, "wss://weir.test/", nil); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
	})
}

// A fault before the SETTINGS is told at once, though the server keeps its side open (RFC 9113,
// 3.4).
func TestDialNoLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.d.HTTP = websocket.HTTP2
		s.says("HTTP/1.1 400 Bad Request\r\n\r\n")
		start := time.Now()
		_, _, err := s.d.Dial(background, "ws://weir.test/", nil)
		if ce, ok := errors.AsType[*h2.ConnError](err); !ok || ce.Rule != "RFC 9113, 3.4" || time.Since(start) != 0 {
			t.Errorf("%v, after %v", err, time.Since(start))
		}
		s.ln.Close()
		time.Sleep(time.Minute)
	})
}

// A Transport names servers as a Dialer does, and its errors say which was meant, without a
// password.
func TestTransportNames(t *testing.T) {
	each(t, overTCP, func(h *house) {
		names := records(h)
		var addr string
		d := h.dialer()
		d.DialContext = func(ctx context.Context, _, to string) (net.Conn, error) {
			addr = to
			return h.ln.Dial(ctx)
		}
		tr := &websocket.Transport{Dialer: d}
		scheme := map[bool]string{false: "http", true: "https"}[h.tls()]
		ask := func(host string) (*http.Response, error) {
			return tr.RoundTrip(&http.Request{Method: http.MethodGet, URL: mustURL(h.T, scheme+"://user:secret@"+host+"/named"), Header: http.Header{
				"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}})
		}
		for host, want := range map[string]called{
			"bücher.example:8080":   {"xn--bcher-kva.example:8080", "xn--bcher-kva.example", "xn--bcher-kva.example:8080"},
			"[fe80::1%25eth0]:8080": {"[fe80::1%eth0]:8080", "", "[fe80::1]:8080"},
		} {
			if !h.tls() {
				want.sni = ""
			}
			if res, err := ask(host); err != nil || res.StatusCode != http.StatusForbidden {
				h.Fatal(res, err)
			}
			got := <-names
			if got.addr = addr; got != want {
				h.Errorf("%s: %+v, want %+v", host, got, want)
			}
			d.CloseIdle()
		}
		if _, err := ask("\u00ad"); !errors.Is(err, websocket.ErrRequest) {
			h.Errorf("no name: %v", err)
		}
		d.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
		want := "websocket: dial " + scheme + "://user:xxxxx@weir.test/named: no connection: connection refused"
		if _, err := ask("weir.test"); err == nil || err.Error() != want || !errors.Is(err, syscall.ECONNREFUSED) {
			h.Errorf("%v, want %q", err, want)
		}
	})
}
