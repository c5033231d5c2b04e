package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing/synctest"
	"time"

	"weir/stream/memnet"
	"weir/upgrade"
	"weir/websocket"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A way is how a Dialer goes to a server.
type way struct{ proxy, transport string }

var (
	proxiesOfWays    = []string{"direct", "http", "https", "socks5", "socks5-password"}
	transportsOfWays = []string{"h1", "h1tls", "h2c", "h2"}
)

// The hops of ways: each is something that a peer has to do well before the next.
const (
	hopDial     = "dial"
	hopProxyTLS = "proxy TLS"
	hopTunnel   = "tunnel"
	hopMethod   = "SOCKS method"
	hopPassword = "SOCKS password"
	hopReply    = "SOCKS reply"
	hopTLS      = "TLS"
	hopSettings = "SETTINGS"
	hopResponse = "response"
)

func (w way) hops() []string {
	hops := append([]string{hopDial}, map[string][]string{
		"http": {hopTunnel}, "https": {hopProxyTLS, hopTunnel},
		"socks5": {hopMethod, hopReply}, "socks5-password": {hopMethod, hopPassword, hopReply},
	}[w.proxy]...)
	if w.tls() {
		hops = append(hops, hopTLS)
	}
	if w.http2() {
		hops = append(hops, hopSettings)
	}
	return append(hops, hopResponse)
}

func (w way) tls() bool   { return w.transport == "h1tls" || w.transport == "h2" }
func (w way) http2() bool { return w.transport == "h2c" || w.transport == "h2" }

// url is the WebSocket's.
func (w way) url() string {
	if w.tls() {
		return "wss://weir.test/"
	}
	return "ws://weir.test/"
}

// proxyURL is nil without a proxy.
func (w way) proxyURL() *url.URL {
	switch w.proxy {
	case "direct":
		return nil
	case "socks5-password":
		return &url.URL{Scheme: "socks5", Host: "proxy.test:3128", User: url.UserPassword("user", "secret")}
	}
	return &url.URL{Scheme: w.proxy, Host: "proxy.test:3128"}
}

// network is a server, and a proxy before it, that do everything well up to one hop, and there do
// not.
type network struct {
	way
	bad   string           // the hop; empty: none
	fault func(p *badPeer) // what is done there
	dial  func() error     // where bad is hopDial: what comes of it; nil: nothing
	conns sync.WaitGroup   // of the peers' ends
	ln    *memnet.Listener
}

// badPeer is the other end of one connection. The first thing that goes wrong ends it.
type badPeer struct {
	*network
	raw net.Conn
	nc  net.Conn // raw, or TLS over it
	fr  *http2.Framer
	key string
}

// serve accepts until the listener is closed.
func (n *network) serve() {
	for {
		nc, err := n.ln.Accept()
		if err != nil {
			return
		}
		n.conns.Go(func() { // ends when the client closes, or the fault does
			p := &badPeer{network: n, raw: nc, nc: nc}
			defer nc.Close()
			for _, h := range n.hops() {
				if h == n.bad {
					p.hear(h)
					n.fault(p)
					return
				}
				if !p.hear(h) || !p.pass(h) {
					return
				}
			}
			io.Copy(io.Discard, p.nc)
		})
	}
}

// DialContext is the Dialer's.
func (n *network) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	if n.bad != hopDial {
		return n.ln.Dial(ctx)
	}
	if n.dial == nil {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ETIMEDOUT} // as one that does not say why
	}
	return nil, n.dial()
}

// hear reads what the client says at a hop.
func (p *badPeer) hear(hop string) bool {
	switch hop {
	case hopTunnel:
		return p.head() != ""
	case hopMethod:
		return p.read(2, func(b []byte) int { return int(b[1]) })
	case hopPassword:
		return p.read(2, func(b []byte) int { return int(b[1]) }) && p.read(1, func(b []byte) int { return int(b[0]) })
	case hopReply:
		return p.read(5, func(b []byte) int { return int(b[4]) + 2 })
	case hopSettings:
		p.fr = http2.NewFramer(p.nc, p.nc)
		return p.read(len(http2.ClientPreface), func([]byte) int { return 0 }) && p.frame(http2.FrameSettings)
	case hopResponse:
		if p.http2() {
			return p.frame(http2.FrameHeaders)
		}
		_, rest, ok := strings.Cut(p.head(), "Sec-Websocket-Key: ")
		p.key, _, _ = strings.Cut(rest, "\r\n")
		return ok
	}
	return true
}

