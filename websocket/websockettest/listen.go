package websockettest

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/stream"
	"weir/upgrade"
	"weir/websocket"
)

// Listener is a server for code that dials: a test accepts what is dialled, and plays the server of
// each WebSocket as it likes. It is in memory. What is dialled ends at it whatever address it
// names.
//
// A handshake waits until the test calls Accept, Answer or Refuse, in the order in which they come.
// The code that dials is on another goroutine.
type Listener struct {
	// URL is what to dial: ws://example.com/, or wss.
	URL string

	t     testing.TB
	tr    Transport
	fake  bool // time is
	net   *network
	srv   *http.Server
	ws    *websocket.Server
	log   lines
	asked chan *handshake
	over  chan struct{} // closed when the test ends

	mu      sync.Mutex
	peers   []*Peer
	dialers []*websocket.Dialer
}

// handshake is a request that waits for its answer.
type handshake struct {
	w    http.ResponseWriter
	r    *http.Request
	done chan struct{}
}

// Listen makes a Listener, until t ends. tr is one of OverHTTP: code that dials speaks HTTP.
func Listen(t testing.TB, tr Transport) *Listener {
	t.Helper()
	l := &Listener{URL: "ws://" + hostName + "/", t: t, tr: tr, fake: rest(),
		asked: make(chan *handshake), over: make(chan struct{})}
	l.srv = &http.Server{Handler: http.HandlerFunc(l.serve), ErrorLog: log.New(&l.log, "", 0),
		TLSConfig: serverTLS()}
	var err error
	if l.ws, err = websocket.ConfigureServer(l.srv, nil); err != nil {
		t.Fatalf("websockettest: %v", err)
	}
	switch tr {
	case H1, H2C:
		l.net = serveOn(l.srv, "")
	case H1TLS:
		l.net = serveOn(l.srv, "http/1.1")
	case H2:
		l.net = serveOn(l.srv, "h2")
	default:
		t.Fatalf("websockettest: nobody can dial %s: give Listen one of OverHTTP", tr)
	}
	if l.net.proto != "" {
		l.URL = "wss://" + hostName + "/"
	}
	t.Cleanup(l.end)
	return l
}

func (l *Listener) end() {
	close(l.over)
	l.mu.Lock()
	peers, dialers := l.peers, l.dialers
	l.mu.Unlock()
	for _, p := range peers {
		p.w.reset()
	}
	for _, d := range dialers {
		_ = d.Close() // gives no error
		d.CloseIdle()
	}
	_ = l.net.Close() // nobody uses it any more
	ctx, stop := context.WithTimeout(context.Background(), patience(l.fake))
	defer stop()
	_ = l.ws.Shutdown(ctx) // what is left is told by the log
	_ = l.srv.Close()
	if l.fake {
		time.Sleep(patience(l.fake)) // what the code under test has begun has time to end
	}
	if l.t.Failed() {
		for _, line := range l.log.all() {
			l.t.Log("the server's log: " + line)
		}
	}
}

// DialContext is for code that dials by itself: the DialContext of an http.Transport or a Dialer,
// the NetDialContext of gorilla/websocket, or a net.Conn to begin with. Where URL is wss, TLS comes
// on top of it: see TLS.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	k, err := l.net.connect(ctx)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// TLS is a configuration for clients that trusts the server; it does not say what ALPN offers.
func (l *Listener) TLS() *tls.Config { return clientTLS() }

// Dialer is a Dialer whose connections end here, over the Listener's transport. It is closed when
// the test ends.
func (l *Listener) Dialer() *websocket.Dialer {
	d := &websocket.Dialer{HTTP: websocket.HTTP1, TLS: l.TLS(), DialContext: l.DialContext}
	if l.tr == H2C || l.tr == H2 {
		d.HTTP = websocket.HTTP2
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dialers = append(l.dialers, d)
	return d
}

// serve is the handler of every request.
func (l *Listener) serve(w http.ResponseWriter, r *http.Request) {
	hs := &handshake{w, r, make(chan struct{})}
	select {
	case l.asked <- hs:
		<-hs.done
	case <-r.Context().Done():
	case <-l.over:
	}
}

// next waits for a request.
func (l *Listener) next() *handshake {
	l.t.Helper()
	wait := patience(l.fake)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case hs := <-l.asked:
		return hs
	case <-timer.C:
		l.t.Fatalf("%s: nobody has dialled for %v", l.tr, wait)
		return nil
	}
}

// Answer is what a server says to a handshake that it accepts.
type Answer struct {
	Header      http.Header // further fields
	Subprotocol string      // chosen, whether it was offered or not; "": none
	Extensions  string      // agreed on, as Sec-WebSocket-Extensions spells them
}

// Accept waits for a handshake, accepts it, and gives the peer: the server of that WebSocket. A
// request that asks for no WebSocket fails the test.
func (l *Listener) Accept() *Peer { l.t.Helper(); return l.Answer(Answer{}) }

// Answer is Accept with an answer.
func (l *Listener) Answer(a Answer) *Peer {
	l.t.Helper()
	hs := l.next()
	defer close(hs.done)
	checked, err := upgrade.WebSocket(hs.r, &upgrade.WebSocketConfig{Origins: []string{"*"}})
	if err != nil {
		upgrade.Refuse(hs.w, err)
		l.t.Fatalf("%s: %s %s is no handshake: %v", l.tr, hs.r.Method, hs.r.URL, err)
	}
	header := a.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if a.Subprotocol != "" {
		header.Set("Sec-Websocket-Protocol", a.Subprotocol)
	}
	checked.Header(header)
	if a.Extensions != "" {
		header.Set("Sec-Websocket-Extensions", a.Extensions)
	}
	st, err := upgrade.Accept(hs.w, hs.r, header)
	if err != nil {
		l.t.Fatalf("%s: %s cannot be accepted: %v", l.tr, hs.r.URL, err)
	}
	p := newPeer(l.t, l.tr.String(), l.fake)
	p.request = hs.r
	p.response = &http.Response{StatusCode: http.StatusSwitchingProtocols, Header: header,
		Request: hs.r}
	p.lose = func() { l.net.loseFrom(hs.r.RemoteAddr) }
	l.mu.Lock()
	l.peers = append(l.peers, p)
	l.mu.Unlock()
	p.w.begin(st, header)
	_, _ = st.Send(nil, false) // the answer leaves
	return p
}

// Refuse waits for a request, and answers it with a status, fields and a body: a refusal, a
// redirect, or what a plain HTTP request gets. It gives the request.
func (l *Listener) Refuse(status int, header http.Header, body string) *http.Request {
	l.t.Helper()
	hs := l.next()
	defer close(hs.done)
	for name, values := range header {
		hs.w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	hs.w.WriteHeader(status)
	_, _ = io.Copy(hs.w, strings.NewReader(body)) // who has gone does not want it
	return hs.r
}

var _ stream.Sink = (*wire)(nil)
