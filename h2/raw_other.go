//go:build !linux

package h2

import "net"

// plain is for sockets that are written to by system calls of our own: none here.
type plain struct {
	raw  any
	lent bool
}

func (p *plain) open(net.Conn, func() (bool, error)) {}

func (p *plain) add([]byte) {}

func (p *plain) own() {}

func (p *plain) write(bool) (late, rest bool, err error) { return false, false, nil }
