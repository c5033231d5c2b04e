package stream_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"
)

func conns() (a, b *stream.Conn) {
	x, y := stream.Pipe()
	return stream.NewConn(x, 1000), stream.NewConn(y, 1000)
}

// inBubble runs body in fake time, with both ends of a pipe as net.Conns.
func inBubble(t *testing.T, body func(t *testing.T, a, b *stream.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		a, b := conns()
		body(t, a, b)
		a.Close()
		b.Close()
		time.Sleep(10 * time.Second)
	})
}

func TestConnCarriesOctets(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *stream.Conn) {
		want := []byte(strings.Repeat("0123456789", 50_000))
		go func() { // ends when all is written
			a.Write(want)
			a.CloseWrite()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d octets, %v", len(got), err)
		}
		if _, err := b.Write([]byte("the other direction lives")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		if n, err := a.Read(buf); string(buf[:n]) != "the other direction lives" {
			t.Fatal(n, err)
		}
	})
}

func TestConnWriteWaitsForItsPeer(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *stream.Conn) {
		a.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := a.Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n > 200_000 {
			t.Fatalf("wrote %d octets that nobody reads: %v", n, err)
		}
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Fatalf("%v is no time-out", err)
		}
		a.SetWriteDeadline(time.Time{})
		go io.Copy(io.Discard, b) // ends with the stream
		if _, err := a.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	})
}

// TestConnWritesAreWhole: as with every net.Conn, the octets of one Write are never between those
// of another, however many goroutines write.
func TestConnWritesAreWhole(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *stream.Conn) {
		const writers, size = 4, 300_000
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() { a.Write(bytes.Repeat([]byte{byte(i)}, size)) })
		}
		go func() { // ends when all is written
			all.Wait()
			a.CloseWrite()
		}()
		got, err := io.ReadAll(b)
		if len(got) != writers*size || err != nil {
			t.Fatalf("%d octets, %v", len(got), err)
		}
		for i := range writers {
			if n := len(bytes.TrimLeft(got[i*size:][:size], string(got[i*size:][:1]))); n != 0 {
				t.Errorf("within write %d there are %d octets of others", i, n)
			}
		}
	})
}

// TestConnWriteThatWaits: a Write that waits for another ends with its deadline, and with Close.
func TestConnWriteThatWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *stream.Conn) {
		errs := make(chan error, 2)
		write := func() {
			_, err := a.Write(make([]byte, 300_000))
			errs <- err
		}
		a.SetWriteDeadline(time.Now().Add(time.Second))
		go write() // ends with the deadline, both do
		go write()
		for range 2 {
			if err := <-errs; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		}
		a.SetWriteDeadline(time.Time{})
		go write() // ends with Close, both do
		go write()
		synctest.Wait()
		a.Close()
		for range 2 {
			if err := <-errs; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	})
}

// TestConnCloseOfAStalledPeer: behind Close what was written has the time that it takes, as long as
// some of it leaves every 30 s.
func TestConnCloseOfAStalledPeer(t *testing.T) {
	for _, tt := range []struct {
		name string
		read bool
		ends time.Duration
	}{
		{"it_takes_nothing", false, 35 * time.Second},
		{"it_takes_little", true, 60*20*time.Second + 35*time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, a, b *stream.Conn) {
				a.Write(make([]byte, 60_000))
				start := time.Now()
				a.Close()
				if tt.read {
					for range 60 {
						time.Sleep(20 * time.Second)
						if n, err := b.Read(make([]byte, 500)); n != 500 || err != nil {
							t.Fatalf("after %v: %d octets, %v", time.Since(start), n, err)
						}
					}
				}
				time.Sleep(tt.ends - time.Since(start) - time.Second)
				synctest.Wait()
				if err := b.Err(); err != nil && !tt.read {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if err := b.Err(); err == nil {
					t.Errorf("the peer is not given up after %v", time.Since(start))
				}
			})
		})
	}
}

func TestConnReadDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *stream.Conn) {
		start := time.Now()
		for range 2 { // it is armed again after it fired
			a.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Fatal(d)
		}
		a.SetReadDeadline(time.Time{})
		b.Write([]byte("x"))
		if n, err := a.Read(make([]byte, 1)); n != 1 {
			t.Fatal(err)
		}
	})
}

func TestConnClose(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *stream.Conn) {
		a.Write([]byte("last words"))
		go a.Read(make([]byte, 1)) // ends with Close
		a.Close()
		if got, err := io.ReadAll(b); string(got) != "last words" {
			t.Fatal(string(got), err)
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		if _, err := b.Write(make([]byte, 10_000)); err != nil { // dropped, but not stalled
			t.Fatal(err)
		}
	})
}

func TestConnReset(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *stream.Conn) {
		a.Reset(stream.Cancel)
		_, err := b.Read(make([]byte, 1))
		re, ok := errors.AsType[*stream.ResetError](err)
		if !ok || !re.Remote || re.Code != stream.Cancel {
			t.Fatal(err)
		}
	})
}
