package h3test

import (
	"bytes"
	"container/heap"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Link says what happens to a packet on its way. The zero Link delivers every packet at once.
type Link struct {
	Delay     time.Duration // one way
	Jitter    time.Duration // each packet takes up to so much longer, but overtakes none for it
	Loss      float64       // the share of packets that are lost, 0 to 1
	Reorder   float64       // the share of packets that later ones overtake
	Late      time.Duration // how much later such a packet comes; 0: Delay/2 and 1 ms
	Duplicate float64       // the share of packets that come twice
	Rate      int           // octets a second that an end can send; 0: any number
	Queue     int           // octets that wait for Rate, more are lost; 0: 256 KiB
	MTU       int           // octets of a packet, larger ones are lost; 0: 1472, Ethernet's
}

const (
	defaultMTU   = 1472
	defaultQueue = 256 << 10
)

// Counts are what a Network did.
type Counts struct {
	Sent       int // packets that an end wrote
	Delivered  int // packets that an end read
	Lost       int // by Link.Loss
	Reordered  int
	Duplicated int
	Dropped    int // past Rate's queue or MTU, to nobody, to or from an end that is cut off
}

// Network joins the ends that Listen gave. What happens to the n-th packet of an end depends only
// on the seed, the order of the ends and n.
type Network struct {
	seed uint64

	mu     sync.Mutex
	link   Link
	ends   map[netip.AddrPort]*PacketConn
	made   uint64 // ends so far
	port   uint16 // the last one given
	counts Counts
}

// started is when the process began, on the real clock.
var started = time.Now()

// NewNetwork makes a Network. In a bubble of synctest, everything of it belongs there, and it is to
// be the first thing: NewNetwork sleeps until the bubble's clock, which begins in 2000, is past the
// start of the process. quic-go counts time from there and takes less than nothing for no time, so
// that it loses path probes and then the timer of its retransmissions.
func NewNetwork(seed uint64, l Link) *Network {
	if ahead := time.Until(started); ahead > 0 {
		time.Sleep(ahead + time.Hour)
	}
	return &Network{seed: seed, link: l, ends: map[netip.AddrPort]*PacketConn{}, port: 40000}
}

// Set changes what happens to packets that are sent from now on.
func (n *Network) Set(l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link = l
}

// Counts is what the network did so far.
func (n *Network) Counts() Counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts
}

// Listen adds an end at an address of 127.0.0.1 that nobody has.
func (n *Network) Listen() *PacketConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.listen(n.unused())
}

// ListenAt adds an end at an address of the caller's choice, which must be free.
func (n *Network) ListenAt(addr netip.AddrPort) *PacketConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ends[addr] != nil {
		panic("h3test: " + addr.String() + " is taken")
	}
	return n.listen(addr)
}

func (n *Network) unused() netip.AddrPort {
	for {
		n.port++
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), n.port)
		if n.ends[addr] == nil {
			return addr
		}
	}
}

func (n *Network) listen(addr netip.AddrPort) *PacketConn {
	n.made++
	c := &PacketConn{
		n: n, local: addr, public: addr, random: rand.New(rand.NewPCG(n.seed, n.made)),
	}
	c.changed.L = &n.mu
	c.timer = time.AfterFunc(time.Hour, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		c.changed.Broadcast()
	})
	c.timer.Stop()
	n.ends[addr] = c
	return c
}

// PacketConn is one end of a Network, a net.PacketConn.
type PacketConn struct {
	n      *Network
	local  netip.AddrPort
	random *rand.Rand

	// Of n.mu:
	public   netip.AddrPort // the address that others see
	changed  sync.Cond      // in, closed or readBy changed, or the timer fired
	timer    *time.Timer    // fires when a packet arrives, or readBy passes
	in       inbox
	order    int
	free     time.Time // when the last packet that was sent has left, by Link.Rate
	last     time.Time // when the last packet that was not late arrives
	readBy   time.Time
	cut      bool
	isClosed bool
}

var _ net.PacketConn = (*PacketConn)(nil)

// WriteTo sends a packet. It never blocks, and a packet that is lost is no error.
func (c *PacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	ap, err := addrPort(to)
	if err != nil {
		return 0, c.wrap("write", err)
	}
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.isClosed {
		return 0, c.wrap("write", net.ErrClosed)
	}
	c.send(b, ap, time.Now())
	return len(b), nil
}

// send decides what happens to a packet. The same random numbers are drawn for each, so that what
// happens to one does not depend on the others.
func (c *PacketConn) send(b []byte, to netip.AddrPort, now time.Time) {
	n, l := c.n, c.n.link
	lost, late, twice := c.random.Float64() < l.Loss, c.random.Float64() < l.Reorder,
		c.random.Float64() < l.Duplicate
	jitter := time.Duration(c.random.Float64() * float64(l.Jitter))
	n.counts.Sent++
	leaves, ok := c.leave(len(b), l, now)
	dest := n.ends[to]
	if !ok || c.cut || dest == nil || dest.cut {
		n.counts.Dropped++
		return
	}
	if lost {
		n.counts.Lost++
		return
	}
	arrives := leaves.Add(l.Delay + jitter)
	if late {
		n.counts.Reordered++
		if l.Late == 0 {
			l.Late = l.Delay/2 + time.Millisecond
		}
		arrives = arrives.Add(l.Late)
	} else {
		if arrives.Before(c.last) {
			arrives = c.last
		}
		c.last = arrives
	}
	p := packet{from: c.public, octets: bytes.Clone(b), at: arrives}
	dest.receive(p)
	if twice {
		n.counts.Duplicated++
		p.at = p.at.Add(l.Delay/4 + time.Millisecond)
		dest.receive(p)
	}
}

