package h1

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"weir/internal/reach"
	"weir/stream"
)

const (
	// MaxHead is how many octets the heads of a response may have, the informational ones before it
	// too.
	MaxHead = 64 << 10
	// MaxAnswer is how many octets of the body Request keeps of a response that opens no stream.
	MaxAnswer = 64 << 10

	answerTime = 2 * time.Second // how long Request waits for that body
)

// Request asks over nc, which it owns from then on, for the switch of protocols that r describes
// (RFC 9110, 7.8), and waits for the final response; informational ones are told to an
// httptrace.ClientTrace of ctx. The request line is of r.Method and r.URL, Host is r.Host or
// r.URL.Host, and the other fields are those of r.Header and no more. A body is an error.
//
// A 101 gives a stream. Octets that came behind it are told first. Whether the 101 says what it
// should is for the caller. Whoever wants to close nc by itself wraps it: of a *net.TCPConn on
// Linux the stream takes the descriptor over, and closes it.
//
// Any other status gives the response and no stream. Its Body has what came within 2 s, at most
// MaxAnswer octets, and ends with io.ErrUnexpectedEOF if that is not all. Nothing needs to be
// closed: nc has been.
//
// On an error nc has been closed. When ctx ends first, errors.Is finds its cause and ctx.Err().
func Request(ctx context.Context, nc net.Conn, r *http.Request) (stream.Stream, *http.Response, error) {
	opened := false
	defer closeUnless(nc, &opened)
	trace := httptrace.ContextClientTrace(ctx)
	first, res, err := conversation{ctx, nc, nc, r, switches, trace}.hold()
	if err == nil && switches(res.StatusCode) {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil || !switches(res.StatusCode) {
		return nil, res, err
	}
	opened = true
	info := stream.Info{Transport: stream.H1, Local: nc.LocalAddr(), Remote: nc.RemoteAddr(), TLS: res.TLS, Own: true}
	if res.TLS != nil {
		info.Transport = stream.H1TLS
	}
	return newTunnel(nc, info, nil, first), res, nil
}

// Connect asks the proxy at the other end of nc for a tunnel (RFC 9110, 9.3.6). r is as for
// Request; its method is CONNECT, and the target is r.Host. nil: what is read from nc, and written
// to it, is the tunnel's, and nothing of it has been read.
//
// A response of the proxy's that gives no tunnel is an error, and there besides, with the body that
// Request would keep. On any error nc has been closed.
func Connect(ctx context.Context, nc net.Conn, r *http.Request) (*http.Response, error) {
	opened := false
	defer closeUnless(nc, &opened)
	_, res, err := conversation{ctx, nc, octetwise{nc}, r, succeeds, nil}.hold()
	if err == nil && !succeeds(res.StatusCode) {
		err = fmt.Errorf("h1: no tunnel: %s (RFC 9110, 9.3.6)", res.Status)
	}
	opened = err == nil
	return res, err
}

// closeUnless is deferred: nc is closed unless it has come to its new owner, also when a hook of
// the trace, the context or nc itself panics.
func closeUnless(nc net.Conn, opened *bool) {
	if !*opened {
		nc.Close()
	}
}

func switches(status int) bool { return status == http.StatusSwitchingProtocols }

func succeeds(status int) bool { return status/100 == 2 }

// octetwise reads an octet at a time, so that what stands behind a proxy's answer is left: a server
// in cleartext HTTP/2 may speak first (RFC 9113, 3.4).
type octetwise struct{ r io.Reader }

func (o octetwise) Read(b []byte) (int, error) { return o.r.Read(b[:min(len(b), 1)]) }

// conversation is a request and its response.
type conversation struct {
	ctx   context.Context // how long it may take
	nc    net.Conn
	in    io.Reader // nc
	r     *http.Request
	opens func(status int) bool // which statuses make the connection something else
	trace *httptrace.ClientTrace
}

// hold sends the request and gives the response; first is what was read behind the head of one that
// opens something. A response that opens nothing counts even if ctx has ended.
func (c conversation) hold() (first []byte, res *http.Response, err error) {
	head, err := requestHead(c.r)
	if err != nil {
		return nil, nil, err
	}
	err = reach.Within(c.ctx, c.nc, func() (err error) {
		first, res, err = c.exchange(head)
		return err
	})
	switch ended := reach.Ended(c.ctx); {
	case err == nil || ended == nil || !errors.Is(err, ended):
		return first, res, err
	case res == nil || c.opens(res.StatusCode):
		return nil, nil, fmt.Errorf("h1: no response: %w", err)
	}
	return nil, res, nil
}

// exchange writes the request and reads the response, with its body if the status opens nothing.
func (c conversation) exchange(head []byte) (first []byte, res *http.Response, err error) {
	_, unsent := c.nc.Write(head)
	if unsent != nil { // a peer that refuses without a look at the request may have said so
		unsent = fmt.Errorf("h1: request: %w", unsent)
		if reach.Expect(c.ctx, c.nc, time.Now().Add(answerTime)) != nil {
			return nil, nil, unsent
		}
	}
	bound := &bounded{LimitedReader: io.LimitedReader{R: c.in, N: MaxHead}}
	br := bufio.NewReader(bound)
	if res, err = c.response(br); err != nil {
		switch {
		case unsent != nil:
			err = unsent
		case bound.N == 0:
			err = fmt.Errorf("h1: response: a head of over %d octets", MaxHead)
		case bound.ended: // what its parser says of the part that there is does not matter
			err = fmt.Errorf("h1: response: %w", io.ErrUnexpectedEOF)
		}
		return nil, nil, err
	}
	if tc, ok := c.nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := tc.ConnectionState()
		res.TLS = &state
	}
	switch {
	case !c.opens(res.StatusCode):
		bound.N = 2 * MaxAnswer // chunks have heads, too
		return nil, res, keepBody(c.ctx, c.nc, res)
	case res.ProtoMajor != 1:
		res.Body = http.NoBody
		return nil, res, fmt.Errorf("h1: %d from %s on a connection of HTTP/1.1 (RFC 9112, 2.3)",
			res.StatusCode, res.Proto)
	case switches(res.StatusCode) && res.ProtoMinor < 1:
		return nil, res, fmt.Errorf("h1: 101 from %s (RFC 9110, 15.2)", res.Proto)
	case unsent != nil:
		return nil, res, unsent
	}
	res.Body = http.NoBody
	first = make([]byte, br.Buffered())
	_, err = io.ReadFull(br, first)
	return first, res, err
}

