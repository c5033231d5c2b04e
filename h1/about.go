package h1

import (
	"bytes"
	"crypto/tls"
	"net"
	"reflect"

	"weir/stream"
)

// about is the Info of a connection, in few octets where it is one over TCP.
type about struct {
	other         *stream.Info // whole; nil: the rest says what it is
	tls           *tls.ConnectionState
	local, remote place
}

// place is a *net.TCPAddr without a zone.
type place struct {
	ip   [net.IPv6len]byte
	port uint16
	n    uint8 // octets of ip
}

func placeOf(a net.Addr) (p place, ok bool) {
	t, ok := a.(*net.TCPAddr)
	if !ok || t.Zone != "" || t.Port != int(uint16(t.Port)) {
		return p, false
	}
	p.port, p.n = uint16(t.Port), uint8(copy(p.ip[:], t.IP))
	return p, true
}

func (p *place) addr() *net.TCPAddr {
	return &net.TCPAddr{IP: bytes.Clone(p.ip[:p.n]), Port: int(p.port)}
}

func aboutOf(i stream.Info) about {
	local, ok1 := placeOf(i.Local)
	remote, ok2 := placeOf(i.Remote)
	e := about{tls: i.TLS, local: local, remote: remote}
	if !ok1 || !ok2 || !reflect.DeepEqual(e.info(), i) {
		e = about{other: &i}
	}
	return e
}

func (e *about) info() stream.Info {
	if e.other != nil {
		return *e.other
	}
	i := stream.Info{Transport: stream.H1, Local: e.local.addr(), Remote: e.remote.addr(), TLS: e.tls, Own: true}
	if e.tls != nil {
		i.Transport = stream.H1TLS
	}
	return i
}
