package upgrade

import (
	"net/http"
	"strconv"

	"weir/stream"
)

// Partial is the default ReqFilter: what is kept of r, which became a stream that info describes.
func Partial(r *http.Request, info stream.Info) *PartialRequest {
	p := partial(r, info)
	return &p
}

// partial is a part of its own, so that a caller's copy need not be on the heap.
func partial(r *http.Request, info stream.Info) PartialRequest {
	p := PartialRequest{Method: r.Method, Version: info.Transport.HTTPVersion(), Scheme: "http", Host: r.Host,
		Path: r.URL.Path, Query: r.URL.RawQuery, Peer: r.RemoteAddr, Stream: info.ID}
	if r.ProtoMajor >= 2 && Token(r) != "" {
		p.Method = http.MethodConnect // what it was on the wire
	}
	if p.Version == "" {
		p.Version = strconv.Itoa(r.ProtoMajor)
		if r.ProtoMajor == 1 {
			p.Version += "." + strconv.Itoa(r.ProtoMinor)
		}
	}
	if info.TLS != nil || r.TLS != nil {
		p.Scheme = "https"
	}
	port := ""
	if host, n, ok := splitHost(r.Host); ok {
		p.Host, port = host, n
	}
	if port == "" {
		port = defaultPorts[p.Scheme]
	}
	p.Port, _ = strconv.Atoi(port)
	return p
}
