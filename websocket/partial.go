package websocket

import (
	"net/http"
	"net/url"

	"weir/upgrade"
)

// PartialRequest is what is kept of a request once it is a session: Cowboy's partial Req, the
// result of Options.ReqFilter. By default everything here but Extra is filled in.
type PartialRequest struct {
	Method  string // on the wire: GET, or CONNECT on HTTP/2 and HTTP/3
	Version string // "1.1", "2", "3"
	Scheme  string // "http" or "https", from the connection
	Host    string // without the port
	Port    int    // of Host; the scheme's default when Host names none
	Path    string // decoded, as that of url.URL
	Query   string // raw, without the question mark
	Peer    string // the remote address
	Stream  uint64 // stream id; 0 on HTTP/1.1
	Extra   any    // for a ReqFilter to fill
}

// URL puts scheme, host, path and query together again.
func (p *PartialRequest) URL() *url.URL { return (*upgrade.PartialRequest)(p).URL() }

// FilterRequest implements upgrade.Filter by ReqFilter.
func (o Options) FilterRequest(r *http.Request, p *upgrade.PartialRequest) {
	if o.ReqFilter != nil {
		o.ReqFilter(r, (*PartialRequest)(p))
	}
}
