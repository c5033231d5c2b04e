//go:build !linux

package h2

import "net"

// limitSocket does nothing here.
func (l *lowat) limitSocket(net.Conn) {}
