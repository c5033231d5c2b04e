package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/h2/h2test"
	"weir/interop/conform"

	"golang.org/x/net/http2"
)

const (
	openTimeout = 5 * time.Second // of an opening handshake
	maxHead     = 64 << 10        // octets of an answer's head, and of the body of one that opens nothing
	h2Window    = 1 << 20         // SETTINGS_INITIAL_WINDOW_SIZE that we send
)

// Request is an opening handshake of a client.
type Request struct {
	Fields       []string // further fields, names and values in turn
	Extensions   string   // Sec-WebSocket-Extensions; empty: no such field
	Subprotocols []string
	Log          *conform.Log
}

// RefusedError is an answer that opened no WebSocket: another status, or one that RFC 6455, 4.1 has
// a client fail.
type RefusedError struct {
	Status int
	Header http.Header
	Body   []byte // the first of it
	Why    string
}

func (e *RefusedError) Error() string { return e.Why }

// Dial opens a WebSocket on a connection of its own, within 5 s by the target's pace. ctx bounds
// all of its life: when it ends, the connection is dropped. An error is a *RefusedError where there
// was an answer.
func Dial(ctx context.Context, t *conform.Target, r Request) (*Conn, error) {
	open, cancel := t.Pace.WithTimeout(ctx, openTimeout)
	defer cancel()
	nc, err := t.Dial(open)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(open, func() { nc.Close() })
	c, err := handshake(ctx, nc, t, r)
	if stop(); err != nil {
		nc.Close()
		if _, answered := errors.AsType[*RefusedError](err); !answered && open.Err() != nil {
			err = fmt.Errorf("no answer to the handshake within %v: %w", t.Pace.Scale(openTimeout), err)
		}
		return nil, err
	}
	c.Client = true
	return c, nil
}

func handshake(ctx context.Context, nc net.Conn, t *conform.Target, r Request) (*Conn, error) {
	if t.HTTP2() {
		return connect(ctx, nc, t, r)
	}
	var key [16]byte
	rand.Read(key[:])
	k := base64.StdEncoding.EncodeToString(key[:])
	head := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"+
		"Pragma: no-cache\r\nCache-Control: no-cache\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n", t.RequestURI(), t.Authority(), k)
	for _, f := range pairs(r.fields()) {
		head = fmt.Appendf(head, "%s: %s\r\n", f[0], f[1])
	}
	head = append(head, "\r\n"...)
	r.Log.Add(conform.Sent, head, "opening handshake over HTTP/1.1")
	if _, err := nc.Write(head); err != nil {
		return nil, err
	}
	bounded := &io.LimitedReader{R: nc, N: maxHead}
	br := bufio.NewReaderSize(bounded, 16<<10)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, fmt.Errorf("no HTTP/1.1 answer: %w", err)
	}
	r.Log.Add(conform.Received, nil, "answer %s", resp.Status)
	refused := func(why string) (*Conn, error) {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxHead)) // what there is of it
		return nil, &RefusedError{Status: resp.StatusCode, Header: resp.Header, Body: body, Why: why}
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return refused("answered " + resp.Status)
	}
	accept := resp.Header["Sec-Websocket-Accept"]
	switch {
	case resp.ProtoMajor != 1 || resp.ProtoMinor < 1:
		return refused("101 from " + resp.Proto + " on a connection of HTTP/1.1 (RFC 9112, 2.3)")
	case !listed(resp.Header["Upgrade"], "websocket"):
		return refused("the answer's Upgrade is not websocket (RFC 6455, 4.1)")
	case !listed(resp.Header["Connection"], "upgrade"):
		return refused("the answer's Connection is not Upgrade (RFC 6455, 4.1)")
	case len(accept) != 1 || strings.TrimSpace(accept[0]) != Accepted(k):
		return refused("the answer's Sec-WebSocket-Accept does not fit the key (RFC 6455, 4.1)")
	}
	if why := r.judge(resp.Header); why != "" {
		return refused(why)
	}
	bounded.N = math.MaxInt64
	c := newConn(ctx, tcp{nc}, br, r.Log)
	c.Header = resp.Header
	return c, nil
}

// connect opens a WebSocket by extended CONNECT (RFC 8441, 5).
func connect(ctx context.Context, nc net.Conn, t *conform.Target, r Request) (*Conn, error) {
	p := h2test.New(nc, h2test.Options{Host: t.Authority(), Scheme: t.URL.Scheme,
		Settings: []http2.Setting{{ID: http2.SettingEnablePush}, {ID: http2.SettingInitialWindowSize, Val: h2Window}}})
	c, err := extended(ctx, p, t, r)
	if err != nil {
		p.Close()
	}
	return c, err
}

