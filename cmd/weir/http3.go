package main

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"weir/h3"
	"weir/stream"
)

// clientHTTP3 opens connections over HTTP/3, and knows them. What a WebSocket said last leaves a
// moment after it was said, unlike over TCP, where the kernel has it: a process that ends has to
// wait.
type clientHTTP3 struct {
	h3.Dialer

	mu    sync.Mutex
	conns []*h3.Client
}

// DialMux implements websocket.HTTP3Dialer.
func (d *clientHTTP3) DialMux(ctx context.Context, addr string, t *tls.Config) (stream.Mux, error) {
	c, err := d.Dialer.DialMux(ctx, addr, t)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, c.(*h3.Client))
	return c, nil
}

// leave ends the connections, each with its last stream, and waits for it for so long.
func (d *clientHTTP3) leave(wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	late := time.NewTimer(wait)
	defer late.Stop()
	for _, c := range d.conns {
		c.Leave()
		select {
		case <-c.Done():
		case <-late.C:
			return
		}
	}
}

// broken3 says that a server broke the protocol of HTTP/3.
func broken3(err error) bool {
	if e, ok := errors.AsType[*h3.ConnError](err); ok && !e.Remote {
		return true
	}
	e, ok := errors.AsType[*h3.StreamError](err)
	return ok && !e.Remote
}
