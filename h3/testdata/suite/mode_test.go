// Mode h3 of the behaviour suite in websocket, whose tests these files are when h3/suite_test.go runs
// it: package websocket may not import h3.
package websocket_test

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"weir/h3"
	"weir/h3/h3test"
	"weir/stream"

	"golang.org/x/net/quic"
)

// three is what a house of mode h3 has of its own.
type three struct {
	quic   *h3.Server
	net    *h3test.Network
	socket net.PacketConn // the server's end
	peer   *h3test.Peer   // the one connection
}

func (h *house) h3() *three { return h.third.(*three) }

func init() {
	mode3 = &parts3{
		begin: func(h *house) { h.third = &three{net: h3test.NewNetwork(1, h3test.Link{})} },
		serve: serve3,
		connect: func(h *house, path string, fields []string) (exchange, error) {
			t, err := h.shared3().Connect(path, fields...)
			if err != nil {
				return exchange{}, err
			}
			return exchange{t, t.Status, t.Field}, nil
		},
		get:     func(h *house, path string) (int, []byte, error) { return h.shared3().Get(path) },
		lose:    func(h *house) { h.shared3().Close() },
		code:    code3,
		cancel:  func(w wire) { w.(*h3test.Tunnel).Cancel(h3test.RequestCancelled) },
		empty:   func(w wire) { w.(*h3test.Tunnel).Frame(h3test.FrameData, nil) },
		refuses: refuses3,
		left: func(h *house) int {
			st := h.h3().quic.Stats()
			return st.Conns + st.Streams + st.Tunnels + st.Handshakes
		},
	}
}

// serve3 serves HTTP/3 alone.
func serve3(h *house) {
	h.srv.TLSConfig.Certificates = []tls.Certificate{testCert()}
	q, err := h3.ConfigureServer(h.srv, nil)
	if err != nil {
		h.Fatal(err)
	}
	h.ws.Add(q)
	k := h.h3()
	k.quic, k.socket = q, k.net.Listen()
	go q.Serve(k.socket)               // ends when the server is closed
	h.close = append(h.close, func() { // a client's own end, or it would be asked for what it has
		if k.peer != nil {
			k.peer.Close()
		}
	})
}

// dial3 opens a connection of HTTP/3.
func (h *house) dial3() (*h3test.Peer, error) {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	return h3test.Dial(ctx, h.h3().net.Listen(), h.h3().socket.LocalAddr(), h3test.Options{QUIC: func(c *quic.Config) {
		c.MaxStreamWriteBufferSize, c.MaxStreamReadBufferSize, c.MaxConnReadBufferSize = quicWrites, quicReads, 64<<20
	}})
}

// shared3 is the one HTTP/3 connection of this house.
func (h *house) shared3() *h3test.Peer {
	h.Helper()
	k := h.h3()
	if k.peer == nil {
		p, err := h.dial3()
		if err != nil {
			h.Fatal(err)
		}
		k.peer = p
	}
	return k.peer
}

// code3 is the code of a reset in err, as HTTP/2 has it.
func code3(err error) (stream.Code, bool) {
	if code, ok := h3test.CloseCode(err); ok {
		switch code {
		case h3test.NoError:
			return stream.NoError, true
		case h3test.RequestCancelled:
			return stream.Cancel, true
		case h3test.MessageError:
			return stream.ProtocolError, true
		}
		return stream.InternalError, true
	}
	return 0, false
}

// refuses3 begins to drain over HTTP/3: there is one GOAWAY, with the id of the next stream, and a
// new connection is refused at once.
func refuses3(h *house) {
	h.Helper()
	h.shutdown(10 * time.Second)
	if last, err := h.shared3().GoAways(1); err != nil || last[0] != 4 {
		h.Errorf("GOAWAY %v, %v", last, err)
	}
	start := time.Now()
	if p, err := h.dial3(); err == nil {
		p.Close()
		h.Error("a new connection is taken")
	}
	if d := time.Since(start); d > time.Second {
		h.Errorf("it was refused after %v", d)
	}
	t, err := h.shared3().Begin("/", "sec-websocket-version", "13")
	if err == nil {
		err = t.Answer(time.Minute)
	}
	if code, ok := h3test.CloseCode(err); !ok || code != h3test.RequestRejected {
		h.Errorf("a new request: %v", err)
	}
}
