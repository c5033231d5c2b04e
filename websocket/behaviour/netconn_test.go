package behaviour_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"testing"

	"golang.org/x/net/nettest"

	"weir/websocket"
)

// TestNetConnContract: a NetConn is a net.Conn in all that package nettest asks, over either
// version of HTTP, with TLS and without, compressed and not.
func TestNetConnContract(t *testing.T) {
	for name, tt := range map[string]struct {
		version  websocket.HTTPVersion
		compress bool
	}{
		"h1": {websocket.HTTP1, false}, "h2c": {websocket.HTTP2, false}, "h1tls": {websocket.HTTP1, false}, "h2": {websocket.HTTP2, false},
		"h1_deflate": {websocket.HTTP1, true}, "h2c_deflate": {websocket.HTTP2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				o := websocket.Options{Compress: tt.compress}
				accepted := make(chan *websocket.Conn, 1)
				srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if c, err := websocket.Accept(w, r, &o); err == nil {
						accepted <- c
					}
				})}
				if _, err := websocket.ConfigureServer(srv, nil); err != nil {
					return nil, nil, nil, err
				}
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					return nil, nil, nil, err
				}
				url := "ws://" + ln.Addr().String()
				if name == "h1tls" || name == "h2" {
					url = "wss://" + ln.Addr().String()
					srv.TLSConfig.Certificates = []tls.Certificate{testCert()}
					go srv.ServeTLS(ln, "", "") // ends when the server is closed
				} else {
					go srv.Serve(ln) // ends when the server is closed
				}
				d := &websocket.Dialer{HTTP: tt.version, TLS: &tls.Config{InsecureSkipVerify: true}}
				c, _, err := d.Dial(t.Context(), url, &websocket.DialOptions{Options: o})
				if err != nil {
					srv.Close()
					return nil, nil, nil, err
				}
				s := <-accepted
				if got := s.Session().Extensions() != ""; got != tt.compress {
					t.Errorf("compressed: %v, want %v", got, tt.compress)
				}
				return c.NetConn(websocket.BinaryFrame), s.NetConn(websocket.BinaryFrame), func() {
					c.CloseNow()
					s.CloseNow()
					d.CloseIdle()
					srv.Close()
				}, nil
			})
		})
	}
}
