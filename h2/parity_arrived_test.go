package h2_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing/synctest"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// readLater reads the body after 2 s.
func readLater(p *play, w http.ResponseWriter, r *http.Request) {
	time.Sleep(2 * time.Second)
	n, err := io.Copy(io.Discard, r.Body)
	p.note("handler", "read=%d %s %s", n, broken(err), headerText(r.Trailer))
}

// halfClosed is a raw client, and how it ends its side of the socket.
func (p *play) halfClosed() (*h2test.Peer, func()) {
	nc := p.conn()
	peer := h2test.New(nc, h2test.Options{Scheme: p.scheme()})
	p.peers = append(p.peers, peer)
	synctest.Wait()
	return peer, func() {
		synctest.Wait() // what was written has left
		if err := nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			p.t.Error(err)
		}
	}
}

// parityArrivals are about bodies that arrived before the handler reads them.
var parityArrivals = []parityCase{
	{
		name:    "9113-8.1/a_whole_body_and_then_a_reset",
		handler: readLater,
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			tn.Write(make([]byte, 10_000))
			tn.CloseWrite()
			tn.Reset(http2.ErrCodeCancel)
			time.Sleep(5 * time.Second)
		},
		want: `handler: read=10000 ok `,
	},
	{
		name:    "9113-8.1/a_part_of_a_body_and_then_a_reset",
		handler: readLater,
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			tn.Write(make([]byte, 10_000))
			tn.Reset(http2.ErrCodeCancel)
			time.Sleep(5 * time.Second)
		},
		want: `handler: read=10000 error `,
	},
	{
		name:    "9113-8.1/a_whole_body_and_then_the_end_of_the_connection",
		handler: readLater,
		client: func(p *play) {
			peer, end := p.halfClosed()
			tn := p.open(peer, false, "POST", "/")
			tn.Write(make([]byte, 10_000))
			tn.CloseWrite()
			end()
			time.Sleep(5 * time.Second)
		},
		want: `handler: read=10000 ok `,
	},
	{
		name:    "9113-8.1/a_part_of_a_body_and_then_the_end_of_the_connection",
		handler: readLater,
		client: func(p *play) {
			peer, end := p.halfClosed()
			tn := p.open(peer, false, "POST", "/")
			tn.Write(make([]byte, 10_000))
			end()
			time.Sleep(5 * time.Second)
		},
		want: `handler: read=10000 error `,
	},
	{
		name:    "9113-8.1/trailers_and_then_a_reset",
		handler: readLater,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			tn := p.open(peer, false, "POST", "/", "trailer", "x-sum")
			tn.Write([]byte("body"))
			peer.Send("HEADERS 1 END_STREAM x-sum=7")
			tn.Reset(http2.ErrCodeCancel)
			time.Sleep(5 * time.Second)
		},
		want: `handler: read=4 ok X-Sum=["7"]`,
	},
	{
		name:    "net/http/ReadTimeout_passes_after_the_body_was_complete",
		server:  func(_ *play, hs *http.Server) { hs.ReadTimeout = time.Second },
		handler: readLater,
		client: func(p *play) {
			p.do(p.request("POST", "/", strings.NewReader("hello")))
		},
		want: `client: 200 | handler: read=5 ok `,
	},
	{
		name:    "net/http/ReadTimeout_passes_after_a_part_of_the_body",
		server:  func(_ *play, hs *http.Server) { hs.ReadTimeout = time.Second },
		handler: readLater,
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			tn.Write([]byte("hello"))
			p.told(tn)
		},
		want: `client: 200 RST_STREAM NO_ERROR | handler: read=5 error `,
	},
	{
		name: "net/http/SetReadDeadline_in_the_past_after_the_body_was_complete",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(-time.Second))
			readAll(p, w, r)
		},
		client: func(p *play) { p.do(p.request("POST", "/", strings.NewReader("hello"))) },
		want:   `client: 200 | handler: length=5 read=5 ok`,
	},
	{
		name:    "9113-6.9/150000_pieces_of_5_octets",
		handler: readAll,
		client:  pieces(150_000, 5),
		want:    `client: 200 | handler: length=-1 read=750000 ok`,
	},
	{
		name:    "9113-6.9/150000_pieces_of_an_octet",
		handler: readAll,
		client:  pieces(150_000, 1),
		want:    `client: 200 | handler: length=-1 read=150000 ok`,
	},
}

// pieces is a client that sends n DATA frames of so many octets.
func pieces(n, size int) func(p *play) {
	return func(p *play) {
		peer := p.peer(h2test.Options{})
		tn := p.open(peer, false, "POST", "/")
		for range n {
			if _, err := tn.Write(make([]byte, size)); err != nil {
				p.note("client", "%s", fault(err))
				return
			}
		}
		tn.CloseWrite()
		p.told(tn)
	}
}

