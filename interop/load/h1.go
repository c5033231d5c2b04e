package load

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// h1Link is the state of a connection of HTTP/1.1: the head of the answer until it is whole.
type h1Link struct {
	head []byte
	up   bool
}

// maxHead is how long the head of an answer may be.
const maxHead = 64 << 10

func (h *h1Link) feed(l *link, b []byte, now int64) error {
	s := l.sockets[0]
	if h.up {
		return s.feed(b, now)
	}
	h.head = append(h.head, b...)
	end := bytes.Index(h.head, []byte("\r\n\r\n"))
	if end < 0 {
		if len(h.head) > maxHead {
			return errors.New("handshake: an answer without end")
		}
		return nil
	}
	head, rest := h.head[:end+4], h.head[end+4:]
	if err := l.e.run.checkH1(head); err != nil {
		return err
	}
	h.up, h.head = true, nil
	s.opened(now)
	return s.feed(rest, now)
}

// handshakeError is an answer that opens no WebSocket.
type handshakeError struct {
	status int // 0: it is no refusal, but broken
	text   string
}

func (e *handshakeError) Error() string { return "handshake: " + e.text }

// requestH1 is the opening handshake (RFC 6455, 4.1), and the Sec-WebSocket-Accept that answers it.
func requestH1(c *Config) (request []byte, accept string) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	var b bytes.Buffer
	host := c.URL.Host
	if h := c.Header.Get("Host"); h != "" {
		host = h
	}
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
		c.URL.RequestURI(), host, key)
	if c.Compress {
		fmt.Fprintf(&b, "Sec-WebSocket-Extensions: %s\r\n", offer(c))
	}
	for name, values := range c.Header {
		for _, v := range values {
			if name != "Host" {
				fmt.Fprintf(&b, "%s: %s\r\n", name, v)
			}
		}
	}
	b.WriteString("\r\n")
	return b.Bytes(), base64.StdEncoding.EncodeToString(sum[:])
}

// offer is what is asked for with Config.Compress (RFC 7692, 7.1).
func offer(c *Config) string {
	if c.Takeover {
		return "permessage-deflate"
	}
	return "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
}

// checkH1 judges an answer (RFC 6455, 4.1).
func (r *run) checkH1(head []byte) error {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		return &handshakeError{text: "no HTTP/1.1"}
	}
	resp.Body.Close()
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols:
		return &handshakeError{resp.StatusCode, "refused: " + resp.Status}
	case resp.Header.Get("Sec-WebSocket-Accept") != r.accept:
		return &handshakeError{text: "wrong Sec-WebSocket-Accept (RFC 6455, 4.1)"}
	}
	return r.checkExtensions(resp.Header.Get("Sec-WebSocket-Extensions"))
}

// checkExtensions notes what was agreed on, and finds what was not asked for.
func (r *run) checkExtensions(agreed string) error {
	r.extensions.CompareAndSwap(nil, &agreed)
	name, _, _ := strings.Cut(agreed, ";")
	switch {
	case !r.cfg.Compress && agreed != "":
		return &handshakeError{text: "an extension that was not offered: " + agreed}
	case r.cfg.Compress && strings.TrimSpace(name) != "permessage-deflate":
		return &handshakeError{text: "the server does not compress"}
	case r.cfg.Compress && !r.cfg.Takeover && !strings.Contains(agreed, "server_no_context_takeover"):
		return &handshakeError{text: "the server keeps its context, against the offer (RFC 7692, 7.1.1.1)"}
	}
	return nil
}
