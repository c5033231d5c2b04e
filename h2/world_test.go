package h2_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/h2"
)

// certificate is a self-signed one for localhost.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// world is a server on loopback and Go's own client.
type world struct {
	url    string
	addr   string
	client *http.Client
	h2     *h2.Server
	logged lockedBuffer
}

// overLoopback runs f against h in cleartext and over TLS.
func overLoopback(t *testing.T, cfg *h2.Config, h http.HandlerFunc, f func(t *testing.T, w *world)) {
	for _, mode := range []string{"h2c", "h2"} {
		t.Run(mode, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			w := &world{addr: l.Addr().String()}
			hs := &http.Server{Handler: h, ErrorLog: log.New(&w.logged, "", 0)}
			if w.h2, err = h2.ConfigureServer(hs, cfg); err != nil {
				t.Fatal(err)
			}
			tr := &http.Transport{Protocols: new(http.Protocols)}
			if mode == "h2" {
				hs.TLSConfig.Certificates = []tls.Certificate{certificate(t)}
				tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
				tr.Protocols.SetHTTP2(true)
				w.url = "https://" + w.addr
				go hs.ServeTLS(l, "", "") // ends with Close
			} else {
				tr.Protocols.SetUnencryptedHTTP2(true)
				w.url = "http://" + w.addr
				go hs.Serve(l) // ends with Close
			}
			w.client = &http.Client{Transport: tr, Timeout: 30 * time.Second}
			defer hs.Close()
			defer tr.CloseIdleConnections()
			f(t, w)
		})
	}
}

func (w *world) do(t *testing.T, method, path string, body io.Reader) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, w.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: body: %v", method, path, err)
	}
	return res, string(b)
}

// dial opens a connection of one's own, with ALPN over TLS.
func (w *world) dial(t *testing.T) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(w.url, "https") {
		return tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}
	return nc
}
