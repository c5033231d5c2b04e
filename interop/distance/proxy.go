package main

import (
	"io"
	"net"
	"sync"
	"time"
)

// way is what a proxy does to octets, each way.
type way struct {
	delay time.Duration // half of a round trip
	rate  int           // octets a second; 0: any number
}

// queue is how many octets a way holds beside those that its delay and its rate make it hold, as a
// router does.
const queue = 256 << 10

// fast is what a way without a rate holds.
const fast = 64 << 20

// proxy is a listener in front of a server.
type proxy struct {
	way    way
	server string
	l      net.Listener
}

func newProxy(server string, w way) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{way: w, server: server, l: l}
	go p.serve() // ends with Close
	return p, nil
}

func (p *proxy) addr() string { return p.l.Addr().String() }

func (p *proxy) close() { p.l.Close() }

func (p *proxy) serve() {
	for {
		client, err := p.l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		var ways sync.WaitGroup
		ways.Go(func() { p.way.carry(server.(*net.TCPConn), client.(*net.TCPConn)) })
		ways.Go(func() { p.way.carry(client.(*net.TCPConn), server.(*net.TCPConn)) })
		go func() { // ends when both ways have
			ways.Wait()
			client.Close()
			server.Close()
		}()
	}
}

// packet is octets under way, and when they arrive.
type packet struct {
	b  []byte
	at time.Time
}

// carry brings octets from one connection to the other until it ends or one of them fails.
func (w way) carry(to, from *net.TCPConn) {
	room := fast
	if w.rate > 0 {
		room = queue + int(w.delay.Seconds()*float64(w.rate))
	}
	const piece = 16 << 10
	under := make(chan packet, 1+room/piece) // pieces may be small: then it holds less
	done := make(chan struct{})
	go func() { // ends with under, or when to takes nothing any more
		defer close(done)
		for p := range under {
			time.Sleep(time.Until(p.at))
			if _, err := to.Write(p.b); err != nil {
				from.CloseRead()
				for range under { // the reader does not wait for room
				}
				return
			}
		}
		to.CloseWrite()
	}()
	var free time.Time // when the way has carried all that is on it
	for {
		b := make([]byte, piece)
		n, err := from.Read(b)
		if n > 0 {
			if now := time.Now(); free.Before(now) {
				free = now
			}
			if w.rate > 0 {
				free = free.Add(time.Duration(n) * time.Second / time.Duration(w.rate))
			}
			under <- packet{b[:n], free.Add(w.delay)}
		}
		if err != nil {
			if err != io.EOF {
				to.SetLinger(0)
			}
			break
		}
	}
	close(under)
	<-done
}
