package h1

import (
	"crypto/tls"
	"net"
	"os"
	"syscall"
	"testing"

	"weir/stream"
)

// withoutDescriptors runs f while the process gets no new descriptor (EMFILE).
func withoutDescriptors(t *testing.T, f func()) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0 // what is open stays
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

// forgetPoller makes the next connection the first one.
func forgetPoller(t *testing.T) {
	before := shared.made.Swap(nil)
	t.Cleanup(func() { shared.made.Store(before) })
}

// TestFirstWithoutDescriptors: if the process has no descriptor left for the poller when the first
// connection comes, that one is read all the same, and the next one is watched.
func TestFirstWithoutDescriptors(t *testing.T) {
	forgetPoller(t)
	var tun *tunnel
	a, b := loopback(t)
	defer b.Close()
	withoutDescriptors(t, func() { tun = newTunnel(a, stream.Info{}, nil, nil) })
	if tun.sock != nil || shared.made.Load() != nil {
		t.Fatal("there are descriptors")
	}
	heard := make(chan string, 1)
	k := &sink{s: tun, closed: make(chan error, 1), data: func(b []byte, fin bool) {
		if !fin {
			heard <- string(b)
		}
	}}
	tun.Attach(k, stream.Limits{})
	if _, err := b.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "x" {
		t.Errorf("heard %q", got)
	}
	tun.Reset(stream.Cancel)
	<-k.closed
	watched(t, new(sink)) // fails if it is not
}

// TestNoDescriptorForOne: one connection that the poller has no descriptor for is read all the
// same.
func TestNoDescriptorForOne(t *testing.T) {
	watched(t, new(sink)) // so there is a poller
	a, b := loopback(t)
	defer b.Close()
	withoutDescriptors(t, func() {
		if tun := newTunnel(a, stream.Info{}, nil, nil); tun.sock != nil || tun.raw == nil {
			t.Error("there are descriptors")
		}
	})
	a.Close()
	watched(t, new(sink))
}

// TestNapWithoutDescriptors: a reader that could not leave when the poller could not be made leaves
// later.
func TestNapWithoutDescriptors(t *testing.T) {
	forgetPoller(t)
	a, b := loopback(t)
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{certificate()}, SessionTicketsDisabled: true})
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	shake(t, server, client)
	n := &napper{t: t, wire: &wire{Conn: b, pass: -1}, peer: client, ended: make(chan error, 1)}
	withoutDescriptors(t, func() {
		n.tun = newTunnel(server, stream.Info{}, []byte{}, nil)
		n.tun.mu.Lock()
		defer n.tun.mu.Unlock()
		if n.tun.nap == nil {
			t.Fatal("its reader stays for ever")
		}
	})
	withoutDescriptors(t, func() {
		if n.tun.sleep() {
			t.Error("it sleeps, and nobody watches")
		}
	})
	n.tun.Attach(n, stream.Limits{})
	n.sleeps()
	if _, err := client.Write([]byte("octets")); err != nil {
		t.Fatal(err)
	}
	n.hears("octets")
	n.tun.Reset(stream.Cancel)
	n.closes()
}

// TestUnwatchedPoller: an epoll that Go's poller does not watch (ENOMEM, ENOSPC) is none: to wait
// for it would be a panic. A file is refused by it for another reason (EPERM).
func TestUnwatchedPoller(t *testing.T) {
	f, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := dup(int(f.Fd()))
	if p := newPoller(fd); p != nil {
		t.Error("nothing wakes who waits for it")
	}
	if err := syscall.Close(fd); err != syscall.EBADF {
		t.Errorf("it was left open: %v", err)
	}
}

// TestUnwatchedSocket: what the poller cannot watch (ENOMEM, ENOSPC) is an error, and leaves
// nothing behind; nor does a socket that somebody else has closed.
func TestUnwatchedSocket(t *testing.T) {
	p := new(pollerOf).get()
	if p == nil {
		t.Fatal("no poller")
	}
	f, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	if err := p.add(fd, new(tunnel)); err == nil || p.n != 0 || p.socks[fd] != nil || p.workers != 0 {
		t.Errorf("%v: %d sockets, %d workers", err, p.n, p.workers)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	own := dup(int(before.Fd()))
	if err := p.add(own, new(tunnel)); err != nil || p.n != 1 {
		t.Fatalf("%v: %d sockets", err, p.n)
	}
	if err := syscall.Dup3(fd, own, syscall.O_CLOEXEC); err != nil { // closed, and another's
		t.Fatal(err)
	}
	if err := p.add(own, new(tunnel)); err == nil {
		t.Error("a file is watched")
	}
	p.mu.Lock()
	if p.n != 0 || p.socks[own] != nil || !p.ending && p.waiting {
		t.Errorf("%d sockets, and the one who waits for them goes: %v", p.n, p.ending)
	}
	p.mu.Unlock()
	syscall.Close(own)
}