func extended(ctx context.Context, p *h2test.Peer, t *conform.Target, r Request) (*Conn, error) {
	settings, err := p.Settings()
	if err != nil {
		return nil, fmt.Errorf("no SETTINGS from the server: %w", err)
	}
	if settings[http2.SettingEnableConnectProtocol] != 1 {
		return nil, fmt.Errorf("%w: the server does not offer extended CONNECT (RFC 8441, 3)", conform.ErrNotSpoken)
	}
	fields := []string{"sec-websocket-version", "13"}
	for _, f := range pairs(r.fields()) {
		fields = append(fields, strings.ToLower(f[0]), f[1])
	}
	r.Log.Add(conform.Sent, nil, "extended CONNECT %s %q", t.RequestURI(), fields)
	s, err := p.Connect(t.RequestURI(), fields...)
	if err != nil {
		return nil, fmt.Errorf("no answer to extended CONNECT: %w", err)
	}
	h := header(s)
	r.Log.Add(conform.Received, nil, "answer %d", s.Status)
	refused := func(why string) (*Conn, error) { return nil, &RefusedError{Status: s.Status, Header: h, Why: why} }
	if s.Status < 200 || s.Status > 299 {
		return refused(fmt.Sprintf("answered %d", s.Status))
	}
	if why := r.judge(h); why != "" {
		return refused(why)
	}
	l := tunnel{s, p}
	c := newConn(ctx, l, bufio.NewReaderSize(l, 16<<10), r.Log)
	c.Header, c.HTTP2 = h, true
	return c, nil
}

// header is that of the final answer.
func header(s *h2test.Tunnel) http.Header {
	h := http.Header{}
	for _, block := range s.Header {
		if block.Field(":status") != fmt.Sprint(s.Status) {
			continue
		}
		for _, f := range block.Fields {
			h.Add(f.Name, f.Value)
		}
	}
	return h
}

// fields are those of the request that are the same over HTTP/1.1 and HTTP/2.
func (r *Request) fields() []string {
	fs := slices.Clone(r.Fields)
	if r.Extensions != "" {
		fs = append(fs, "Sec-WebSocket-Extensions", r.Extensions)
	}
	if len(r.Subprotocols) > 0 {
		fs = append(fs, "Sec-WebSocket-Protocol", strings.Join(r.Subprotocols, ", "))
	}
	return fs
}

// judge says what is wrong with an answer's extensions and subprotocol (RFC 6455, 4.1), or "".
// Parameters of an extension are the caller's.
func (r *Request) judge(h http.Header) string {
	offered := map[string]bool{}
	for e := range strings.SplitSeq(r.Extensions, ",") {
		offered[name(e)] = true
	}
	for _, line := range h["Sec-Websocket-Extensions"] {
		for e := range strings.SplitSeq(line, ",") {
			if n := name(e); n != "" && !offered[n] {
				return fmt.Sprintf("the answer names the extension %q, which was not offered (RFC 6455, 4.1)", n)
			}
		}
	}
	switch sub := h["Sec-Websocket-Protocol"]; {
	case len(sub) > 1:
		return "the answer has two Sec-WebSocket-Protocol (RFC 6455, 4.1)"
	case len(sub) == 1 && !slices.Contains(r.Subprotocols, sub[0]):
		return fmt.Sprintf("the answer names the subprotocol %q, which was not offered (RFC 6455, 4.1)", sub[0])
	}
	return ""
}

func name(extension string) string {
	n, _, _ := strings.Cut(extension, ";")
	return strings.ToLower(strings.TrimSpace(n))
}

// listed says whether a list has an element, in any case.
func listed(lines []string, token string) bool {
	for _, l := range lines {
		for e := range strings.SplitSeq(l, ",") {
			if strings.EqualFold(strings.TrimSpace(e), token) {
				return true
			}
		}
	}
	return false
}

func pairs(fields []string) (ps [][2]string) {
	for i := 0; i+1 < len(fields); i += 2 {
		ps = append(ps, [2]string{fields[i], fields[i+1]})
	}
	return ps
}

// Accepted is the Sec-WebSocket-Accept that answers a key (RFC 6455, 4.2.2).
func Accepted(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Exchange sends octets as they are on a new connection of HTTP/1.1, and reads one answer, its body
// too, at most for 5 s.
func Exchange(ctx context.Context, t *conform.Target, head []byte, log *conform.Log) (*http.Response, error) {
	ctx, cancel := t.Pace.WithTimeout(ctx, openTimeout)
	defer cancel()
	nc, err := t.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	log.Add(conform.Sent, head, "%q", head)
	if _, err := nc.Write(head); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(nc, maxHead)), nil)
	if err != nil {
		return nil, err
	}
	log.Add(conform.Received, nil, "answer %s %v", resp.Status, resp.Header)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(resp.Body) // what there is of it
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	return resp, nil
}
