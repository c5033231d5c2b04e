package conform

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// probe asks a server of net/http whether it speaks a version.
func probe(t *testing.T, secure bool, speaks http.Protocols, version string) error {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.Protocols = &speaks
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		srv.TLS = new(tls.Config)
		if speaks.HTTP2() {
			srv.TLS.NextProtos = append(srv.TLS.NextProtos, "h2")
		}
		if speaks.HTTP1() {
			srv.TLS.NextProtos = append(srv.TLS.NextProtos, "http/1.1")
		}
		srv.StartTLS()
	} else {
		srv.Start()
	}
	defer srv.Close()
	target, err := NewTarget(srv.URL, version, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	return target.Probe(t.Context())
}

func TestProbe(t *testing.T) {
	var one, two, both http.Protocols
	one.SetHTTP1(true)
	two.SetHTTP2(true)
	two.SetUnencryptedHTTP2(true)
	both.SetHTTP1(true)
	both.SetHTTP2(true)
	both.SetUnencryptedHTTP2(true)
	for _, test := range []struct {
		name    string
		secure  bool
		speaks  http.Protocols
		version string
		spoken  bool
	}{
		{"h1", false, both, "1.1", true},
		{"h2c", false, both, "2", true},
		{"h2c of a server of HTTP/1.1", false, one, "2", false},
		{"h1tls", true, both, "1.1", true},
		{"h2", true, both, "2", true},
		{"h2 of a server of HTTP/1.1", true, one, "2", false},
		{"h2 of a server of HTTP/2 alone", true, two, "2", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := probe(t, test.secure, test.speaks, test.version); test.spoken != (err == nil) || !test.spoken && !errors.Is(err, ErrNotSpoken) {
				t.Error(err)
			}
		})
	}
}

func TestProbeUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()

	// Somebody who says nothing does not speak HTTP/2.
	target, err := NewTarget("ws://"+address, "2", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := target.Probe(ctx); !errors.Is(err, ErrNotSpoken) && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	l.Close()
	const nobody = "127.0.0.1:1" // the listener's port may be somebody else's by now
	for _, u := range []string{"ws://" + nobody, "wss://" + nobody} {
		for _, version := range []string{"1.1", "2"} {
			target, err := NewTarget(u, version, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := target.Probe(t.Context()); err == nil || errors.Is(err, ErrNotSpoken) {
				t.Errorf("%s over HTTP/%s: %v", u, version, err)
			}
		}
	}

	// A certificate that is not believed is no question of versions.
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	if target, err = NewTarget(srv.URL, "2", nil); err != nil {
		t.Fatal(err)
	}
	if err := target.Probe(t.Context()); err == nil || errors.Is(err, ErrNotSpoken) {
		t.Error(err)
	}
}
