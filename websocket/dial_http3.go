package websocket

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"weir/h2"
	"weir/internal/pool"
	"weir/internal/reach"
	"weir/stream"
)

// HTTP3Dialer opens connections over HTTP/3; an *h3.Dialer is one. This package does not know
// QUIC: a program that has no use for it does not link it.
type HTTP3Dialer interface {
	// DialMux opens a connection to addr, a host and a port, and waits for the server's SETTINGS.
	// t names the server that the certificate has to be of, which may be another than addr.
	DialMux(ctx context.Context, addr string, t *tls.Config) (stream.Mux, error)
}

const (
	// headStart is how long HTTP/3 is tried alone where a server has named it, before TCP is tried
	// beside it.
	headStart = 300 * time.Millisecond
	// brokenTime is how long HTTP/3 is left alone after it has failed where TCP has not. It doubles
	// each time, maxBroken times.
	brokenTime = 5 * time.Minute
	maxBroken  = 8
	// proofTime is how long HTTP/3 that was slower than TCP may take to show that it works.
	proofTime = 5 * time.Second
	// maxAlternatives is how many servers are remembered for nothing but their HTTP/3.
	maxAlternatives = 1000
)

// http3 is what a Dialer knows of a server's HTTP/3.
type http3 struct {
	mu      sync.Mutex
	pool    *pool.Pool // nil: none was opened yet
	addr    string     // of pool
	named   string     // the alternative that the server has named (RFC 7838); empty: none
	until   time.Time  // for how long
	broken  time.Time  // until then it is not used
	fails   int        // how often it has failed in a row
	proving bool       // somebody looks whether it works
}

// pools are those of a server.
func (h *host) pools() []*pool.Pool {
	h.http3.mu.Lock()
	defer h.http3.mu.Unlock()
	if h.http3.pool == nil {
		return []*pool.Pool{h.pool}
	}
	return []*pool.Pool{h.pool, h.http3.pool}
}

// knows says that the server has named an alternative.
func (h *http3) knows(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.named != "" && now.Before(h.until)
}

// usable is the alternative that the server has named, if it is not broken; else it is empty.
func (h *http3) usable(now time.Time) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.After(h.until) || now.Before(h.broken) {
		return ""
	}
	return h.named
}

// at is the pool for addr. Connections of one for another end with their last WebSocket.
func (d *Dialer) at(h *host, to target, addr string) *pool.Pool {
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	h.http3.mu.Lock()
	defer h.http3.mu.Unlock()
	if h.http3.pool != nil && h.http3.addr == addr {
		return h.http3.pool
	}
	if h.http3.pool != nil {
		h.http3.pool.Leave(pool.ErrLeft)
	}
	cfg := new(tls.Config)
	if d.TLS != nil {
		cfg = d.TLS.Clone()
	}
	cfg.ServerName = cmp.Or(cfg.ServerName, reach.Unzoned(to.url.Hostname()))
	h.http3.addr = addr
	h.http3.pool = pool.NewMux(func(ctx context.Context) (stream.Mux, error) {
		c, err := d.HTTP3.DialMux(ctx, addr, cfg)
		if err != nil {
			return nil, stageError(ctx, "no HTTP/3 with the server", nil, err)
		}
		return c, nil
	})
	if closed {
		h.http3.pool.Leave(ErrDialerClosed)
	}
	return h.http3.pool
}

// AltSvc tells the Dialer what the header of an answer from url, over https, says of HTTP/3 (RFC
// 7838): it is raced there from now on. Of the answers to its own handshakes it learns by itself.
func (d *Dialer) AltSvc(url string, header http.Header) error {
	hs, err := newClientHandshake(url, new(DialOptions))
	if err != nil {
		return requestError{err}
	}
	if d.HTTP3 == nil || hs.url.Scheme != "https" {
		return nil
	}
	to := target{url: hs.url, addr: addrOf(hs.url)}
	h, err := d.host(hostKey{scheme: "https", addr: to.addr}, to)
	if err != nil {
		return err
	}
	defer h.users.Add(-1)
	h.http3.learn(hs.url.Hostname(), header)
	return nil
}

// learn takes the Alt-Svc fields of an answer.
func (h *http3) learn(origin string, header http.Header) {
	lines := header["Alt-Svc"]
	if len(lines) == 0 {
		return
	}
	a := parseAltSvc(lines)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case a.port != "":
		h.named, h.until = net.JoinHostPort(cmp.Or(a.host, origin), a.port), time.Now().Add(a.age)
	case a.clear:
		h.named, h.until = "", time.Time{}
	}
}

