package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weir/h2"
	"weir/internal/fields"
	"weir/internal/pool"
	"weir/internal/reach"
	"weir/stream"
	"weir/upgrade"
)

// bridge serves WebSockets over HTTP/1.1 that are relayed over HTTP/2 or HTTP/3. It knows nothing
// of frames.
type bridge struct {
	up       *upstream
	keepHost bool
	timeout  time.Duration
	window   int
	log      *slog.Logger
}

// ServeHTTP makes an extended CONNECT of a WebSocket's opening handshake (RFC 8441, 5), and the
// answer to one of the other.
func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := upgrade.WebSocket(r, &upgrade.WebSocketConfig{Origins: []string{"*"}}); err != nil {
		upgrade.RefuseRequest(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), b.timeout)
	defer cancel()
	st, res, err := b.up.Open(ctx, b.request(r))
	if plain, ok := errors.AsType[*pool.PlainError](err); ok && plain.Conn != nil {
		plain.Conn.Close()
	}
	switch {
	case err != nil && res == nil:
		b.log.Info("no WebSocket", "path", r.URL.Path, "client", r.RemoteAddr,
			"error", err.Error()+certificateHint(err))
		status := http.StatusBadGateway
		if errors.Is(err, context.DeadlineExceeded) {
			status = http.StatusGatewayTimeout
		}
		http.Error(w, reach.Line(err.Error()), status)
	case st == nil && res.StatusCode/100 == 2: // it ended at once
		http.Error(w, reach.Line(err.Error()), http.StatusBadGateway)
	case st == nil:
		b.log.Info("refused", "path", r.URL.Path, "client", r.RemoteAddr, "status", res.StatusCode)
		fields.EndToEnd(w.Header(), res.Header)
		w.Header().Del("Content-Length") // the body may have been cut short
		w.WriteHeader(res.StatusCode)
		io.Copy(w, res.Body) // an error: the client has gone, or the body was not all
	default:
		b.begin(w, r, st, res)
	}
}

// begin answers 101 and relays from then on.
func (b *bridge) begin(w http.ResponseWriter, r *http.Request, st stream.Stream, res *http.Response) {
	header := http.Header{}
	fields.EndToEnd(header, res.Header)
	header.Del("Content-Length")
	header["Upgrade"] = []string{"websocket"}
	header["Connection"] = []string{"Upgrade"}
	header["Sec-Websocket-Accept"] = []string{upgrade.AcceptKey(r.Header.Get("Sec-Websocket-Key"))}
	client, err := upgrade.Accept(w, r, header)
	if err != nil {
		st.Reset(stream.Cancel)
		upgrade.RefuseRequest(w, r, err)
		return
	}
	b.log.Debug("relaying", "path", r.URL.Path, "client", r.RemoteAddr, "stream", st.Info().ID)
	_, _ = client.Send(nil, false) // the 101 leaves; an error is told to the relay
	relay(st, client, b.window)
}

// request is the extended CONNECT for a handshake: what belongs to the HTTP/1.1 connection stays
// behind (RFC 8441, 5).
func (b *bridge) request(r *http.Request) *http.Request {
	u := *b.up.url
	u.Path, u.RawPath, u.RawQuery, u.ForceQuery = r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.URL.ForceQuery
	out := &http.Request{Method: http.MethodConnect, URL: &u, Header: http.Header{}, Proto: "HTTP/2.0", ProtoMajor: 2}
	if b.keepHost {
		out.Host = r.Host
	}
	fields.EndToEnd(out.Header, r.Header)
	out.Header.Del("Sec-Websocket-Key")
	out.Header.Del("Content-Length")
	out.Header[":protocol"] = []string{"websocket"}
	return out
}

// serveBridge runs until a signal has ended it (nil, or errCut), or the listener fails.
func serveBridge(b *bridge, l net.Listener, drain time.Duration, ev *events) error {
	srv := &http.Server{
		Handler:           b,
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    maxHeader,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(b.log.Handler(), slog.LevelWarn),
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }() // ends when the listener is closed, by Close
	defer srv.Close()
	defer ev.out.flush()
	ev.listening([]address{{"http://" + l.Addr().String(), []string{"http/1.1"}}})
	select {
	case err := <-failed:
		return fmt.Errorf("serving %s: %w", l.Addr(), err)
	case sig := <-signals:
		b.log.Info("draining", "signal", sig.String(), "for", drain)
	}
	ctx, stop := context.WithTimeout(context.Background(), drain)
	defer stop()
	over := make(chan struct{})
	go func() { // ends with ctx at the latest
		defer close(over)
		clients := b.up.Leave(errLeft)
		_ = srv.Shutdown(ctx) // who waits for the server is told that there will be no answer
		for _, c := range clients {
			select {
			case <-c.Done():
			case <-ctx.Done():
			}
		}
	}()
	select {
	case <-over:
	case <-signals:
		return errCut // what is open ends with the process
	}
	if ctx.Err() != nil {
		return errCut
	}
	return nil
}

// clientConfig is how the connections of a bridge behave: they stay, and find out when the server
// is gone.
func clientConfig(log *slog.Logger) *h2.ClientConfig {
	return &h2.ClientConfig{PingInterval: 30 * time.Second, IdleTimeout: -1, Logger: log}
}
