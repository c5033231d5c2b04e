package stream_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
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
