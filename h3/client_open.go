package h3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strconv"
	"time"

	"weir/internal/reach"
	"weir/stream"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
)

// MaxAnswer is how many octets of the body Open keeps of a response that opens no stream.
const MaxAnswer = 64 << 10

// answerTime is how long Open waits for that body, once the header is there.
const answerTime = 2 * time.Second

// call is a request that waits for its response.
type call struct {
	cl       *Client
	qs       *quic.Stream
	r        *http.Request
	trace    *httptrace.ClientTrace
	rejected bool  // a GOAWAY says that it was not looked at; conn.mu
	read     int64 // octets of the stream
}

// Open opens a stream by the extended CONNECT that r describes (RFC 9220, 3). r.Method is CONNECT
// and r.Header[":protocol"] has one value; :scheme and :path are of r.URL, :authority is r.Host or
// r.URL.Host; the other fields of r.Header are sent as they are, in lower case. Fields of an
// HTTP/1.1 connection, a content-length and a body are errors. It waits for the server's SETTINGS,
// and for the final response; informational ones are told to an httptrace.ClientTrace of ctx.
//
// A 2xx gives a stream. Octets that came behind it are told first. The response has no body.
//
// Any other status gives the response and no stream. Its Body has what came within 2 s, at most
// MaxAnswer octets, and ends with io.ErrUnexpectedEOF if that is not all. Nothing needs to be
// closed.
//
// Errors are a *StreamError for a reset and for a malformed response, ErrNoRoom, ErrLeaving,
// ErrNoExtendedConnect, what ended the connection, and the cause of ctx; then the stream has been
// reset with H3_REQUEST_CANCELLED. Those that errors.Is finds to be stream.ErrUnprocessed allow
// another try.
func (cl *Client) Open(ctx context.Context, r *http.Request) (stream.Stream, *http.Response, error) {
	begun, returned := false, false
	var x *call
	defer func() { // also when ctx, or a hook of its trace, panics
		switch {
		case !begun:
			cl.Release()
		case x != nil && !returned:
			x.give(RequestCancelled)
			x.over()
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
	stop := context.AfterFunc(ctx, func() { x.give(RequestCancelled) })
	st, res, err := x.exchange(fields)
	if !stop() {
		if st != nil {
			st.Reset(stream.Cancel)
		}
		st, res, err = nil, nil, fmt.Errorf("h3: no response: %w", reach.Ended(ctx))
	}
	returned = true
	if st == nil {
		x.over()
	}
	return st, res, err
}

// begin takes a stream for the request.
func (cl *Client) begin(r *http.Request, fields []qpack.HeaderField,
	trace *httptrace.ClientTrace) (*call, error) {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	cl.release()
	switch {
	case cl.leaves():
		return nil, fmt.Errorf("%w: %w", ErrLeaving, cl.cause())
	case !cl.peer.connect:
		return nil, ErrNoExtendedConnect
	case cl.peer.maxFieldSection > 0 && sectionSize(fields) > cl.peer.maxFieldSection:
		return nil, fmt.Errorf("h3: the request header has over %d octets, the server's SETTINGS_MAX_FIELD_SECTION_SIZE (RFC 9114, 4.2.2)", cl.peer.maxFieldSection)
	case !cl.room():
		return nil, ErrNoRoom
	}
	x := &call{cl: cl, qs: cl.spare[0], r: r, trace: trace}
	cl.spare = cl.spare[1:]
	cl.c.requests++
	cl.calls[x.qs.StreamID()] = x
	cl.c.srv.count(func(st *Stats) { st.StreamsTotal++ })
	return x, nil
}

// over counts a request that has not become a tunnel.
func (x *call) over() {
	c := x.cl.c
	c.mu.Lock()
	delete(x.cl.calls, x.qs.StreamID())
	c.mu.Unlock()
	c.ends()
}

// give gives the stream up.
func (x *call) give(code Code) {
	x.qs.CancelRead(quic.StreamErrorCode(code))
	x.qs.CancelWrite(quic.StreamErrorCode(code))
}

// exchange sends the request, and reads the response.
func (x *call) exchange(fields []qpack.HeaderField) (stream.Stream, *http.Response, error) {
	if _, err := x.qs.Write(encodeHead(nil, fields)); err != nil {
		if se, ok := errors.AsType[*quic.StreamError](err); !ok || !se.Remote || Code(se.ErrorCode) != NoError {
			return nil, nil, x.failed(err) // else the response says it all (RFC 9114, 4.1)
		}
	}
	if t := x.trace; t != nil {
		if t.WroteHeaders != nil {
			t.WroteHeaders()
		}
		if t.WroteRequest != nil {
			t.WroteRequest(httptrace.WroteRequestInfo{})
		}
	}
	for first := true; ; first = false {
		s, err := x.section(false)
		if err != nil {
			return nil, nil, x.failed(err)
		}
		x.cl.hears()
		if t := x.trace; t != nil && first && t.GotFirstResponseByte != nil {
			t.GotFirstResponseByte()
		}
		if s.status < 200 {
			x.cl.ignore(1)
			if t := x.trace; t != nil && t.Got1xxResponse != nil {
				if err := t.Got1xxResponse(s.status, textproto.MIMEHeader(s.header)); err != nil {
					x.give(RequestCancelled)
					return nil, nil, err
				}
			}
			continue
		}
		res := &http.Response{Status: strconv.Itoa(s.status) + " " + http.StatusText(s.status),
			StatusCode: s.status, Proto: protoH3, ProtoMajor: 3, Header: s.header,
			Body: http.NoBody, Request: x.r, TLS: x.cl.c.tls}
		if s.status/100 == 2 {
			return x.tunnel(), res, nil
		}
		res.ContentLength = -1
		if n, err := strconv.ParseUint(s.header.Get("Content-Length"), 10, 63); err == nil {
			res.ContentLength = int64(n)
		}
		return nil, res, x.body(res)
	}
}

// tunnel makes a stream of the request.
func (x *call) tunnel() stream.Stream {
	c := x.cl.c
	c.mu.Lock()
	delete(x.cl.calls, x.qs.StreamID())
	c.mu.Unlock()
	c.srv.count(func(st *Stats) { st.TunnelsTotal++ })
	t := newTunnel(c, x.qs, x.qs.CancelRead)
	t.read = x.read // Attach starts who reads it
	return t
}

// frame reads the header of a frame. io.EOF: the stream has ended behind another.
func (x *call) frame() (kind, length uint64, err error) {
	var b [16]byte
	for n := 0; ; {
		m, err := x.qs.Read(b[n : n+1])
		n += m
		x.read += int64(m)
		kind, k := varint(b[:n])
		if k > 0 {
			if length, m := varint(b[k:n]); m > 0 {
				return kind, length, nil
			}
		}
		if err == io.EOF && n > 0 {
			return 0, 0, errCut
		}
		if err != nil {
			return 0, 0, err
		}
	}
}

var errCut = &ConnError{Code: FrameError, Rule: "RFC 9114, 7.1",
	Text: "the end of the stream cuts a frame"}

// section reads a field section: of a response, or that behind its content.
func (x *call) section(content bool) (section, error) {
	for {
		kind, length, err := x.frame()
		switch {
		case err == io.EOF:
			return section{}, &StreamError{Code: MessageError, Rule: "RFC 9114, 4.1.2",
				Text: "the stream ended without a response"}
		case err != nil:
			return section{}, err
		case kind == frameHeaders:
			return x.fields(length, content)
		}
		if err := x.other(kind, length); err != nil {
			return section{}, err
		}
	}
}

// fields reads the payload of HEADERS.
func (x *call) fields(length uint64, trailers bool) (section, error) {
	most := x.cl.c.srv.cfg.MaxHeaderBytes
	if length > uint64(most) {
		return section{}, &StreamError{Code: ExcessiveLoad, Rule: "RFC 9114, 4.2.2",
			Text: "a field section over our limit"}
	}
	b := make([]byte, length)
	n, err := io.ReadFull(x.qs, b)
	x.read += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return section{}, errCut
	}
	if err != nil {
		return section{}, err
	}
	return decodeSection(b, trailers, most)
}

// other sees to a frame that is neither HEADERS nor DATA where it may be.
func (x *call) other(kind, length uint64) error {
	switch {
	case kind == frameData:
		return &ConnError{Code: FrameUnexpected, Rule: "RFC 9114, 4.1",
			Text: "DATA before the response's HEADERS"}
	case kind == framePushPromise:
		return &ConnError{Code: IDError, Rule: "RFC 9114, 7.2.5",
			Text: "a push that was not allowed"}
	case unexpected(kind):
		return &ConnError{Code: FrameUnexpected, Rule: "RFC 9114, 7.2",
			Text: fmt.Sprintf("a frame of type 0x%x on a request stream", kind)}
	}
	x.cl.ignore(1) // RFC 9114, 9
	n, err := io.CopyN(io.Discard, x.qs, int64(length))
	x.read += n
	if err == io.EOF {
		return errCut
	}
	return err
}

// body reads the content of a response that opens no stream.
func (x *call) body(res *http.Response) error {
	_ = x.qs.SetReadDeadline(time.Now().Add(answerTime)) // cannot fail
	b, end, err := x.content(res)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	if end == io.EOF {
		_ = x.qs.Close() // our side ends in order
	}
	x.give(RequestCancelled)
	if fault, ok := errors.AsType[*ConnError](err); ok && !fault.Remote {
		return x.failed(fault)
	}
	if end != io.EOF {
		end = io.ErrUnexpectedEOF
	}
	res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b), ending{end}))
	return nil
}

