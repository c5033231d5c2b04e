package h2_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing/synctest"

	"weir/stream/memnet"
)

// parityHop is a further server of HTTP/1.1 behind or before the one that is tried, and its transport.
type parityHop struct {
	l  *memnet.Listener
	hs *http.Server
	tr *http.Transport
}

func (p *play) hop(h http.Handler) *parityHop {
	hop := &parityHop{l: memnet.Listen(), hs: &http.Server{Handler: h, ErrorLog: p.hs.ErrorLog}}
	hop.tr = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return hop.l.Dial(ctx) }}
	go hop.hs.Serve(hop.l) // ends with close
	return hop
}

func (h *parityHop) close() {
	h.tr.CloseIdleConnections()
	h.hs.Close()
	synctest.Wait()
}

// proxied streams, with trailers, and notes what it was sent.
func proxied(p *play, w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/abort":
		io.WriteString(w, "part")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "/hints":
		w.Header().Set("Link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Trailer", "X-Sum")
	w.Header().Set("X-Path", r.URL.RequestURI())
	buf := make([]byte, 64)
	for {
		n, err := r.Body.Read(buf)
		w.Write([]byte(strings.ToUpper(string(buf[:n]))))
		w.(http.Flusher).Flush()
		if err != nil {
			break
		}
	}
	w.Header().Set("X-Sum", "abc")
	w.Header().Set(http.TrailerPrefix+"X-Late", "1")
	p.note("backend", "%s %s %s %s", r.Method, r.Host, r.Header.Get("X-Forwarded-For"), headerText(r.Trailer))
}

// throughProxy sends a body bit by bit, with a trailer, and notes what comes back bit by bit.
func throughProxy(p *play, tr http.RoundTripper, base string) {
	r, w := io.Pipe()
	req := p.request("POST", "/", r)
	req.URL, _ = url.Parse(base + "/x?y=1")
	req.Trailer = http.Header{"X-Req": nil}
	got := make(chan struct{}, 2)
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, s := range []string{"one", "two"} {
			io.WriteString(w, s)
			<-got
		}
		req.Trailer.Set("X-Req", "sent")
		w.Close()
	})
	defer wg.Wait()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 64)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			p.note("client", "%s", buf[:n])
			got <- struct{}{}
		}
		if err != nil {
			p.note("client", "%s %d %s %s", fault(err), resp.StatusCode, resp.Header.Get("X-Path"), headerText(resp.Trailer))
			break
		}
	}
	for _, path := range []string{"/abort", "/hints"} {
		req := p.traced(p.request("GET", "/", nil))
		req.URL, _ = url.Parse(base + path)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			p.note("client", "%s", broken(err))
			continue
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		p.note("client", "%d %s %s", resp.StatusCode, b, broken(err))
	}
}

// proxyWant has no value of the request's trailer: a ReverseProxy copies Request.Trailer before there is one.
const proxyWant = `backend: POST example.test 127.0.0.1 X-Req=[] | ` +
	`client: ONE; TWO; EOF 200 /x?y=1 X-Late=["1"] X-Sum=["abc"]; 200 part error; 103 Link=["</a>"]; 204  ok`

// parityProxies have a httputil.ReverseProxy before the server, or are one.
var parityProxies = []parityCase{
	{
		name:    "net/http/behind_a_ReverseProxy",
		handler: proxied,
		client: func(p *play) {
			target, _ := url.Parse(p.url(""))
			rp := &httputil.ReverseProxy{Transport: p.tr, FlushInterval: -1, ErrorLog: p.hs.ErrorLog, Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.SetXForwarded()
			}}
			hop := p.hop(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).EnableFullDuplex()
				rp.ServeHTTP(w, r)
			}))
			defer hop.close()
			throughProxy(p, hop.tr, "http://proxy.test")
		},
		want: proxyWant,
	},
	{
		name: "net/http/serves_a_ReverseProxy",
		server: func(p *play, hs *http.Server) {
			backend := p.hop(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).EnableFullDuplex()
				proxied(p, w, r)
			}))
			p.cleanup = backend.close
			target, _ := url.Parse("http://example.test")
			hs.Handler = &httputil.ReverseProxy{Transport: backend.tr, FlushInterval: -1, ErrorLog: hs.ErrorLog, Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.SetXForwarded()
			}}
		},
		client: func(p *play) { throughProxy(p, p.tr, p.url("")) },
		want:   proxyWant,
	},
	{
		name: "net/http/ReverseProxy_without_backend",
		server: func(p *play, hs *http.Server) {
			target, _ := url.Parse("http://example.test")
			hs.Handler = &httputil.ReverseProxy{ErrorLog: hs.ErrorLog, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
				Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }}}
		},
		client: func(p *play) {
			p.get("/")
			p.do(p.request("POST", "/", zeros(1<<20)))
		},
		want: `client: 502; 502`,
	},
}
