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

	"weir/stream"
)

const (
	// MaxHead is how many octets the heads of a response may have, the informational ones before it too.
	MaxHead = 64 << 10
	// MaxAnswer is how many octets of the body Request keeps of a response that opens no stream.
	MaxAnswer = 64 << 10

	answerTime = 2 * time.Second // how long Request waits for that body
)

// Request asks over nc, which it owns from then on, for the switch of protocols that r describes (RFC 9110, 7.8), and waits
// for the final response; informational ones are told to an httptrace.ClientTrace of ctx. The request line is of r.Method and
// r.URL, Host is r.Host or r.URL.Host, and the other fields are those of r.Header and no more. A body is an error.
//
// A 101 gives a stream. Octets that came behind it are told first. Whether the 101 says what it should is for the caller.
// Whoever wants to close nc by itself wraps it: of a *net.TCPConn on Linux the stream takes the descriptor over, and closes it.
//
// Any other status gives the response and no stream. Its Body has what came within 2 s, at most MaxAnswer octets, and ends with
// io.ErrUnexpectedEOF if that is not all. Nothing needs to be closed: nc has been.
//
// On an error nc has been closed. When ctx ends first, the error is its cause.
func Request(ctx context.Context, nc net.Conn, r *http.Request) (stream.Stream, *http.Response, error) {
	opened := false
	defer func() { // also when a hook of the trace, ctx or nc panics
		if !opened {
			nc.Close()
		}
	}()
	st, res, err := request(ctx, nc, r)
	opened = st != nil
	return st, res, err
}

func request(ctx context.Context, nc net.Conn, r *http.Request) (stream.Stream, *http.Response, error) {
	head, err := requestHead(r)
	if err != nil {
		return nil, nil, err
	}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		guard(func() {
			_ = nc.SetDeadline(time.Unix(1, 0)) // of a dead connection: its error comes from what is under way
		}, func(any) { nc.Close() })
	})
	defer stop()
	first, res, err := exchange(ctx, nc, head, r)
	if !stop() {
		<-cut
		if res == nil || res.StatusCode == http.StatusSwitchingProtocols {
			return nil, nil, fmt.Errorf("h1: no response: %w", context.Cause(ctx))
		}
	}
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		return nil, res, err
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	info := stream.Info{Transport: stream.H1, Local: nc.LocalAddr(), Remote: nc.RemoteAddr(), TLS: res.TLS, Own: true}
	if res.TLS != nil {
		info.Transport = stream.H1TLS
	}
	return newTunnel(nc, info, nil, first), res, nil
}

// exchange writes the request and reads the response, with its body unless it is a 101; first is what came behind that.
func exchange(ctx context.Context, nc net.Conn, head []byte, r *http.Request) (first []byte, res *http.Response, err error) {
	if _, err := nc.Write(head); err != nil {
		return nil, nil, fmt.Errorf("h1: request: %w", err)
	}
	trace := httptrace.ContextClientTrace(ctx)
	bound := &io.LimitedReader{R: nc, N: MaxHead}
	br := bufio.NewReader(bound)
	if _, err := br.Peek(1); err == nil && trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	for {
		res, err = http.ReadResponse(br, r)
		if err != nil && bound.N == 0 {
			err = fmt.Errorf("a head of over %d octets", MaxHead)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("h1: response: %w", err)
		}
		if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			break
		}
		if trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header)); err != nil {
				return nil, nil, err
			}
		}
	}
	if c, ok := nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := c.ConnectionState()
		res.TLS = &state
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		bound.N = 2 * MaxAnswer // chunks have heads, too
		return nil, res, keepBody(ctx, nc, res)
	}
	if !res.ProtoAtLeast(1, 1) {
		return nil, res, fmt.Errorf("h1: 101 from %s (RFC 9110, 15.2)", res.Proto)
	}
	res.Body = http.NoBody
	first = make([]byte, br.Buffered())
	_, err = io.ReadFull(br, first)
	return first, res, err
}

// keepBody reads as much of the body as is kept, so that nobody has to close the connection later.
func keepBody(ctx context.Context, nc net.Conn, res *http.Response) error {
	if by := time.Now().Add(answerTime); ctx.Err() == nil {
		if err := nc.SetReadDeadline(by); err != nil {
			return err
		}
		if ctx.Err() != nil { // it ended meanwhile, and this deadline came behind its own
			_ = nc.SetReadDeadline(time.Unix(1, 0))
		}
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
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	host, err := httpguts.PunycodeHostPort(host)
	if err != nil || host == "" || strings.Contains(host, "@") || !httpguts.ValidHostHeader(host) {
		return nil, fmt.Errorf("h1: host %q (RFC 9110, 7.2)", host)
	}
	target := r.URL.RequestURI()
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
