package upgrade

import (
	"fmt"
	"net"
	"net/http"

	"weir/stream"
)

// Tunnel is the stream of a request as a net.Conn, under an upgrade token: Upgrade on HTTP/1.1 (RFC
// 9110, 7.8), extended CONNECT on HTTP/2 and HTTP/3 (RFC 8441, RFC 9220), where the token is
// :protocol. Its handlers are of type TunnelHandler, its options *TunnelOptions or TunnelOptions.
type Tunnel struct {
	Token string // compared in any case
}

// TunnelHandler serves one tunnel, on a goroutine of its own; when it returns, the tunnel is
// closed. c has CloseWrite. Its peer is given up when it takes nothing of what was written for 30
// s, and c then gives os.ErrDeadlineExceeded. If it has Terminate, that is called once, last: with
// Stop, or {error, closed} if the stream was cut before, or Crash.
type TunnelHandler interface {
	ServeTunnel(c net.Conn, req *PartialRequest)
}

// TunnelFunc is a TunnelHandler that is a function.
type TunnelFunc func(c net.Conn, req *PartialRequest)

// ServeTunnel calls f.
func (f TunnelFunc) ServeTunnel(c net.Conn, req *PartialRequest) { f(c, req) }

// TunnelOptions are the options of Tunnel.
type TunnelOptions struct {
	Window    int                                      // octets the peer may send ahead; 0 and negative: 65 535
	ReqFilter func(r *http.Request, p *PartialRequest) // changes p, the default, into what the handler gets
}

// FilterRequest implements Filter by ReqFilter.
func (o TunnelOptions) FilterRequest(r *http.Request, p *PartialRequest) {
	if o.ReqFilter != nil {
		o.ReqFilter(r, p)
	}
}

// Upgrade opens the tunnel and returns.
func (t Tunnel) Upgrade(w http.ResponseWriter, r *http.Request, handler, opts any) error {
	h, ok := handler.(TunnelHandler)
	if !ok {
		return fmt.Errorf("upgrade: a %T is no TunnelHandler", handler)
	}
	if err := checkTerminate(handler); err != nil {
		return err
	}
	o, err := OptionsOf[TunnelOptions](opts)
	if err != nil {
		return err
	}
	if o == nil {
		o = new(TunnelOptions)
	}
	if err := Unanswered(w); err != nil {
		return err
	}
	if err := asked(r, t.Token); err != nil {
		return err
	}
	req, err := Filtered(w, r, o)
	if err != nil {
		return err
	}
	draining := Draining(r.Context())
	header := w.Header().Clone()
	if r.ProtoMajor == 1 {
		header["Upgrade"] = []string{t.Token}
		header["Connection"] = []string{"Upgrade"}
	}
	st, err := Accept(w, r, header)
	if err != nil {
		return err
	}
	begun := false
	defer func() { // the addresses of a net.Conn are a user's code, too
		if !begun {
			st.Reset(stream.InternalError)
		}
	}()
	c := stream.NewConn(st, o.Window)
	_, _ = st.Send(nil, false) // the answer leaves; an error is told by the Conn
	done := make(chan struct{})
	begun = true
	go serveTunnel(h, c, req, r, done) // ends when the handler returns
	if draining != nil {
		go func() { // ends with the tunnel
			select {
			case <-draining:
				c.Close()
			case <-done:
			}
		}()
	}
	return nil
}

// serveTunnel calls the handler, and closes the tunnel whatever the handler did.
func serveTunnel(h TunnelHandler, c *stream.Conn, req *PartialRequest, r *http.Request, done chan<- struct{}) {
	reason := Reason{Kind: Stop}
	defer func() { terminate(r, reason, req, h) }()
	defer close(done)
	defer c.Close()
	returned := guard(func() { h.ServeTunnel(c, req) }, func(v any) {
		reason = Crashed(v)
		c.Reset(stream.InternalError)
		logf(r, "upgrade: tunnel %s: %v", req.Path, crashError("ServeTunnel", v))
	})
	if err := c.Err(); returned && err != nil {
		reason = Reason{Kind: Error, Name: Closed, Err: err}
	}
}
