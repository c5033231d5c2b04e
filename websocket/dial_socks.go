package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"

	"weir/internal/reach"
)

// The numbers of SOCKS5 (RFC 1928; RFC 1929).
const (
	socksVersion    = 5
	socksNoAuth     = 0
	socksPassword   = 2
	socksNoMethod   = 0xff
	socksConnect    = 1
	socksIPv4       = 1
	socksName       = 3
	socksIPv6       = 4
	passwordVersion = 1
)

// socksReplies are the words of RFC 1928, 6.
var socksReplies = [...]string{
	"", "general failure", "connection not allowed", "network unreachable", "host unreachable",
	"connection refused", "TTL expired", "command not supported", "address type not supported",
}

// socks asks a SOCKS5 proxy for a connection. Names are the proxy's to look up.
func (d *Dialer) socks(ctx context.Context, nc net.Conn, to target) (net.Conn, error) {
	err := reach.Within(ctx, nc, func() error { return socksAsk(nc, to.proxy.User, sentAddr(to)) })
	if err != nil {
		nc.Close()
		return nil, stageError(ctx, "no connection of the proxy", to.proxy, err)
	}
	return nc, nil
}

func socksAsk(nc net.Conn, user *url.Userinfo, addr string) error {
	request, err := socksRequest(addr)
	if err != nil {
		return err
	}
	if err := socksMethod(nc, user); err != nil {
		return err
	}
	if _, err := nc.Write(request); err != nil {
		return fmt.Errorf("SOCKS5: request: %w", err)
	}
	var b [4]byte
	if err := socksRead(nc, b[:]); err != nil {
		return err
	}
	if b[0] != socksVersion {
		return fmt.Errorf("SOCKS5: a reply of version %d (RFC 1928, 6)", b[0])
	}
	if code := int(b[1]); code != 0 {
		why := "reply " + strconv.Itoa(code)
		if code < len(socksReplies) {
			why = socksReplies[code]
		}
		return fmt.Errorf("SOCKS5: the proxy refused: %s (RFC 1928, 6)", why)
	}
	return socksBound(nc, b[3])
}

// socksBound skips the address in a reply.
func socksBound(nc net.Conn, kind byte) error {
	var n int
	switch kind {
	case socksIPv4:
		n = 4
	case socksIPv6:
		n = 16
	case socksName:
		var length [1]byte
		if err := socksRead(nc, length[:]); err != nil {
			return err
		}
		n = int(length[0])
	default:
		return fmt.Errorf("SOCKS5: a reply with an address of type %d (RFC 1928, 5)", kind)
	}
	return socksRead(nc, make([]byte, n+2))
}

// socksRequest is the request to connect to addr (RFC 1928, 4).
func socksRequest(addr string) ([]byte, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q", port)
	}
	b := []byte{socksVersion, socksConnect, 0}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && ip.Is4():
		b = append(append(b, socksIPv4), ip.AsSlice()...)
	case err == nil:
		b = append(append(b, socksIPv6), ip.AsSlice()...)
	case len(host) > 255:
		return nil, errors.New("SOCKS5: a name of over 255 octets (RFC 1928, 5)")
	default:
		b = append(append(b, socksName, byte(len(host))), host...)
	}
	return append(b, byte(number>>8), byte(number)), nil
}

// socksMethod agrees on how we say who we are, and says so (RFC 1928, 3; RFC 1929, 2).
func socksMethod(nc net.Conn, user *url.Userinfo) error {
	hello := []byte{socksVersion, 1, socksNoAuth}
	password, _ := user.Password()
	if name := user.Username(); user != nil {
		if name == "" || len(name) > 255 || len(password) > 255 {
			return errors.New("SOCKS5: user and password have 1 to 255 octets (RFC 1929, 2)")
		}
		hello = []byte{socksVersion, 2, socksNoAuth, socksPassword}
	}
	if _, err := nc.Write(hello); err != nil {
		return fmt.Errorf("SOCKS5: request: %w", err)
	}
	var b [2]byte
	if err := socksRead(nc, b[:]); err != nil {
		return err
	}
	switch {
	case b[0] != socksVersion:
		return fmt.Errorf("it is no SOCKS5 proxy: it answered %q (RFC 1928, 3)", b[:])
	case b[1] == socksNoAuth:
		return nil
	case b[1] == socksPassword && user != nil:
	case b[1] == socksNoMethod:
		return errors.New("SOCKS5: the proxy takes no method of ours: it may want another user" +
			" (RFC 1928, 3)")
	default:
		return fmt.Errorf("SOCKS5: the proxy chose method %d, which was not offered (RFC 1928, 3)",
			b[1])
	}
	name := user.Username()
	ask := append([]byte{passwordVersion, byte(len(name))}, name...)
	ask = append(append(ask, byte(len(password))), password...)
	if _, err := nc.Write(ask); err != nil {
		return fmt.Errorf("SOCKS5: request: %w", err)
	}
	if err := socksRead(nc, b[:]); err != nil {
		return err
	}
	switch {
	case b[0] != passwordVersion:
		return fmt.Errorf("SOCKS5: an answer of version %d to the password (RFC 1929, 2)", b[0])
	case b[1] != 0:
		return errors.New("SOCKS5: the proxy refused user and password (RFC 1929, 2)")
	}
	return nil
}

// socksRead fills b: the end of the connection comes too early.
func socksRead(nc net.Conn, b []byte) error {
	_, err := io.ReadFull(nc, b)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("SOCKS5: no answer: %w", err)
	}
	return nil
}
