package conform

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"

	"weir/internal/reach"
	"weir/stream"
)

// Target is the server under test, reached in one way.
type Target struct {
	URL       *url.URL         // scheme http or https; path and query name the endpoint, which echoes
	Transport stream.Transport // h1, h1tls, h2c or h2
	TLS       *tls.Config      // nil in cleartext; NextProtos is set by Dial
	Agent     string           // what reports call it
	Pace      *Pace            // how long it is waited for; nil: a Run gives it one of its own
}

// NewTarget reads a URL of scheme ws, wss, http or https, and a version of HTTP, "1.1" or "2". cfg
// is used with wss and https; nil: certificates are verified.
func NewTarget(raw, version string, cfg *tls.Config) (*Target, error) {
	u, err := reach.ParseURL(raw)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	case "http", "https":
	default:
		return nil, fmt.Errorf("URL %q: ws, wss, http or https", reach.RedactURL(raw))
	}
	if u.Hostname() == "" || u.Fragment != "" {
		return nil, fmt.Errorf("URL %q: with a host and without a fragment (RFC 6455, 3)", reach.RedactURL(raw))
	}
	if u.Path == "" {
		u.Path = "/"
	}
	secure := u.Scheme == "https"
	t := &Target{URL: u}
	switch {
	case version == "1.1" && !secure:
		t.Transport = stream.H1
	case version == "1.1":
		t.Transport = stream.H1TLS
	case version == "2" && !secure:
		t.Transport = stream.H2C
	case version == "2":
		t.Transport = stream.H2
	default:
		return nil, fmt.Errorf("HTTP version %q: 1.1 or 2", version)
	}
	if secure {
		if t.TLS = cfg; cfg == nil {
			t.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	return t, nil
}

// HTTP2 says whether the server is reached over HTTP/2.
func (t *Target) HTTP2() bool { return t.Transport == stream.H2C || t.Transport == stream.H2 }

// Authority is the host and port as Host and :authority have them.
func (t *Target) Authority() string { return t.URL.Host }

// RequestURI is the path and query of the endpoint.
func (t *Target) RequestURI() string { return t.URL.RequestURI() }

// With is the target with one parameter more in the query.
func (t *Target) With(name, value string) *Target {
	u := *t.URL
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	c := *t
	c.URL = &u
	return &c
}

// Path is the target with another endpoint of the same server.
func (t *Target) Path(path string) *Target {
	u := *t.URL
	u.Path, u.RawPath, u.RawQuery = path, "", ""
	c := *t
	c.URL = &u
	return &c
}

// Dial opens a connection, over TLS with the transport's ALPN protocol, which the server has to
// choose.
func (t *Target) Dial(ctx context.Context) (net.Conn, error) {
	port := t.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[t.URL.Scheme]
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(t.URL.Hostname(), port))
	if err != nil || t.TLS == nil {
		return c, err
	}
	cfg := t.TLS.Clone()
	proto := "http/1.1"
	if t.HTTP2() {
		proto = "h2"
	}
	cfg.NextProtos = []string{proto}
	if cfg.ServerName == "" {
		cfg.ServerName = t.URL.Hostname()
	}
	s := tls.Client(c, cfg)
	if err := s.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	if got := s.ConnectionState().NegotiatedProtocol; got != proto && (got != "" || t.HTTP2()) {
		s.Close()
		return nil, fmt.Errorf("the server does not speak %s over TLS: ALPN gave %q (RFC 7301)", proto, got)
	}
	return s, nil
}
