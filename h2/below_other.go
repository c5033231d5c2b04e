//go:build !linux

package h2

import "net"

// below is the socket below a connection that is no plain socket: it cannot be asked here.
type below struct{}

func (b *below) open(net.Conn) {}

// takes says that the socket has room for a small write: nobody knows.
func (b *below) takes() bool { return false }