// pass does what has to be done at a hop.
func (p *badPeer) pass(hop string) bool {
	switch hop {
	case hopProxyTLS:
		return p.secure(&tls.Config{})
	case hopTLS:
		alpn := map[string]string{"h1tls": "http/1.1", "h2": "h2"}[p.transport]
		return p.secure(&tls.Config{NextProtos: []string{alpn}})
	case hopTunnel:
		return p.write("HTTP/1.1 200 OK\r\n\r\n")
	case hopMethod:
		if p.proxy == "socks5" {
			return p.write("\x05\x00")
		}
		return p.write("\x05\x02")
	case hopPassword:
		return p.write("\x01\x00")
	case hopReply:
		return p.write("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
	case hopSettings:
		return p.fr.WriteSettings(http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1}) == nil && p.fr.WriteSettingsAck() == nil
	case hopResponse:
		if p.http2() {
			return p.headers(false, ":status", "200")
		}
		return p.write(p.switched("HTTP/1.1", ""))
	}
	return true
}

// switched is a good 101, with what is put into it.
func (p *badPeer) switched(proto, more string) string {
	return proto + " 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + upgrade.AcceptKey(p.key) + "\r\n" + more + "\r\n"
}

func (p *badPeer) secure(cfg *tls.Config) bool {
	cfg.Certificates = []tls.Certificate{faultsCert()}
	tc := tls.Server(p.nc, cfg)
	p.nc = tc
	return tc.Handshake() == nil
}

// head reads up to an empty line.
func (p *badPeer) head() string {
	var b strings.Builder
	for one := make([]byte, 1); !strings.HasSuffix(b.String(), "\r\n\r\n"); b.Write(one) {
		if _, err := p.nc.Read(one); err != nil {
			return ""
		}
	}
	return b.String()
}

// read reads n octets, and then as many as those say.
func (p *badPeer) read(n int, more func([]byte) int) bool {
	b := make([]byte, n)
	if _, err := io.ReadFull(p.nc, b); err != nil {
		return false
	}
	_, err := io.ReadFull(p.nc, make([]byte, more(b)))
	return err == nil
}

// frame reads up to a frame of a type.
func (p *badPeer) frame(t http2.FrameType) bool {
	for {
		f, err := p.fr.ReadFrame()
		if err != nil {
			return false
		}
		if f.Header().Type == t {
			return true
		}
	}
}

func (p *badPeer) write(s string) bool {
	_, err := io.WriteString(p.nc, s)
	return err == nil
}

// headers writes HEADERS on stream 1.
func (p *badPeer) headers(fin bool, fields ...string) bool {
	var b strings.Builder
	enc := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into memory
	}
	return p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(b.String()), EndHeaders: true, EndStream: fin}) == nil
}

// The ways in which faults end: the client closes, or does not get to it.

// wait reads until the client has closed.
func (p *badPeer) wait() { io.Copy(io.Discard, p.nc) }

// end closes our direction, and waits.
func (p *badPeer) end() {
	p.nc.(interface{ CloseWrite() error }).CloseWrite()
	p.raw.(*memnet.Conn).CloseWrite()
	io.Copy(io.Discard, p.raw)
}

// reset ends the connection when the client has read all.
func (p *badPeer) reset() {
	synctest.Wait()
	p.raw.(*memnet.Conn).SetLinger(0)
	p.raw.Close()
}

// drip writes an octet now and then, until the client has gone.
func (p *badPeer) drip(s string) {
	gone := make(chan struct{})
	go func() { p.wait(); close(gone) }() // ends with the client
	for i := 0; ; i++ {
		select {
		case <-gone:
			return
		case <-time.After(dripping):
			p.write(s[i%len(s) : i%len(s)+1])
		}
	}
}

// faultsCert is a certificate that nobody has signed but itself. It is made once, outside of fake
// time.
var faultsCert = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"weir.test", "proxy.test"}, NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// dialer goes the way.
func (n *network) dialer() *websocket.Dialer {
	d := &websocket.Dialer{HTTP: websocket.HTTP1, Timeout: faultsTimeout, TLS: &tls.Config{InsecureSkipVerify: true}, DialContext: n.DialContext}
	if n.http2() {
		d.HTTP = websocket.HTTP2
	}
	if u := n.proxyURL(); u != nil {
		d.Proxy = http.ProxyURL(u)
	}
	return d
}
