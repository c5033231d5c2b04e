package h1

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/stream"
	"weir/stream/streamtest"
)

func init() { quietTime = 20 * time.Millisecond }

// wire is a connection that keeps what TLS writes, from some Write on, until the test lets it go.
type wire struct {
	net.Conn
	mu   sync.Mutex
	pass int // Writes that go through; negative: all
	kept bytes.Buffer
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pass == 0 {
		return w.kept.Write(b)
	}
	w.pass--
	return w.Conn.Write(b)
}

func (w *wire) passOn(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass = n
}

// take gives what was kept.
func (w *wire) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := bytes.Clone(w.kept.Bytes())
	w.kept.Reset()
	return b
}

// napper is a stream over TLS on the server's side, and its peer.
type napper struct {
	t    *testing.T
	tun  *tunnel
	peer *tls.Conn
	wire *wire // below the peer
	own  *net.TCPConn

	mu    sync.Mutex
	got   []byte
	fin   bool
	ended chan error
}

func (n *napper) Data(b []byte, fin bool) {
	n.mu.Lock()
	n.got = append(n.got, b...)
	n.fin = n.fin || fin
	n.mu.Unlock()
	n.tun.Release(len(b))
}

func (n *napper) Drained() {}

func (n *napper) Closed(err error) { n.ended <- err }

func newNapper(t *testing.T, version uint16) *napper {
	a, b := loopback(t)
	n := &napper{t: t, own: a.(*net.TCPConn), wire: &wire{Conn: b, pass: -1}, ended: make(chan error, 1)}
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{certificate()}, MaxVersion: version, SessionTicketsDisabled: true})
	n.peer = tls.Client(n.wire, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
	shake(t, server, n.peer)
	n.tun = newTunnel(server, stream.Info{}, []byte{}, nil)
	n.tun.Attach(n, stream.Limits{})
	t.Cleanup(func() {
		n.tun.Reset(stream.Cancel)
		b.Close()
	})
	return n
}

func shake(t *testing.T, conns ...*tls.Conn) {
	t.Helper()
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			if err := c.HandshakeContext(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// records are what the peer's TLS makes of the parts, a Write each, unsent.
func (n *napper) records(parts ...string) []byte {
	n.wire.passOn(0)
	for _, p := range parts {
		if _, err := io.WriteString(n.peer, p); err != nil {
			n.t.Fatal(err)
		}
	}
	n.wire.passOn(-1)
	return n.wire.take()
}

// say sends octets as they are.
func (n *napper) say(b []byte) {
	n.t.Helper()
	if _, err := n.wire.Conn.Write(b); err != nil {
		n.t.Fatal(err)
	}
}

func (n *napper) until(what string, ok func() bool) {
	n.t.Helper()
	streamtest.Until(n.t, what, ok)
}

func (n *napper) sleeps() {
	n.t.Helper()
	n.until("the reader sleeps", n.asleep)
}

func (n *napper) asleep() bool {
	n.tun.mu.Lock()
	defer n.tun.mu.Unlock()
	return n.tun.nap.asleep
}

func (n *napper) hears(want string) {
	n.t.Helper()
	n.until("the octets arrive", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.got) >= len(want)
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	if string(n.got) != want {
		n.t.Fatalf("got %d octets that are not the %d sent", len(n.got), len(want))
	}
	n.got = nil
}

func (n *napper) finished() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fin
}

func (n *napper) closes() error {
	n.t.Helper()
	return streamtest.Within(n.t, "Closed", n.ended)
}

// napCases each begin with a reader that sleeps.
var napCases = map[string]func(n *napper){
	"a_record": func(n *napper) {
		for _, size := range []int{1, small, small + 1, 3 * small, piece} { // the second leaves a larger buffer waiting
			s := strings.Repeat("x", size)
			n.say(n.records(s))
			n.hears(s)
		}
		n.sleeps()
		n.say(n.records("and again"))
		n.hears("and again")
	},
	"in_octets": func(n *napper) {
		for _, c := range n.records("a record", "and another") {
			n.say([]byte{c})
		}
		n.hears("a recordand another")
	},
	"half_and_silence": func(n *napper) {
		for _, cut := range []int{3, 20, -5} { // in the head, in the payload, in the second
			b := n.records("the first record", "the second")
			if cut < 0 {
				cut += len(b)
			}
			n.say(b[:cut])
			time.Sleep(2 * quietTime) // it has woken
			n.sleeps()
			n.say(b[cut:])
			n.hears("the first recordthe second")
			n.sleeps()
		}
	},
	"many_in_one_segment": func(n *napper) {
		var parts []string
		for i := range 200 {
			parts = append(parts, strings.Repeat("m", 1+i*i%777))
		}
		n.say(n.records(parts...))
		n.hears(strings.Join(parts, ""))
	},
	"records_of_an_octet": func(n *napper) {
		parts := strings.Split(strings.Repeat("0123456789", 100), "")
		n.say(n.records(parts...))
		n.hears(strings.Join(parts, ""))
	},
	"much": func(n *napper) {
		s := strings.Repeat("much", 250_000)
		n.say(n.records(s))
		n.hears(s)
	},
	"close_notify_behind_octets": func(n *napper) {
		n.wire.passOn(0)
		io.WriteString(n.peer, "the last")
		n.peer.CloseWrite()
		n.wire.SetWriteDeadline(time.Time{})
		n.say(n.wire.take())
		n.hears("the last")
		n.until("the end", n.finished)
	},
	"close_notify": func(n *napper) {
		n.peer.CloseWrite()
		n.until("the end", n.finished)
		n.tun.Send(nil, true)
		if err := n.closes(); err != nil {
			n.t.Error(err)
		}
	},
	"fin": func(n *napper) {
		n.wire.Conn.(*net.TCPConn).CloseWrite()
		n.until("the end", n.finished)
	},
	"fin_in_a_record": func(n *napper) {
		n.say(n.records("cut")[:7])
		n.wire.Conn.(*net.TCPConn).CloseWrite()
		if err := n.closes(); !errors.Is(err, io.ErrUnexpectedEOF) {
			n.t.Error(err)
		}
	},
	"tcp_reset": func(n *napper) {
		n.wire.Conn.(*net.TCPConn).SetLinger(0)
		n.wire.Conn.Close()
		if err := n.closes(); err == nil {
			n.t.Error("no error")
		}
	},
	"send": func(n *napper) {
		if _, err := n.tun.Send([][]byte{[]byte("from a sleeper")}, false); err != nil {
			n.t.Fatal(err)
		}
		b := make([]byte, 14)
		if _, err := io.ReadFull(n.peer, b); err != nil || string(b) != "from a sleeper" {
			n.t.Errorf("%q, %v", b, err)
		}
		if !n.asleep() {
			n.t.Error("a Send woke the reader")
		}
	},
	"reset": func(n *napper) {
		n.tun.Reset(stream.Cancel)
		if _, ok := errors.AsType[*stream.ResetError](n.closes()); !ok {
			n.t.Error("no ResetError")
		}
		if n.asleep() {
			n.t.Error("it sleeps on")
		}
	},
	"reset_gently": func(n *napper) {
		n.tun.Reset(stream.NoError)
		n.closes()
		if b, err := io.ReadAll(n.peer); len(b) > 0 || err != nil {
			n.t.Errorf("the peer read %q, %v", b, err)
		}
	},
	"closed_by_somebody_else": func(n *napper) {
		fd := n.tun.nap.fd
		n.own.Close()
		n.tun.Reset(stream.Cancel)
		n.closes()
		p := thePoller()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.socks[fd] == n.tun {
			n.t.Error("the poller has it still")
		}
	},
}

// TestNap: a reader that sleeps misses nothing.
func TestNap(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, body := range napCases {
			t.Run(fmt.Sprintf("%s/%s", tls.VersionName(version), name), func(t *testing.T) {
				t.Parallel()
				n := newNapper(t, version)
				n.sleeps()
				body(n)
			})
		}
	}
}

