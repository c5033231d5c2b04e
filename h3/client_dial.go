package h3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"weir/internal/reach"
	"weir/stream"

	"github.com/quic-go/quic-go"
)

// stagger is how long an address is tried before the next is tried beside it (RFC 8305, 5).
const stagger = 250 * time.Millisecond

// maxAddresses is how many addresses of a name are tried.
const maxAddresses = 6

// Dialer opens connections over HTTP/3. The zero value is ready; it may be used from any goroutine,
// and must not be copied or changed after first use.
//
// Each connection has a UDP socket of its own, which is closed with it. Its connection IDs are not
// empty, so the connection lives on when the address of this side changes (RFC 9000, 9).
type Dialer struct {
	Config ClientConfig // of all its connections
	// ListenPacket opens the socket for a connection to remote; nil: a UDP socket at any address.
	ListenPacket func(ctx context.Context, remote net.Addr) (net.PacketConn, error)

	once  sync.Once
	share *Server
}

// Dial opens a connection to host:port. t is the configuration of TLS, nil the default; the name
// that the certificate has to have is t.ServerName, or else the host. Of a name with several
// addresses up to six are tried, each 250 ms behind the one before, or when that has failed. The
// error names every attempt. The server's SETTINGS may be still to come.
func (d *Dialer) Dial(ctx context.Context, addr string, t *tls.Config) (*Client, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if t == nil {
		t = new(tls.Config)
	}
	t = t.Clone()
	if t.ServerName == "" {
		t.ServerName = reach.Unzoned(host)
	}
	t.NextProtos = []string{"h3"}
	t.MinVersion = max(t.MinVersion, tls.VersionTLS13)
	to, err := addresses(ctx, host, port)
	if err != nil {
		return nil, err
	}
	d.once.Do(func() { d.share = d.Config.side() })
	return d.first(ctx, to, t)
}

// DialMux is Dial, and waits for the server's SETTINGS: so a websocket.Dialer wants it.
func (d *Dialer) DialMux(ctx context.Context, addr string, t *tls.Config) (stream.Mux, error) {
	cl, err := d.Dial(ctx, addr, t)
	if err != nil {
		return nil, err
	}
	ready := false
	defer func() { // also when ctx panics
		if !ready {
			cl.Close()
		}
	}()
	if err := cl.Ready(ctx); err != nil {
		return nil, err
	}
	ready = true
	return cl, nil
}

// addresses are those of a host, the families in turn (RFC 8305, 4).
func addresses(ctx context.Context, host, port string) ([]netip.AddrPort, error) {
	n, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var by [2][]netip.AddrPort
	for _, ip := range ips {
		family := 0
		if ip = ip.Unmap(); ip.Is4() == ips[0].Unmap().Is4() {
			family = 1
		}
		by[family] = append(by[family], netip.AddrPortFrom(ip, uint16(n)))
	}
	var all []netip.AddrPort
	for i := range max(len(by[0]), len(by[1])) {
		for _, family := range []int{1, 0} {
			if i < len(by[family]) {
				all = append(all, by[family][i])
			}
		}
	}
	return all[:min(len(all), maxAddresses)], nil
}

// first opens a connection to the address that answers first.
func (d *Dialer) first(ctx context.Context, to []netip.AddrPort, t *tls.Config) (*Client, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type outcome struct {
		cl  *Client
		err error
	}
	got := make(chan outcome, len(to))
	running := 0
	begin := func() {
		at := to[0]
		to = to[1:]
		running++
		go func() { // ends with the attempt
			o := outcome{err: errors.New("a hook ended its goroutine")}
			defer func() { got <- o }()
			guard(func() { o.cl, o.err = d.one(ctx, net.UDPAddrFromAddrPort(at), t) }, func(v any) {
				o.err = fmt.Errorf("a hook of the dial panicked: %v", v)
			})
			if o.err != nil {
				o.err = fmt.Errorf("udp %v: %w", at, o.err)
			}
		}()
	}
	begin()
	next := time.NewTimer(stagger)
	defer next.Stop()
	var errs []error
	for {
		select {
		case o := <-got:
			running--
			if o.err == nil {
				stop()
				for range running { // they end, for their context has
					if late := <-got; late.cl != nil {
						late.cl.Close()
					}
				}
				return o.cl, nil
			}
			errs = append(errs, o.err)
		case <-next.C:
		}
		switch {
		case len(to) > 0 && ctx.Err() == nil:
			begin()
			next.Reset(stagger)
		case running == 0:
			return nil, errors.Join(errs...)
		}
	}
}

// one opens a connection to an address.
func (d *Dialer) one(ctx context.Context, to *net.UDPAddr, t *tls.Config) (*Client, error) {
	pc, err := d.socket(ctx, to)
	if err != nil {
		return nil, err
	}
	tr := &quic.Transport{Conn: pc}
	end := func() {
		tr.Close()
		pc.Close()
	}
	c := d.share.quic()
	c.MaxIncomingStreams = -1 // a server opens none (RFC 9114, 6.1)
	qc, err := tr.Dial(ctx, to, t, c)
	if err != nil {
		end()
		if ended := reach.Ended(ctx); ended != nil {
			return nil, fmt.Errorf("no handshake of QUIC: %w", ended)
		}
		if _, ok := errors.AsType[*quic.HandshakeTimeoutError](err); ok {
			return nil, fmt.Errorf("no handshake of QUIC within %v: %w",
				d.share.cfg.HandshakeTimeout, os.ErrDeadlineExceeded)
		}
		return nil, err
	}
	context.AfterFunc(qc.Context(), func() {
		if ae, ok := errors.AsType[*quic.ApplicationError](context.Cause(qc.Context())); ok && !ae.Remote {
			time.AfterFunc(lingerTime, end) // the peer may have to be told again (RFC 9000, 10.2.1)
			return
		}
		end()
	})
	return newClient(qc, d.share), nil
}

func (d *Dialer) socket(ctx context.Context, to *net.UDPAddr) (net.PacketConn, error) {
	if d.ListenPacket != nil {
		return d.ListenPacket(ctx, to)
	}
	network := "udp4"
	if to.IP.To4() == nil {
		network = "udp6"
	}
	return net.ListenUDP(network, nil)
}
