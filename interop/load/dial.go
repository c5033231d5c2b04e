package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
)

// handshakes is how many handshakes of TLS run at a time.
const handshakes = 32

// connect opens a connection, with TLS if the URL wants it: over what wrap makes of the socket.
func connect(ctx context.Context, c *Config, wrap func(net.Conn) net.Conn) (net.Conn, error) {
	d := net.Dialer{Timeout: c.Timeout}
	nc, err := d.DialContext(ctx, "tcp", c.address())
	if err != nil || !c.secure() {
		return nc, err
	}
	cfg := &tls.Config{}
	if c.TLS != nil {
		cfg = c.TLS.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = c.URL.Hostname()
	}
	want := "http/1.1"
	if c.HTTP2 {
		want = "h2"
	}
	cfg.NextProtos = []string{want}
	cfg.DynamicRecordSizingDisabled = true // small records cost more
	tc := tls.Client(wrap(nc), cfg)
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	if got := tc.ConnectionState().NegotiatedProtocol; c.HTTP2 && got != want {
		nc.Close()
		return nil, errors.New("TLS: the server does not speak HTTP/2 (ALPN)")
	}
	return tc, nil
}