// TestNapTickets: a session ticket (RFC 8446, 4.6.1) wakes a client's reader, and brings it
// nothing.
func TestNapTickets(t *testing.T) {
	t.Parallel()
	a, b := loopback(t)
	defer a.Close()
	w := &wire{Conn: a, pass: 1}
	server := tls.Server(w, &tls.Config{Certificates: []tls.Certificate{certificate()}, ClientAuth: tls.RequestClientCert}) // so the ticket comes last
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)})
	shake(t, server, client)
	n := &napper{t: t, tun: newTunnel(client, stream.Info{}, nil, nil), wire: w, peer: server, ended: make(chan error, 1)}
	n.tun.Attach(n, stream.Limits{})
	n.sleeps()
	ticket := w.take()
	if len(ticket) < 100 {
		t.Fatalf("a ticket of %d octets", len(ticket))
	}
	n.say(ticket)
	time.Sleep(2 * quietTime) // it has woken
	n.sleeps()
	n.say(n.records("octets"))
	n.hears("octets")
	n.tun.Reset(stream.Cancel)
	n.closes()
}

// TestNoNap: where a Read that times out would break the connection, or the socket cannot be
// watched.
func TestNoNap(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate()}}
	a, b := loopback(t)
	if newTunnel(tls.Server(a, config), stream.Info{}, []byte{}, nil).nap != nil {
		t.Error("before the handshake")
	}
	a.Close()
	b.Close()
	a, b = loopback(t)
	server, client := tls.Server(a, config), tls.Client(b, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	shake(t, server, client)
	if newTunnel(client, stream.Info{}, nil, nil).nap != nil {
		t.Error("a client of TLS 1.2, which may have to renegotiate (RFC 5246, 7.4.1.1)")
	}
	client.Close()
	server.Close()
	a, b = loopback(t)
	server, client = tls.Server(wholeConn{a}, config), tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	shake(t, server, client)
	if newTunnel(server, stream.Info{}, []byte{}, nil).nap != nil {
		t.Error("over a connection that is wrapped")
	}
	client.Close()
	server.Close()
}
