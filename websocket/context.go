package websocket

import (
	"context"
	"sync"
)

// sessionContext is made on first use: most sessions never ask for it.
type sessionContext struct {
	mu   sync.Mutex
	ctx  context.Context
	stop context.CancelFunc
	over bool
}

// get gives the context, with the values of parent but not its end: a request's context ends with ServeHTTP.
func (c *sessionContext) get(parent context.Context) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		if parent == nil {
			parent = context.Background()
		}
		c.ctx, c.stop = context.WithCancel(context.WithoutCancel(parent))
		if c.over {
			c.stop()
		}
	}
	return c.ctx
}

func (c *sessionContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.stop != nil {
		c.stop()
	}
}
