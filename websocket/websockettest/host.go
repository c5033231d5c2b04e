package websockettest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/stream"
	"weir/websocket"
)

// Open opens a WebSocket for handler over tr, and gives its peer. o may be nil. The test is the
// client. The handler's Init has returned by then, unless it blocks. When t ends, what is open is
// reset.
func Open(t testing.TB, tr Transport, handler websocket.Handler, o *websocket.Options) *Peer {
	t.Helper()
	return Serve(t, tr, websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return handler, o
	})).Open(Request{})
}

// Host is a server in memory over one transport. Its handler may have many routes, and be made of
// websocket.Handle, of websocket.Accept or of both.
type Host struct {
	t       testing.TB
	tr      Transport
	fake    bool // time is
	ws      *websocket.Server
	srv     *http.Server
	client  Client
	log     lines
	watched *watched

	shutdowns tally

	asking sync.Mutex // one handshake at a time

	mu    sync.Mutex
	asks  *Peer // whose handshake is under way
	peers []*Peer
}

// Serve serves handler over tr until t ends. Then every peer is reset, and the test fails if a
// session does not come to its end, or if the handler has panicked and nobody wanted it to.
func Serve(t testing.TB, tr Transport, handler http.Handler) *Host {
	t.Helper()
	h := &Host{t: t, tr: tr, fake: rest()}
	if tr.t == nil {
		t.Fatal("websockettest: the zero Transport")
	}
	h.watched = &watched{handler: handler, record: h.recordOf}
	h.srv = &http.Server{Handler: h.watched, ErrorLog: log.New(&h.log, "", 0),
		TLSConfig: serverTLS()}
	ws, err := websocket.ConfigureServer(h.srv, nil)
	if err != nil {
		t.Fatalf("websockettest: %v", err)
	}
	h.ws = ws
	if h.client, err = tr.t.start(h.srv, ws); err != nil {
		t.Fatalf("websockettest: %s: %v", tr, err)
	}
	t.Cleanup(h.end)
	return h
}

// recordOf is the record of the peer whose handshake is under way.
func (h *Host) recordOf(*http.Request) *record {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asks == nil {
		return nil
	}
	return h.asks.record
}

// Shutdown shuts the server down as websocket.Server.Shutdown does: each session gets Drain, or is
// closed with 1001. It waits for their ends, until ctx ends: a test that plays the peers meanwhile
// calls it on another goroutine, or Peer.Drain.
func (h *Host) Shutdown(ctx context.Context) error {
	h.shutdowns.begin("")
	defer h.shutdowns.end("")
	return h.ws.Shutdown(ctx)
}

// Sessions is how many sessions of the peers have not ended.
func (h *Host) Sessions() int { return len(open(h.records())) }

func (h *Host) records() (all []*record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.peers {
		all = append(all, p.record)
	}
	return all
}

// end ends everything, and says what is wrong.
func (h *Host) end() {
	h.t.Helper()
	h.mu.Lock()
	peers := h.peers
	h.mu.Unlock()
	for _, p := range peers {
		p.w.reset()
	}
	_ = h.client.Close() // nobody uses it any more
	records := h.records()
	awaitEnds(records, patience(h.fake))
	for _, rec := range open(records) {
		h.t.Errorf("websockettest: a session has not come to its end: a callback does not return%s",
			rec.story())
		rec.session.Cut()
	}
	ctx, stop := context.WithTimeout(context.Background(), patience(h.fake))
	defer stop()
	h.watched.returned(h.t, patience(h.fake))
	_ = h.ws.Shutdown(ctx)
	_ = h.srv.Close() // what is left
	h.shutdowns.wait(patience(h.fake))
	for _, rec := range records {
		rec.report(h.t)
	}
	h.watched.report(h.t)
	if h.fake {
		time.Sleep(patience(h.fake)) // what the code under test has begun has time to end
	}
	if h.t.Failed() {
		for _, l := range h.log.all() {
			h.t.Log("the server's log: " + l)
		}
	}
}

// Request is a handshake. The zero value asks for the path /.
type Request struct {
	Path         string      // with a query, if there is one; "": /
	Host         string      // "": example.com
	Header       http.Header // further fields, such as Origin and Cookie; fields of the handshake are replaced by them, and left out where the value is nil
	Subprotocols []string    // offered
	Extensions   string      // offered, as Sec-WebSocket-Extensions spells them: "permessage-deflate"
}

