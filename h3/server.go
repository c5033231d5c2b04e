package h3

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"weir/internal/asupgrade"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Server is the HTTP/3 side of an http.Server.
type Server struct {
	hs    *http.Server
	cfg   Config
	log   *slog.Logger
	reset quic.StatelessResetKey

	buffers sync.Pool // of *[readSize]byte
	chunks  sync.Pool // of *chunk

	refusals asupgrade.Refusals
	journal  journal

	mu      sync.Mutex
	counts  Stats
	alive   int // connections, in their handshake too
	conns   map[*conn]struct{}
	serving map[*quic.Transport]context.CancelFunc
	port    int           // that Alt-Svc names; 0: nothing is served
	leaving bool          // GoAway was called
	closed  bool          // Shutdown or Close was
	empty   chan struct{} // closed when the last connection has gone; nil if nobody waits
}

// ConfigureServer gives srv HTTP/3 beside what it serves over TCP. Handler, BaseContext, TLSConfig,
// ErrorLog and the rest of srv are read when Serve is called, so it may stand before or after
// websocket.ConfigureServer and h2.ConfigureServer. Answers over HTTP/1.1 and HTTP/2 name it by
// Alt-Svc while Serve serves. A cfg of nil is the zero Config.
//
// srv.Shutdown has it leave (GoAway) and does not wait for it, and srv.Close does not know it:
// websocket.Server.Add has it drain with the rest, and Close cuts it.
func ConfigureServer(srv *http.Server, cfg *Config) (*Server, error) {
	if cfg == nil {
		cfg = new(Config)
	}
	s := &Server{hs: srv, cfg: cfg.with(srv), log: cfg.Logger, conns: map[*conn]struct{}{},
		serving: map[*quic.Transport]context.CancelFunc{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.buffers.New = func() any { return new([readSize]byte) }
	rand.Read(s.reset[:]) // never fails
	if s.cfg.AltSvcAge > 0 {
		next := srv.Handler
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor < 3 && r.TLS != nil { // handshakes too: a Dialer may see no other answers
				s.SetAltSvc(w.Header())
			}
			if next == nil {
				http.DefaultServeMux.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	srv.RegisterOnShutdown(s.GoAway)
	return s, nil
}

// SetAltSvc puts the Alt-Svc field (RFC 7838) into the header of an answer, if there is HTTP/3 to
// name.
func (s *Server) SetAltSvc(h http.Header) {
	if v := s.altSvc(); v != "" {
		h["Alt-Svc"] = []string{v}
	}
}

func (s *Server) altSvc() string {
	s.mu.Lock()
	port := s.port
	if s.leaving {
		port = 0
	}
	s.mu.Unlock()
	switch {
	case port == 0 || s.cfg.AltSvcAge < 0:
		return ""
	case s.cfg.AltSvc != "":
		return s.cfg.AltSvc
	}
	return fmt.Sprintf(`h3=":%d"; ma=%d`, port, s.cfg.AltSvcAge/time.Second)
}

// Serve serves HTTP/3 on pc, whose close is Serve's, until Shutdown or Close, and then gives
// http.ErrServerClosed. http.Server.TLSConfig must have a certificate.
func (s *Server) Serve(pc net.PacketConn) error {
	defer pc.Close()
	conf, err := s.tls()
	if err != nil {
		return err
	}
	tr := &quic.Transport{Conn: pc, StatelessResetKey: &s.reset, ConnContext: s.connContext,
		VerifySourceAddress: s.suspects}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if err := s.begin(tr, pc, stop); err != nil {
		return err
	}
	defer s.end(tr)
	ln, err := tr.Listen(conf, s.quic())
	if err != nil {
		return err
	}
	base := s.base(pc.LocalAddr())
	for {
		qc, err := ln.Accept(ctx)
		if err != nil {
			if ctx.Err() != nil {
				err = http.ErrServerClosed
			}
			s.cut(tr)
			return err
		}
		go s.serve(qc, tr, base) // ends with the connection
	}
}

// tls is the TLS configuration for QUIC.
func (s *Server) tls() (*tls.Config, error) {
	t := s.hs.TLSConfig
	if t == nil || len(t.Certificates) == 0 && t.GetCertificate == nil && t.GetConfigForClient == nil {
		return nil, errors.New("h3: http.Server.TLSConfig has no certificate")
	}
	return http3.ConfigureTLSConfig(t), nil
}

// quic is the configuration of QUIC. 0-RTT is off: what is sent in it can be sent again by anybody
// who has seen it (RFC 9001, 9.2).
func (s *Server) quic() *quic.Config {
	c := &s.cfg
	return &quic.Config{
		HandshakeIdleTimeout:           c.HandshakeTimeout / 2, // quic-go gives it twice that in all
		MaxIdleTimeout:                 c.PathTimeout,
		KeepAlivePeriod:                c.KeepAlive,
		InitialStreamReceiveWindow:     uint64(c.StreamWindow),
		MaxStreamReceiveWindow:         uint64(c.StreamWindow),
		InitialConnectionReceiveWindow: uint64(c.ConnWindow),
		MaxConnectionReceiveWindow:     uint64(c.ConnWindow),
		MaxIncomingStreams:             int64(c.MaxStreams),
		MaxIncomingUniStreams:          uniStreams,
	}
}

// connContext is called for each connection that begins, and refuses it by an error.
func (s *Server) connContext(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.leaving:
		return nil, http.ErrServerClosed
	case s.alive >= s.cfg.MaxConns:
		return nil, s.refuse(LimitConns)
	case s.counts.Handshakes >= s.cfg.MaxHandshakes:
		return nil, s.refuse(LimitHandshakes)
	}
	s.alive++
	s.counts.Handshakes++
	h := &handshake{s: s, under: true}
	context.AfterFunc(ctx, h.gone)
	return context.WithValue(ctx, handshakeKey{}, h), nil
}

// refuse notes a limit; mu is held.
func (s *Server) refuse(l Limit) error {
	s.counts.Limits[l]++
	return fmt.Errorf("h3: more than Config.%s", l)
}

// suspects says that a client has to show that its address is its own.
func (s *Server) suspects(net.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts.Handshakes >= s.cfg.RetryHandshakes
}

type handshakeKey struct{}

// handshake is a connection's place among those that are counted.
type handshake struct {
	s     *Server
	under bool // s.mu: in its handshake
}

func (h *handshake) over() {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.overLocked()
}

func (h *handshake) overLocked() {
	if h.under {
		h.under = false
		h.s.counts.Handshakes--
	}
}

func (h *handshake) gone() {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.overLocked()
	h.s.alive--
}

// base is the context of requests (http.Server.BaseContext).
func (s *Server) base(a net.Addr) context.Context {
	ctx := context.Background()
	if f := s.hs.BaseContext; f != nil {
		if ctx = f(listener{a}); ctx == nil {
			panic("h3: BaseContext returned a nil context")
		}
	}
	return context.WithValue(ctx, http.ServerContextKey, s.hs)
}

// listener is what http.Server.BaseContext gets: there is a socket, and it accepts nothing by
// itself.
type listener struct{ addr net.Addr }

func (l listener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (l listener) Close() error              { return nil }
func (l listener) Addr() net.Addr            { return l.addr }

// begin notes that tr serves.
func (s *Server) begin(tr *quic.Transport, pc net.PacketConn, stop context.CancelFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return http.ErrServerClosed
	}
	s.serving[tr] = stop
	if a, ok := pc.LocalAddr().(*net.UDPAddr); ok {
		s.port = a.Port
	}
	return nil
}

// end closes a socket whose connections have gone.
func (s *Server) end(tr *quic.Transport) {
	s.mu.Lock()
	delete(s.serving, tr)
	if len(s.serving) == 0 {
		s.port = 0
	}
	s.mu.Unlock()
	tr.Close() // it waits until nobody reads
}

// cut ends the connections of a socket that is served no more.
func (s *Server) cut(tr *quic.Transport) {
	var all sync.WaitGroup
	for _, c := range s.all() {
		if c.tr == tr {
			all.Go(func() { c.close(NoError, "") })
		}
	}
	all.Wait()
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

// GoAway asks every peer to leave, by one GOAWAY with the id of the next stream (RFC 9114, 5.2):
// requests that come later are reset with H3_REQUEST_REJECTED, streams that are open go on, and
// each connection ends behind its last. New connections are refused. It returns at once.
func (s *Server) GoAway() {
	s.mu.Lock()
	s.leaving = true
	s.mu.Unlock()
	for _, c := range s.all() {
		c.goAway()
	}
}

// Shutdown is GoAway, and waits until every connection has gone. When ctx ends first they are cut,
// and its error returned, if a request or a WebSocket was; connections that merely waited for their
// peer's end are no loss.
func (s *Server) Shutdown(ctx context.Context) error {
	s.GoAway()
	s.mu.Lock()
	s.closed = true
	var empty chan struct{}
	if len(s.conns) > 0 {
		if s.empty == nil {
			s.empty = make(chan struct{})
		}
		empty = s.empty
	}
	s.mu.Unlock()
	var err error
	if empty != nil {
		select {
		case <-empty:
		case <-ctx.Done():
			if st := s.Stats(); st.Streams > 0 {
				err = ctx.Err()
			}
		}
	}
	return errors.Join(err, s.Close())
}

// Close cuts every connection, and has Serve return.
func (s *Server) Close() error {
	s.mu.Lock()
	s.leaving, s.closed = true, true
	stops := make([]context.CancelFunc, 0, len(s.serving))
	for _, stop := range s.serving {
		stops = append(stops, stop)
	}
	s.mu.Unlock()
	var all sync.WaitGroup
	for _, c := range s.all() {
		all.Go(func() { c.close(NoError, "") })
	}
	all.Wait()
	for _, stop := range stops {
		stop()
	}
	return nil
}

// Conns is how many connections there are.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// chunk gives one that is empty.
func (s *Server) chunk() *chunk {
	k, _ := s.chunks.Get().(*chunk)
	if k == nil {
		return new(chunk)
	}
	k.r, k.w, k.plain = 0, 0, 0
	return k
}
