package websockettest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"
	"weir/upgrade"
	"weir/websocket"
	. "weir/websocket/websockettest"
	"weir/wsframe"
)

// What a peer does, and what comes of it: one test a verb, over all transports.

func TestReset(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		p := Open(t, tr, echo{}, nil)
		p.Reset()
		p.WantReason("error:closed")
	})
}

func TestCloseWrite(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		p := Open(t, tr, echo{}, nil)
		p.SendText("x")
		p.CloseWrite()
		p.WantText("x")
		p.WantEnd()
		p.WantReason("error:closed")
	})
}

// TestLose: nobody is told that the network is gone. Who asks finds out.
func TestLose(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		p := Open(t, tr, echo{}, &websocket.Options{PingInterval: 10 * time.Second, IdleTimeout: time.Minute})
		p.AnswerPings()
		time.Sleep(time.Hour)
		p.SendText("still there")
		p.WantText("still there")
		begin := time.Now()
		p.Lose()
		p.SendText("into the void")
		p.WantSilence(50 * time.Second)
		p.WantReason("timeout")
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("it was noticed after %v", d)
		}
	})
}

// TestLoseOne: over HTTP/1.1 and on a pipe others do not notice.
func TestLoseOne(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		h := Serve(t, tr, websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return echo{}, nil
		}))
		p, q := h.Open(Request{}), h.Open(Request{})
		p.Lose()
		q.SendText("x")
		q.WantText("x")
		if n := h.Sessions(); n != 2 {
			t.Errorf("%d sessions", n)
		}
	}, Pipe, H1, H1TLS)
}

// TestPause: a handler whose peer does not read feels it: what it sends is queued, and no post is
// taken any more.
func TestPause(t *testing.T) {
	const size, most = 1000, 1000
	Each(t, func(t *testing.T, tr Transport) {
		taken := 0
		p := Open(t, tr, &handler{info: func(msg any, out websocket.Commands) websocket.Commands {
			taken++
			return append(out, websocket.Text(msg.(string)))
		}}, &websocket.Options{SendHigh: 4000, SendTimeout: -1, IdleTimeout: -1})
		p.Pause()
		s := p.Session()
		for range most {
			if err := s.Post(strings.Repeat("x", size)); err != nil {
				t.Fatal(err)
			}
		}
		p.WantSilence(time.Second)
		if taken == most {
			t.Fatal("all was taken, though nobody reads")
		}
		p.Resume()
		for range most {
			p.WantText(strings.Repeat("x", size))
		}
		if taken != most {
			t.Errorf("%d of %d posts were taken", taken, most)
		}
	})
}

// TestSendTimeout: a peer that never reads is given up.
func TestSendTimeout(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		p := Open(t, tr, replies(func(string) websocket.Commands {
			return websocket.Commands{websocket.Text(strings.Repeat("x", 1<<20))}
		}), &websocket.Options{SendTimeout: 5 * time.Second, IdleTimeout: -1})
		p.Pause()
		p.SendText("much, please")
		p.WantReason("error:timeout")
	})
}

// TestUnsent: Active(false) leaves the peer without credit.
func TestUnsent(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		got := 0
		p := Open(t, tr, &handler{
			init: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
				return append(out, websocket.Active(false))
			},
			handle: func(_ websocket.Frame, out websocket.Commands) websocket.Commands { got++; return out },
			info:   func(_ any, out websocket.Commands) websocket.Commands { return append(out, websocket.Active(true)) },
		}, nil)
		p.WantCommands(websocket.Active(false))
		for range 500 {
			p.SendText(strings.Repeat("x", 1000))
		}
		p.WantSilence(time.Second)
		if n := p.Unsent(); n == 0 || got > 0 {
			t.Fatalf("%d octets wait, %d messages were handled", n, got)
		}
		p.Session().Post("go on")
		p.WantCommands(websocket.Active(true))
		p.WantSilence(time.Second)
		if n := p.Unsent(); n > 0 || got != 500 {
			t.Fatalf("%d octets wait, %d messages were handled", n, got)
		}
	})
}