// leave says when a packet of n octets has left, and whether it does at all.
func (c *PacketConn) leave(n int, l Link, now time.Time) (time.Time, bool) {
	if l.MTU == 0 {
		l.MTU = defaultMTU
	}
	if l.Queue == 0 {
		l.Queue = defaultQueue
	}
	if n > l.MTU {
		return now, false
	}
	if l.Rate == 0 {
		return now, true
	}
	if c.free.Before(now) {
		c.free = now
	}
	if waits := float64(c.free.Sub(now)) / 1e9 * float64(l.Rate); waits > float64(l.Queue) {
		return now, false
	}
	c.free = c.free.Add(time.Duration(float64(n) / float64(l.Rate) * 1e9))
	return c.free, true
}

func (c *PacketConn) receive(p packet) {
	c.order++
	p.order = c.order
	heap.Push(&c.in, p)
	if c.in[0].order == p.order {
		c.changed.Broadcast() // a reader looks at the time anew
	}
}

// ReadFrom waits for a packet, and takes it.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	for {
		now := time.Now()
		switch {
		case c.isClosed:
			return 0, nil, c.wrap("read", net.ErrClosed)
		case !c.readBy.IsZero() && !now.Before(c.readBy):
			return 0, nil, c.wrap("read", os.ErrDeadlineExceeded)
		case len(c.in) > 0 && !now.Before(c.in[0].at):
			p := heap.Pop(&c.in).(packet)
			c.n.counts.Delivered++
			return copy(b, p.octets), net.UDPAddrFromAddrPort(p.from), nil
		}
		next := c.readBy
		if len(c.in) > 0 && (next.IsZero() || c.in[0].at.Before(next)) {
			next = c.in[0].at
		}
		if !next.IsZero() {
			c.timer.Reset(next.Sub(now))
		}
		c.changed.Wait()
	}
}

// Rebind is what a NAT does that has forgotten a client: what c sends comes from another port from
// now on. What is sent to the old one is lost, packets on their way too.
func (c *PacketConn) Rebind() {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.isClosed {
		return
	}
	delete(c.n.ends, c.public)
	c.n.counts.Dropped += len(c.in)
	c.in = nil
	c.public = c.n.unused()
	c.n.ends[c.public] = c
}

// Cut says whether nothing passes to and from c: a dead path. Packets on their way still arrive.
func (c *PacketConn) Cut(on bool) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.cut = on
}

// Public is the address that others see c under.
func (c *PacketConn) Public() net.Addr {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	return net.UDPAddrFromAddrPort(c.public)
}

// LocalAddr is the address that c had from the start.
func (c *PacketConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.local) }

// Close takes the end off the network.
func (c *PacketConn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.isClosed {
		return c.wrap("close", net.ErrClosed)
	}
	c.isClosed = true
	delete(c.n.ends, c.public)
	c.n.counts.Dropped += len(c.in)
	c.in = nil
	c.timer.Stop()
	c.changed.Broadcast()
	return nil
}

// SetDeadline is SetReadDeadline: writes never wait.
func (c *PacketConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline is that of ReadFrom.
func (c *PacketConn) SetReadDeadline(t time.Time) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.isClosed {
		return c.wrap("set", net.ErrClosed)
	}
	c.readBy = t
	c.changed.Broadcast()
	return nil
}

// SetWriteDeadline does nothing: writes never wait.
func (c *PacketConn) SetWriteDeadline(time.Time) error { return nil }

// SetReadBuffer does nothing. quic-go logs a warning about ends that do not have it.
func (c *PacketConn) SetReadBuffer(int) error { return nil }

// SetWriteBuffer does nothing, like SetReadBuffer.
func (c *PacketConn) SetWriteBuffer(int) error { return nil }

func (c *PacketConn) wrap(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.LocalAddr(), Err: err}
}

func addrPort(a net.Addr) (netip.AddrPort, error) {
	if u, ok := a.(*net.UDPAddr); ok {
		ap := u.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
	}
	return netip.ParseAddrPort(a.String())
}

// packet is on its way to an end.
type packet struct {
	octets []byte
	from   netip.AddrPort
	at     time.Time // when it arrives
	order  int       // among packets that arrive at one time
}

// inbox is a heap of packets, the earliest first.
type inbox []packet

func (q inbox) Len() int { return len(q) }
func (q inbox) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].order < q[j].order
}
func (q inbox) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *inbox) Push(x any)   { *q = append(*q, x.(packet)) }
func (q *inbox) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	(*q)[last] = packet{}
	*q = (*q)[:last]
	return p
}
