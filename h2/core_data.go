package h2

import "golang.org/x/net/http2"

// dataIn is the DATA frame whose payload is being taken, piece by piece as it arrives.
type dataIn struct {
	open   bool
	s      *coreStream // nil: the payload is dropped
	length int         // of the whole payload
	padded bool        // the pad length has not been read yet
	left   int         // octets of data still to come, once padded is false
	pad    int         // octets of padding still to come
	waste  int         // octets that are not data: the pad length and the padding
	fin    bool
	told   bool // an event told of the frame already
}

// dataHead takes the header of a DATA frame (RFC 9113, 6.1). The whole payload is charged at once (RFC 9113, 6.9.1); the
// connection gets it back when the frame has arrived: by then it is in a buffer that the stream's own window bounds, or gone.
func (c *core) dataHead(h http2.FrameHeader) {
	n := int(h.Length)
	s := c.streams[h.StreamID]
	switch v := c.judge(h.StreamID, s, rowData); v {
	case take, drop, faultStream:
		if err := c.credit.Receive(n); err != nil {
			c.fail(FlowControlError, "RFC 9113, 6.9.1", "DATA over the connection's window")
			return
		}
		if v == faultStream {
			c.streamFault(h.StreamID, s, StreamClosed, "RFC 9113, 5.1", "DATA on a stream that has ended")
		}
		if v != take {
			s = nil
		}
	default:
		c.stateFault(v)
		return
	}
	c.data = dataIn{open: true, s: s, length: n, left: n, fin: h.Flags.Has(http2.FlagDataEndStream), padded: h.Flags.Has(http2.FlagDataPadded)}
	if c.data.padded && n == 0 {
		c.fail(FrameSizeError, "RFC 9113, 6.1", "PADDED without a pad length")
		return
	}
	if s != nil && c.receive(s, n) != nil {
		c.streamFault(s.id, s, FlowControlError, "RFC 9113, 6.9.1", "DATA over the stream's window")
		c.data.s = nil
	}
	if c.cfg.client && c.data.s != nil && !s.answered {
		c.streamFault(s.id, s, ProtocolError, "RFC 9113, 8.1", "DATA before the response")
		c.data.s = nil
	}
	if !c.data.padded {
		c.countBody()
	}
	c.shed()
}

// countBody holds content-length against what the frame says it brings (RFC 9113, 8.1.1).
func (c *core) countBody() {
	d := &c.data
	s := d.s
	if !c.chargeData(s, d.left, d.fin) || s == nil || s.length < 0 {
		return
	}
	s.length -= int64(d.left)
	if s.length < 0 || d.fin && s.length != 0 {
		c.streamFault(s.id, s, ProtocolError, "RFC 9113, 8.1.1", "DATA does not add up to content-length")
		d.s = nil
	}
}

// parseData takes what has arrived of the payload. False: more octets are needed.
func (c *core) parseData() bool {
	d := &c.data
	if d.padded {
		if len(c.in) == 0 {
			return false
		}
		d.pad, d.padded = int(c.in[0]), false
		c.in = c.in[1:]
		d.waste = d.pad + 1
		if d.left = d.length - 1 - d.pad; d.left < 0 {
			c.fail(ProtocolError, "RFC 9113, 6.1", "padding longer than the frame")
			return true
		}
		c.countBody()
	}
	if d.s != nil && d.s.state == stateClosed { // reset since
		d.s = nil
	}
	if d.left > 0 || !d.told {
		n := min(d.left, len(c.in))
		if n == 0 && d.left > 0 {
			return false
		}
		p := c.in[:n]
		c.in = c.in[n:]
		d.left -= n
		d.told = true
		if s := d.s; s != nil {
			fin := d.fin && d.left == 0
			if n == 0 {
				p = nil
			}
			c.events.push(event{kind: evData, s: s, data: p, fin: fin})
			if fin {
				c.peerEnded(s)
			}
		}
		return true // the event goes out before anything else is needed
	}
	n := min(d.pad, len(c.in))
	d.pad -= n
	c.in = c.in[n:]
	if d.pad > 0 {
		return false
	}
	c.dataDone()
	return true
}

// dataDone gives credit back for a frame that has arrived: the connection's all, the stream's for what was padding.
func (c *core) dataDone() {
	d := c.data
	c.data = dataIn{}
	c.credit.Release(d.length)
	c.sendCredit(0, c.credit.Update())
	if d.s != nil {
		c.discard(d.s, d.waste)
	}
}
