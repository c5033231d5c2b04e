package rfc8441

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"weir/h2/h2test"
	"weir/interop/conform"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// alter is what becomes of a frame on its way. It runs with the link's lock held.
type alter func(l *link, f h2test.Frame) []h2test.Frame

// fault is one way in which a server is broken: what it hears wrong, and what it says wrong. One is made for each connection.
type fault func() (up, down alter)

// relay stands between the suite and a server that is right, and makes one of it that is not.
func relay(t testing.TB, server *conform.Target, broken fault) *conform.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", server.URL.Host)
			if err != nil {
				nc.Close()
				continue
			}
			k := &link{client: nc, server: back}
			k.up, k.down = broken()
			wg.Go(func() { k.carry(nc, back, &k.upward, k.up, http2.ClientPreface) })
			wg.Go(func() { k.carry(back, nc, &k.downward, k.down, "") })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	c := *server
	c.URL = &url.URL{Scheme: "http", Host: l.Addr().String(), Path: server.URL.Path}
	return &c
}

// link is one connection through a relay.
type link struct {
	client, server   net.Conn
	up, down         alter
	mu               sync.Mutex
	upward, downward way
}

// way is one direction's HPACK. Field blocks are made anew, that they can be altered.
type way struct {
	dec    h2test.Decoder
	open   bool        // CONTINUATION has to come
	fin    http2.Flags // END_STREAM of the block
	stream uint32      // whose block it is
}

// close ends both connections.
func (k *link) close() {
	k.client.Close()
	k.server.Close()
}

// toClient says something by itself; the caller holds mu.
func (k *link) toClient(fs ...h2test.Frame) { k.put(k.client, &k.downward, fs) }

// put writes frames; the caller holds mu.
func (k *link) put(nc net.Conn, w *way, fs []h2test.Frame) {
	var b []byte
	for _, f := range fs {
		switch {
		case f.Type == http2.FrameHeaders && f.Stream != 0 && len(f.Payload) > 0:
			w.open, w.fin = true, f.Flags&http2.FlagHeadersEndStream
		case f.Type == http2.FrameContinuation && w.open:
		default:
			if w.open { // a frame where CONTINUATION has to come
				b = h2test.AppendFrame(b, http2.FrameHeaders, 0, w.stream, nil)
				w.open = false
			}
			b = h2test.AppendFrame(b, f.Type, f.Flags, f.Stream, f.Payload)
			continue
		}
		w.stream = f.Stream
		if f.Flags.Has(http2.FlagHeadersEndHeaders) {
			w.open = false
			b = h2test.AppendFrame(b, http2.FrameHeaders, w.fin|http2.FlagHeadersEndHeaders, f.Stream, literals(f.Fields))
		}
	}
	_, _ = nc.Write(b) // a connection that is gone shows when it is read
}

// carry takes one direction to its end. What cannot be read is passed on as it is.
func (k *link) carry(from, to net.Conn, w *way, a alter, preface string) {
	defer k.close()
	if _, err := io.CopyN(to, from, int64(len(preface))); err != nil {
		return
	}
	buf, rest := make([]byte, 32<<10), []byte(nil)
	for {
		n, err := from.Read(buf)
		rest = append(rest, buf[:n]...)
		for {
			length := 0
			if len(rest) >= 9 {
				length = 9 + int(rest[0])<<16 + int(rest[1])<<8 + int(rest[2])
			}
			if length == 0 || len(rest) < length {
				break
			}
			fs, derr := w.dec.Feed(rest[:length])
			k.mu.Lock()
			if derr != nil {
				_, _ = to.Write(rest[:length])
				k.mu.Unlock()
				w.dec = h2test.Decoder{}
				rest = rest[length:]
				continue
			}
			for _, f := range fs {
				out := []h2test.Frame{f}
				if a != nil {
					out = a(k, f)
				}
				k.put(to, w, out)
			}
			k.mu.Unlock()
			rest = rest[length:]
		}
		if err != nil {
			return
		}
	}
}

// literals is a field block that uses no table.
func literals(fields []hpack.HeaderField) []byte {
	var b []byte
	str := func(s string) {
		if n := len(s); n < 127 {
			b = append(b, byte(n))
		} else {
			b = append(b, 127)
			for n -= 127; n >= 128; n >>= 7 {
				b = append(b, byte(n)|128)
			}
			b = append(b, byte(n))
		}
		b = append(b, s...)
	}
	for _, f := range fields {
		b = append(b, 0)
		str(f.Name)
		str(f.Value)
	}
	return b
}

// data is a DATA frame.
func data(id uint32, fin bool, b []byte) h2test.Frame {
	f := h2test.Frame{Type: http2.FrameData, Stream: id, Payload: b, Data: b}
	if fin {
		f.Flags = http2.FlagDataEndStream
	}
	return f
}

// rst is RST_STREAM.
func rst(id uint32, code http2.ErrCode) h2test.Frame {
	return h2test.Frame{Type: http2.FrameRSTStream, Stream: id, Payload: []byte{0, 0, 0, byte(code)}, Code: code}
}

// increment is WINDOW_UPDATE.
func increment(id, n uint32) h2test.Frame {
	return h2test.Frame{Type: http2.FrameWindowUpdate, Stream: id, Payload: []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, Inc: n}
}

// settings is SETTINGS.
func settings(ss ...http2.Setting) h2test.Frame {
	f := h2test.Frame{Type: http2.FrameSettings, Settings: ss}
	for _, s := range ss {
		f.Payload = append(f.Payload, byte(s.ID>>8), byte(s.ID), byte(s.Val>>24), byte(s.Val>>16), byte(s.Val>>8), byte(s.Val))
	}
	return f
}