// Open opens a WebSocket, and gives its peer. The handler's Init has returned by then, unless it
// blocks.
func (h *Host) Open(r Request) *Peer {
	h.t.Helper()
	p, resp := h.ask(r)
	if p == nil {
		body, _ := io.ReadAll(resp.Body)
		h.t.Fatalf("websockettest: %s: the handshake for %s was refused: %s: %s", h.tr,
			cmp.Or(r.Path, "/"), resp.Status, strings.TrimSpace(string(body)))
	}
	return p
}

// WantRefused asks for a WebSocket, and wants the answer to be of another status: 403, say. Its
// body is there to be read.
func (h *Host) WantRefused(r Request, status int) *http.Response {
	h.t.Helper()
	p, resp := h.ask(r)
	if p != nil {
		h.t.Fatalf("websockettest: %s: the handshake for %s was accepted, want %d", h.tr,
			cmp.Or(r.Path, "/"), status)
	}
	if resp.StatusCode != status {
		body, _ := io.ReadAll(resp.Body)
		h.t.Fatalf("websockettest: %s: the handshake for %s was answered %s, want %d: %s", h.tr,
			cmp.Or(r.Path, "/"), resp.Status, status,
			strings.TrimSpace(string(body)))
	}
	return resp
}

// ask asks for a WebSocket; the peer is nil where the answer is none.
func (h *Host) ask(r Request) (*Peer, *http.Response) {
	h.t.Helper()
	req, err := h.request(r)
	if err != nil {
		h.t.Fatalf("websockettest: %v", err)
	}
	h.asking.Lock()
	defer h.asking.Unlock()
	p := newPeer(h.t, h.tr.String(), h.fake)
	p.host, p.w.client = h, true
	h.mu.Lock()
	h.asks = p
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.asks = nil
		h.mu.Unlock()
	}()
	ctx, stop := context.WithTimeout(context.Background(), patience(h.fake))
	defer stop()
	st, resp, err := h.client.Open(ctx, req.WithContext(ctx))
	if err != nil {
		h.t.Fatalf("websockettest: %s: no answer to the handshake for %s: %v%s", h.tr,
			req.URL.RequestURI(), err, h.watched.last())
	}
	h.mu.Lock()
	h.peers = append(h.peers, p)
	h.mu.Unlock()
	if st == nil {
		p.w.over = true
		return nil, resp
	}
	p.response = resp
	switch c := h.client.(type) {
	case h1Client:
		p.lose = c.last().lose
	case interface{ Lose() }:
		p.lose = c.Lose
	}
	p.w.begin(st, resp.Header)
	p.record.awaitInit(h.fake)
	return p, resp
}

// request is r as the transport's version of HTTP has it.
func (h *Host) request(r Request) (*http.Request, error) {
	u, err := url.Parse(cmp.Or(r.Path, "/"))
	if err != nil {
		return nil, err
	}
	u.Scheme, u.Host = "http", cmp.Or(r.Host, hostName)
	if h.tr.t.name == stream.H1TLS || h.tr.t.name == stream.H2 || h.tr.t.name == stream.H3 {
		u.Scheme = "https"
	}
	req := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Proto: "HTTP/1.1",
		ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Sec-Websocket-Version": {"13"}}}
	switch h.tr.t.name.HTTPVersion() {
	case "2":
		req.Method, req.Proto, req.ProtoMajor, req.ProtoMinor = http.MethodConnect, "HTTP/2.0", 2, 0
		req.Header[":protocol"] = []string{"websocket"}
	case "3":
		req.Method, req.Proto, req.ProtoMajor, req.ProtoMinor = http.MethodConnect, "HTTP/3.0", 3, 0
		req.Header[":protocol"] = []string{"websocket"}
	default:
		var key [16]byte
		_, _ = rand.Read(key[:]) // never fails
		req.Header.Set("Sec-Websocket-Key", base64.StdEncoding.EncodeToString(key[:]))
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "websocket")
	}
	if len(r.Subprotocols) > 0 {
		req.Header.Set("Sec-Websocket-Protocol", strings.Join(r.Subprotocols, ", "))
	}
	if r.Extensions != "" {
		req.Header.Set("Sec-Websocket-Extensions", r.Extensions)
	}
	for name, values := range r.Header {
		if name = http.CanonicalHeaderKey(name); values == nil {
			delete(req.Header, name)
		} else {
			req.Header[name] = values
		}
	}
	return req, nil
}

// lines keeps what is logged.
type lines struct {
	mu  sync.Mutex
	had []string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.had = append(l.had, strings.TrimSpace(string(b)))
	return len(b), nil
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.had...)
}
