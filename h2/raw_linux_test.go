package h2

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"weir/stream/streamtest"
)

// plainPair is a connection that writes to a plain socket with small buffers, and the other end.
func plainPair(t *testing.T, timeout time.Duration) (c *conn, peer *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	peer = other.(*net.TCPConn)
	t.Cleanup(func() { nc.Close(); peer.Close() })
	if err := errors.Join(nc.(*net.TCPConn).SetWriteBuffer(64<<10), peer.SetReadBuffer(64<<10)); err != nil {
		t.Fatal(err)
	}
	c = &conn{nc: nc, cfg: &Config{WriteTimeout: timeout}, core: newCore(limitConfig(Config{HandshakeTimeout: -1}), true, nil, time.Now())}
	c.shell()
	if c.plain.raw == nil {
		t.Fatal("no plain socket")
	}
	return c, peer
}

// TestPlainWrite: whatever a socket takes at once, all octets leave, in order.
func TestPlainWrite(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Minute} {
		c, peer := plainPair(t, timeout)
		var want []byte
		got := make(chan []byte, 1)
		go func() { // ends with the connection
			b, _ := io.ReadAll(peer)
			got <- b
		}()
		for range 60 {
			out := make([]byte, 1+rand.IntN(2000))
			var lent []piece
			from, at := 0, 0
			for range rand.IntN(40) {
				at = min(at+rand.IntN(100), len(out))
				p := make([]byte, rand.IntN(4000))
				for i := range p {
					p[i] = byte(rand.Uint32())
				}
				lent = append(lent, piece{at, p})
				want = append(append(want, out[from:at]...), p...)
				from = at
			}
			want = append(want, out[from:]...)
			if _, err := c.write(out, lent, false, true); err != nil {
				t.Fatal(err)
			}
		}
		c.nc.Close()
		if b := <-got; !bytes.Equal(b, want) {
			t.Errorf("%d octets arrived, want %d, or others", len(b), len(want))
		}
	}
}

// TestPlainWriteRest: a write that does not wait leaves what the socket does not take, and the next writes that, in order.
func TestPlainWriteRest(t *testing.T) {
	c, peer := plainPair(t, 0)
	var want []byte
	for range 3 {
		out, lent := make([]byte, 1<<20), make([]byte, 1<<20)
		for i := range out {
			out[i], lent[i] = byte(rand.Uint32()), byte(rand.Uint32())
		}
		want = append(append(append(want, out[:100]...), lent...), out[100:]...)
		rest, err := c.write(out, []piece{{100, lent}}, false, false)
		if !rest || err != nil {
			t.Fatalf("rest %v, %v", rest, err)
		}
		if rest, err = c.write(out, nil, true, false); !rest || err != nil {
			t.Fatalf("the socket is full: rest %v, %v", rest, err)
		}
		got := make(chan []byte, 1)
		go func() { // ends when all is read
			b := make([]byte, 2<<20)
			n, _ := io.ReadFull(peer, b)
			got <- b[:n]
		}()
		if rest, err = c.write(out, nil, true, true); rest || err != nil {
			t.Fatalf("rest %v, %v", rest, err)
		}
		if b := <-got; !bytes.Equal(b, want[len(want)-2<<20:]) {
			t.Fatalf("%d octets arrived, or others", len(b))
		}
	}
}

// TestPlainWriteTimeout: WriteTimeout counts from when a write has to wait, and for that write alone.
func TestPlainWriteTimeout(t *testing.T) {
	big := make([]byte, 2<<20)
	var c *conn
	timeout := 200 * time.Millisecond
	for ; ; timeout *= 2 { // a busy machine may keep the peer from reading for as long
		var peer *net.TCPConn
		c, peer = plainPair(t, timeout)
		late := timeout / 4
		go func() { // ends when all is read, or with the connection
			time.Sleep(late)
			_, _ = io.CopyN(io.Discard, peer, int64(len(big)))
		}()
		_, err := c.write(big, nil, false, true)
		if err == nil {
			break
		}
		if timeout > streamtest.Patience(t)/8 {
			t.Fatal("a peer that reads after a while:", err)
		}
		c.nc.Close()
	}
	time.Sleep(2 * timeout)
	if _, err := c.write([]byte("later"), nil, false, true); err != nil {
		t.Fatal("the deadline of the write before is left:", err)
	}
	began := time.Now()
	if _, err := c.write(big, nil, false, true); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("a peer that does not read:", err)
	}
	if d := time.Since(began); d < timeout {
		t.Fatalf("it was given up after %v", d)
	}
}

// TestPlainWriteAllocs: a write allocates nothing.
func TestPlainWriteAllocs(t *testing.T) {
	c, peer := plainPair(t, time.Minute)
	out, in := make([]byte, 100), make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.write(out, nil, false, true); err != nil {
			t.Error("write")
		}
		_, _ = io.ReadFull(peer, in)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestReaderYields: a reader whose socket always has something more gives way, and one that has waited has a new share.
func TestReaderYields(t *testing.T) {
	c, peer := plainPair(t, 0)
	var in source
	in.open(c.nc)
	read := func(n int) {
		t.Helper()
		if _, err := peer.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < n; {
			b, err := in.read()
			if err != nil {
				t.Fatal(err)
			}
			got += len(b)
			in.done()
		}
	}
	const reads = fairShare/(fairRead+1) + 1
	for i := range reads { // what is there is read without a wait
		read(1)
		if got := in.yields(); got != (i == reads-1) {
			t.Fatalf("after %d reads: %v", i+1, got)
		}
	}
	if in.yields() {
		t.Error("twice")
	}
	in.fair = fairShare
	if err := in.raw.Control(func(fd uintptr) {
		if in.try(fd) {
			t.Error("there was something to read")
		}
	}); err != nil {
		t.Fatal(err)
	}
	if in.yields() {
		t.Error("after a wait")
	}
}