// content gives what came of it; end is io.EOF if that is all.
func (x *call) content(res *http.Response) (b []byte, end, err error) {
	for trailers := false; ; {
		kind, length, err := x.frame()
		switch {
		case err == io.EOF:
			return b, io.EOF, nil
		case err != nil:
			return b, err, err
		case kind == frameData && !trailers:
			n := min(length, uint64(MaxAnswer-len(b)))
			from := len(b)
			b = append(b, make([]byte, n)...)
			m, err := io.ReadFull(x.qs, b[from:])
			b = b[:from+m]
			switch {
			case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
				return b, errCut, errCut
			case err != nil:
				return b, err, err
			case n < length:
				return b, nil, nil
			}
		case kind == frameHeaders && !trailers:
			trailers = true
			s, err := x.fields(length, true)
			if err != nil {
				return b, err, err
			}
			res.Trailer = s.header
		case kind == frameData, kind == frameHeaders:
			fault := &ConnError{Code: FrameUnexpected, Rule: "RFC 9114, 4.1",
				Text: "a frame behind the trailers"}
			return b, fault, fault
		default:
			if err := x.other(kind, length); err != nil {
				return b, err, err
			}
		}
	}
}

// failed says why there is no response, and ends what has to end.
func (x *call) failed(err error) error {
	c := x.cl.c
	c.mu.Lock()
	rejected := x.rejected
	c.mu.Unlock()
	if fault, ok := errors.AsType[*ConnError](err); ok {
		c.fail(fault)
		return fault
	}
	if fault, ok := errors.AsType[*StreamError](err); ok {
		fault.ID = uint64(x.qs.StreamID())
		x.give(fault.Code)
		return fault
	}
	x.give(RequestCancelled)
	se, ok := errors.AsType[*quic.StreamError](err)
	switch {
	case rejected:
		return fmt.Errorf("%w: %w", ErrLeaving, errGoAway)
	case ok:
		return &StreamError{ID: uint64(se.StreamID), Code: Code(se.ErrorCode), Remote: se.Remote}
	}
	if errors.Is(err, net.ErrClosed) { // the connection's end, which its streams are told first
		<-c.qc.Context().Done()
	}
	return fmt.Errorf("h3: no response: %w", x.cl.lostAs(err))
}

// ending is a reader with nothing but an end.
type ending struct{ err error }

func (e ending) Read([]byte) (int, error) { return 0, e.err }
