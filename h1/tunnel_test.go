package h1

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"testing"

	"weir/stream"
	"weir/stream/memnet"
	"weir/stream/streamtest"
)

// ends makes both ends of a connection streams.
func ends(a, b net.Conn, transport stream.Transport) (x, y stream.Stream) {
	end := func(c net.Conn) stream.Stream {
		return newTunnel(c, stream.Info{Transport: transport, Local: c.LocalAddr(), Remote: c.RemoteAddr(), Own: true}, nil, nil)
	}
	return end(a), end(b)
}

// secured puts TLS over both ends. The handshake is done, with nothing of it left in flight.
func secured(t *testing.T, a, b net.Conn) (x, y net.Conn) {
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{certificate()}, SessionTicketsDisabled: true})
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	var wg sync.WaitGroup
	for _, c := range []*tls.Conn{server, client} {
		wg.Go(func() {
			if err := c.HandshakeContext(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return server, client
}

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// loopback gives the two ends of a TCP connection.
func loopback(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func TestStream(t *testing.T) {
	certificate()
	t.Run("memnet", func(t *testing.T) {
		streamtest.RunFake(t, func(*testing.T) (a, b stream.Stream) {
			x, y := memnet.Pair(0)
			return ends(x, y, stream.H1)
		})
	})
	t.Run("memnet_tls", func(t *testing.T) {
		streamtest.RunFake(t, func(t *testing.T) (a, b stream.Stream) {
			x, y := memnet.Pair(0)
			s, c := secured(t, x, y)
			return ends(s, c, stream.H1TLS)
		})
	})
	t.Run("tcp", func(t *testing.T) {
		streamtest.Run(t, func(t *testing.T) (a, b stream.Stream) {
			x, y := loopback(t)
			return ends(x, y, stream.H1)
		})
	})
	t.Run("tcp_tls", func(t *testing.T) {
		streamtest.Run(t, func(t *testing.T) (a, b stream.Stream) {
			x, y := loopback(t)
			s, c := secured(t, x, y)
			return ends(s, c, stream.H1TLS)
		})
	})
}
