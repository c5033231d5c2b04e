package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"weir/h2/h2test"
	"weir/websocket"
	"weir/wsframe"
)

// scene is a server on the loopback and a client with one HTTP/2 connection to it, on which every WebSocket is.
type scene struct {
	hs   *http.Server
	peer *h2test.Peer
	made chan *websocket.Session // sessions as their Init runs
}

// echo sends every message back. The message true posted to its session pauses it, false lets it go on.
type echo struct{ made chan *websocket.Session }

func (e *echo) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	e.made <- s
	return out
}

func (e *echo) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	return append(out, f.Reply())
}

func (e *echo) Info(msg any, out websocket.Commands) websocket.Commands {
	if r, ok := msg.(request); ok {
		close(r.seen)
		return append(out, websocket.Active(!r.pause))
	}
	return out
}

// request is what pauses a session, and how its handler says that it has seen it.
type request struct {
	pause bool
	seen  chan struct{}
}

// window is what the client may send ahead on each WebSocket.
const window = 65535

func open() (*scene, error) {
	s := &scene{made: make(chan *websocket.Session, 1)}
	s.hs = &http.Server{Handler: websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return &echo{s.made}, &websocket.Options{IdleTimeout: -1, Window: window}
	})}
	quiet := slog.New(slog.DiscardHandler)
	cfg := new(websocket.Config)
	cfg.HTTP2.Logger = quiet
	if _, err := websocket.ConfigureServer(s.hs, cfg); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go s.hs.Serve(l) // ends with close
	nc, err := net.Dial("tcp", l.Addr().String())
	if err == nil {
		s.peer, err = h2test.Dial(nc)
	}
	if err != nil {
		s.hs.Close()
		return nil, err
	}
	return s, nil
}

func (s *scene) close() {
	s.peer.Close()
	s.hs.Close()
}

// socket is one WebSocket, both its ends.
type socket struct {
	t       *h2test.Tunnel
	session *websocket.Session
	in      []byte
	owed    int // octets of echoes that its pause has kept back
}

func (s *scene) socket() (*socket, error) {
	t, err := s.peer.Connect("/", "sec-websocket-version", "13")
	if err != nil {
		return nil, err
	}
	if t.Status != http.StatusOK {
		return nil, fmt.Errorf("refused with %d", t.Status)
	}
	return &socket{t: t, session: <-s.made}, nil
}

// key masks what the client sends. It need not be unforeseeable here.
var key = [4]byte{0x37, 0xfa, 0x21, 0x3d}

func message(dst []byte, payload []byte) []byte {
	return wsframe.AppendFrame(dst, wsframe.Header{Fin: true, Op: wsframe.Binary, Masked: true, Key: key}, payload)
}

// echo sends one message and waits for it to come back.
func (w *socket) echo(payload []byte) error {
	if _, err := w.t.Write(message(nil, payload)); err != nil {
		return err
	}
	want := wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: wsframe.Binary}, payload)
	w.in = append(w.in[:0], make([]byte, len(want))...)
	if _, err := io.ReadFull(w.t, w.in); err != nil {
		return err
	}
	if !bytes.Equal(w.in, want) {
		return errors.New("something else came back")
	}
	return nil
}

// active tells the handler to go on or to pause, and waits until it has seen it.
func (w *socket) active(on bool) error {
	r := request{!on, make(chan struct{})}
	if err := w.session.Post(r); err != nil {
		return err
	}
	<-r.seen
	return nil
}

// stall pauses the handler, and sends until the stream's window is empty.
func (w *socket) stall() error {
	if err := w.active(false); err != nil {
		return err
	}
	payload := make([]byte, 125)
	size := len(message(nil, payload))
	left := window
	var b []byte
	for ; left >= 2*size; left -= size {
		b = message(b, payload)
		w.owed += 2 + len(payload)
	}
	for _, n := range []int{left - size - 6, len(payload)} { // the rest, in two messages
		b = message(b, payload[:n])
		w.owed += 2 + n
	}
	if _, err := w.t.Write(b); err != nil {
		return err
	}
	return w.stalled()
}

// stalled says that there is no window for one octet more.
func (w *socket) stalled() error {
	w.t.SetReadDeadline(time.Unix(1, 0)) // long past: nothing waits
	defer w.t.SetReadDeadline(time.Time{})
	if n, err := w.t.Write([]byte{0}); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the window is not empty: %d octets were sent, %v", n, err)
	}
	return nil
}

// resume lets the handler go on, and reads all that was held back.
func (w *socket) resume() error {
	if err := w.active(true); err != nil {
		return err
	}
	n, err := io.CopyN(io.Discard, w.t, int64(w.owed))
	if err != nil {
		return fmt.Errorf("%d octets of %d came back: %w", n, w.owed, err)
	}
	w.owed = 0
	return nil
}