// isBroken notes that HTTP/3 does not work where TCP does.
func (h *http3) isBroken() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = time.Now().Add(brokenTime << min(h.fails, maxBroken))
	h.fails++
}

// works notes that HTTP/3 works.
func (h *http3) works() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken, h.fails = time.Time{}, 0
}

// prove looks, beside what goes on, whether HTTP/3 works that was slower than TCP.
func (d *Dialer) prove(ctx context.Context, h *host, p *pool.Pool) {
	h.http3.mu.Lock()
	defer h.http3.mu.Unlock()
	if h.http3.proving {
		return
	}
	h.http3.proving = true
	h.users.Add(1)
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), proofTime)
	go func() { // ends after proofTime, and with the Dialer
		defer stop()
		works := false
		defer func() { // also when ctx panics
			_ = recover() // Dial's caller has had its own
			if !works {
				h.http3.isBroken()
			}
			h.http3.mu.Lock()
			h.http3.proving = false
			h.http3.mu.Unlock()
			h.users.Add(-1)
		}()
		works = p.Await(ctx) == nil
	}()
}

// open3 opens a stream over HTTP/3 alone.
func (d *Dialer) open3(ctx context.Context, hs *clientHandshake, to target, h *host) (stream.Stream, *http.Response, error) {
	st, resp, err := d.at(h, to, to.addr).Open(ctx, hs.request(ctx, 3))
	if err == nil && st == nil {
		err = errRefused
	}
	return st, resp, err
}

// check3 says why HTTP/3 cannot be had for a handshake.
func (d *Dialer) check3(hs *clientHandshake, proxied bool) error {
	switch {
	case d.HTTP3 == nil:
		return requestError{errors.New("Dialer.HTTP3 is nil")}
	case hs.url.Scheme != "https":
		return requestError{errors.New("HTTP/3 is over TLS alone (RFC 9114, 3.1)")}
	case proxied:
		return requestError{errors.New("HTTP/3 does not go through a proxy")}
	}
	return nil
}

// fastest opens a stream over HTTP/3 or TCP, where HTTP/3 can be had.
func (d *Dialer) fastest(ctx context.Context, hs *clientHandshake, to target,
	h *host) (stream.Stream, *http.Response, error) {
	if addr := h.http3.usable(time.Now()); addr != "" {
		return d.race(ctx, hs, to, h, addr)
	}
	return d.openTCP(ctx, hs, to, h)
}

// way is a connection on which a handshake may be made.
type way struct {
	over3 bool
	open  pool.Opens
	drop  func() // gives it back
	err   error  // there is none
}

// race opens a stream over HTTP/3 or over TCP, whichever has a connection first. HTTP/3 has a head
// start. The handshake itself is made once, and again over TCP only where HTTP/3 has not looked at
// it, or is silent.
func (d *Dialer) race(ctx context.Context, hs *clientHandshake, to target, h *host,
	addr string) (stream.Stream, *http.Response, error) {
	p := d.at(h, to, addr)
	both, stop := context.WithCancel(ctx)
	defer stop()
	got := make(chan way, 2)
	begin := func(f func() way) {
		go func() { // ends with both
			w := way{err: errors.New("a hook of the dial ended its goroutine")}
			defer func() {
				if v := recover(); v != nil {
					w.err = fmt.Errorf("a hook of the dial panicked: %v", v)
				}
				got <- w
			}()
			w = f()
		}()
	}
	begin(func() way {
		return way{over3: true, drop: func() {}, err: p.Await(both),
			open: func(ctx context.Context) (stream.Stream, *http.Response, error) {
				return d.over3(ctx, hs, to, h, p)
			}}
	})
	head := time.NewTimer(headStart)
	defer head.Stop()
	running, tcp := 1, false
	var err3, errTCP error
	for {
		select {
		case w := <-got:
			running--
			switch {
			case w.err == nil:
				if running > 0 {
					go func() { // ends with both
						if late := <-got; late.err == nil {
							late.drop()
						}
					}()
				}
				switch {
				case w.over3:
				case err3 != nil:
					h.http3.isBroken()
				default: // it was slower
					d.prove(ctx, h, p)
				}
				st, resp, err := w.open(ctx)
				if err != nil && resp == nil && !w.over3 {
					err = both3(err3, err)
				}
				return st, resp, err
			case w.over3:
				err3 = w.err
			default:
				errTCP = w.err
			}
		case <-head.C:
		}
		switch {
		case !tcp && ctx.Err() == nil:
			tcp = true
			running++
			begin(func() way { return d.overTCP(both, hs, to, h) })
		case running == 0:
			return nil, nil, both3(err3, errTCP)
		}
	}
}

