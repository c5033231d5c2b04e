package websockettest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"

	"weir/stream"
	"weir/websocket"
)

// pipeClient calls the handler of a server. Its streams are pipes.
type pipeClient struct {
	handler http.Handler
	base    context.Context
}

func startPipe(srv *http.Server, _ *websocket.Server) (Client, error) {
	base := context.Background()
	if srv.BaseContext != nil {
		base = srv.BaseContext(nil)
	}
	return &pipeClient{srv.Handler, context.WithValue(base, http.ServerContextKey, srv)}, nil
}

// pipeAddr is where requests come from: an address for documentation (RFC 5737), as httptest's do.
const pipeAddr = "192.0.2.1:1234"

// Close does nothing: a stream ends with its peer.
func (*pipeClient) Close() error { return nil }

func (c *pipeClient) Open(ctx context.Context, r *http.Request) (stream.Stream, *http.Response, error) {
	served, stop := context.WithCancel(c.base)
	w := &pipeWriter{header: http.Header{}, done: make(chan struct{})}
	r = r.WithContext(served)
	r.RemoteAddr, r.RequestURI, r.Body = pipeAddr, r.URL.RequestURI(), http.NoBody
	u := *r.URL
	u.Scheme, u.Host = "", "" // as a server sees it
	r.URL = &u
	go func() { // ends with the handler
		defer stop()
		defer w.finish()
		defer func() { _ = recover() }() // as net/http does; Host has told it
		c.handler.ServeHTTP(w, r)
	}()
	select {
	case <-w.done:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peer, w.response(r), nil
}

// pipeWriter is an http.ResponseWriter that makes one end of a pipe of its request, and is a whole
// response otherwise.
type pipeWriter struct {
	header http.Header

	mu     sync.Mutex
	once   sync.Once
	done   chan struct{} // closed when the stream is there, or the handler has returned
	status int           // 0: nothing was written
	sent   http.Header
	body   bytes.Buffer
	peer   stream.Stream
}

// StreamInfo says what OpenStream's stream runs on.
func (*pipeWriter) StreamInfo() stream.Info {
	a, _ := stream.Pipe()
	return a.Info()
}

// Answered says whether anything was written.
func (w *pipeWriter) Answered() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status != 0
}

// OpenStream implements stream.Opener.
func (w *pipeWriter) OpenStream(header http.Header) (stream.Stream, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status != 0 {
		return nil, stream.ErrAnswered
	}
	ours, theirs := stream.Pipe()
	w.status, w.sent, w.peer = http.StatusSwitchingProtocols, header.Clone(), theirs
	w.once.Do(func() { close(w.done) })
	return ours, nil
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(status)
}

func (w *pipeWriter) writeHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.peer != nil {
		return 0, http.ErrHijacked
	}
	w.writeHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush does nothing: what was written is read when the handler has returned.
func (w *pipeWriter) Flush() { w.WriteHeader(http.StatusOK) }

// finish ends the response.
func (w *pipeWriter) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	w.once.Do(func() { close(w.done) })
}

// response is what was answered to r.
func (w *pipeWriter) response(r *http.Request) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Request: r,
		Body: io.NopCloser(bytes.NewReader(w.body.Bytes())), ContentLength: int64(w.body.Len()),
	}
}

var (
	_ stream.Opener = (*pipeWriter)(nil)
)
