package websocket

import (
	"context"
	"sync/atomic"
)

// sessionContext is made on first use: most sessions never ask for it.
type sessionContext struct {
	context.Context
	stop context.CancelFunc
}

// noContext stands for that of a session that was over before anybody asked.
var noContext sessionContext

// endedContext is that of a session that never was.
func endedContext() context.Context {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	return ctx
}

// contextOf gives the context in p, with the values of parent but not its end: a request's context
// ends with ServeHTTP.
func contextOf(p *atomic.Pointer[sessionContext], parent context.Context) context.Context {
	c := p.Load()
	if c != nil && c != &noContext {
		return c.Context
	}
	if parent == nil {
		parent = context.Background()
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(parent))
	if c == nil && p.CompareAndSwap(nil, &sessionContext{ctx, stop}) {
		return ctx
	}
	stop()
	if c = p.Load(); c != &noContext {
		return c.Context
	}
	return ctx
}

// cancelContext ends the context, be it asked for or not.
func cancelContext(p *atomic.Pointer[sessionContext]) {
	if !p.CompareAndSwap(nil, &noContext) {
		if c := p.Load(); c.stop != nil {
			c.stop()
		}
	}
}

// isCancelled says that the stream of the context has ended, or was cut.
func isCancelled(p *atomic.Pointer[sessionContext]) bool {
	c := p.Load()
	return c == &noContext || c != nil && c.Err() != nil
}