// over3 makes a handshake over HTTP/3, and over TCP where that comes to nothing.
func (d *Dialer) over3(ctx context.Context, hs *clientHandshake, to target, h *host,
	p *pool.Pool) (stream.Stream, *http.Response, error) {
	r := hs.request(ctx, 3)
	st, resp, err := p.OpenOr(ctx, r, func(ctx context.Context) (stream.Stream, *http.Response, error) {
		d.prove(ctx, h, p)
		return d.openTCP(ctx, hs, to, h)
	})
	switch {
	case err == nil && resp.ProtoMajor == 3:
		h.http3.works()
	case errors.Is(err, stream.ErrNotOffered):
		h.http3.isBroken()
		fallthrough
	case errors.Is(err, stream.ErrUnprocessed), errors.Is(err, stream.ErrFallback):
		err3 := err
		if st, resp, err = d.openTCP(ctx, hs, to, h); err != nil && resp == nil {
			err = both3(err3, err)
		}
	}
	if err == nil && st == nil {
		err = errRefused
	}
	return st, resp, err
}

// openTCP opens a stream over HTTP/2 or HTTP/1.1.
func (d *Dialer) openTCP(ctx context.Context, hs *clientHandshake, to target,
	h *host) (stream.Stream, *http.Response, error) {
	if h.isPlain() {
		return d.open1(ctx, hs, to, nil)
	}
	return d.open2(ctx, hs, to, h)
}

// overTCP has a connection over TCP.
func (d *Dialer) overTCP(ctx context.Context, hs *clientHandshake, to target, h *host) way {
	if !h.isPlain() {
		err := h.pool.Await(ctx)
		plain, ok := errors.AsType[*pool.PlainError](err)
		switch {
		case ok:
			h.setPlain()
			if plain.Conn != nil {
				return d.plainWay(hs, to, plain.Conn)
			}
		case err != nil && !errors.Is(err, h2.ErrNoExtendedConnect):
			return way{err: err}
		case err == nil:
			return way{drop: func() {},
				open: func(ctx context.Context) (stream.Stream, *http.Response, error) {
					return d.open2(ctx, hs, to, h)
				}}
		default:
			h.setPlain()
		}
	}
	nc, err := d.connect1(ctx, to)
	if err != nil {
		return way{err: err}
	}
	return d.plainWay(hs, to, nc)
}

// plainWay is a connection for HTTP/1.1.
func (d *Dialer) plainWay(hs *clientHandshake, to target, nc net.Conn) way {
	return way{drop: func() { nc.Close() },
		open: func(ctx context.Context) (stream.Stream, *http.Response, error) {
			return d.open1(ctx, hs, to, nc)
		}}
}

// bothError is why there is no WebSocket, neither over HTTP/3 nor over TCP.
type bothError struct{ over3, tcp error }

func (e *bothError) Error() string {
	return "over HTTP/3: " + e.over3.Error() + "; over TCP: " + e.tcp.Error()
}
func (e *bothError) Unwrap() []error { return []error{e.over3, e.tcp} }

// both3 names each attempt that there was.
func both3(over3, tcp error) error {
	if over3 == nil {
		return tcp
	}
	if tcp == nil {
		return over3
	}
	say := func(err error) error { // a *DialError names the URL once for both
		if de, ok := errors.AsType[*DialError](err); ok {
			return &stage{de}
		}
		return err
	}
	fault := &DialError{Msg: "no WebSocket", Err: &bothError{say(over3), say(tcp)}}
	if de, ok := errors.AsType[*DialError](tcp); ok {
		fault.Response, fault.Proxy = de.Response, de.Proxy
	}
	return fault
}

// stage is what a *DialError says besides its URL.
type stage struct{ e *DialError }

func (s *stage) Error() string {
	if s.e.Err == nil {
		return s.e.Msg
	}
	return s.e.Msg + ": " + s.e.Err.Error()
}
func (s *stage) Unwrap() error { return s.e.Err }
