// Package memnet is a network in memory for tests in fake time: everything that waits in it is durably blocked in the
// sense of testing/synctest, and deadlines run by the bubble's clock. It behaves like TCP on a loopback interface:
// bounded buffers, half-close, resets.
package memnet

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// DefaultBuffer is how many octets one direction of a connection holds.
const DefaultBuffer = 64 << 10

// Listener is a net.Listener that Dial connects to.
type Listener struct {
	// Buffer is how many octets one direction of a connection holds; 0: DefaultBuffer. Set it before Dial.
	Buffer int

	conns chan *Conn
	done  chan struct{}
	close sync.Once

	mu   sync.Mutex
	port int
}

// Listen makes a Listener. Inside a bubble, its Accept and Dial belong there too.
func Listen() *Listener {
	return &Listener{conns: make(chan *Conn, 128), done: make(chan struct{}), port: 49151}
}

var listenAddr = net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}

// Addr is 127.0.0.1:80.
func (l *Listener) Addr() net.Addr {
	a := listenAddr
	return &a
}

// Dial gives the client's end, a *Conn; like TCP it does not wait for Accept while the backlog has
// room. Like a net.Dialer it gives none to a context that has ended.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: l.Addr(), Err: err}
	}
	l.mu.Lock()
	l.port++
	client, server := Pair(l.Buffer)
	a := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: l.port}
	l.mu.Unlock()
	client.local, client.remote = a, l.Addr()
	server.local, server.remote = l.Addr(), a
	select {
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: l.Addr(), Err: syscall.ECONNREFUSED}
	default:
	}
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: l.Addr(), Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: l.Addr(), Err: ctx.Err()}
	}
}

// Accept waits for Dial.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	default:
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

// Close ends Accept and Dial. Connections that nobody accepted are reset.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.done) })
	for {
		select {
		case c := <-l.conns:
			c.reset()
		default:
			return nil
		}
	}
}