func TestOctets(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		p := Open(t, tr, echo{}, nil)
		frame := wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: wsframe.Text, Masked: true}, []byte("as it is"))
		p.SendOctets(frame[:7]...)
		p.WantSilence(time.Second)
		p.SendOctets(frame[7:]...)
		p.WantText("as it is")
		p.SendOctets(0x81, 0x01, 'x') // not masked
		p.WantClose(1002, "")
		p.WantReason("error:badframe")
	})
}

func TestCut(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		p := Open(t, tr, echo{}, nil)
		p.Session().Cut()
		p.WantReset()
		p.WantReason("error:closed")
	})
}

func TestDrain(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		p := Open(t, tr, &handler{drain: func(out websocket.Commands) websocket.Commands {
			return append(out, websocket.Text("we restart"), websocket.Close(1012, "soon"))
		}}, nil)
		p.Drain()
		p.WantText("we restart")
		p.WantClose(1012, "soon")
		p.WantReason("stop")
		q := Open(t, tr, echo{}, nil)
		q.Drain()
		q.WantClose(1001, "")
	})
}

// TestInitFirst: Open returns behind Init, and does not wait for one that blocks.
func TestInitFirst(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		done := 0
		Open(t, tr, &handler{init: func(_ *websocket.Session, out websocket.Commands) websocket.Commands { done++; return out }}, nil)
		if done != 1 {
			t.Error("Init had not returned")
		}
		begin, gate := time.Now(), make(chan struct{})
		p := Open(t, tr, &handler{init: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
			<-gate
			return append(out, websocket.Text("at last"))
		}}, nil)
		if d := time.Since(begin); d > time.Second {
			t.Errorf("Open took %v", d)
		}
		p.WantSilence(time.Hour)
		close(gate)
		p.WantText("at last")
	})
}

// TestOwnGroup: sessions of a Group of the handler's are no others.
func TestOwnGroup(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		g, stuck := new(websocket.Group), make(chan struct{})
		got := try(t, func(t testing.TB) {
			h := Serve(t, tr, websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
				return replies(func(string) websocket.Commands { <-stuck; return nil }), &websocket.Options{Group: g}
			}))
			p := h.Open(Request{})
			if h.Sessions() != 1 || g.Len() != 1 {
				t.Errorf("%d sessions, %d in their group", h.Sessions(), g.Len())
			}
			p.SendText("x")
			p.WantSilence(time.Second)
		})
		if len(got) != 1 || !strings.Contains(got[0], "a session has not come to its end") {
			t.Errorf("got %s", got)
		}
		close(stuck)
		time.Sleep(time.Minute)
		if n := g.Len(); n > 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

// TestOptionalCallbacks: a handler has those callbacks that it has, and no others.
func TestOptionalCallbacks(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		if err := Open(t, tr, echo{}, nil).Session().Post("x"); !errors.Is(err, websocket.ErrNoInfo) {
			t.Errorf("Post to a handler without Info: %v", err)
		}
		if err := Open(t, tr, &handler{}, nil).Session().Post("x"); err != nil {
			t.Errorf("Post to one with: %v", err)
		}
	})
}

func TestCompression(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		h := Serve(t, tr, websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return echo{}, &websocket.Options{Compress: true}
		}))
		p := h.Open(Request{Extensions: "permessage-deflate"})
		for range 3 { // with context takeover, both ways
			s := strings.Repeat("hello ", 1000)
			p.Send(Frame{Type: websocket.TextFrame, Compressed: true, Payload: s})
			p.Want(Frame{Type: websocket.TextFrame, Compressed: true, Payload: s})
			p.SendText(s)
			p.WantText(s)
		}
	})
}

