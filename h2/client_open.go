package h2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"time"

	"weir/internal/reach"
	"weir/stream"

	"golang.org/x/net/http2/hpack"
)

// MaxAnswer is how many octets of the body Open keeps of a response that opens no stream.
const MaxAnswer = 64 << 10

// answerTime is how long Open waits for that body, once the header is there.
const answerTime = 2 * time.Second

// Open opens a stream by the extended CONNECT that r describes (RFC 8441, 4). r.Method is CONNECT
// and r.Header[":protocol"] has one value; :scheme and :path are of r.URL, :authority is r.Host or
// r.URL.Host; the other fields of r.Header are sent as they are, in lower case. Fields of an
// HTTP/1.1 connection, a content-length and a body are errors. It waits for the server's first
// SETTINGS, and for the final response; informational ones are told to an httptrace.ClientTrace of
// ctx.
//
// A 2xx gives a stream. Octets that came behind it are told first. The response has no body.
//
// Any other status gives the response and no stream. Its Body has what came within 2 s, at most
// MaxAnswer octets, and ends with io.ErrUnexpectedEOF if that is not all. Nothing needs to be
// closed.
//
// Errors are a *StreamError for a reset and for a malformed response, ErrNoRoom, ErrLeaving,
// ErrNoExtendedConnect, what ended the connection, and the cause of ctx; then the stream has been
// reset with CANCEL. Unprocessed says which of them allow another try. A 2xx that ends the server's
// side at once is an error too, which unwraps to stream.ErrHalfClosed and has the response beside
// it.
//
// Open waits for what the connection reads: it must not be called from a method of a Sink.
func (cl *Client) Open(ctx context.Context, r *http.Request) (stream.Stream, *http.Response, error) {
	begun, returned := false, false
	var x *call
	defer func() { // also when ctx, or a hook of its trace, panics
		switch {
		case !begun:
			cl.Release()
		case x != nil && !returned:
			x.reset()
		}
	}()
	fields, err := requestFields(r)
	if err == nil {
		err = cl.Ready(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	trace := httptrace.ContextClientTrace(ctx)
	begun = true // it gives up what was reserved
	if x, err = cl.begin(r, fields, trace); err != nil {
		return nil, nil, err
	}
	x.wrote()
	st, res, err := x.wait(ctx)
	returned = true
	return st, res, err
}

// begin sends the request.
func (cl *Client) begin(r *http.Request, fields []hpack.HeaderField, trace *httptrace.ClientTrace) (*call, error) {
	c := cl.c
	c.mu.Lock()
	defer c.mu.Unlock()
	cl.release()
	switch core := c.core; {
	case core.leaves():
		return nil, fmt.Errorf("%w: %w", ErrLeaving, cl.cause())
	case !core.peer.connect:
		return nil, ErrNoExtendedConnect
	case cl.room() == 0:
		return nil, ErrNoRoom
	case core.peer.maxHeaderList > 0 && listSize(fields) > int64(core.peer.maxHeaderList):
		return nil, fmt.Errorf("h2: the request header has over %d octets, the server's SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113, 6.5.2)", core.peer.maxHeaderList)
	}
	x := &call{c: c, r: r, trace: trace, wake: make(chan struct{}, 1)}
	x.s = c.core.connect(fields, time.Now())
	x.s.owner = x
	c.after(false)
	return x, nil
}

// wrote tells an httptrace.ClientTrace that the request has been handed to the connection.
func (x *call) wrote() {
	if x.trace == nil {
		return
	}
	if x.trace.WroteHeaders != nil {
		x.trace.WroteHeaders()
	}
	if x.trace.WroteRequest != nil {
		x.trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
}

// listSize is the size of a field section as RFC 9113, 6.5.2 counts it.
func listSize(fs []hpack.HeaderField) (n int64) {
	for _, f := range fs {
		n += int64(f.Size())
	}
	return n
}

// call is a request that waits for its response.
type call struct {
	c     *conn
	s     *coreStream
	r     *http.Request
	trace *httptrace.ClientTrace
	wake  chan struct{} // something below changed

	// Under conn.mu.
	informed []informed
	res      *http.Response // the final one
	tunnel   *tunnel        // with res: the stream
	body     []byte         // of one that opens none
	full     bool           // body has all that is kept
	fin      bool           // the server has ended its side
	closed   bool
	err      error // with closed: why, nil if both sides ended
}

// informed is an informational response.
type informed struct {
	status int
	header http.Header
}

// event takes what happened to the stream; mu is held, on the reader but for evClosed.
func (x *call) event(ev event) {
	x.fin = x.fin || ev.fin
	switch ev.kind {
	case evResponse:
		x.response(ev)
	case evData:
		n := min(len(ev.data), MaxAnswer-len(x.body))
		x.body = append(x.body, ev.data[:n]...)
		if x.full = x.full || n < len(ev.data); !x.full {
			x.c.core.release(x.s, n)
		}
	case evTrailers:
		x.fin = true
		if x.res != nil {
			x.res.Trailer = headerOf(ev.tail)
		}
	case evClosed:
		x.closed, x.err = true, ev.err
	}
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// response takes a response. A stream is made at once: what follows belongs to it.
func (x *call) response(ev event) {
	header := headerOf(ev.tail)
	if ev.status < 200 {
		if x.trace != nil && x.trace.Got1xxResponse != nil {
			x.informed = append(x.informed, informed{ev.status, header})
		}
		return
	}
	x.res = &http.Response{
		Status: strconv.Itoa(ev.status) + " " + http.StatusText(ev.status), StatusCode: ev.status, Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: header, Body: http.NoBody, Request: x.r, TLS: x.c.tls,
	}
	if ev.status/100 != 2 {
		x.res.ContentLength = x.s.length
		return
	}
	if ev.fin {
		return
	}
	x.tunnel = &tunnel{c: x.c, s: x.s}
	x.s.owner = x.tunnel
	x.c.core.setPatience(x.s, 0) // Attach says
	x.c.core.counts.tunnels++
	x.c.core.counts.tunnelsNow++
}

// progress is what has come of a call.
type progress struct {
	informed []informed
	res      *http.Response
	tunnel   *tunnel
	whole    bool // res is to be given out with the body that is there
	err      error
}

// wait waits for the response.
func (x *call) wait(ctx context.Context) (stream.Stream, *http.Response, error) {
	var late <-chan time.Time // the body takes too long
	first := true
	for {
		p := x.progress()
		if first && (p.res != nil || len(p.informed) > 0) {
			first = false
			if x.trace != nil && x.trace.GotFirstResponseByte != nil {
				x.trace.GotFirstResponseByte()
			}
		}
		for _, i := range p.informed {
			if err := x.trace.Got1xxResponse(i.status, textproto.MIMEHeader(i.header)); err != nil {
				x.reset()
				return nil, nil, err
			}
		}
		switch {
		case p.err != nil:
			return nil, p.res, p.err
		case p.tunnel != nil:
			return p.tunnel, p.res, nil
		case p.whole:
			return nil, x.answer(), nil
		case p.res != nil && late == nil:
			t := time.NewTimer(answerTime)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-x.wake:
		case <-late:
			return nil, x.answer(), nil
		case <-ctx.Done():
			switch p := x.progress(); {
			case p.tunnel != nil: // opened just now
				return p.tunnel, p.res, nil
			case p.res != nil && p.err == nil:
				return nil, x.answer(), nil
			}
			x.reset()
			return nil, nil, fmt.Errorf("h2: no response: %w", reach.Ended(ctx))
		}
	}
}

func (x *call) progress() progress {
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	p := progress{informed: x.informed, res: x.res, tunnel: x.tunnel}
	x.informed = nil
	switch {
	case p.tunnel != nil:
	case p.res != nil && p.res.StatusCode/100 == 2:
		p.err = fmt.Errorf("h2: response %d with END_STREAM: %w", p.res.StatusCode, stream.ErrHalfClosed)
		x.c.core.reset(x.s, Cancel)
		x.c.after(false)
	case p.res != nil:
		p.whole = x.fin || x.full || x.closed
	case x.closed && x.err == nil:
		p.err = stream.ErrClosed
	case x.closed:
		p.err = unanswered("no response", x.err)
	}
	return p
}

// unanswered says what did not come where err is what a socket says. A fault, or what the peer
// said, says enough.
func unanswered(what string, err error) error {
	if _, ok := errors.AsType[*ConnError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*StreamError](err); ok {
		return err
	}
	return fmt.Errorf("h2: %s: %w", what, err)
}

func (x *call) reset() {
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	x.c.core.reset(x.s, Cancel)
	x.c.after(false)
}

// answer ends the stream and gives the response out, with what there is of the body.
func (x *call) answer() *http.Response {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	end := io.EOF
	if x.fin && !x.full {
		_, _ = c.core.send(x.s, nil, true) // fails where the stream is over
	} else {
		end = io.ErrUnexpectedEOF
		c.core.reset(x.s, Cancel)
	}
	c.after(false)
	x.res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(x.body), ending{end}))
	return x.res
}

// ending is a reader with nothing but an end.
type ending struct{ err error }

func (e ending) Read([]byte) (int, error) { return 0, e.err }
