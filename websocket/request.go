package websocket

import (
	"net/http"
	"sync/atomic"

	"weir/stream"
)

// request is what a session keeps of its handshake: the PartialRequest, or what with the stream's Info makes one, what was
// agreed on, and the group. It does not change.
type request struct {
	whole             *PartialRequest // nil: nobody has asked for it
	host, path, query string
	port              int
	agreed            agreed
	group             *Group // nil: in none
}

// agreed is what the handshake agreed on.
type agreed struct{ sub, ext string }

// lastRequest is that of the session that was opened last: the next one's is often the same but for the peer.
var lastRequest atomic.Pointer[request]

// requestOf is p in few octets, one for many sessions, if that loses nothing. changed: somebody else may have p.
func requestOf(p *PartialRequest, changed bool, a agreed, g *Group, info stream.Info) *request {
	r := request{host: p.Host, path: p.Path, query: p.Query, port: p.Port, agreed: a, group: g}
	if changed || p.Extra != nil || r.make(info) != *p {
		own := *p
		return &request{whole: &own, agreed: a, group: g}
	}
	if last := lastRequest.Load(); last != nil && *last == r {
		return last
	}
	own := r
	lastRequest.Store(&own)
	return &own
}

func (r *request) make(info stream.Info) PartialRequest {
	p := PartialRequest{Method: http.MethodGet, Version: info.Transport.HTTPVersion(), Scheme: "http", Host: r.host, Port: r.port,
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

// Request is what is kept of the request. It is not to be changed.
func (s *Session) Request() *PartialRequest {
	if s.never() {
		return new(PartialRequest)
	}
	r := s.req.Load()
	if r.whole == nil {
		whole := r.make(s.st.Info())
		s.req.CompareAndSwap(r, &request{whole: &whole, agreed: r.agreed, group: r.group})
	}
	return s.req.Load().whole
}

// Subprotocol is the subprotocol that was chosen, "" if none.
func (s *Session) Subprotocol() string {
	if s.never() {
		return ""
	}
	return s.req.Load().agreed.sub
}

// Extensions are the extensions that were agreed on, as Sec-WebSocket-Extensions spells them, "" if none.
func (s *Session) Extensions() string {
	if s.never() {
		return ""
	}
	return s.req.Load().agreed.ext
}

func (s *Session) group() *Group { return s.req.Load().group }
