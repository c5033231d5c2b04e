package peers

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	weir "weir/websocket"
)

// end is one end of a WebSocket, of whatever library. One goroutine receives at a time.
type end interface {
	send(ctx context.Context, text bool, p []byte) error
	sendParts(ctx context.Context, text bool, parts ...[]byte) error // in a message of several frames
	receive(ctx context.Context) (text bool, p []byte, err error)
	ping(ctx context.Context) error // waits for the pong; somebody receives meanwhile
	close(ctx context.Context, code int, text string) error
	closed(err error) (code int, text string) // what receive says of the peer's close frame; code -1: something else
	subprotocol() string
	done(err error) // the WebSocket has ended, or is given up because of err
}

// setup is what both ends want.
type setup struct {
	subprotocols                       []string
	compress                           bool
	serverNoTakeover, clientNoTakeover bool
}

// library is one implementation, as a server and as a client.
type library struct {
	name  string
	serve func(w http.ResponseWriter, r *http.Request, o setup) (end, error)
	dial  func(ctx context.Context, url string, o setup) (end, *http.Response, error)
	modes []setup // of compression
}

var allModes = []setup{
	{compress: true},
	{compress: true, serverNoTakeover: true},
	{compress: true, clientNoTakeover: true},
	{compress: true, serverNoTakeover: true, clientNoTakeover: true},
}

var libraries = []library{weirLibrary(&weir.Dialer{HTTP: weir.HTTP1}), coderLibrary, gorillaLibrary}

func weirLibrary(d *weir.Dialer) library {
	options := func(o setup) weir.Options {
		w := weir.Options{Subprotocols: o.subprotocols, Compress: o.compress, MaxFrameSize: 2 << 20}
		w.Deflate.ServerNoContextTakeover, w.Deflate.ClientNoContextTakeover = o.serverNoTakeover, o.clientNoTakeover
		return w
	}
	return library{
		name:  "weir",
		modes: allModes,
		serve: func(w http.ResponseWriter, r *http.Request, o setup) (end, error) {
			opts := options(o)
			c, err := weir.Accept(w, r, &opts)
			return weirEnd{c}, err
		},
		dial: func(ctx context.Context, url string, o setup) (end, *http.Response, error) {
			c, resp, err := d.Dial(ctx, url, &weir.DialOptions{Options: options(o)})
			return weirEnd{c}, resp, err
		},
	}
}

type weirEnd struct{ c *weir.Conn }

func weirType(text bool) weir.FrameType {
	if text {
		return weir.TextFrame
	}
	return weir.BinaryFrame
}

func (e weirEnd) send(ctx context.Context, text bool, p []byte) error {
	return e.c.Write(ctx, weirType(text), p)
}

func (e weirEnd) sendParts(ctx context.Context, text bool, parts ...[]byte) error {
	w, err := e.c.Writer(ctx, weirType(text))
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return w.Close()
}

func (e weirEnd) receive(ctx context.Context) (bool, []byte, error) {
	t, p, err := e.c.Read(ctx)
	return t == weir.TextFrame, p, err
}

func (e weirEnd) ping(ctx context.Context) error { return e.c.Ping(ctx) }

func (e weirEnd) close(_ context.Context, code int, text string) error {
	return e.c.Close(weir.CloseCode(code), text)
}

func (e weirEnd) closed(err error) (int, string) {
	ce, ok := errors.AsType[*weir.CloseError](err)
	if !ok || ce.Reason.Kind != weir.ReasonRemote {
		return -1, ""
	}
	return int(ce.Reason.Code), ce.Reason.Text
}

func (e weirEnd) subprotocol() string { return e.c.Subprotocol() }

func (e weirEnd) done(err error) {
	if err != nil {
		e.c.CloseNow()
	}
	<-e.c.Context().Done()
}

func coderMode(o setup) coder.CompressionMode {
	switch {
	case !o.compress:
		return coder.CompressionDisabled
	case o.serverNoTakeover:
		return coder.CompressionNoContextTakeover
	}
	return coder.CompressionContextTakeover
}

var coderLibrary = library{
	name:  "coder",
	modes: []setup{allModes[0], allModes[3]},
	serve: func(w http.ResponseWriter, r *http.Request, o setup) (end, error) {
		c, err := coder.Accept(w, r, &coder.AcceptOptions{Subprotocols: o.subprotocols, CompressionMode: coderMode(o), CompressionThreshold: 1})
		if err == nil {
			c.SetReadLimit(-1)
		}
		return coderEnd{c}, err
	},
	dial: func(ctx context.Context, url string, o setup) (end, *http.Response, error) {
		return dialCoder(ctx, http.DefaultClient, url, o)
	},
}

