package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// listeners opens all that the flags name, or none. log is told of connections that are dropped.
func (c *config) listeners(log *slog.Logger) (ls []listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range ls {
				l.Close()
			}
			ls = nil
		}
	}()
	stray := &strays{log: unspared(log), told: map[string]bool{}}
	for _, a := range c.listen {
		l, err := listen(a)
		if err != nil {
			return ls, fmt.Errorf("--listen: %w", err)
		}
		if c.proxyProtocol {
			l = proxyListener{l, c.proxies(), stray}
		}
		ls = append(ls, listener{Listener: l})
	}
	if c.tlsListen != "" {
		l := listener{tls: true}
		if c.h3 {
			l.Listener, l.udp, err = listenBoth(c.tlsListen)
		} else {
			l.Listener, err = listen(c.tlsListen)
		}
		if err != nil {
			return ls, fmt.Errorf("--tls-listen: %w", err)
		}
		ls = append(ls, l)
	}
	return ls, nil
}

// listen opens host:port or unix:PATH. A socket file that nobody serves any more is taken over.
func listen(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return net.Listen("tcp", address)
	}
	l, err := net.Listen("unix", path)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	c, dialErr := net.Dial("unix", path)
	if dialErr == nil {
		c.Close()
	}
	if !errors.Is(dialErr, syscall.ECONNREFUSED) {
		return nil, err
	}
	if rmErr := os.Remove(path); rmErr != nil {
		return nil, err
	}
	return net.Listen("unix", path)
}

// listenBoth opens an address for TCP, and the UDP port of that number. If any port will do, it
// looks for one that is free for both.
func listenBoth(address string) (net.Listener, net.PacketConn, error) {
	for tries := 1; ; tries++ {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, nil, err
		}
		pc, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return l, pc, nil
		}
		l.Close()
		_, port, _ := net.SplitHostPort(address)
		if port != "0" || !errors.Is(err, syscall.EADDRINUSE) || tries == 100 {
			return nil, nil, err
		}
	}
}

// certificate is the one that the flags name, or one for localhost.
func (c *config) certificate() (tls.Certificate, error) {
	if c.cert == "" {
		return selfSigned()
	}
	cert, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return cert, fmt.Errorf("--cert %s --key %s: %w", c.cert, c.key, err)
	}
	return cert, nil
}

// selfSigned makes a certificate for localhost that lives as long as the process.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "localhost"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
