package h3test

import (
	"context"
	"net"
	"sync"

	"golang.org/x/net/quic"
)

// maxRequests is how many requests of a client wait for Request.
const maxRequests = 1000

// Server accepts connections, and says on each what it is told to. Its methods may be called from
// any goroutine.
type Server struct {
	opts     Options
	endpoint *quic.Endpoint

	mu    sync.Mutex
	peers []*Peer
}

// Listen serves pc, which the Server owns. Options.TLS has the certificate; nil is ServerTLS.
func Listen(pc net.PacketConn, o Options) (*Server, error) {
	t := o.TLS
	if t == nil {
		t = ServerTLS()
	}
	t = t.Clone()
	if t.NextProtos == nil {
		t.NextProtos = []string{"h3"}
	}
	cfg := &quic.Config{TLSConfig: t}
	if o.QUIC != nil {
		o.QUIC(cfg)
	}
	e, err := quic.NewEndpoint(pc, cfg)
	if err != nil {
		pc.Close()
		return nil, err
	}
	return &Server{opts: o, endpoint: e}, nil
}

// Accept waits for a connection. Unless Options.Bare says otherwise SETTINGS leave at once. The
// Peer says what a server says; Request gives the client's requests.
func (s *Server) Accept(ctx context.Context) (*Peer, error) {
	c, err := s.endpoint.Accept(ctx)
	if err != nil {
		return nil, err
	}
	p := &Peer{opts: s.opts, endpoint: s.endpoint, conn: c,
		requests: make(chan *Tunnel, maxRequests)}
	p.changed.L = &p.mu
	go p.accept() // ends with the connection
	go p.watch()  // ends with the connection
	s.mu.Lock()
	s.peers = append(s.peers, p)
	s.mu.Unlock()
	if s.opts.Bare {
		return p, nil
	}
	return p, p.Control(AppendSettings(AppendVarint(nil, StreamControl), s.opts.Settings...))
}

// Close cuts every connection, and closes the socket.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		p.Abort(NoError)
	}
	closeEndpoint(s.endpoint)
}

// Request waits for the next request of a server's client. Its first field section has been read,
// and is Tunnel.Header[0].
func (p *Peer) Request(ctx context.Context) (*Tunnel, error) {
	select {
	case t, ok := <-p.requests:
		if !ok {
			return nil, net.ErrClosed
		}
		t.s.SetReadContext(ctx)
		t.s.SetWriteContext(context.Background())
		for len(t.Header) == 0 {
			if _, err := t.next(); err != nil {
				return nil, err
			}
		}
		t.s.SetReadContext(context.Background())
		return t, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
