package h2_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream/streamtest"

	"golang.org/x/net/http2"
)

// TestInadequateSecurity is RFC 9113, 9.2: TLS 1.2 with a suite of appendix A.
func TestInadequateSecurity(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	suites := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	hs := &http.Server{TLSConfig: &tls.Config{CipherSuites: suites, Certificates: []tls.Certificate{certificate(t)}}}
	if _, err := h2.ConfigureServer(hs, nil); err != nil {
		t.Fatal(err)
	}
	go hs.ServeTLS(l, "", "") // ends with Close
	defer hs.Close()
	nc, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12, CipherSuites: suites[1:]})
	if err != nil {
		t.Fatal(err)
	}
	p := h2test.New(nc, h2test.Options{})
	defer p.Close()
	if g, err := p.Wait(streamtest.Patience(t)); g == nil || g.Code != http2.ErrCodeInadequateSecurity {
		t.Errorf("%v, %v", g, err)
	}
}

// TestConfigureServer: what it sets, and what it refuses.
func TestConfigureServer(t *testing.T) {
	hook := func(*http.Server, *tls.Conn, http.Handler) {}
	for _, p := range []string{"h2", "unencrypted_http2"} {
		hs := &http.Server{TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){p: hook}}
		if _, err := h2.ConfigureServer(hs, nil); err == nil {
			t.Errorf("%s is taken, and no error", p)
		}
	}
	if _, err := h2.ConfigureServer(&http.Server{TLSConfig: &tls.Config{CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}}}, nil); err == nil {
		t.Error("no suite for HTTP/2, and no error")
	}
	mine := &tls.Config{NextProtos: []string{"x"}}
	hs := &http.Server{TLSConfig: mine}
	if _, err := h2.ConfigureServer(hs, nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(hs.TLSConfig.NextProtos, " "); got != "x h2 http/1.1" || len(mine.NextProtos) != 1 {
		t.Errorf("NextProtos %s; the user's own: %v", got, mine.NextProtos)
	}
	if p := hs.Protocols; !p.HTTP1() || !p.HTTP2() || !p.UnencryptedHTTP2() {
		t.Errorf("protocols %v", p)
	}
	if _, err := h2.ConfigureServer(hs, nil); err == nil {
		t.Error("twice, and no error")
	}
	hs = &http.Server{}
	if _, err := h2.ConfigureServer(hs, &h2.Config{NoCleartext: true}); err != nil || hs.Protocols.UnencryptedHTTP2() || hs.TLSNextProto["unencrypted_http2"] != nil {
		t.Errorf("NoCleartext: %v, %v", hs.Protocols, err)
	}
	hs = &http.Server{Protocols: new(http.Protocols)}
	hs.Protocols.SetHTTP1(true)
	if _, err := h2.ConfigureServer(hs, nil); err != nil || hs.Protocols.UnencryptedHTTP2() || !hs.Protocols.HTTP2() {
		t.Errorf("the user's protocols: %v, %v", hs.Protocols, err)
	}
}
