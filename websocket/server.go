package websocket

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/h2"
	"weir/upgrade"
)

// DefaultDrain is Config.Drain when none is given.
const DefaultDrain = 10 * time.Second

// Config is what ConfigureServer may be told.
type Config struct {
	HTTP2 h2.Config     // how the server's HTTP/2 behaves
	Drain time.Duration // how long sessions have when the http.Server is shut down by itself; 0: 10 s; negative: they are cut
}

// Server is an http.Server whose HTTP/2 is weir's and whose WebSockets drain.
type Server struct {
	hs       *http.Server
	h2       *h2.Server
	group    *Group
	drain    time.Duration
	refusing atomic.Bool
	draining chan struct{} // closed when a drain begins
	begin    sync.Once

	mu     sync.Mutex
	others []HTTPServer // see Add
}

// HTTPServer is a server of another version of HTTP that drains with this one, as h3.Server is.
type HTTPServer interface {
	// GoAway asks every peer to leave, and returns at once.
	GoAway()

	// Shutdown is GoAway, and waits until nothing is open any more. When ctx ends first all is cut,
	// and its error returned if there was something to cut.
	Shutdown(ctx context.Context) error

	// Close cuts everything.
	Close() error
}

// Add has Shutdown drain t, too. Its WebSockets are in the Group of this server if its requests
// have the contexts that http.Server.BaseContext gives.
func (s *Server) Add(t HTTPServer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others = append(s.others, t)
}

// added is a copy of what Add was given.
func (s *Server) added() []HTTPServer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.others)
}

// groupKey is where the server's Group is in the context of its requests.
type groupKey struct{}

// ConfigureServer makes HTTP/2 of srv weir's, as h2.ConfigureServer says, and gives it a Group in
// which the WebSockets opened by Handle drain. It must be called before srv serves, and after
// srv.Handler, BaseContext, TLSConfig and Protocols are set.
//
// Server.Shutdown is the call that drains. A plain srv.Shutdown drains, too, for Config.Drain, but
// it neither refuses new requests first nor waits for WebSockets over HTTP/1.1. srv.Close forgets
// those over HTTP/1.1, as it does every hijacked connection; a program that keeps the net.Conn of
// srv.ConnState or srv.ConnContext ends them by closing it.
func ConfigureServer(srv *http.Server, cfg *Config) (*Server, error) {
	if cfg == nil {
		cfg = new(Config)
	}
	s := &Server{hs: srv, group: new(Group), drain: or(cfg.Drain, DefaultDrain, 0), draining: make(chan struct{})}
	var err error
	if s.h2, err = h2.ConfigureServer(srv, &cfg.HTTP2); err != nil {
		return nil, err
	}
	base := srv.BaseContext
	srv.BaseContext = func(l net.Listener) context.Context {
		ctx := context.Background()
		if base != nil {
			ctx = base(l)
		}
		return context.WithValue(upgrade.WithDrain(ctx, s.draining), groupKey{}, s.group)
	}
	next := srv.Handler
	if next == nil {
		next = http.DefaultServeMux
	}
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.refusing.Load() {
			if r.ProtoMajor == 1 {
				w.Header().Set("Connection", "close")
			}
			http.Error(w, "the server is shutting down", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	srv.RegisterOnShutdown(s.drainOnShutdown)
	return s, nil
}

// HTTP2 is the server of h2, for its Stats.
func (s *Server) HTTP2() *h2.Server { return s.h2 }

// Group is what Shutdown drains.
func (s *Server) Group() *Group { return s.group }

// Shutdown drains (BEHAVIOUR 8). First new requests are refused while the listeners are still open:
// 503, and GOAWAY on HTTP/2 and HTTP/3. Then the sessions end: each gets Drain if its handler has
// it, else close 1001, spread over the first half of the time that ctx leaves, or so that the last
// linger time fits. Then http.Server.Shutdown. What is open when ctx ends is cut: Shutdown never
// outlives ctx, and returns its error if a session or a request was cut. Connections that merely
// wait for their peer's end are closed and are no loss. It may be called again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.refusing.Store(true)
	s.h2.GoAway()
	others := s.added()
	for _, t := range others {
		t.GoAway()
	}
	s.begin.Do(func() { close(s.draining) })
	err := s.group.Shutdown(ctx)
	ended := make(chan error, len(others))
	for _, t := range others {
		go func() { ended <- t.Shutdown(ctx) }() // ends with ctx
	}
	e := s.hs.Shutdown(ctx)
	for range others {
		if lost := <-ended; err == nil {
			err = lost
		}
	}
	if e != nil && err == nil && s.ended() {
		e = nil
	}
	if e != nil {
		s.h2.Close()
		go s.close() // ends when what was cut has gone, at the latest after 2 s
		if err == nil {
			err = e
		}
	}
	return err
}

// endTime is how long what has ended has for its last octets when ctx of Shutdown has ended.
const endTime = 100 * time.Millisecond

// ended says that nothing was left to cut when ctx of Shutdown ended: what there was of connections
// over HTTP/2 waited for their peers' ends.
func (s *Server) ended() bool {
	ctx, stop := context.WithTimeout(context.Background(), endTime)
	defer stop()
	if s.h2.Conns() == 0 {
		return false // it was HTTP/1.1
	}
	for s.h2.Stats().Streams == 0 {
		if s.h2.CloseEnded() == 0 {
			return s.hs.Shutdown(ctx) == nil
		}
		if !sleep(ctx, endTime/20) {
			break
		}
	}
	return false
}

// close ends what is left of the http.Server. Connections over HTTP/2 have said that they end, and
// have a moment for these words to leave.
func (s *Server) close() {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	_ = s.h2.Shutdown(ctx) // in the end they go all the same
	s.hs.Close()
}

// drainOnShutdown runs when the http.Server is shut down by itself.
func (s *Server) drainOnShutdown() {
	if s.refusing.Load() {
		return
	}
	s.begin.Do(func() { close(s.draining) })
	ctx, stop := context.WithTimeout(context.Background(), s.drain)
	defer stop()
	_ = s.group.Shutdown(ctx) // nobody waits for it; what is cut is told its reason
}