// TestConn: handlers that block.
func TestConn(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		var last error
		p := Serve(t, tr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, &websocket.Options{IdleTimeout: -1})
			if err != nil {
				return
			}
			defer c.CloseNow()
			mw, err := c.Writer(context.Background(), websocket.TextFrame)
			if err != nil {
				return
			}
			for _, part := range []string{"in ", "three ", "parts"} {
				_, _ = io.WriteString(mw, part)
				_ = mw.Flush()
			}
			_ = mw.Close()
			for {
				kind, b, err := c.Read(context.Background())
				if last = err; err != nil {
					return
				}
				time.Sleep(time.Second) // it is a slow one
				_ = c.Write(context.Background(), kind, b)
			}
		})).Open(Request{})
		p.WantText("in three parts")
		p.SendText("a")
		p.SendText("b")
		p.WantSilence(time.Second / 2)
		p.Want(Text("a"), Text("b"))
		p.Close(4000, "enough")
		p.WantReason("remote")
		synctest.Wait()
		if code, ok := websocket.CloseStatus(last); code != 4000 || !ok {
			t.Errorf("Read gave %v", last)
		}
	})
}

// TestNewTransport: a transport of one's own.
func TestNewTransport(t *testing.T) {
	own := NewTransport(stream.Mem, func(srv *http.Server, _ *websocket.Server) (Client, error) { return &client{srv.Handler}, nil })
	Each(t, func(t *testing.T, tr Transport) {
		p := Open(t, tr, echo{}, nil)
		p.SendText("x")
		p.WantText("x")
		p.Close(1000, "")
		p.WantReason("remote")
	}, own)
	broken := NewTransport(stream.H3, func(*http.Server, *websocket.Server) (Client, error) { return nil, errors.New("no packets") })
	wantFailure(t, func(t testing.TB) { Open(t, broken, echo{}, nil) }, "h3: no packets")
	wantFailure(t, func(t testing.TB) { Open(t, Transport{}, echo{}, nil) }, "the zero Transport")
	wantFailure(t, func(t testing.TB) { Listen(t, Pipe) }, "nobody can dial pipe")
	if names := slices.Collect(func(yield func(string) bool) {
		for _, tr := range All() {
			if !yield(tr.String()) {
				return
			}
		}
	}); strings.Join(names, " ") != "pipe h1 h1tls h2c h2" {
		t.Error(names)
	}
}

// client opens pipes, as a transport in a test of its own may.
type client struct{ h http.Handler }

func (c *client) Open(ctx context.Context, r *http.Request) (stream.Stream, *http.Response, error) {
	w := &opener{header: http.Header{}}
	c.h.ServeHTTP(w, r.WithContext(ctx))
	return w.peer, &http.Response{StatusCode: 101, Header: w.header}, nil
}

func (c *client) Close() error { return nil }

type opener struct {
	header http.Header
	peer   stream.Stream
}

func (o *opener) Header() http.Header         { return o.header }
func (o *opener) WriteHeader(int)             {}
func (o *opener) Write(b []byte) (int, error) { return len(b), nil }
func (o *opener) OpenStream(header http.Header) (st stream.Stream, err error) {
	o.header = header
	st, o.peer = stream.Pipe()
	return st, nil
}

// TestRealTime: outside of a bubble the same calls work.
func TestRealTime(t *testing.T) {
	for _, tr := range All() {
		t.Run(tr.String(), func(t *testing.T) {
			p := Open(t, tr, echo{}, nil)
			p.Patience = time.Hour // go test ends it before
			p.SendText("x")
			p.WantText("x")
			p.WantSilence(time.Millisecond)
			p.Close(1000, "")
			p.WantReason("remote")
		})
	}
}

