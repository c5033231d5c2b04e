// Package hook lets websockettest see the WebSockets of an http.Handler that it serves.
package hook

import "context"

// Hook is what a request's context may carry. The types are those of package websocket, which
// imports this one.
type Hook struct {
	// Handler gives what is called in the place of a websocket.Handler.
	Handler func(h any) any
	// Options gives what counts in the place of a *websocket.Options, which may be nil.
	Options func(o any) any
}

type key struct{}

// With is ctx with h.
func With(ctx context.Context, h *Hook) context.Context { return context.WithValue(ctx, key{}, h) }

// From is the Hook of ctx, nil if there is none.
func From(ctx context.Context) *Hook {
	h, _ := ctx.Value(key{}).(*Hook)
	return h
}
