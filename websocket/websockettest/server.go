package websockettest

import (
	"cmp"
	"context"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"weir/websocket"
)

// Server is a server on a socket of the loopback interface, over TLS, with HTTP/1.1 and HTTP/2: for
// tests that go through real clients and other programs. It works in real time: a bubble of
// testing/synctest cannot hold it.
type Server struct {
	// URL is https://127.0.0.1 with a port. A Dialer takes it as wss.
	URL string
	// LeakTime is how long Close waits for sessions to end that are about to: 10 s unless it is set.
	LeakTime time.Duration

	t       testing.TB
	srv     *http.Server
	ws      *websocket.Server
	watched *watched
	log     lines
	client  *http.Client

	mu      sync.Mutex
	closed  bool
	records []*record
	dialers []*websocket.Dialer
}

// NewServer starts a Server for handler. It is closed when t ends, unless Close was called before.
func NewServer(t testing.TB, handler http.Handler) *Server {
	t.Helper()
	s := &Server{t: t, LeakTime: 10 * time.Second}
	s.watched = &watched{handler: handler, record: s.newRecord}
	s.srv = &http.Server{Handler: s.watched, ErrorLog: log.New(&s.log, "", 0),
		TLSConfig: serverTLS()}
	ws, err := websocket.ConfigureServer(s.srv, nil)
	if err != nil {
		t.Fatalf("websockettest: %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("websockettest: %v", err)
	}
	s.ws = ws
	s.URL = "https://" + ln.Addr().String()
	trusting := clientTLS()
	trusting.ServerName = ""
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: trusting,
		ForceAttemptHTTP2: true}}
	go s.srv.ServeTLS(ln, "", "") // ends with Close
	t.Cleanup(s.Close)
	return s
}

func (s *Server) newRecord(r *http.Request) *record {
	rec := &record{w: newWire(), path: r.URL.Path, remote: r.RemoteAddr}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, rec)
	return rec
}

// Client is an http.Client that trusts the server. It is for ordinary requests, and for other
// libraries' WebSockets; its Transport is an *http.Transport.
func (s *Server) Client() *http.Client { return s.client }

// Dialer is a Dialer that trusts the server: over HTTP/2, unless its field HTTP is set to another
// version before it is used. It is closed with the Server.
func (s *Server) Dialer() *websocket.Dialer {
	trusting := clientTLS()
	trusting.ServerName = ""
	d := &websocket.Dialer{TLS: trusting}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialers = append(s.dialers, d)
	return d
}

// Sessions is how many sessions have not ended.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(open(s.records))
}

// Close ends the server. The test fails for each session that is still open and does not end
// within LeakTime: somebody has forgotten to close it. So it does for handlers that do not return,
// and for what they have panicked with.
func (s *Server) Close() {
	s.t.Helper()
	s.mu.Lock()
	records, dialers, closed := s.records, s.dialers, s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return
	}
	awaitEnds(records, s.LeakTime)
	for _, rec := range open(records) {
		s.t.Errorf("websockettest: the session of %s from %s is still open: nobody has closed it%s",
			cmp.Or(rec.path, "/"), rec.remote,
			rec.story())
		rec.session.Cut()
	}
	for _, d := range dialers {
		_ = d.Close() // gives no error
		d.CloseIdle()
	}
	s.client.CloseIdleConnections()
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	_ = s.ws.Shutdown(ctx) // what is left has been told
	_ = s.srv.Close()
	s.watched.returned(s.t, max(s.LeakTime, time.Second))
	for _, rec := range records {
		rec.report(s.t)
	}
	s.watched.report(s.t)
	if s.t.Failed() {
		for _, l := range s.log.all() {
			s.t.Log("the server's log: " + l)
		}
	}
}

// open are those of records whose sessions have not ended.
func open(records []*record) (left []*record) {
	for _, rec := range records {
		rec.w.mu.Lock()
		if rec.session != nil && rec.reason == nil {
			left = append(left, rec)
		}
		rec.w.mu.Unlock()
	}
	return left
}