// TestServerPeer: the verbs of a peer that is the server.
func TestServerPeer(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		l := Listen(t, tr)
		open := func() (*websocket.Conn, *Peer) {
			opened := make(chan *websocket.Conn, 1)
			go func() { // ends with Dial
				c, _, err := l.Dialer().Dial(t.Context(), l.URL, &websocket.DialOptions{Options: websocket.Options{
					PingInterval: 10 * time.Second, IdleTimeout: time.Minute, SendTimeout: -1}})
				if err != nil {
					t.Error(err)
				}
				opened <- c
			}()
			p := l.Accept()
			return <-opened, p
		}
		c, p := open()
		c2, p2 := open()
		go c2.Read(t.Context()) // serves pings; ends with c2
		p2.AnswerPings()

		p.Pause()
		wrote := make(chan error, 1)
		go func() { // ends with Write
			for range 10 {
				if err := c.Write(t.Context(), websocket.BinaryFrame, make([]byte, 100_000)); err != nil {
					wrote <- err
					return
				}
			}
			wrote <- nil
		}()
		p.WantSilence(time.Second)
		select {
		case err := <-wrote:
			t.Errorf("a megabyte was written, though nobody reads: %v", err)
		default:
		}
		p.Resume()
		for range 10 {
			p.WantBinary(strings.Repeat("\x00", 100_000))
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}

		begin := time.Now()
		p.Lose()
		if _, _, err := c.Read(t.Context()); err == nil || time.Since(begin) < 50*time.Second || time.Since(begin) > time.Minute {
			t.Errorf("Read gave %v after %v", err, time.Since(begin))
		}
		p2.Send(Text("x")) // which has a connection of its own
		p2.WantSilence(time.Second)
		p2.Reset()
		<-c2.Context().Done()

		c, p = open()
		p.CloseWrite()
		if _, _, err := c.Read(t.Context()); err == nil {
			t.Error("Read gave no error behind the end")
		}
	}, OverHTTP()...)
}

// TestServerPeerIsNoHandler: what only the peer of a handler knows.
func TestServerPeerIsNoHandler(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		for _, ask := range []func(p *Peer){
			func(p *Peer) { p.WantReason("stop") },
			func(p *Peer) { p.WantCommands() },
			func(p *Peer) { p.Session() },
			func(p *Peer) { p.Drain() },
		} {
			wantFailure(t, func(t testing.TB) {
				l := Listen(t, tr)
				go l.Dialer().Dial(context.Background(), l.URL, nil) // ends with the handshake
				ask(l.Accept())
			}, "this peer is the server")
		}
		wantFailure(t, func(t testing.TB) { Listen(t, tr).Accept() }, "nobody has dialled for 2m0s")
	}, OverHTTP()...)
}

// hijacks is a handler of another library's kind: it takes the connection over, and speaks frames
// itself.
func hijacks(w http.ResponseWriter, r *http.Request) {
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "+
		upgrade.AcceptKey(r.Header.Get("Sec-WebSocket-Key"))+"\r\n\r\n")
	_, _ = nc.Write(wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: wsframe.Text}, []byte("hello")))
	_, _ = io.CopyN(io.Discard, rw, 8) // a close frame of 8 octets, or the end
}

// TestOtherLibraries: handlers that are none of weir's have a peer, too.
func TestOtherLibraries(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		h := Serve(t, tr, http.HandlerFunc(hijacks))
		begin := time.Now()
		p := h.Open(Request{})
		if time.Since(begin) > time.Millisecond {
			t.Error("Open waited for an Init")
		}
		p.WantText("hello")
		p.Send(Frame{Type: websocket.CloseFrame, Payload: "\x03\xe8"})
		p.WantEnd()
		wantFailure(t, func(t testing.TB) {
			p := Serve(t, tr, http.HandlerFunc(hijacks)).Open(Request{})
			p.WantReason("stop")
		}, "was not opened by package websocket")
	}, OverHTTP()...)
	Each(t, func(t *testing.T, tr Transport) {
		Serve(t, tr, http.HandlerFunc(hijacks)).WantRefused(Request{}, 500) // there is nothing to hijack
	}, Pipe)
}
