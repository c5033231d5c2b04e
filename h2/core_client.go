package h2

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"weir/internal/reach"

	"golang.org/x/net/http2/hpack"
)

// unnamedStreams is how many streams we open on a connection whose server names no
// SETTINGS_MAX_CONCURRENT_STREAMS.
const unnamedStreams = 1000

// maxStreamID is the highest there is (RFC 9113, 4.1).
const maxStreamID = 1<<31 - 1

// peerID is the last stream in our GOAWAYs: the highest that the peer has opened. A server opens
// none, where push is disabled.
func (c *core) peerID() uint32 {
	if c.cfg.client {
		return 0
	}
	return c.maxID
}

// room is how many more streams the client may open now (RFC 9113, 5.1.2).
func (c *core) room() int {
	if c.err != nil || !c.peer.seen || c.leave.final() || c.maxID >= maxStreamID {
		return 0
	}
	ids := int((maxStreamID - c.maxID + 1) / 2) // an int may have 32 bits
	return max(min(ids, min(c.peer.maxStreams, c.cfg.maxStreams)-len(c.streams)), 0)
}

// connect opens a stream with the fields of a request. They are written at once: so no stream is
// reset before its HEADERS, and ids go up in wire order (RFC 9113, 5.1.1).
func (c *core) connect(fields []hpack.HeaderField, now time.Time) *coreStream {
	c.now = now
	if c.maxID == 0 {
		c.maxID = 1
	} else {
		c.maxID += 2
	}
	s := c.open(c.maxID, false)
	s.tunnel, s.prio = true, tunnelPriority
	c.writeBlock(s.id, fields, false)
	return s
}

// response is a response's field section, checked.
type response struct {
	status int
	length int64 // content-length, -1 if there is none
	fields []hpack.HeaderField
}

// parseResponse judges the fields of a response. response.fields is the part of fs behind :status.
func parseResponse(fs []hpack.HeaderField) (response, *fault) {
	r := response{length: -1}
	n := 0
	for ; n < len(fs) && fs[n].IsPseudo(); n++ {
		switch {
		case fs[n].Name != ":status":
			return r, &fault{"RFC 9113, 8.3", "pseudo field that no response has"}
		case n > 0:
			return r, &fault{"RFC 9113, 8.3", "pseudo field twice"}
		}
		status, err := strconv.ParseUint(fs[n].Value, 10, 16)
		if err != nil || len(fs[n].Value) != 3 || status < 100 {
			return r, &fault{"RFC 9113, 8.3.2", ":status that is none"}
		}
		r.status = int(status)
	}
	switch r.status {
	case 0:
		return r, &fault{"RFC 9113, 8.3.2", ":status missing"}
	case 101:
		return r, &fault{"RFC 9113, 8.6", "101 (Switching Protocols)"}
	}
	r.fields = fs[n:]
	length := ""
	for i := range r.fields {
		f := &r.fields[i]
		if fault := checkField(f); fault != nil {
			return r, fault
		}
		if f.Name == "content-length" {
			n, err := strconv.ParseUint(f.Value, 10, 63)
			differs := length != "" && length != f.Value // equal ones are one (RFC 9110, 8.6)
			if !r.opens() && (err != nil || differs) {
				return r, &fault{"RFC 9113, 8.1.1", "content-length that is no number, or two"}
			}
			r.length, length = int64(n), f.Value
		}
	}
	if r.opens() || r.status == 204 || r.status == 304 {
		r.length = -1 // RFC 9110, 9.3.6 and 8.6
	}
	return r, nil
}

// opens says that the CONNECT became a tunnel (RFC 9113, 8.5).
func (r *response) opens() bool { return r.status/100 == 2 }

// response takes a field block in front of the final response's end (RFC 9113, 8.1).
func (c *core) response(b *blockIn) {
	s := b.s
	if b.tooBig {
		c.refuse(b, EnhanceYourCalm, "RFC 9113, 10.5.1", "response header over the limits")
		return
	}
	r, fault := parseResponse(b.fields)
	informs := r.status < 200
	switch {
	case fault != nil:
		c.refuse(b, ProtocolError, fault.rule, fault.msg)
		return
	case informs && b.fin:
		c.refuse(b, ProtocolError, "RFC 9113, 8.1", "informational response with END_STREAM")
		return
	case b.fin && r.length > 0:
		c.refuse(b, ProtocolError, "RFC 9113, 8.1.1", "content-length without DATA")
		return
	case informs && !c.charge(LimitIgnored, 1):
		return
	}
	if s.answered = !informs; s.answered && !r.opens() {
		s.tunnel, s.length = false, r.length
	}
	c.events.push(event{kind: evResponse, s: s, status: r.status, tail: r.fields, fin: b.fin})
	if b.fin {
		c.peerEnded(s)
	}
}

// unprocessed ends the streams over the last one of the server's GOAWAY: it has not looked at
// them, and they may be opened again elsewhere (RFC 9113, 6.8). why is the fault that it names, or
// nil.
func (c *core) unprocessed(last uint32, why error) {
	for s := c.oldest; s != nil; {
		next := s.younger
		if s.id > last {
			c.close(s, goneByUs, &StreamError{
				ID: s.id, Code: RefusedStream, Rule: "RFC 9113, 6.8", Msg: "over the last stream of GOAWAY",
				Remote: true, Err: why,
			})
		}
		s = next
	}
}

// alien ends the connection where the server's first octets are of another protocol, before they
// have been taken for the header of a frame: then they are no more than one that is over the
// limits.
func (c *core) alien() bool {
	var first [9]byte
	n := copy(first[:], c.rest)
	n += copy(first[n:], c.in)
	name, _ := reach.Protocol(first[:n])
	if name == "" || name == "HTTP/2" {
		return false
	}
	c.fail(ProtocolError, "RFC 9113, 3.4", "the server speaks "+name+", and not HTTP/2")
	return true
}

// keepalive finds out that a peer is dead from which nothing comes.
type keepalive struct {
	heard time.Time // when octets came last
	asked time.Time // when our PING was sent that waits for them; zero: none
}

// keepPing is the payload of its PING.
const keepPing = "\x00weirhey"

func (k *keepalive) heardAt(now time.Time) { *k = keepalive{heard: now} }

// by is when keepAlive has something to do; the zero time: never.
func (k *keepalive) by(cfg *coreConfig) time.Time {
	switch {
	case !k.asked.IsZero():
		return k.asked.Add(cfg.pingTimeout)
	case cfg.pingInterval <= 0:
		return time.Time{}
	}
	return k.heard.Add(cfg.pingInterval)
}

// probe sends the PING now, unless one is on its way or octets have come at this moment.
func (c *core) probe(now time.Time) {
	c.now = now
	if c.err == nil && c.keep.asked.IsZero() {
		c.keepAlive()
	}
}

// keepAlive sends the PING, or ends a connection on which nothing came after it (RFC 9113, 6.7).
func (c *core) keepAlive() {
	if c.keep.asked.IsZero() {
		c.keep.asked = c.now
		c.must(c.fr.WritePing(false, [8]byte([]byte(keepPing))))
		return
	}
	if c.cfg.kinds {
		c.kinds = append(c.kinds, "conn_close_lost_ping") // as net/http calls it
	}
	c.abandon(c.now, fmt.Errorf("h2: no answer to PING: %w", os.ErrDeadlineExceeded))
}

// leaves says that no new streams are opened.
func (c *core) leaves() bool { return c.err != nil || c.leave.final() || c.maxID >= maxStreamID }
