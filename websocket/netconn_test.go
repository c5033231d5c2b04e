package websocket_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/net/nettest"

	"weir/websocket"
)

// TestNetConnContract: a NetConn is a net.Conn in all that package nettest asks, over either version of HTTP.
func TestNetConnContract(t *testing.T) {
	for name, version := range map[string]websocket.HTTPVersion{"h1": websocket.HTTP1, "h2c": websocket.HTTP2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				accepted := make(chan *websocket.Conn, 1)
				srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if c, err := websocket.Accept(w, r, nil); err == nil {
						accepted <- c
					}
				}))
				if _, err := websocket.ConfigureServer(srv.Config, nil); err != nil {
					return nil, nil, nil, err
				}
				srv.Start()
				d := &websocket.Dialer{HTTP: version}
				c, _, err := d.Dial(t.Context(), srv.URL, nil)
				if err != nil {
					srv.Close()
					return nil, nil, nil, err
				}
				s := <-accepted
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
