package websocket

import (
	"context"
	"net"
)

// RemoteAddr is the address of the peer, or of the proxy before it. It stays when the WebSocket has
// ended. Who the client is behind a proxy, a program that trusts the proxy reads from the request.
func (c *Conn) RemoteAddr() net.Addr { return c.s.st.Info().Remote }

// LocalAddr is our address, which stays as RemoteAddr does.
func (c *Conn) LocalAddr() net.Addr { return c.s.st.Info().Local }

// SetReadLimit changes how many octets a message of Read may have, in place of
// Options.MaxFrameSize: of the messages that Read begins from now on. A larger one ends the
// WebSocket with 1009. Negative: no limit; 0: the default, 1 000 000. A Reader has no limit.
func (c *Conn) SetReadLimit(octets int64) {
	c.limit.Store(or(octets, DefaultMaxFrameSize, -1))
}

// readLimit is the limit of a message; 0: none.
func (c *Conn) readLimit() int64 {
	if n := c.limit.Load(); n != 0 {
		return or(n, 0, 0)
	}
	return or(c.s.m.opt.MaxFrameSize, DefaultMaxFrameSize, 0)
}

// OnPing has f called for each ping that arrives from now on; nil: nobody is told. The ping has
// been answered with its pong. The payload is lent until f returns.
//
// f is called for one frame at a time, in the order of arrival, on the goroutine that works for the
// WebSocket, whether anybody reads or not. What arrives behind the ping waits for f, and so does
// what would end a call that waits: f is not to wait for the peer, nor for a Read, Write, Ping or
// Close of this Conn. It may call SendClose, SetIdleTimeout, CloseNow and Session.Send, which wait
// for nobody. A panic of f ends the WebSocket with 1011, as that of a Handler's callback.
func (c *Conn) OnPing(f func(payload []byte)) { c.listen(&c.onPing, f) }

// OnPong is OnPing for pongs: those that Conn.Ping waits for, the answers to Options.PingInterval,
// and those that nobody has asked for (RFC 6455, 5.5.3).
func (c *Conn) OnPong(f func(payload []byte)) { c.listen(&c.onPong, f) }

func (c *Conn) listen(hook *func([]byte), f func([]byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*hook = f
}

// WritePrepared sends a prepared frame, as Write sends a message: it waits for room while much is
// queued, and a message for a Writer that is open. An error of ctx says that nothing was sent.
func (c *Conn) WritePrepared(ctx context.Context, p *Prepared) error {
	cmd := SendPrepared(p)
	if err := cmd.check(); err != nil {
		return err
	}
	if !p.op.isControl() { // which may stand between the fragments of a message (RFC 6455, 5.4)
		if err := c.acquireWriting(ctx); err != nil {
			return err
		}
		defer free(c.writing)
	}
	return c.do(ctx, Commands{cmd})
}
