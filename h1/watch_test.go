package h1

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"weir/stream"
)

// hidden is a connection of which nothing is known but that it is one.
type hidden struct{ net.Conn }

// watchKinds are the ways in which a reader without room hears of the connection. deep: however
// much is unread.
var watchKinds = []struct {
	name string
	deep bool
	open func(t *testing.T) (s *tunnel, peer net.Conn)
}{
	{"tcp", true, func(t *testing.T) (*tunnel, net.Conn) {
		a, b := loopback(t)
		return newTunnel(a, stream.Info{}, nil, nil), b
	}},
	{"tcp_shared", true, func(t *testing.T) (*tunnel, net.Conn) {
		a, b := loopback(t)
		return newSharedTunnel(a, stream.Info{}, nil, nil), b
	}},
	{"tls", true, func(t *testing.T) (*tunnel, net.Conn) {
		a, b := loopback(t)
		x, y := secured(t, a, b)
		return newTunnel(x, stream.Info{}, []byte{}, nil), y
	}},
	{"tls_shared", true, func(t *testing.T) (*tunnel, net.Conn) {
		a, b := loopback(t)
		x, y := secured(t, a, b)
		return newSharedTunnel(x, stream.Info{}, []byte{}, nil), y
	}},
	{"unix", true, func(t *testing.T) (*tunnel, net.Conn) {
		a, b := overUnix(t)
		return newTunnel(a, stream.Info{}, nil, nil), b
	}},
	{"wrapped", true, func(t *testing.T) (*tunnel, net.Conn) {
		a, b := loopback(t)
		return newTunnel(struct{ *net.TCPConn }{a.(*net.TCPConn)}, stream.Info{}, nil, nil), b
	}},
	{"hidden", false, func(t *testing.T) (*tunnel, net.Conn) {
		a, b := loopback(t)
		return newTunnel(hidden{a}, stream.Info{}, nil, nil), b
	}},
	{"hidden_tls", false, func(t *testing.T) (*tunnel, net.Conn) {
		a, b := loopback(t)
		x, y := secured(t, hidden{a}, b)
		return newTunnel(x, stream.Info{}, nil, nil), y
	}},
}

func overUnix(t *testing.T) (a, b net.Conn) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if b, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if a, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// cutPeer resets the connection as a process does that is killed.
func cutPeer(c net.Conn) {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	if tc, ok := c.(*net.TCPConn); ok {
		_ = tc.SetLinger(0) // Close says what is wrong with the connection
	}
	c.Close()
}

// TestFullWindow (BEHAVIOUR 3): who may not read sees that the connection is lost at once, its end
// behind what is before it.
func TestFullWindow(t *testing.T) {
	const window = 1000
	for _, kind := range watchKinds {
		if kind.deep && runtime.GOOS == "windows" {
			continue // no socket tells its error there
		}
		begin := func(t *testing.T) (*tunnel, net.Conn, *held) {
			s, peer := kind.open(t)
			k := &held{told: make(chan int, 1000), ended: make(chan error, 1)}
			s.Attach(k, stream.Limits{Window: window})
			t.Cleanup(func() {
				s.Reset(stream.Cancel)
				peer.Close()
			})
			return s, peer, k
		}
		hear := func(t *testing.T, k *held, most int) {
			for total := 0; total < most; {
				n := <-k.told
				if n < 0 {
					t.Fatalf("an end behind %d octets, %d were sent", total, most)
				}
				total += n
			}
		}
		write := func(t *testing.T, peer net.Conn, n int) {
			if _, err := peer.Write(make([]byte, n)); err != nil {
				t.Fatal(err)
			}
		}
		much := window + small/2
		if kind.deep {
			much = 100_000
		}
		t.Run(kind.name+"/reset", func(t *testing.T) {
			s, peer, k := begin(t)
			if _, ok := peer.(*net.UnixConn); ok { // one is reset when it is closed with octets unread
				if _, err := s.Send([][]byte{{1}}, false); err != nil {
					t.Fatal(err)
				}
			}
			write(t, peer, much)
			hear(t, k, window)
			cutPeer(peer)
			if err := <-k.ended; !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("Closed(%v)", err)
			}
		})
		// Of the others nothing tells until something is sent.
		if kind.deep && kind.name != "unix" {
			t.Run(kind.name+"/reset_of_a_half", func(t *testing.T) {
				_, peer, k := begin(t)
				write(t, peer, 10)
				_ = peer.(interface{ CloseWrite() error }).CloseWrite() // the wait for the end says whether
				hear(t, k, 10)
				if n := <-k.told; n != -1 {
					t.Fatalf("%d octets in the place of the end", n)
				}
				cutPeer(peer)
				if err := <-k.ended; !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
					t.Errorf("Closed(%v)", err)
				}
			})
		}
		t.Run(kind.name+"/end", func(t *testing.T) {
			s, peer, k := begin(t)
			write(t, peer, much)
			_ = peer.(interface{ CloseWrite() error }).CloseWrite() // as above
			for left := much; left > 0; {
				n := min(left, window)
				hear(t, k, n)
				left -= n
				s.Release(n)
			}
			if n := <-k.told; n != -1 {
				t.Errorf("%d octets in the place of the end", n)
			}
		})
		t.Run(kind.name+"/go_on", func(t *testing.T) {
			s, peer, k := begin(t)
			go peer.Write(make([]byte, 50*window)) // ends when all is sent
			for range 50 {
				hear(t, k, window)
				s.Release(window)
			}
		})
		t.Run(kind.name+"/cut", func(t *testing.T) {
			s, peer, k := begin(t)
			write(t, peer, much)
			hear(t, k, window)
			s.Reset(stream.Cancel)
			if _, ok := errors.AsType[*stream.ResetError](<-k.ended); !ok {
				t.Error("not our own reset")
			}
		})
	}
}

// held is a sink that wants the first octets at place, and releases nothing by itself.
type held struct {
	place []byte
	told  chan int // octets, or -1: the end
	ended chan error
}

func (k *held) Data(b []byte, fin bool) {
	if fin {
		k.told <- -1
	} else {
		k.told <- len(b)
	}
}

func (k *held) Fill() (b []byte) {
	b, k.place = k.place, nil // once
	return b
}

func (k *held) Drained()         {}
func (k *held) Closed(err error) { k.ended <- err }

// TestShared: a connection that others hold, and close, is the end of its stream, whether there is
// room or not.
func TestShared(t *testing.T) {
	for _, mode := range []string{"tcp", "tls"} {
		for _, full := range []bool{false, true} {
			own, peer := loopback(t)
			c := own
			if mode == "tls" {
				c, peer = secured(t, own, peer)
			}
			s := newSharedTunnel(c, stream.Info{}, []byte{}, nil)
			if s.nap != nil {
				t.Fatal("nobody would see it closed")
			}
			k := &held{told: make(chan int, 100), ended: make(chan error, 1)}
			s.Attach(k, stream.Limits{Window: 10})
			if full {
				if _, err := peer.Write(make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
				<-k.told
			}
			c.Close()
			if err := <-k.ended; !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s, full %v: Closed(%v)", mode, full, err)
			}
			if !full {
				if _, err := io.Copy(io.Discard, peer); err != nil {
					t.Errorf("%s: the peer reads %v", mode, err)
				}
			}
			peer.Close()
		}
	}
}