// bounded is an io.LimitedReader that knows whether the end it told was that of its reader.
type bounded struct {
	io.LimitedReader
	ended bool
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.LimitedReader.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF) && b.N > 0
	return n, err
}

// response reads up to the head of the final response.
func (c conversation) response(br *bufio.Reader) (*http.Response, error) {
	trace := c.trace
	if _, err := br.Peek(1); err == nil && trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	if err := speaksHTTP1(br); err != nil {
		return nil, err
	}
	for {
		res, err := http.ReadResponse(br, c.r)
		if err != nil {
			return nil, fmt.Errorf("h1: response: %w", err)
		}
		if res.StatusCode >= 200 || switches(res.StatusCode) {
			return res, nil
		}
		if trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header)); err != nil {
				return nil, err
			}
		}
	}
}

// speaksHTTP1 is an error where what begins is known and something else. It reads no more than that
// takes.
func speaksHTTP1(br *bufio.Reader) error {
	for n := 1; ; n++ {
		first, err := br.Peek(n)
		switch name, more := reach.Protocol(first); {
		case name != "" && name != "HTTP/1.1":
			return fmt.Errorf("h1: the peer speaks %s, and not HTTP/1.1 (RFC 9112, 4)", name)
		case err != nil || !more:
			return nil // a response, or none: that is for its parser
		}
	}
}

// keepBody reads as much of the body as is kept, so that nobody has to close the connection later.
func keepBody(ctx context.Context, nc net.Conn, res *http.Response) error {
	if err := reach.Expect(ctx, nc, time.Now().Add(answerTime)); err != nil {
		return err
	}
	var b bytes.Buffer
	_, err := io.CopyN(&b, res.Body, MaxAnswer)
	if err == nil {
		_, err = io.ReadFull(res.Body, make([]byte, 1)) // is that all?
	}
	if !errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	res.Body = io.NopCloser(io.MultiReader(&b, ending{err}))
	return nil
}

// ending is a reader with nothing but an end.
type ending struct{ err error }

func (e ending) Read([]byte) (int, error) { return 0, e.err }

// requestHead is the head of the request. What would break its framing is an error.
func requestHead(r *http.Request) ([]byte, error) {
	if r.Body != nil && r.Body != http.NoBody || r.ContentLength != 0 {
		return nil, errors.New("h1: a body before the upgrade (RFC 9110, 7.8)")
	}
	if r.Method != "" && !httpguts.ValidHeaderFieldName(r.Method) {
		return nil, fmt.Errorf("h1: method %q (RFC 9110, 9.1)", r.Method)
	}
	if r.URL == nil {
		return nil, errors.New("h1: a request without a URL")
	}
	given := r.Host
	if given == "" {
		given = r.URL.Host
	}
	host, err := reach.Authority(given)
	if err != nil {
		return nil, fmt.Errorf("h1: host %q: %w (RFC 9110, 7.2)", given, err)
	}
	target := r.URL.RequestURI()
	if r.Method == http.MethodConnect {
		target = host // RFC 9112, 3.2.3
	}
	if strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return nil, fmt.Errorf("h1: request target %q (RFC 9112, 3.2)", target)
	}
	header := r.Header
	for name := range header {
		switch strings.ToLower(name) {
		case "content-length", "transfer-encoding":
			return nil, fmt.Errorf("h1: field %s of a body before the upgrade (RFC 9110, 7.8)", name)
		}
	}
	if err := checkFields(header); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host)
	if err := header.WriteSubset(&b, map[string]bool{"Host": true}); err != nil {
		return nil, err
	}
	b.WriteString("\r\n")
	return b.Bytes(), nil
}
