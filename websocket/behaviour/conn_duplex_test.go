package behaviour_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"weir/websocket"
)

// Two Conns that send each other much more than all windows hold, and read: neither waits for the other for ever.
func TestConnBothSendMuch(t *testing.T) {
	each(t, overTCP, func(h *house) {
		accepted := make(chan *websocket.Conn, 1)
		h.mux.HandleFunc("/duplex", func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				h.Error(err)
			}
			accepted <- c
		})
		c, _, err := h.dialer().Dial(background, h.url("/duplex"), nil)
		if err != nil {
			h.Fatal(err)
		}
		const messages, size = 100, 30_000
		done := make(chan error)
		for _, end := range []*websocket.Conn{c, <-accepted} {
			go func() { // ends when all is written
				var err error
				for i := 0; i < messages && err == nil; i++ {
					err = end.Write(background, websocket.BinaryFrame, bytes.Repeat([]byte{byte(i)}, size))
				}
				done <- err
			}()
			go func() { // ends when all is read
				var err error
				for i := 0; i < messages && err == nil; i++ {
					var msg []byte
					if _, msg, err = end.Read(background); err == nil && bytes.Count(msg, []byte{byte(i)}) != size {
						h.Errorf("message %d: %d octets", i, len(msg))
					}
				}
				done <- err
			}()
		}
		for range 4 {
			if err := <-done; err != nil {
				h.Error(err)
			}
		}
		if err := c.Close(1000, ""); err != nil {
			h.Error(err)
		}
	})
}

// A session whose peer does not read takes what the peer sends, as long as no more than SendHigh is queued: messages, pings
// and the close frame.
func TestNotReadStillHeard(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{SendHigh: 1 << 20, SendTimeout: -1})
		c.withhold()
		a.session().Post(fromInfo{websocket.Binary(strings.Repeat("x", 500_000))})
		settle()
		c.send(text("hello"), ping("p"))
		settle()
		if got, want := a.told(), "init; info; text hello; ping p"; got != want {
			h.Errorf("told %q, want %q", got, want)
		}
		c.send(closing(1000, ""))
		settle()
		h.wantReason(a, "remote")
	})
}
