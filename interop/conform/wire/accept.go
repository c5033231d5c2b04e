package wire

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"weir/interop/conform"
	"weir/stream"
)

// Answer is what a server says to an opening handshake.
type Answer struct {
	Extensions  string // Sec-WebSocket-Extensions; empty: no such field
	Subprotocol string
	Log         *conform.Log
}

// Accept takes a request over: HTTP/1.1 by hijacking, HTTP/2 (RFC 8441) through the stream.Opener
// behind w. One that is no WebSocket handshake is answered, and an error comes of it. ctx bounds
// the connection's life; that of the request may end.
func Accept(ctx context.Context, w http.ResponseWriter, r *http.Request, a Answer) (*Conn, error) {
	h := http.Header{}
	if a.Extensions != "" {
		h.Set("Sec-WebSocket-Extensions", a.Extensions)
	}
	if a.Subprotocol != "" {
		h.Set("Sec-WebSocket-Protocol", a.Subprotocol)
	}
	var c *Conn
	var err error
	if r.ProtoMajor == 1 {
		c, err = hijack(ctx, w, r, h, a.Log)
	} else {
		c, err = open(ctx, w, r, h, a.Log)
	}
	if err != nil {
		return nil, err
	}
	c.Header, c.HTTP2 = r.Header, r.ProtoMajor != 1
	return c, nil
}

func hijack(ctx context.Context, w http.ResponseWriter, r *http.Request, h http.Header, log *conform.Log) (*Conn, error) {
	key := r.Header["Sec-Websocket-Key"]
	switch {
	case r.Method != http.MethodGet, !listed(r.Header["Upgrade"], "websocket"), !listed(r.Header["Connection"], "upgrade"):
		w.Header().Set("Upgrade", "websocket")
		return refuse(w, http.StatusUpgradeRequired, "no WebSocket handshake (RFC 6455, 4.2.1)")
	case len(key) != 1 || !isKey(key[0]):
		return refuse(w, http.StatusBadRequest, "no Sec-WebSocket-Key of 16 octets (RFC 6455, 4.2.1)")
	case r.Header.Get("Sec-Websocket-Version") != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		return refuse(w, http.StatusUpgradeRequired, "not version 13 (RFC 6455, 4.2.1)")
	}
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return refuse(w, http.StatusInternalServerError, err.Error())
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		nc.Close()
		return nil, err
	}
	head := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + Accepted(key[0]) + "\r\n")
	for name := range h {
		head = append(head, name+": "+h.Get(name)+"\r\n"...)
	}
	if _, err := nc.Write(append(head, "\r\n"...)); err != nil {
		nc.Close()
		return nil, err
	}
	return newConn(ctx, tcp{nc}, brw.Reader, log), nil
}

func isKey(key string) bool {
	b, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(b) == 16
}

// open answers an extended CONNECT.
func open(ctx context.Context, w http.ResponseWriter, r *http.Request, h http.Header, log *conform.Log) (*Conn, error) {
	if !strings.EqualFold(stream.Token(r.Context()), "websocket") {
		return refuse(w, http.StatusBadRequest, "no WebSocket handshake (RFC 8441, 5)")
	}
	if r.Header.Get("Sec-Websocket-Version") != "13" {
		w.Header().Set("Sec-WebSocket-Version", "13")
		return refuse(w, http.StatusBadRequest, "not version 13 (RFC 6455, 4.2.1)")
	}
	o := opener(w)
	if o == nil {
		return refuse(w, http.StatusInternalServerError, "this server's HTTP/2 opens no streams")
	}
	st, err := o.OpenStream(h)
	if err != nil {
		return refuse(w, http.StatusBadRequest, err.Error())
	}
	if _, err := st.Send(nil, false); err != nil { // the answer leaves now
		st.Reset(stream.Cancel)
		return nil, err
	}
	l := opened{stream.NewConn(st, h2Window)}
	return newConn(ctx, l, bufio.NewReaderSize(l, 16<<10), log), nil
}

// opener looks behind w for what opens streams.
func opener(w http.ResponseWriter) stream.Opener {
	for {
		if o, ok := w.(stream.Opener); ok {
			return o
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = u.Unwrap()
	}
}

func refuse(w http.ResponseWriter, status int, why string) (*Conn, error) {
	http.Error(w, why, status)
	return nil, errors.New(why)
}