func dialCoder(ctx context.Context, client *http.Client, url string, o setup) (end, *http.Response, error) {
	c, resp, err := coder.Dial(ctx, url, &coder.DialOptions{
		HTTPClient: client, Subprotocols: o.subprotocols, CompressionMode: coderMode(o), CompressionThreshold: 1,
	})
	if err == nil {
		c.SetReadLimit(-1)
	}
	return coderEnd{c}, resp, err
}

type coderEnd struct{ c *coder.Conn }

func coderType(text bool) coder.MessageType {
	if text {
		return coder.MessageText
	}
	return coder.MessageBinary
}

func (e coderEnd) send(ctx context.Context, text bool, p []byte) error {
	return e.c.Write(ctx, coderType(text), p)
}

func (e coderEnd) sendParts(ctx context.Context, text bool, parts ...[]byte) error {
	w, err := e.c.Writer(ctx, coderType(text))
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return w.Close()
}

func (e coderEnd) receive(ctx context.Context) (bool, []byte, error) {
	t, p, err := e.c.Read(ctx)
	return t == coder.MessageText, p, err
}

func (e coderEnd) ping(ctx context.Context) error { return e.c.Ping(ctx) }

func (e coderEnd) close(_ context.Context, code int, text string) error {
	return e.c.Close(coder.StatusCode(code), text)
}

func (e coderEnd) closed(err error) (int, string) {
	ce, ok := errors.AsType[coder.CloseError](err)
	if !ok {
		return -1, ""
	}
	return int(ce.Code), ce.Reason
}

func (e coderEnd) subprotocol() string { return e.c.Subprotocol() }
func (e coderEnd) done(error)          { e.c.CloseNow() }

var gorillaLibrary = library{
	name:  "gorilla",
	modes: allModes[3:], // it never takes its context over
	serve: func(w http.ResponseWriter, r *http.Request, o setup) (end, error) {
		u := gorilla.Upgrader{Subprotocols: o.subprotocols, EnableCompression: o.compress, WriteBufferSize: 1024}
		c, err := u.Upgrade(w, r, nil)
		return newGorillaEnd(c), err
	},
	dial: func(ctx context.Context, url string, o setup) (end, *http.Response, error) {
		d := gorilla.Dialer{Subprotocols: o.subprotocols, EnableCompression: o.compress, WriteBufferSize: 1024}
		c, resp, err := d.DialContext(ctx, url, nil)
		return newGorillaEnd(c), resp, err
	},
}

type gorillaEnd struct {
	c     *gorilla.Conn
	write sync.Mutex // one writer at a time is its rule
	pong  chan struct{}
}

func newGorillaEnd(c *gorilla.Conn) *gorillaEnd {
	e := &gorillaEnd{c: c, pong: make(chan struct{}, 1)}
	if c != nil {
		c.SetPongHandler(func(string) error { e.pong <- struct{}{}; return nil })
	}
	return e
}

func gorillaType(text bool) int {
	if text {
		return gorilla.TextMessage
	}
	return gorilla.BinaryMessage
}

func (e *gorillaEnd) send(_ context.Context, text bool, p []byte) error {
	e.write.Lock()
	defer e.write.Unlock()
	return e.c.WriteMessage(gorillaType(text), p)
}

func (e *gorillaEnd) sendParts(_ context.Context, text bool, parts ...[]byte) error {
	e.write.Lock()
	defer e.write.Unlock()
	w, err := e.c.NextWriter(gorillaType(text))
	if err != nil {
		return err
	}
	if _, err := w.Write(bytes.Join(parts, nil)); err != nil { // a frame each time its buffer is full
		return err
	}
	return w.Close()
}

func (e *gorillaEnd) receive(ctx context.Context) (bool, []byte, error) {
	if by, ok := ctx.Deadline(); ok {
		e.c.SetReadDeadline(by)
	}
	t, p, err := e.c.ReadMessage()
	return t == gorilla.TextMessage, p, err
}

func (e *gorillaEnd) ping(ctx context.Context) error {
	if err := e.c.WriteControl(gorilla.PingMessage, []byte("ping"), time.Now().Add(time.Minute)); err != nil {
		return err
	}
	select {
	case <-e.pong:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *gorillaEnd) close(ctx context.Context, code int, text string) error {
	defer e.c.Close()
	if err := e.c.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(code, text), time.Now().Add(time.Minute)); err != nil {
		return err
	}
	for {
		if _, _, err := e.receive(ctx); err != nil {
			if got, _ := e.closed(err); got == code {
				return nil
			}
			return err
		}
	}
}

func (e *gorillaEnd) closed(err error) (int, string) {
	ce, ok := errors.AsType[*gorilla.CloseError](err)
	if !ok {
		return -1, ""
	}
	return ce.Code, ce.Text
}

func (e *gorillaEnd) subprotocol() string { return e.c.Subprotocol() }
func (e *gorillaEnd) done(error)          { e.c.Close() }
