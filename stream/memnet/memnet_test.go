package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream/memnet"
)

// pair is a connection through a listener.
func pair(t *testing.T, buffer int) (client, server *memnet.Conn) {
	t.Helper()
	l := memnet.Listen()
	l.Buffer = buffer
	c, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if c.LocalAddr().String() != s.RemoteAddr().String() || s.LocalAddr().String() != l.Addr().String() {
		t.Errorf("addresses: client %v, server %v to %v", c.LocalAddr(), s.LocalAddr(), s.RemoteAddr())
	}
	l.Close()
	return c.(*memnet.Conn), s.(*memnet.Conn)
}

func TestOctetsInOrderThroughSmallBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, 7)
		all := bytes.Repeat([]byte("0123456789"), 100)
		go func() {
			if n, err := c.Write(all); n != len(all) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
			c.CloseWrite()
		}()
		got, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(got, all) {
			t.Errorf("read %d octets of %d, %v", len(got), len(all), err)
		}
		if _, err := s.Write([]byte("back")); err != nil {
			t.Errorf("the other direction: %v", err)
		}
		s.Close()
		if back, err := io.ReadAll(c); string(back) != "back" || err != nil {
			t.Errorf("read %q, %v", back, err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write after CloseWrite: %v", err)
		}
		c.Close()
	})
}

func TestBufferIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, 100)
		defer c.Close()
		defer s.Close()
		c.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := c.Write(make([]byte, 200))
		if n != 100 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %d, %v", n, err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, 0)
		defer s.Close()
		start := time.Now()
		c.SetReadDeadline(start.Add(time.Minute))
		c.SetReadDeadline(start.Add(time.Hour)) // the first no longer counts
		_, err := c.Read(make([]byte, 1))
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() || time.Since(start) != time.Hour {
			t.Errorf("Read after %v: %v", time.Since(start), err)
		}
		s.Write([]byte("x"))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read with a deadline that has passed: %v", err)
		}
		c.SetDeadline(time.Time{})
		if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read without a deadline: %d, %v", n, err)
		}
		time.AfterFunc(time.Second, func() { c.SetReadDeadline(time.Now()) })
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read woken by a deadline: %v", err)
		}
		time.AfterFunc(time.Second, func() { c.Close() })
		c.SetDeadline(time.Time{})
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read woken by Close: %v", err)
		}
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
	})
}

func TestResets(t *testing.T) {
	for name, cut := range map[string]func(c, peer *memnet.Conn){
		"SetLinger(0)": func(c, _ *memnet.Conn) { c.SetLinger(0) },
		"octets left":  func(_, peer *memnet.Conn) { peer.Write([]byte("unread")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := pair(t, 0)
				c.Write([]byte("dropped"))
				cut(c, s)
				c.Close()
				if n, err := s.Read(make([]byte, 10)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("Read: %d, %v", n, err)
				}
				if _, err := s.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
					t.Errorf("Write: %v", err)
				}
				s.Close()
			})
		})
	}
}

func TestDialEnded(t *testing.T) {
	l := memnet.Listen()
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		if _, err := l.Dial(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("Dial: %v", err)
		}
	}
}

func TestListenerCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		waiting, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		l.Close()
		if _, err := waiting.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a connection nobody accepted: %v", err)
		}
		waiting.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if _, err := l.Dial(context.Background()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial: %v", err)
		}
	})
}
