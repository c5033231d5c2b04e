package behaviour_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"weir/h2/h2test"
	"weir/stream/streamtest"
	"weir/websocket"

	"golang.org/x/net/http2"
)

// unreadable is a connection whose reader stops when stop is closed.
type unreadable struct {
	net.Conn
	stop, gone chan struct{}
}

func (u *unreadable) Read(b []byte) (int, error) {
	select {
	case <-u.stop:
		<-u.gone
	default:
	}
	return u.Conn.Read(b)
}

// TestWriteToFullSocket (BEHAVIOUR 6, SendTimeout): over HTTP/2, too, Write of a large message ends
// with its context, and with the send timeout, when the peer has all windows open and does not read
// its socket.
func TestWriteToFullSocket(t *testing.T) {
	for _, mode := range []string{"h2c", "h2"} {
		for _, end := range []string{"context", "SendTimeout"} {
			t.Run(mode+"/"+end, func(t *testing.T) {
				done := make(chan error, 1)
				srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					ctx, o := context.Background(), &websocket.Options{}
					if end == "context" {
						var stop context.CancelFunc
						ctx, stop = context.WithTimeout(ctx, 200*time.Millisecond)
						defer stop()
					} else {
						o.SendTimeout = 200 * time.Millisecond
					}
					c, err := websocket.Accept(w, r, o)
					for err == nil {
						err = c.Write(ctx, websocket.BinaryFrame, make([]byte, 200<<10))
					}
					done <- err
				})}
				if _, err := websocket.ConfigureServer(srv, nil); err != nil {
					t.Fatal(err)
				}
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer srv.Close()
				nc, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				if mode == "h2" {
					srv.TLSConfig.Certificates = []tls.Certificate{testCert()}
					go srv.ServeTLS(l, "", "") // ends with Close
					nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
				} else {
					go srv.Serve(l) // ends with Close
				}
				u := &unreadable{nc, make(chan struct{}), make(chan struct{})}
				p := h2test.New(u, h2test.Options{Settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}}})
				defer p.Close()
				defer close(u.gone)
				if _, err := p.Settings(); err != nil {
					t.Fatal(err)
				}
				p.Send("WINDOW_UPDATE 0 1000000000")
				if tun, err := p.Connect("/", "sec-websocket-version", "13"); err != nil || tun.Status != 200 {
					t.Fatal(tun.Status, err)
				}
				close(u.stop)
				err = streamtest.Within(t, "Write returns, and does not wait for the peer", done)
				if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error(err)
				}
			})
		}
	}
}
