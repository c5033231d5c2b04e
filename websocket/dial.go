package websocket

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"weir/internal/reach"
	"weir/stream"
	"weir/upgrade"
	"weir/wsframe/deflate"

	"golang.org/x/net/http/httpguts"
)

// DialOptions are the options of one Dial: those of the session, and what the request says. Of the
// session's options Origins, OnlyOrigins and ReqFilter mean nothing to a client. By default a
// client has no IdleTimeout and no Group.
type DialOptions struct {
	Options
	Header http.Header // fields of the request: Origin, Authorization, Cookie and so on
	Host   string      // in place of the URL's host, in Host or :authority
}

// DialError says why a WebSocket could not be opened.
type DialError struct {
	URL      string         // without its password
	Response *http.Response // what the server, or the proxy, answered; nil if nothing. Its body is there to be read
	Proxy    string         // host:port of the proxy to blame, whose Response it is; empty: none
	Rule     string         // the section the answer broke, empty if none
	Msg      string         // what went wrong, in a few words
	Err      error          // what was behind it, or nil
}

func (e *DialError) Error() string {
	text := "websocket: dial " + e.URL + ": " + e.Msg
	if e.Rule != "" {
		text += " (" + e.Rule + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// ErrRequest is what errors.Is finds where a Dial sent nothing: the URL or the options ask for what
// cannot be sent.
var ErrRequest = errors.New("websocket: the request cannot be made")

// requestError says why.
type requestError struct{ error }

func (e requestError) Unwrap() error      { return e.error }
func (requestError) Is(target error) bool { return target == ErrRequest }

// Unwrap gives what was behind it.
func (e *DialError) Unwrap() error { return e.Err }

// Dial opens a WebSocket by a Dialer of its own, as Dialer.Dial does. Programs that open more than
// one WebSocket to a server keep a Dialer, which puts them on few HTTP/2 connections.
func Dial(ctx context.Context, url string, o *DialOptions) (*Conn, *http.Response, error) {
	d := &Dialer{single: true}
	return d.Dial(ctx, url, o)
}

// Dial opens a WebSocket. The schemes are ws and wss, and http and https, which mean the same; o
// may be nil. ctx bounds the opening, not the WebSocket. An error is a *DialError; the response is
// there if there was one.
func (d *Dialer) Dial(ctx context.Context, url string, o *DialOptions) (*Conn, *http.Response, error) {
	c := newConn()
	s, resp, err := d.DialHandler(ctx, url, handlerOf(c), o)
	if err != nil {
		return nil, resp, err
	}
	c.s = s
	return c, resp, nil
}

// DialHandler is Dial for a handler: its callbacks run from now on, as a server's do.
func (d *Dialer) DialHandler(ctx context.Context, url string, h Handler, o *DialOptions) (*Session, *http.Response, error) {
	if o == nil {
		o = new(DialOptions)
	}
	hs, err := newClientHandshake(url, o)
	if err == nil {
		err = checkHandler(h)
	}
	if err != nil {
		given := reach.RedactURL(url)
		return nil, nil, &DialError{URL: given, Msg: "bad request", Err: requestError{err}}
	}
	hs.sendCookies(d.Jar)
	ctx, stop := d.bound(ctx)
	defer stop()
	st, resp, err := d.open(ctx, hs)
	begun := false
	defer func() { // also when a method of a net.Conn or of the Jar panics
		if st != nil && !begun {
			st.Reset(stream.Cancel)
		}
	}()
	hs.keepCookies(d.Jar, resp)
	if err != nil {
		fault := hs.fault(resp, err)
		return nil, fault.Response, fault
	}
	s, err := hs.session(st, resp, h)
	if err != nil {
		return nil, resp, err
	}
	s.begin()
	begun = true
	return s, resp, nil
}

// clientHandshake is one opening handshake of a client's (RFC 6455, 4.1).
type clientHandshake struct {
	given string   // as errors have it, without a password
	url   *url.URL // scheme http or https, the host in ASCII
	o     Options
	host  string
	head  http.Header // without what depends on the version of HTTP
	key   string      // Sec-WebSocket-Key, on HTTP/1.1; made when it is needed
}

var errURL = errors.New("the URL is no absolute ws, wss, http or https URL without a fragment (RFC 6455, 3)")

func newClientHandshake(given string, o *DialOptions) (*clientHandshake, error) {
	u, err := reach.ParseURL(given)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	case "http", "https":
	default:
		return nil, errURL
	}
	if u.Hostname() == "" || u.Fragment != "" {
		return nil, errURL
	}
	if u.Host, err = asciiHost(u); err != nil {
		return nil, err
	}
	if u.Path == "" {
		u.Path = "/"
	}
	if err := o.Deflate.Check(); err != nil {
		return nil, err
	}
	hs := &clientHandshake{url: u, o: o.Options, head: o.Header.Clone()}
	hs.given = reach.RedactURL(given)
	if hs.host, err = authority(cmp.Or(o.Host, u.Host)); err != nil {
		return nil, err
	}
	if hs.head == nil {
		hs.head = http.Header{}
	}
	if err := checkRequestHeader(hs.head); err != nil {
		return nil, err
	}
	if err := checkOffered(o.Subprotocols); err != nil {
		return nil, err
	}
	hs.authorize()
	hs.head.Set("Sec-Websocket-Version", "13")
	if len(o.Subprotocols) > 0 {
		hs.head.Set("Sec-Websocket-Protocol", strings.Join(o.Subprotocols, ", "))
	}
	if o.Compress {
		hs.head.Set("Sec-Websocket-Extensions", deflate.Offer(o.Deflate.codec()))
	}
	return hs, nil
}

// authorize sends the name and the password of the URL (RFC 7617), as net/http does.
func (hs *clientHandshake) authorize() {
	if u := hs.url.User; u != nil && hs.head.Get("Authorization") == "" {
		password, _ := u.Password()
		hs.head.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
}

// authority is what Host and :authority say.
func authority(given string) (string, error) {
	host, err := reach.Authority(given)
	if err != nil {
		err = fmt.Errorf("host %q: %w (RFC 9110, 7.2)", given, err)
	}
	return host, err
}

// checkRequestHeader refuses fields that are not DialOptions.Header's to set, and those that are
// none.
func checkRequestHeader(h http.Header) error {
	for name, values := range h {
		switch canonical := http.CanonicalHeaderKey(name); {
		case !httpguts.ValidHeaderFieldName(name):
			return fmt.Errorf("field name %q is no token (RFC 9110, 5.1)", name)
		case strings.HasPrefix(canonical, "Sec-Websocket-"), canonical == "Connection",
			canonical == "Upgrade":
			return fmt.Errorf("the field %s is the handshake's", name)
		case canonical == "Host":
			return errors.New("the field Host is DialOptions.Host")
		case canonical == "Content-Length", canonical == "Transfer-Encoding", canonical == "Te",
			canonical == "Keep-Alive", canonical == "Proxy-Connection":
			return fmt.Errorf("the field %s is the connection's (RFC 9110, 7.6.1), or of a body",
				name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("the value of the field %s has control characters (RFC 9110, 5.5)",
					name)
			}
		}
	}
	return nil
}

// checkOffered holds the subprotocols that are offered against RFC 6455, 4.1: tokens, and each
// once.
func checkOffered(names []string) error {
	for i, n := range names {
		if !httpguts.ValidHeaderFieldName(n) {
			return fmt.Errorf("the subprotocol %q is no token (RFC 6455, 4.1)", n)
		}
		if slices.Contains(names[:i], n) {
			return fmt.Errorf("the subprotocol %s is offered twice (RFC 6455, 4.1)", n)
		}
	}
	return nil
}

// request is the request for a version of HTTP.
func (hs *clientHandshake) request(ctx context.Context, major int) *http.Request {
	u := *hs.url
	u.User = nil
	r := (&http.Request{Method: http.MethodGet, URL: &u, Host: hs.host, Header: hs.head.Clone(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if major >= 2 {
		r.Method, r.Proto, r.ProtoMajor, r.ProtoMinor = http.MethodConnect, fmt.Sprintf("HTTP/%d.0", major), major, 0
		r.Header[":protocol"] = []string{"websocket"}
		return r
	}
	if hs.key == "" {
		var key [16]byte
		rand.Read(key[:])
		hs.key = base64.StdEncoding.EncodeToString(key[:])
	}
	r.Header.Set("Sec-Websocket-Key", hs.key)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	return r
}

// fault makes a *DialError of what went wrong; resp may be nil.
func (hs *clientHandshake) fault(resp *http.Response, err error) *DialError {
	if shared, ok := errors.AsType[*DialError](err); ok { // by all who waited for the connection
		e := *shared
		e.URL = hs.given
		if e.Response != nil {
			own := *e.Response
			own.Header = own.Header.Clone()
			if body, ok := own.Body.(*keptBody); ok {
				own.Body = body.again()
			}
			e.Response = &own
		}
		return &e
	}
	e := &DialError{URL: hs.given, Response: resp, Msg: "no WebSocket", Err: err}
	if resp != nil {
		e.Msg = "the server answered " + reach.Line(resp.Status)
	}
	return e
}

// session checks the answer (RFC 6455, 4.1; RFC 8441, 5), and makes the session.
func (hs *clientHandshake) session(st stream.Stream, resp *http.Response, h Handler) (*Session, error) {
	bad := func(rule, msg string) error {
		return &DialError{URL: hs.given, Response: resp, Rule: rule, Msg: msg}
	}
	info := st.Info()
	// And not what the answer calls itself.
	http1 := info.Transport == stream.H1 || info.Transport == stream.H1TLS
	if http1 {
		switch {
		case !hasToken(resp.Header["Upgrade"], "websocket"):
			return nil, bad("RFC 6455, 4.1", "the answer's Upgrade is not websocket")
		case !hasToken(resp.Header["Connection"], "upgrade"):
			return nil, bad("RFC 6455, 4.1", "the answer's Connection is not upgrade")
		case len(resp.Header["Sec-Websocket-Accept"]) != 1 || resp.Header.Get("Sec-Websocket-Accept") != upgrade.AcceptKey(hs.key):
			return nil, bad("RFC 6455, 4.1", "the answer's Sec-WebSocket-Accept does not fit the key")
		}
	}
	if sub := resp.Header["Sec-Websocket-Protocol"]; len(sub) > 1 || len(sub) == 1 && !slices.Contains(hs.o.Subprotocols, sub[0]) {
		named := reach.Line(strings.Join(sub, ", "))
		return nil, bad("RFC 6455, 4.1", "the answer names a subprotocol that was not offered: "+named)
	}
	params, agreed, err := hs.extensions(resp)
	if err != nil {
		return nil, bad("RFC 6455, 9.1", reach.Line(err.Error()))
	}
	o := hs.o
	o.IdleTimeout = or(o.IdleTimeout, -1, -1)
	s := newSession(st, h, &o, o.Group, hs.partial(info), resp.Header)
	s.headless = false
	s.m.client(http1, maskingKey)
	if agreed {
		s.m.compress(&o, params)
	}
	return s, nil
}

// extensions reads what the server agreed to.
func (hs *clientHandshake) extensions(resp *http.Response) (p deflate.Params, agreed bool, err error) {
	list, ok := upgrade.ParseExtensions(resp.Header["Sec-Websocket-Extensions"])
	switch {
	case !ok:
		return p, false, errors.New("the answer's Sec-WebSocket-Extensions is malformed")
	case len(list) == 0:
		return p, false, nil
	case len(list) > 1 || list[0].Name != deflate.Name || !hs.o.Compress:
		return p, false, errors.New("the answer names an extension that was not offered: " + list[len(list)-1].Name)
	}
	p, err = deflate.Accept(hs.o.Deflate.codec(), deflateParams(list[0]))
	return p, err == nil, err
}

// partial is the request as its session keeps it.
func (hs *clientHandshake) partial(info stream.Info) *PartialRequest {
	p := &PartialRequest{Method: http.MethodGet, Version: info.Transport.HTTPVersion(), Scheme: hs.url.Scheme, Host: hs.url.Hostname(),
		Path: hs.url.Path, Query: hs.url.RawQuery, Stream: info.ID}
	if p.Version != "1.1" {
		p.Method = http.MethodConnect
	}
	if info.Remote != nil {
		p.Peer = info.Remote.String()
	}
	p.Port, _ = strconv.Atoi(portOf(hs.url))
	return p
}

func maskingKey() (key [4]byte) {
	rand.Read(key[:])
	return key
}

func portOf(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	case u.Scheme == "socks5" || u.Scheme == "socks5h":
		return "1080"
	}
	return "80"
}

// hasToken says whether a list has an element, in any case.
func hasToken(lines []string, token string) bool {
	for _, l := range lines {
		for e := range strings.SplitSeq(l, ",") {
			if strings.EqualFold(strings.Trim(e, " \t"), token) { // RFC 9110, 5.6.3
				return true
			}
		}
	}
	return false
}
