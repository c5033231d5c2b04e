package h3

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h3/h3test"
	"weir/stream"
)

// rawServer runs body in fake time with a client and the server that it has dialled, which says
// nothing that body does not.
func rawServer(t *testing.T, cfg ClientConfig, body func(t *testing.T, cl *Client, p *h3test.Peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := h3test.NewNetwork(1, h3test.Link{Delay: time.Millisecond})
		pc := network.Listen()
		srv, err := h3test.Listen(pc, h3test.Options{Bare: true})
		if err != nil {
			t.Fatal(err)
		}
		d := &Dialer{Config: cfg, ListenPacket: func(context.Context, net.Addr) (net.PacketConn, error) { return network.Listen(), nil }}
		cl, err := d.Dial(context.Background(), pc.LocalAddr().String(), clientTLS())
		if err != nil {
			t.Fatal(err)
		}
		p, err := srv.Accept(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		body(t, cl, p)
		cl.Close()
		<-cl.Done()
		srv.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

// greeting is what a server's control stream begins with.
func greeting(pairs ...uint64) []byte {
	return h3test.AppendSettings([]byte{h3test.StreamControl}, pairs...)
}

// TestClientFaults: what a server may not say ends the connection with the code and the section
// that the RFC names.
func TestClientFaults(t *testing.T) {
	frame := func(kind uint64, payload ...byte) []byte { return h3test.AppendFrame(nil, kind, payload) }
	control := func(b ...byte) func(*h3test.Peer) {
		return func(p *h3test.Peer) { _ = p.Control(append(greeting(), b...)) }
	}
	bare := func(b ...byte) func(*h3test.Peer) { return func(p *h3test.Peer) { _, _ = p.Uni(b) } }
	settings := func(pairs ...uint64) func(*h3test.Peer) {
		return func(p *h3test.Peer) { _ = p.Control(greeting(pairs...)) }
	}
	two := func(kind byte) func(*h3test.Peer) {
		return func(p *h3test.Peer) {
			_, _ = p.Uni([]byte{kind})
			_, _ = p.Uni([]byte{kind})
		}
	}
	for name, c := range map[string]struct {
		say  func(*h3test.Peer)
		code Code
		rule string
	}{
		"no settings":             {bare(append([]byte{0}, frame(frameGoAway, 0)...)...), MissingSettings, "RFC 9114, 6.2.1"},
		"settings late":           {func(*h3test.Peer) {}, MissingSettings, "RFC 9114, 6.2.1"},
		"settings twice":          {control(frame(frameSettings)...), FrameUnexpected, "RFC 9114, 7.2.4"},
		"setting twice":           {settings(9, 1, 9, 1), SettingsError, "RFC 9114, 7.2.4"},
		"setting of HTTP/2":       {settings(4, 1), SettingsError, "RFC 9114, 7.2.4.1"},
		"connect of 2":            {settings(8, 2), SettingsError, "RFC 8441, 3"},
		"datagram of 2":           {settings(0x33, 2), SettingsError, "RFC 9297, 2.1.1"},
		"half a setting":          {bare(0, frameSettings, 1, 8), FrameError, "RFC 9114, 7.1"},
		"a long SETTINGS":         {bare(0, frameSettings, 0x80, 1, 0, 0), ExcessiveLoad, "RFC 9114, 10.5"},
		"DATA on control":         {control(frame(frameData)...), FrameUnexpected, "RFC 9114, 7.2.1"},
		"HEADERS on control":      {control(frame(frameHeaders)...), FrameUnexpected, "RFC 9114, 7.2.2"},
		"PUSH_PROMISE on control": {control(frame(framePushPromise)...), FrameUnexpected, "RFC 9114, 7.2.5"},
		"MAX_PUSH_ID":             {control(frame(frameMaxPushID, 1)...), FrameUnexpected, "RFC 9114, 7.2.7"},
		"CANCEL_PUSH":             {control(frame(frameCancelPush, 1)...), IDError, "RFC 9114, 7.2.3"},
		"PRIORITY_UPDATE":         {control(frame(framePriorityUpdate, 0)...), FrameUnexpected, "RFC 9218, 7.2"},
		"a frame of HTTP/2":       {control(frame(0x6)...), FrameUnexpected, "RFC 9114, 7.2.8"},
		"GOAWAY of no request":    {control(frame(frameGoAway, 1)...), IDError, "RFC 9114, 7.2.6"},
		"GOAWAY that grows":       {control(append(frame(frameGoAway, 4), frame(frameGoAway, 8)...)...), IDError, "RFC 9114, 5.2"},
		"a long GOAWAY":           {control(frame(frameGoAway, 4, 4)...), FrameError, "RFC 9114, 7.1"},
		"an empty GOAWAY":         {control(frame(frameGoAway)...), FrameError, "RFC 9114, 7.1"},
		"control twice": {func(p *h3test.Peer) {
			_, _ = p.Uni(greeting())
			_, _ = p.Uni([]byte{0})
		}, StreamCreationError, "RFC 9114, 6.2.1"},
		"control ends": {func(p *h3test.Peer) {
			_ = p.Control(greeting())
			_ = p.EndControl(0)
		}, ClosedCritical, "RFC 9114, 6.2.1"},
		"control is reset": {func(p *h3test.Peer) {
			_ = p.Control(greeting())
			time.Sleep(time.Second)
			_ = p.EndControl(1)
		}, ClosedCritical, "RFC 9114, 6.2.1"},
		"push":                   {bare(streamPush, 0), IDError, "RFC 9114, 4.6"},
		"encoder twice":          {two(streamEncoder), StreamCreationError, "RFC 9204, 4.2"},
		"decoder twice":          {two(streamDecoder), StreamCreationError, "RFC 9204, 4.2"},
		"capacity":               {bare(streamEncoder, 0x21), QPACKEncoderError, "RFC 9204, 4.3.1"},
		"insert":                 {bare(streamEncoder, 0x41, 'x', 0), QPACKEncoderError, "RFC 9204, 3.2.2"},
		"duplicate":              {bare(streamEncoder, 0), QPACKEncoderError, "RFC 9204, 3.2.2"},
		"section acknowledgment": {bare(streamDecoder, 0x80), QPACKDecoderError, "RFC 9204, 4.4.1"},
		"insert count increment": {bare(streamDecoder, 1), QPACKDecoderError, "RFC 9204, 4.4.3"},
		"endless cancellation":   {bare(streamDecoder, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), QPACKDecoderError, "RFC 9204, 4.1.1"},
		"a flood of nothing": {func(p *h3test.Peer) {
			_ = p.Control(greeting())
			for range 3000 {
				_ = p.Control(frame(0x21))
			}
		}, ExcessiveLoad, "RFC 9114, 10.5"},
		"a flood of cancellations": {func(p *h3test.Peer) {
			b := make([]byte, 3001)
			for i := range b {
				b[i] = 0x40
			}
			b[0] = streamDecoder
			_, _ = p.Uni(b)
		}, ExcessiveLoad, "RFC 9114, 10.5"},
	} {
		t.Run(name, func(t *testing.T) {
			rawServer(t, ClientConfig{}, func(t *testing.T, cl *Client, p *h3test.Peer) {
				c.say(p)
				<-cl.Done()
				fault, ok := errors.AsType[*ConnError](cl.Err())
				if !ok || fault.Code != c.code || fault.Rule != c.rule || fault.Remote {
					t.Fatal(cl.Err())
				}
				if !strings.Contains(fault.Error(), c.rule) || !errors.Is(fault, net.ErrClosed) {
					t.Error(fault)
				}
				if code, _ := h3test.CloseCode(p.Wait(time.Minute)); Code(code) != c.code {
					t.Errorf("the server is told %v", code)
				}
			})
		})
	}
}

// TestClientTolerates: what has to be ignored is (RFC 9114, 6.2.3, 7.2.4.1, 7.2.8 and 9).
func TestClientTolerates(t *testing.T) {
	rawServer(t, ClientConfig{}, func(t *testing.T, cl *Client, p *h3test.Peer) {
		_, _ = p.Uni([]byte{0x21, 1, 2, 3})                // a reserved type of stream
		_, _ = p.Uni([]byte{streamEncoder, 0x20})          // a capacity of 0
		_, _ = p.Uni([]byte{streamDecoder, 0x7f, 9, 0x41}) // cancellations
		for _, b := range greeting(8, 1, 0x21, 5, 6, 1000) {
			_ = p.Control([]byte{b}) // cut anywhere
		}
		_ = p.Control(h3test.AppendFrame(nil, 0x21, []byte("nobody knows it")))
		go func() {
			r, err := p.Request(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			_ = r.Frame(0x40, []byte("unknown"))
			_ = r.Headers(":status", "103", "link", "x")
			_ = r.Headers(":status", "200", "content-length", "0")
			_ = r.Frame(0x41, nil)
			_, _ = r.Write([]byte("hello"))
			_ = r.CloseWrite()
		}()
		st, res, err := cl.Open(context.Background(), extended("/"))
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		k := attach(st)
		_, _ = st.Send(nil, true)
		<-k.closed
		if k.text() != "hello" || k.err != nil {
			t.Errorf("%q, %v", k.text(), k.err)
		}
	})
}

// TestClientResponses: what a response may not be. A malformed one ends its request, and the
// connection lives (RFC 9114, 4.1.2); a frame that cannot stand there ends the connection.
func TestClientResponses(t *testing.T) {
	headers := func(fields ...string) func(*h3test.Tunnel) {
		return func(r *h3test.Tunnel) { _ = r.Headers(fields...) }
	}
	raw := func(b ...byte) func(*h3test.Tunnel) { return func(r *h3test.Tunnel) { _ = r.Raw(b) } }
	ended := func(say func(*h3test.Tunnel)) func(*h3test.Tunnel) {
		return func(r *h3test.Tunnel) {
			say(r)
			_ = r.CloseWrite()
		}
	}
	for name, c := range map[string]struct {
		say  func(*h3test.Tunnel)
		code Code
		rule string
		conn bool
	}{
		"no status":             {headers("server", "x"), MessageError, "RFC 9114, 4.3.2", false},
		"status twice":          {headers(":status", "200", ":status", "200"), MessageError, "RFC 9114, 4.3", false},
		"a status of letters":   {headers(":status", "2OO"), MessageError, "RFC 9114, 4.3.2", false},
		"a status of two":       {headers(":status", "20"), MessageError, "RFC 9114, 4.3.2", false},
		"status behind a field": {headers("server", "x", ":status", "200"), MessageError, "RFC 9114, 4.3", false},
		"a request's field":     {headers(":status", "200", ":path", "/"), MessageError, "RFC 9114, 4.3.2", false},
		"101":                   {headers(":status", "101"), MessageError, "RFC 9114, 4.5", false},
		"upper case":            {headers(":status", "200", "Server", "x"), MessageError, "RFC 9114, 4.1.2", false},
		"connection":            {headers(":status", "200", "connection", "close"), MessageError, "RFC 9114, 4.1.2", false},
		"a line in a value":     {headers(":status", "200", "x", "a\nb"), MessageError, "RFC 9114, 4.1.2", false},
		"over the limit":        {headers(":status", "200", "x", strings.Repeat("x", 70_000)), ExcessiveLoad, "RFC 9114, 4.2.2", false},
		"many small fields":     {headers(append([]string{":status", "200"}, strings.Split(strings.Repeat("x,,", 2000)+"x,", ",")...)...), ExcessiveLoad, "RFC 9114, 4.2.2", false},
		"only informational":    {ended(headers(":status", "103")), MessageError, "RFC 9114, 4.1.2", false},
		"nothing":               {ended(func(*h3test.Tunnel) {}), MessageError, "RFC 9114, 4.1.2", false},
		"DATA first":            {raw(frameData, 1, 'x'), FrameUnexpected, "RFC 9114, 4.1", true},
		"SETTINGS":              {raw(frameSettings, 0), FrameUnexpected, "RFC 9114, 7.2", true},
		"a push":                {raw(framePushPromise, 1, 0), IDError, "RFC 9114, 7.2.5", true},
		"HEADERS are cut":       {ended(raw(frameHeaders, 9, 0)), FrameError, "RFC 9114, 7.1", true},
		"a head is cut":         {ended(raw(frameHeaders)), FrameError, "RFC 9114, 7.1", true},
		"an unknown one is cut": {ended(raw(0x21, 9, 0)), FrameError, "RFC 9114, 7.1", true},
		"a dynamic entry":       {raw(frameHeaders, 3, 2, 0, 0x80), QPACKDecompression, "RFC 9204, 2.2", true},
		"an unknown entry":      {raw(frameHeaders, 4, 0, 0, 0xff, 0x40), QPACKDecompression, "RFC 9204, 2.2", true},
		"behind the trailers": {func(r *h3test.Tunnel) {
			_ = r.Headers(":status", "404")
			_ = r.Headers("x", "y")
			_ = r.Frame(frameData, nil)
		}, FrameUnexpected, "RFC 9114, 4.1", true},
	} {
		t.Run(name, func(t *testing.T) {
			rawServer(t, ClientConfig{}, func(t *testing.T, cl *Client, p *h3test.Peer) {
				_ = p.Control(greeting(8, 1))
				go func() {
					r, err := p.Request(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					c.say(r)
				}()
				st, _, err := cl.Open(context.Background(), extended("/"))
				if st != nil || err == nil || !strings.Contains(err.Error(), "("+c.rule+")") {
					t.Fatal(st, err)
				}
				if c.conn {
					<-cl.Done()
					fault, ok := errors.AsType[*ConnError](cl.Err())
					if !ok || fault.Code != c.code {
						t.Error(cl.Err())
					}
					return
				}
				if se, ok := errors.AsType[*StreamError](err); !ok || se.Code != c.code || se.Remote {
					t.Error(err)
				}
				if cl.Leaving() || cl.Streams() != 0 {
					t.Errorf("leaving %v, %d streams", cl.Leaving(), cl.Streams())
				}
			})
		})
	}
}

// TestClientTunnelFaults: on an open tunnel nothing but DATA may come (RFC 9114, 4.4), and no frame
// is cut (7.1).
func TestClientTunnelFaults(t *testing.T) {
	for name, c := range map[string]struct {
		say  func(*h3test.Tunnel)
		code Code
		rule string
	}{
		"HEADERS": {func(r *h3test.Tunnel) { _ = r.Headers("x", "y") }, FrameUnexpected, "RFC 9114, 4.4"},
		"GOAWAY":  {func(r *h3test.Tunnel) { _ = r.Frame(frameGoAway, []byte{0}) }, FrameUnexpected, "RFC 9114, 4.4"},
		"a cut DATA": {func(r *h3test.Tunnel) {
			_ = r.Raw([]byte{frameData, 5, 'x'})
			_ = r.CloseWrite()
		}, FrameError, "RFC 9114, 7.1"},
		"a flood": {func(r *h3test.Tunnel) {
			b := make([]byte, 6000)
			_ = r.Raw(b) // empty DATA
		}, ExcessiveLoad, "RFC 9114, 10.5"},
	} {
		t.Run(name, func(t *testing.T) {
			rawServer(t, ClientConfig{}, func(t *testing.T, cl *Client, p *h3test.Peer) {
				_ = p.Control(greeting(8, 1))
				go func() {
					r, err := p.Request(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					_ = r.Headers(":status", "200")
					c.say(r)
				}()
				st, _, err := cl.Open(context.Background(), extended("/"))
				if err != nil {
					t.Fatal(err)
				}
				k := attach(st)
				<-k.closed
				fault, ok := errors.AsType[*ConnError](k.err)
				if !ok || fault.Code != c.code || fault.Rule != c.rule {
					t.Error(k.err)
				}
			})
		})
	}
}

// TestClientRefusals: what a server says of a request without an answer, and what may be done
// about it.
func TestClientRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		say         func(p *h3test.Peer, r *h3test.Tunnel)
		unprocessed bool
		fallback    bool
		conn        bool
	}{
		"rejected":  {func(_ *h3test.Peer, r *h3test.Tunnel) { _ = r.Reset(h3test.Code(RequestRejected)) }, true, false, false},
		"cancelled": {func(_ *h3test.Peer, r *h3test.Tunnel) { _ = r.Reset(h3test.Code(RequestCancelled)) }, false, false, false},
		"fallback":  {func(_ *h3test.Peer, r *h3test.Tunnel) { _ = r.Reset(h3test.Code(VersionFallback)) }, false, true, false},
		"goaway":    {func(p *h3test.Peer, _ *h3test.Tunnel) { _ = p.Control([]byte{frameGoAway, 1, 0}) }, true, false, true},
		"closed":    {func(p *h3test.Peer, _ *h3test.Tunnel) { p.Abort(h3test.Code(InternalError)) }, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			rawServer(t, ClientConfig{}, func(t *testing.T, cl *Client, p *h3test.Peer) {
				_ = p.Control(greeting(8, 1))
				go func() {
					r, err := p.Request(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					c.say(p, r)
				}()
				_, _, err := cl.Open(context.Background(), extended("/"))
				if err == nil || errors.Is(err, stream.ErrUnprocessed) != c.unprocessed || errors.Is(err, stream.ErrFallback) != c.fallback {
					t.Error(err)
				}
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("%v is not net.ErrClosed", err)
				}
				if cl.Leaving() != c.conn || cl.Streams() != 0 {
					t.Errorf("leaving %v, %d streams", cl.Leaving(), cl.Streams())
				}
			})
		})
	}
	t.Run("not offered", func(t *testing.T) {
		rawServer(t, ClientConfig{}, func(t *testing.T, cl *Client, p *h3test.Peer) {
			_ = p.Control(greeting())
			if _, _, err := cl.Open(context.Background(), extended("/")); !errors.Is(err, ErrNoExtendedConnect) || !errors.Is(err, stream.ErrNotOffered) {
				t.Error(err)
			}
		})
	})
	t.Run("a small limit of fields", func(t *testing.T) {
		rawServer(t, ClientConfig{}, func(t *testing.T, cl *Client, p *h3test.Peer) {
			_ = p.Control(greeting(8, 1, 6, 100))
			if _, _, err := cl.Open(context.Background(), extended("/")); err == nil || !strings.Contains(err.Error(), "RFC 9114, 4.2.2") {
				t.Error(err)
			}
			if cl.Streams() != 0 {
				t.Errorf("%d streams", cl.Streams())
			}
		})
	})
}

// TestClientBody: what is kept of an answer that opens nothing.
func TestClientBody(t *testing.T) {
	for name, c := range map[string]struct {
		say  func(*h3test.Tunnel)
		want int
		end  error
	}{
		"whole": {func(r *h3test.Tunnel) {
			_, _ = r.Write([]byte("abc"))
			_ = r.Frame(0x21, []byte("?"))
			_, _ = r.Write([]byte("def"))
			_ = r.CloseWrite()
		}, 6, nil},
		"slow":  {func(r *h3test.Tunnel) { _, _ = r.Write([]byte("abc")) }, 3, io.ErrUnexpectedEOF},
		"large": {func(r *h3test.Tunnel) { _, _ = r.Write(make([]byte, 100_000)) }, MaxAnswer, io.ErrUnexpectedEOF},
		"reset": {func(r *h3test.Tunnel) {
			_, _ = r.Write([]byte("abc"))
			time.Sleep(time.Second)
			_ = r.Reset(h3test.Code(InternalError))
		}, 3, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			rawServer(t, ClientConfig{}, func(t *testing.T, cl *Client, p *h3test.Peer) {
				_ = p.Control(greeting(8, 1))
				go func() {
					r, err := p.Request(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					_ = r.Headers(":status", "404", "content-length", "6")
					c.say(r)
				}()
				begun := time.Now()
				st, res, err := cl.Open(context.Background(), extended("/"))
				if st != nil || err != nil || res.StatusCode != 404 || res.ContentLength != 6 {
					t.Fatal(st, res, err)
				}
				b, err := io.ReadAll(res.Body)
				if len(b) != c.want || err != c.end {
					t.Errorf("%d octets, %v", len(b), err)
				}
				if d := time.Since(begun); d > answerTime+time.Second {
					t.Errorf("it took %v", d)
				}
				if cl.Streams() != 0 || cl.Leaving() {
					t.Errorf("%d streams, leaving %v", cl.Streams(), cl.Leaving())
				}
			})
		})
	}
}
