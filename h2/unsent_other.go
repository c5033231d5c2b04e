//go:build !linux

package h2

import "net"

// unsent is what the socket holds that the peer has not acknowledged: nobody knows here.
func unsent(net.Conn) (n int, known bool) { return 0, false }
