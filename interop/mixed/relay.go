package main

import (
	"fmt"
	"io"
	"net"
	"time"
)

// link is what a relay does to each direction.
type link struct {
	delay time.Duration // of each octet
	rate  int           // octets a second; 0: any
}

// buffer is how many octets wait before a link that is limited: a router's queue, of some
// milliseconds.
const buffer = 128 << 10

// relayOn relays connections to an address until its standard input ends. It prints its own
// address.
func relayOn(to string, l link, in io.Reader, out io.Writer) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, ln.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, in) // until it ends, however it does
		ln.Close()
	}()
	for {
		a, err := ln.Accept()
		if err != nil {
			return nil
		}
		b, err := net.Dial("tcp", to)
		if err != nil {
			a.Close()
			return err
		}
		go l.carry(a, b) // ends with the connection
		go l.carry(b, a)
	}
}

// parcel is octets, and when they are there.
type parcel struct {
	b   []byte
	due time.Time
}

// carry brings what comes from one connection to another.
func (l link) carry(from, to net.Conn) {
	defer to.Close()
	defer from.Close()
	if t, ok := from.(*net.TCPConn); ok && l.rate > 0 {
		_ = t.SetReadBuffer(buffer / 2) // what a link has in its queue counts, and not what the system adds
	}
	way := make(chan parcel, 1<<16)
	go func() { // ends with the connection
		defer close(way)
		var free time.Time // when the link has sent all that it was given
		for {
			b := make([]byte, 16<<10)
			n, err := from.Read(b)
			if err != nil {
				return
			}
			now := time.Now()
			if free.Before(now) {
				free = now
			}
			if l.rate > 0 {
				free = free.Add(time.Duration(n) * time.Second / time.Duration(l.rate))
				if queue := time.Duration(buffer) * time.Second / time.Duration(l.rate); free.Sub(now) > queue {
					time.Sleep(free.Sub(now) - queue)
				}
			}
			way <- parcel{b[:n], free.Add(l.delay)}
		}
	}()
	for p := range way {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.b); err != nil {
			return
		}
	}
}
