package websocket

import (
	"net/http"

	"weir/stream"
	"weir/upgrade"
)

// partial applies the ReqFilter. info is nil where the request became no stream.
func partial(r *http.Request, o *Options, info *stream.Info) *PartialRequest {
	if info == nil {
		info = &stream.Info{TLS: r.TLS}
	}
	p := upgrade.Partial(r, *info)
	if o.ReqFilter != nil {
		o.ReqFilter(r, p)
	}
	return p
}