// bigAnswer is the size of an answer that does not fit into windows or buffers of a connection.
const bigAnswer = 3 << 20

// writeBig answers with bigAnswer octets.
func writeBig(p *play, w http.ResponseWriter, _ *http.Request) {
	n, err := w.Write(make([]byte, bigAnswer))
	p.note("handler", "%d %s", n, fault(err))
}

// unread is a client of which the socket is not read for a while.
func (p *play) unread(pause time.Duration, rest func(*h2test.Tunnel)) {
	nc := &stalled{Conn: p.conn(), gate: make(chan struct{})}
	peer := h2test.New(nc, h2test.Options{Scheme: p.scheme(), Settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1 << 30}}})
	p.peers = append(p.peers, peer)
	peer.Send("WINDOW_UPDATE 0 100000000")
	synctest.Wait()
	nc.stall.Store(true)
	tn := p.open(peer, true, "GET", "/")
	time.Sleep(pause)
	nc.stall.Store(false)
	close(nc.gate)
	rest(tn)
}

// count reads what comes on tn.
func (p *play) count(tn *h2test.Tunnel) {
	_ = tn.SetReadDeadline(time.Now().Add(time.Hour))
	n, err := io.Copy(io.Discard, tn)
	p.note("client", "%d %s", n, fault(err))
}

// parityPauses are about clients that take their time: nothing that was answered is cut off for it.
var parityPauses = []parityCase{
	{
		name:    "9113-5.2/a_client_opens_no_window_for_10_minutes",
		handler: writeBig,
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), true, "GET", "/")
			tn.Withhold(true)
			time.Sleep(10 * time.Minute)
			tn.Withhold(false)
			p.count(tn)
		},
		want: `client: 3145728 ok | handler: 3145728 ok`,
	},
	{
		name:    "9113-5.2/a_client_does_not_read_its_socket_for_10_minutes",
		handler: writeBig,
		client:  func(p *play) { p.unread(10*time.Minute, p.count) },
		want:    `client: 3145728 ok | handler: 3145728 ok`,
	},
	{
		name: "9113-9.1/Connection_close_and_a_slow_client",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			writeBig(p, w, r)
		},
		client: func(p *play) { p.unread(time.Minute, p.drip) },
		want:   `client: 3145728 ok | handler: 3145728 ok`,
	},
	{
		name:    "9113-9.1/Shutdown_and_a_slow_client",
		handler: writeBig,
		client: func(p *play) {
			done := make(chan struct{})
			p.unread(time.Minute, func(tn *h2test.Tunnel) {
				go func() { // ends when everything has been read
					defer close(done)
					p.note("shutdown", "%s", fault(p.hs.Shutdown(p.t.Context())))
				}()
				p.drip(tn)
			})
			<-done
		},
		want: `client: 3145728 ok | handler: 3145728 ok | shutdown: ok`,
	},
	{
		name:    "9113-9.1/IdleTimeout_and_a_slow_client",
		server:  func(_ *play, hs *http.Server) { hs.IdleTimeout = time.Second },
		handler: writeBig,
		client:  func(p *play) { p.unread(time.Minute, p.drip) },
		want:    `client: 3145728 ok | handler: 3145728 ok`,
	},
	{
		name: "net/http/ConnState_of_short_connections",
		server: func(p *play, hs *http.Server) {
			hs.ConnState = func(_ net.Conn, s http.ConnState) {
				time.Sleep(time.Millisecond) // a hook takes its time
				p.note("state", "%v", s)
			}
		},
		handler: func(*play, http.ResponseWriter, *http.Request) {},
		client: func(p *play) {
			for range 3 {
				peer := p.peer(h2test.Options{})
				p.told(p.open(peer, true, "GET", "/"))
				peer.Close()
				time.Sleep(time.Second)
			}
		},
		want: `client: 200; 200; 200 | state: ` + strings.Repeat(`new; active; idle; active; idle; closed; `, 2) + `new; active; idle; active; idle; closed`,
	},
}

// drip reads what comes, 64 KiB in 400 ms.
func (p *play) drip(tn *h2test.Tunnel) {
	_ = tn.SetReadDeadline(time.Now().Add(time.Hour))
	n := 0
	for b := make([]byte, 64<<10); ; time.Sleep(400 * time.Millisecond) {
		k, err := io.ReadFull(tn, b)
		n += k
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			p.note("client", "%d ok", n)
			return
		}
		if err != nil {
			p.note("client", "%d %s", n, fault(err))
			return
		}
	}
}
