package main

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net"
	"testing"
	"time"
)

// TestProxy: octets pass both ways whole and in order, and each end of a connection passes by itself.
func TestProxy(t *testing.T) {
	for _, w := range []way{{}, {delay: time.Millisecond}, {delay: time.Millisecond, rate: 50 << 20}} {
		server, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { // ends with the connection
			nc, err := server.Accept()
			if err != nil {
				return
			}
			defer nc.Close()
			h := sha256.New()
			io.Copy(h, nc)       // to the client's end
			nc.Write(h.Sum(nil)) // and then the answer
		}()
		p, err := newProxy(server.Addr().String(), w)
		if err != nil {
			t.Fatal(err)
		}
		nc, err := net.Dial("tcp", p.addr())
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		for i := range 300 {
			b := bytes.Repeat([]byte{byte(i)}, 1+i*37)
			h.Write(b)
			if _, err := nc.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		nc.(*net.TCPConn).CloseWrite()
		got, err := io.ReadAll(nc)
		if err != nil || !bytes.Equal(got, h.Sum(nil)) {
			t.Errorf("%+v: %x, %v", w, got, err)
		}
		nc.Close()
		p.close()
		server.Close()
	}
}

// TestInterval: the mean, and nothing beside it where all are the same.
func TestInterval(t *testing.T) {
	if mean, half := interval([]float64{2, 2, 2, 2}); mean != 2 || half != 0 {
		t.Error(mean, half)
	}
	if mean, half := interval([]float64{1, 3}); mean != 2 || half <= 1 {
		t.Error(mean, half)
	}
}
