package h2_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing/synctest"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// dialTLS opens a connection with a configuration of the case's.
func (p *play) dialTLS(cfg *tls.Config) (*tls.Conn, error) {
	nc, err := p.l.Dial(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	cfg.InsecureSkipVerify = true
	tc := tls.Client(nc, cfg)
	return tc, tc.HandshakeContext(p.t.Context())
}

// overHTTP1 sends the text of a request of HTTP/1.1 and notes the answer.
func (p *play) overHTTP1(nc net.Conn, text string) {
	io.WriteString(nc, text)
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		p.note("client", "%s", broken(err))
		return
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	p.note("client", "%s %d %q %q %s", resp.Proto, resp.StatusCode, resp.Header["Upgrade"], b,
		broken(err))
}

// protoOf answers with the version of the request.
func protoOf(p *play, w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Proto, " ", (r.TLS != nil) == p.secure)
}

// old is a connection that speaks HTTP/1.1.
func (p *play) old() net.Conn {
	if !p.secure {
		return p.conn()
	}
	tc, err := p.dialTLS(&tls.Config{NextProtos: []string{"http/1.1"}})
	if err != nil {
		p.note("client", "no handshake")
	}
	return tc
}

// parityTransports are about how a connection comes to be one of HTTP/2.
var parityTransports = []parityCase{
	{
		name:    "9113-3.2/ALPN",
		secure:  true,
		handler: protoOf,
		client: func(p *play) {
			for _, protos := range [][]string{{"h2"}, {"h2", "http/1.1"}, {"http/1.1", "h2"},
				{"http/1.1"}, nil, {"spdy/3"}} {
				tc, err := p.dialTLS(&tls.Config{NextProtos: protos})
				p.note("client", "%q %q %s", protos, tc.ConnectionState().NegotiatedProtocol,
					broken(err))
				tc.Close()
			}
		},
		want: `client: ["h2"] "h2" ok; ["h2" "http/1.1"] "h2" ok; ["http/1.1" "h2"] "h2" ok; ` +
			`["http/1.1"] "http/1.1" ok; [] "" ok; ["spdy/3"] "" error`,
	},
	{
		name:    "9113-3.2/HTTP1_over_TLS_beside_HTTP2",
		secure:  true,
		handler: protoOf,
		client: func(p *play) {
			tc, err := p.dialTLS(&tls.Config{NextProtos: []string{"http/1.1"}})
			if err != nil {
				p.t.Fatal(err)
			}
			defer tc.Close()
			p.overHTTP1(tc, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
			p.get("/")
		},
		want: `client: HTTP/1.1 200 [] "HTTP/1.1 true" ok; 200 "HTTP/2.0 true"`,
	},
	{
		name:    "9113-9.2.2/cipher_suites_of_TLS_12",
		secure:  true,
		handler: protoOf,
		client: func(p *play) {
			for _, suite := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
				tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA} {
				tc, err := p.dialTLS(&tls.Config{NextProtos: []string{"h2"},
					MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
				if err != nil {
					p.note("client", "%s", broken(err))
					continue
				}
				peer := h2test.New(tc, h2test.Options{Scheme: "https"})
				resp, err := peer.Get("/")
				if err != nil {
					p.note("client", "%s", broken(err))
				} else {
					p.note("client", "%d %s", resp.Status, resp.Body)
				}
				peer.Close()
			}
		},
		want: `client: 200 HTTP/2.0 true; error`,
	},
	{
		name:    "9113-3.1/Upgrade_h2c_is_HTTP1",
		handler: protoOf,
		client: func(p *play) {
			nc := p.old()
			defer nc.Close()
			p.overHTTP1(nc,
				"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"+
					"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
		},
		want: `client: HTTP/1.1 200 [] "HTTP/1.1 true" ok`,
	},
	{
		name:    "9113-3.4/half_a_preface",
		handler: protoOf,
		client: func(p *play) {
			nc := p.conn()
			defer nc.Close()
			io.WriteString(nc, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r")
			synctest.Wait()
			nc.Close()
			p.get("/")
		},
		want: `client: 200 "HTTP/2.0 true"`,
	},
	{
		name:    "9113-3.4/a_preface_octet_by_octet",
		handler: protoOf,
		client: func(p *play) {
			nc := p.conn()
			peer := h2test.New(nc, h2test.Options{NoPreface: true, Manual: true})
			defer peer.Close()
			preface := []byte(http2.ClientPreface)
			for _, c := range h2test.AppendFrame(preface, http2.FrameSettings, 0, 0, nil) {
				nc.Write([]byte{c})
				synctest.Wait()
			}
			p.send(peer, "SETTINGS ACK", "HEADERS 1 END_STREAM GET")
			p.frames(peer)
		},
		want: `wire: HEADERS 1 :status=200 content-length=13 "content-type=text/plain; ` +
			`charset=utf-8" date=now; DATA 1 END_STREAM "HTTP/2.0 true"`,
	},
	{
		name:    "net/http/HTTP1_is_switched_off",
		server:  func(_ *play, hs *http.Server) { hs.Protocols.SetHTTP1(false) },
		handler: protoOf,
		client: func(p *play) {
			nc := p.old()
			p.overHTTP1(nc, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
			nc.Close()
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.note("client", "%s", broken(err))
				return
			}
			p.note("client", "%s", resp.Proto)
			resp.Body.Close()
		},
		want: `client: error; HTTP/2.0`,
	},
}
