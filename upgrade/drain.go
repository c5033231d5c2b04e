package upgrade

import "context"

type drainKey struct{}

// WithDrain gives a context that says when the server begins to drain: draining is closed then. websocket.ConfigureServer
// puts one under the requests of its server.
func WithDrain(ctx context.Context, draining <-chan struct{}) context.Context {
	return context.WithValue(ctx, drainKey{}, draining)
}

// Draining is closed when the server of a request begins to drain; nil, which never is, if nobody said.
func Draining(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(drainKey{}).(<-chan struct{})
	return c
}
