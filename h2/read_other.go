//go:build !unix

package h2

import "net"

func (s *source) open(nc net.Conn) { s.nc = nc }
