package websocket

import (
	"cmp"
	"errors"
	"net/http"

	"weir/internal/fields"
	"weir/stream"
	"weir/upgrade"
)

// Transport is an http.RoundTripper for WebSocket clients and proxies that are built on net/http,
// as coder/websocket's Dial and httputil.ReverseProxy are. It sends a request for a WebSocket, a
// GET with Upgrade: websocket, over HTTP/2 by extended CONNECT (RFC 8441) where the server offers
// it, on connections that are shared, and over HTTP/1.1 where it does not; the Dialer says which.
// Any other request goes to Base.
//
// The response to a request that opens a WebSocket is a 101 of HTTP/1.1, whatever it came over,
// with Connection, Upgrade and the Sec-WebSocket-Accept that fits the request's key. Its Body is an
// io.ReadWriteCloser, and more: a net.Conn with CloseWrite. Nobody but its user closes it, the
// request's context bounds the opening alone, and a Write waits while the server does not read. Any
// other response is given as it is, with at most 64 KiB of its body.
//
// The zero value is ready; it may be used from any goroutine, and must not be copied or changed
// after first use.
type Transport struct {
	Base   http.RoundTripper // nil: http.DefaultTransport
	Dialer *Dialer           // nil: a zero one of its own
	Window int               // octets that the server may send ahead on a WebSocket; 0: 65 535

	own Dialer
}

func (t *Transport) dialer() *Dialer {
	if t.Dialer != nil {
		return t.Dialer
	}
	return &t.own
}

func (t *Transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport
}

// CloseIdleConnections ends the Dialer's connections that carry no WebSocket, and Base's that are
// idle.
func (t *Transport) CloseIdleConnections() {
	t.dialer().CloseIdle()
	if b, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		b.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !wantsWebSocket(r) {
		return t.base().RoundTrip(r)
	}
	d := t.dialer()
	ctx, stop := d.bound(r.Context())
	defer stop()
	hs, err := passOn(r)
	if err != nil {
		return nil, err
	}
	st, res, err := d.open(ctx, hs)
	if err != nil && !errors.Is(err, errRefused) {
		return nil, hs.fault(res, err)
	}
	res.Request = r
	if st == nil {
		return res, nil
	}
	if res.ProtoMajor != 1 {
		res.Status, res.StatusCode = "101 Switching Protocols", http.StatusSwitchingProtocols
		// ReverseProxy writes it as it is.
		res.Proto, res.ProtoMajor, res.ProtoMinor = "HTTP/1.1", 1, 1
		header := http.Header{}
		fields.EndToEnd(header, res.Header)
		header.Del("Content-Length")
		header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
		key := r.Header.Get("Sec-Websocket-Key")
		header["Sec-Websocket-Accept"] = []string{upgrade.AcceptKey(key)}
		res.Header = header
	}
	opened := false
	defer func() { // the addresses of a net.Conn are a user's code
		if !opened {
			st.Reset(stream.Cancel)
		}
	}()
	res.Body = stream.NewConn(patient{st}, t.Window)
	opened = true
	return res, nil
}

// patient is a stream whose Write waits for as long as the server does not read, as that of
// http.Transport does. Its user may set a deadline.
type patient struct{ stream.Stream }

func (p patient) Attach(s stream.Sink, l stream.Limits) {
	l.WriteTimeout = -1
	p.Stream.Attach(s, l)
}

// wantsWebSocket says that a request is an opening handshake (RFC 6455, 4.1) that may leave over
// any HTTP.
func wantsWebSocket(r *http.Request) bool {
	get := r.Method == http.MethodGet || r.Method == ""
	empty := (r.Body == nil || r.Body == http.NoBody) && r.ContentLength == 0
	known := r.URL.Scheme == "http" || r.URL.Scheme == "https"
	h := r.Header
	return get && empty && known && len(h["Sec-Websocket-Key"]) == 1 &&
		hasToken(h["Connection"], "upgrade") && hasToken(h["Upgrade"], "websocket")
}

// passOn is the handshake of somebody else's request.
func passOn(r *http.Request) (*clientHandshake, error) {
	u := *r.URL
	key := r.Header.Get("Sec-Websocket-Key")
	hs := &clientHandshake{given: u.Redacted(), url: &u, head: http.Header{}, key: key}
	bad := func(err error) (*clientHandshake, error) {
		return nil, &DialError{URL: hs.given, Msg: "bad request", Err: requestError{err}}
	}
	var err error
	if u.Host, err = asciiHost(r.URL); err != nil {
		return bad(err)
	}
	if hs.host, err = authority(cmp.Or(r.Host, u.Host)); err != nil {
		return bad(err)
	}
	fields.EndToEnd(hs.head, r.Header)
	hs.head.Del("Sec-Websocket-Key")
	hs.authorize()
	return hs, nil
}
