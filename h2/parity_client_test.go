package h2_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// scheme is that of the server's URLs.
func (p *play) scheme() string {
	if p.secure {
		return "https"
	}
	return "http"
}

func (p *play) url(path string) string { return p.scheme() + "://example.test" + path }

// request makes a request of the Transport; kv are names and values of its header.
func (p *play) request(method, path string, body io.Reader, kv ...string) *http.Request {
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url(path), body)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i+1 < len(kv); i += 2 {
		r.Header.Add(kv[i], kv[i+1])
	}
	return r
}

// do sends a request through the Transport and notes the answer: its status, the fields named, the content, the trailers.
func (p *play) do(r *http.Request, fields ...string) {
	resp, err := p.tr.RoundTrip(r)
	if err != nil {
		p.note("client", "%s", fault(err))
		return
	}
	p.answer(resp, fields...)
}

func (p *play) get(path string, fields ...string) { p.do(p.request("GET", path, nil), fields...) }

func (p *play) answer(resp *http.Response, fields ...string) {
	defer resp.Body.Close()
	text := fmt.Sprint(resp.StatusCode)
	for _, k := range fields {
		if v, ok := resp.Header[k]; ok {
			text += fmt.Sprintf(" %s=%q", k, v)
		}
	}
	b, err := io.ReadAll(resp.Body)
	if len(b) > 200 {
		text += fmt.Sprintf(" len=%d", len(b))
	} else if len(b) > 0 {
		text += fmt.Sprintf(" %q", b)
	}
	for _, k := range slices.Sorted(maps.Keys(resp.Trailer)) {
		text += fmt.Sprintf(" trailer %s=%q", k, resp.Trailer[k])
	}
	if err != nil {
		text += " " + fault(err)
	}
	p.note("client", "%s", text)
}

// fault is an error in words that do not depend on who made it.
func fault(err error) string {
	var se http2.StreamError
	var re *h2test.ResetError
	var mb *http.MaxBytesError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &se):
		return "RST_STREAM " + se.Code.String()
	case errors.As(err, &re):
		return "RST_STREAM " + re.Code.String()
	case errors.As(err, &mb):
		return "MaxBytesError"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "deadline"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	for _, known := range []error{
		http.ErrContentLength, http.ErrBodyNotAllowed, http.ErrBodyReadAfterClose, http.ErrNotSupported, http.ErrHandlerTimeout,
		http.ErrServerClosed, http.ErrHijacked, io.ErrUnexpectedEOF, io.EOF,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "error"
}

// broken says no more than whether there is an error.
func broken(err error) string {
	if err == nil {
		return "ok"
	}
	return "error"
}

// conn is a raw connection to the server, after the handshake of TLS.
func (p *play) conn() net.Conn {
	nc, err := p.l.Dial(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if p.secure {
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err := tc.HandshakeContext(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
		return tc
	}
	return nc
}

// peer is a raw client that looks after flow control and SETTINGS by itself.
func (p *play) peer(o h2test.Options) *h2test.Peer {
	o.Scheme = p.scheme()
	peer := h2test.New(p.conn(), o)
	p.mu.Lock()
	p.peers = append(p.peers, peer)
	p.mu.Unlock()
	if _, err := peer.Settings(); err != nil {
		p.t.Fatal(err)
	}
	return peer
}

// open sends the HEADERS of a request with more to come.
func (p *play) open(peer *h2test.Peer, fin bool, method, path string, fields ...string) *h2test.Tunnel {
	tn, err := peer.Open(fin, append([]string{":method", method, ":scheme", p.scheme(), ":authority", "example.test", ":path", path}, fields...)...)
	if err != nil {
		p.t.Fatal(err)
	}
	return tn
}

// manual is a raw client that does nothing by itself but acknowledge the first SETTINGS.
func (p *play) manual(ss ...http2.Setting) *h2test.Peer {
	peer := p.peer(h2test.Options{Manual: true, Settings: ss})
	peer.Send("SETTINGS ACK")
	return peer
}

// wire sends frames on a connection of its own and notes the frames that come back.
func (p *play) wire(lines ...string) {
	peer := p.manual()
	p.send(peer, lines...)
	p.frames(peer)
}

// send sends frames; GET stands for the fields of one, and POST.
func (p *play) send(peer *h2test.Peer, lines ...string) {
	for _, l := range lines {
		for _, m := range []string{"GET", "POST", "HEAD"} {
			l = strings.Replace(l, " "+m, " :method="+m+" :scheme="+p.scheme()+" :authority=example.test :path=/", 1)
		}
		peer.Send(l)
	}
}

// frames notes what comes until nothing has come for 10 s: no SETTINGS, PING or WINDOW_UPDATE, and of a GOAWAY no
// text. The fields of HEADERS are sorted, the date has no value, and DATA that
// follows DATA is one frame: how octets are cut is the server's affair.
func (p *play) frames(peer *h2test.Peer) {
	var last *h2test.Frame
	for f, err := peer.Next(); err == nil; f, err = peer.Next() {
		switch f.Type {
		case http2.FrameSettings, http2.FramePing, http2.FrameWindowUpdate:
			continue
		case http2.FrameData:
			if last != nil && last.Type == http2.FrameData && last.Stream == f.Stream && !last.Fin() {
				last.Data, last.Flags = append(last.Data, f.Data...), f.Flags
				p.mu.Lock()
				notes := p.notes["wire"]
				notes[len(notes)-1] = last.String()
				p.mu.Unlock()
				continue
			}
		case http2.FrameHeaders:
			slices.SortFunc(f.Fields, func(a, b hpack.HeaderField) int { return strings.Compare(a.Name+"="+a.Value, b.Name+"="+b.Value) })
			for i := range f.Fields {
				if f.Fields[i].Name == "date" {
					f.Fields[i].Value = "now"
				}
			}
		}
		p.note("wire", "%v", f)
		last = &f
	}
}

// countDials is dial, counted in n.
func countDials(n *int, dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		*n++
		return dial(ctx, network, addr)
	}
}
