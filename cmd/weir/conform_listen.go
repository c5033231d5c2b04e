package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weir/h2"
	"weir/interop/conform"
)

// lastAnswer is how long the client that ends a fuzzing server may take to be told.
const lastAnswer = 2 * time.Second

// fuzz serves clients until one says that it was the last, or a signal comes, and reports.
func (c *conformConfig) fuzz(p *conformPlan, out *conformOutput) error {
	began := time.Now()
	completed := make(chan struct{}, 1)
	f, err := c.fuzzing.server(p.cases, &conform.Pace{Patience: c.patience}, out.progress, func() {
		select {
		case completed <- struct{}{}:
		default: // it has been said
		}
	})
	if err != nil {
		return &runError{err}
	}
	log, lines := (&config{logFormat: "text"}).logger(out.stderr)
	defer lines.flush()
	srv := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	if c.server.tlsListen != "" {
		cert, err := c.server.certificate()
		if err != nil {
			return &runError{err}
		}
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	if _, err := h2.ConfigureServer(srv, nil); err != nil {
		return &runError{err}
	}
	ls, err := c.server.listeners(log)
	if err != nil {
		return &runError{err}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	failed := make(chan error, len(ls))
	for _, l := range ls {
		go func() { failed <- l.serve(srv) }() // ends when the listener is closed, by Close
	}
	ev := newEvents(out.stdout)
	ev.listening(addresses(ls))
	ev.out.flush() // what is written there besides comes later
	out.begin(0)
	err = nil
	select {
	case err = <-failed:
	case <-signals:
	case <-completed: // and the client that said so is still to be answered
		ctx, cancel := context.WithTimeout(context.Background(), lastAnswer)
		_ = srv.Shutdown(ctx) // what is left then is cut
		cancel()
	}
	srv.Close()
	out.end()
	if err != nil {
		return &runError{err}
	}
	return c.finish(p, out, f.Results(), time.Since(began), false)
}
