package websocket

import (
	"net/http"
	"sync/atomic"

	"weir/stream"
)

// request is what a session keeps of its request: the PartialRequest, or what with the stream's Info makes one.
type request struct {
	whole             *PartialRequest // nil: nobody has asked for it
	host, path, query string
	port              int
}

// lastRequest is that of the session that was opened last: the next one's is often the same but for the peer.
var lastRequest atomic.Pointer[request]

// requestOf is p in few octets, one for many sessions, if that loses nothing. changed: somebody else may have p.
func requestOf(p *PartialRequest, changed bool, info stream.Info) *request {
	r := request{host: p.Host, path: p.Path, query: p.Query, port: p.Port}
	if changed || p.Extra != nil || *r.make(info) != *p {
		return &request{whole: p}
	}
	if last := lastRequest.Load(); last != nil && *last == r {
		return last
	}
	lastRequest.Store(&r)
	return &r
}

func (r *request) make(info stream.Info) *PartialRequest {
	p := &PartialRequest{Method: http.MethodGet, Version: info.Transport.HTTPVersion(), Scheme: "http", Host: r.host, Port: r.port,
		Path: r.path, Query: r.query, Stream: info.ID}
	if p.Version != "1.1" {
		p.Method = http.MethodConnect
	}
	if info.TLS != nil {
		p.Scheme = "https"
	}
	if info.Remote != nil {
		p.Peer = info.Remote.String()
	}
	return p
}

// Request is what is kept of the request.
func (s *Session) Request() *PartialRequest {
	r := s.req.Load()
	if r.whole == nil {
		s.req.CompareAndSwap(r, &request{whole: r.make(s.st.Info())})
	}
	return s.req.Load().whole
}
