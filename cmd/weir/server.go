package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"weir/h2"
	"weir/h3"
	"weir/websocket"
)

// server is one run of `weir serve`.
type server struct {
	config   *config
	log      *slog.Logger
	events   *events
	metrics  *metrics
	rooms    *rooms
	draining atomic.Bool
	h3       *h3.Server // nil without --h3

	payloads  payloads
	allowance allowance
	chunk     []byte // of /bytes; nobody writes into it
}

// maxHeader bounds the head of a request: a WebSocket keeps its path and its query for as long as
// it is open. Over HTTP/2 it is the default.
const maxHeader = 64 << 10

// errCut says that the drain deadline came before the last session's end.
var errCut = errors.New("drain: some connections were cut")

func newServer(c *config, log *slog.Logger, stdout io.Writer) *server {
	m := newMetrics()
	s := &server{
		config: c, log: log, events: newEvents(stdout), metrics: m, rooms: newRooms(m.slow.Inc),
	}
	s.chunk = []byte(s.payloads.of(bytesWrite))
	return s
}

// serve runs until a signal has drained it (nil, or errCut), or a listener fails.
func serve(c *config, log *slog.Logger, stdout io.Writer) error {
	s := newServer(c, log, stdout)
	defer s.events.out.flush()
	srv, ws, err := s.httpServer()
	if err != nil {
		return err
	}
	ls, err := c.listeners(log)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	failed := make(chan error, 2*len(ls))
	for _, l := range ls {
		go func() { failed <- l.serve(srv) }() // ends when the listener is closed, by Shutdown or Close
		if l.udp != nil {
			go func() { failed <- l.failure(s.h3.Serve(l.udp)) }() // the same
		}
	}
	s.events.listening(addresses(ls))
	select {
	case err := <-failed:
		srv.Close()
		if s.h3 != nil {
			s.h3.Close()
		}
		return err
	case sig := <-signals:
		log.Info("draining", "signal", sig.String(), "for", c.drain)
	}
	return s.shutdown(ws, signals)
}

// httpServer is the net/http server of all listeners, with weir's HTTP/2 and HTTP/3.
func (s *server) httpServer() (*http.Server, *websocket.Server, error) {
	srv := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	if s.config.tlsListen != "" {
		cert, err := s.config.certificate()
		if err != nil {
			return nil, nil, err
		}
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	if s.config.h3 {
		var err error
		if s.h3, err = h3.ConfigureServer(srv, &h3.Config{
			MaxStreams:        s.config.maxStreams,
			NoExtendedConnect: s.config.noExtendedConnect,
			Logger:            s.log,
		}); err != nil {
			return nil, nil, err
		}
	}
	ws, err := websocket.ConfigureServer(srv, &websocket.Config{
		HTTP2: h2.Config{
			MaxConcurrentStreams: s.config.maxStreams,
			NoExtendedConnect:    s.config.noExtendedConnect,
			Logger:               s.log,
			Trace:                s.trace(),
		},
		Drain: zeroIsNone(s.config.drain),
	})
	if err != nil {
		return nil, nil, err
	}
	s.metrics.registry.MustRegister(h2Metrics{ws.HTTP2().Stats})
	if s.h3 != nil {
		ws.Add(s.h3)
		s.metrics.registry.MustRegister(h3Metrics{s.h3.Stats})
	}
	return srv, ws, nil
}

// shutdown drains for as long as the flags say. One more signal cuts at once.
func (s *server) shutdown(ws *websocket.Server, signals <-chan os.Signal) error {
	s.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), s.config.drain)
	defer cancel()
	go func() { // ends with ctx
		select {
		case sig := <-signals:
			s.log.Info("stopping at once", "signal", sig.String())
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := ws.Shutdown(ctx); err != nil {
		last, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		_ = ws.Group().Shutdown(last) // what was cut has a moment to tell its end
		return fmt.Errorf("%w: %w", errCut, err)
	}
	return nil
}

// listener is one address that is served.
type listener struct {
	net.Listener
	tls bool
	udp net.PacketConn // for HTTP/3, which closes it; nil without
}

func (l listener) serve(srv *http.Server) error {
	var err error
	if l.tls {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	return l.failure(err)
}

func (l listener) failure(err error) error {
	return fmt.Errorf("serving %s: %w", l.address().URL, err)
}

// address is how the listening event tells of l.
func (l listener) address() address {
	switch {
	case l.tls && l.udp != nil:
		return address{"https://" + l.Addr().String(), []string{"h2", "http/1.1", "h3"}}
	case l.tls:
		return address{"https://" + l.Addr().String(), []string{"h2", "http/1.1"}}
	case l.Addr().Network() == "unix":
		return address{"unix:" + l.Addr().String(), []string{"http/1.1", "h2"}}
	}
	return address{"http://" + l.Addr().String(), []string{"http/1.1", "h2"}}
}

func addresses(ls []listener) []address {
	out := make([]address, len(ls))
	for i, l := range ls {
		out[i] = l.address()
	}
	return out
}

// trace is where every HTTP/2 frame is logged: nowhere unless all of the log is wanted.
func (s *server) trace() *slog.Logger {
	if !s.config.verbose {
		return nil
	}
	return s.log
}
