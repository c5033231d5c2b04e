package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"

	"weir/internal/asupgrade"
)

// The keys of http.Server.TLSNextProto.
const (
	protoH2  = "h2"
	protoH2C = "unencrypted_http2" // in cleartext with prior knowledge (RFC 9113, 3.3)
)

// Server is the HTTP/2 side of an http.Server.
type Server struct {
	hs     *http.Server
	cfg    Config
	log    *slog.Logger
	permit bool // cipher suites that RFC 9113, appendix A prohibits

	lookout lookout

	mu      sync.Mutex
	past    Stats // of connections that have gone
	conns   map[*conn]struct{}
	leaving bool          // GoAway was called: new connections get it too
	empty   chan struct{} // closed when the last connection has gone; nil if nobody waits

	refusals asupgrade.Refusals
}

// ConfigureServer makes the HTTP/2 of srv this package's: over TLS by ALPN, and in cleartext with
// prior knowledge where srv.Protocols allows it. It must be called before srv serves. srv.Protocols
// nil becomes HTTP/1, HTTP/2 and unencrypted HTTP/2 (Config.NoCleartext: without the last); if it
// is set, HTTP/2 is added. A cfg of nil is the zero Config.
//
// A program that makes its own TLS listener has to put "h2" into its NextProtos.
func ConfigureServer(srv *http.Server, cfg *Config) (*Server, error) {
	for _, p := range []string{protoH2, protoH2C} {
		if _, taken := srv.TLSNextProto[p]; taken {
			return nil, errors.New("h2: http.Server.TLSNextProto has an entry for " + p)
		}
	}
	if cfg == nil {
		cfg = new(Config)
	}
	s := &Server{hs: srv, cfg: cfg.with(srv), log: cfg.Logger, conns: map[*conn]struct{}{}, permit: srv.HTTP2 != nil && srv.HTTP2.PermitProhibitedCipherSuites}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.configureTLS(); err != nil {
		return nil, err
	}
	protos := new(http.Protocols)
	if srv.Protocols != nil {
		*protos = *srv.Protocols
	} else {
		protos.SetHTTP1(true)
		protos.SetUnencryptedHTTP2(!cfg.NoCleartext)
	}
	protos.SetHTTP2(true)
	srv.Protocols = protos
	if srv.TLSNextProto == nil {
		srv.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	srv.TLSNextProto[protoH2] = s.serveTLS
	if protos.UnencryptedHTTP2() {
		srv.TLSNextProto[protoH2C] = s.serveClear
	}
	srv.RegisterOnShutdown(s.GoAway)
	return s, nil
}

// configureTLS offers h2 by ALPN, and refuses cipher suites without the one HTTP/2 needs (RFC 9113,
// 9.2.2).
func (s *Server) configureTLS() error {
	t := s.hs.TLSConfig
	if t == nil {
		t = new(tls.Config)
	} else {
		t = t.Clone()
	}
	if t.CipherSuites != nil && t.MinVersion < tls.VersionTLS13 &&
		!slices.Contains(t.CipherSuites, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256) &&
		!slices.Contains(t.CipherSuites, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) {
		return errors.New("h2: TLSConfig.CipherSuites is missing ECDHE with AES_128_GCM_SHA256 (RFC 9113, 9.2.2)")
	}
	t.NextProtos = slices.Clone(t.NextProtos)
	for _, p := range []string{"h2", "http/1.1"} {
		if p == "http/1.1" && s.hs.Protocols != nil && !s.hs.Protocols.HTTP1() {
			continue
		}
		if !slices.Contains(t.NextProtos, p) {
			t.NextProtos = append(t.NextProtos, p)
		}
	}
	s.hs.TLSConfig = t
	return nil
}

// serveTLS is the hook of net/http for a connection that agreed on h2. net/http closes the
// connection when it returns.
func (s *Server) serveTLS(_ *http.Server, tc *tls.Conn, h http.Handler) {
	state := tc.ConnectionState()
	s.serve(tc, &state, h)
}

// serveClear is the hook for cleartext: tc only carries the connection, whose client preface has
// been read.
func (s *Server) serveClear(_ *http.Server, tc *tls.Conn, h http.Handler) {
	if u, ok := tc.NetConn().(interface{ UnencryptedNetConn() net.Conn }); ok {
		s.serve(u.UnencryptedNetConn(), nil, h)
	}
}

func (s *Server) serve(nc net.Conn, state *tls.ConnectionState, h http.Handler) {
	ctx := context.Background()
	if b, ok := h.(interface{ BaseContext() context.Context }); ok {
		ctx = b.BaseContext()
	}
	// The context may be a user's code. From here on only this one is asked, and that is not.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := newConn(s, nc, state, h, ctx)
	s.mu.Lock()
	s.past.ConnsTotal++
	c.id = s.past.ConnsTotal
	s.conns[c] = struct{}{}
	leaving := s.leaving
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
		s.gone(c)
		if len(s.conns) == 0 && s.empty != nil {
			close(s.empty)
			s.empty = nil
		}
	}()
	if leaving {
		c.goAway()
	}
	c.serve()
}

// secure judges the TLS of a connection (RFC 9113, 9.2). permit: cipher suites that appendix A
// prohibits.
func secure(state *tls.ConnectionState, permit bool) bool {
	if state.Version < tls.VersionTLS12 {
		return false
	}
	if state.Version > tls.VersionTLS12 || permit {
		return true
	}
	switch state.CipherSuite { // what is not in appendix A: ephemeral keys and AEAD
	case tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:
		return true
	}
	return false
}

func (s *Server) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	cs := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		cs = append(cs, c)
	}
	return cs
}

// GoAway asks every peer to leave, those that connect later too: GOAWAY with 2^31-1, and after a
// round trip, or 1 s, with the last stream (RFC 9113, 6.8). Streams that are open go on, and each
// connection ends with its last. It returns at once.
func (s *Server) GoAway() {
	s.mu.Lock()
	s.leaving = true
	s.mu.Unlock()
	for _, c := range s.all() {
		c.goAway()
	}
}

// Shutdown is GoAway, and waits until every connection has gone. When ctx ends first they are cut,
// and its error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.GoAway()
	s.mu.Lock()
	if len(s.conns) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	s.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		s.Close()
		return ctx.Err()
	}
}

// Close cuts every connection.
func (s *Server) Close() {
	for _, c := range s.all() {
		c.cut(net.ErrClosed)
	}
}

// Conns is how many connections there are.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
