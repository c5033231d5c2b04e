package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
)

// A Dialer forgets servers that it has no connection to.
func TestDialForgets(t *testing.T) {
	d := &Dialer{HTTP: HTTP2, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, io.ErrUnexpectedEOF
	}}
	for i := range 1000 {
		if _, _, err := d.Dial(context.Background(), fmt.Sprintf("ws://host-%d.test/", i), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
	}
	if n := len(d.known()); n > 16 {
		t.Errorf("%d servers are remembered", n)
	}
}
