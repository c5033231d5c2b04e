package h2

import (
	"errors"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// blockIn is the field block under way: HEADERS and its CONTINUATIONs (RFC 9113, 4.3). Whatever
// becomes of the block, all of it goes through HPACK, so that its state stays the peer's.
type blockIn struct {
	open    bool
	id      uint32
	s       *coreStream // of trailers; nil: the block opens a stream
	v       verdict
	fin     bool
	selfDep bool // HEADERS made the stream depend on itself
	frames  int
	size    int // encoded octets
	fields  []hpack.HeaderField
	list    int  // size of the list as RFC 9113, 6.5.2 counts
	count   int  // fields
	tooBig  bool // over a limit: fields is empty
	method  string
}

// headers begins a field block.
func (c *core) headers(f *http2.HeadersFrame) {
	id := f.StreamID
	s := c.streams[id]
	v := c.judge(id, s, rowHeaders)
	if v == faultConn || v == faultClosed {
		c.stateFault(v)
		return
	}
	if v == take && s == nil {
		c.maxID = id
	}
	c.block = blockIn{open: true, id: id, s: s, v: v, fin: f.StreamEnded(), fields: c.block.fields[:0],
		selfDep: f.HasPriority() && f.Priority.StreamDep == id}
	c.hdec.SetEmitEnabled(v == take)
	c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

func (c *core) continuation(f *http2.ContinuationFrame) {
	c.fragment(f.HeaderBlockFragment(), f.HeadersEnded())
}

// bomb is how many times over its limits a block may unfold before it is taken for an attack: an
// octet can stand for a field of 4 KiB (RFC 7541, 2.3.3). Less than that is decoded to its end, and
// the request answered.
const bomb = 16

// fragment takes a part of the block. A block that is over its limits is decoded to its end all the
// same, up to twice the size a list may have; nobody needs more frames than those octets fill, and
// a few (RFC 9113, 10.5.1).
func (c *core) fragment(p []byte, end bool) {
	b := &c.block
	b.frames++
	b.size += len(p)
	if b.size > 2*c.cfg.maxHeaderList || c.cfg.blockFrames > 0 && b.frames > c.cfg.blockFrames {
		c.exceedBy(LimitContinuations, EnhanceYourCalm, "RFC 9113, 10.5.1", limitTexts[LimitContinuations].msg)
		return
	}
	_, err := c.hdec.Write(p)
	if err == nil && end {
		err = c.hdec.Close()
	}
	if end && c.trace != nil {
		c.trace.decoded(b.fields)
	}
	switch {
	case b.list > bomb*c.cfg.maxHeaderList || b.count > bomb*c.cfg.maxHeaderFields:
		c.exceedBy(LimitHeaderList, EnhanceYourCalm, "RFC 9113, 10.5.1", limitTexts[LimitHeaderList].msg)
	case errors.Is(err, hpack.ErrStringLength):
		c.exceedBy(LimitHeaderList, EnhanceYourCalm, "RFC 9113, 10.5.1", "a field longer than a block may be")
	case err != nil:
		c.fail(CompressionError, "RFC 9113, 4.3", "the field block cannot be decoded")
	case end:
		b.open = false
		c.timers.blockDone()
		c.blockDone()
	}
}

// forget drops the stream and the fields of the last block. The fields were lent with its event.
func (b *blockIn) forget() {
	if b.open {
		return
	}
	b.s = nil
	if len(b.fields) == 0 {
		return
	}
	clear(b.fields)
	if b.fields = b.fields[:0]; cap(b.fields) > 64 {
		b.fields = nil
	}
}

// field takes one decoded field.
func (c *core) field(f hpack.HeaderField) {
	b := &c.block
	b.list += int(f.Size())
	b.count++
	if f.Name == ":method" {
		b.method = f.Value // an answer to HEAD has no content, however large the request is
	}
	if b.list > c.cfg.maxHeaderList || b.count > c.cfg.maxHeaderFields {
		b.tooBig = true
		clear(b.fields)
		b.fields = b.fields[:0]
		if b.list > bomb*c.cfg.maxHeaderList || b.count > bomb*c.cfg.maxHeaderFields {
			c.hdec.SetEmitEnabled(false) // the connection ends, see fragment
		}
		return
	}
	if b.fields == nil {
		b.fields = make([]hpack.HeaderField, 0, 16) // at once: a list that grows leaves gaps in the heap, with each connection
	}
	b.fields = append(b.fields, f)
}

// blockDone acts on a whole block.
func (c *core) blockDone() {
	b := &c.block
	switch {
	case b.v == drop:
		c.charge(LimitIgnored, 1)
	case b.v == faultStream:
		c.streamFault(b.id, b.s, StreamClosed, "RFC 9113, 5.1", "HEADERS on a stream that has ended")
	case b.s != nil && b.s.state == stateClosed: // reset since
	case b.selfDep:
		c.refuse(b, ProtocolError, "RFC 7540, 5.3.1", "a stream that depends on itself")
	case b.s != nil && c.cfg.client && !b.s.answered:
		c.response(b)
	case b.s != nil:
		c.trailers(b)
	default:
		c.request(b)
	}
}

// refuse answers a block with a stream error.
func (c *core) refuse(b *blockIn, code Code, rule, msg string) {
	l := LimitFaults
	if code == RefusedStream {
		l = LimitRefused
	}
	if !c.charge(l, 1) {
		return
	}
	if b.s == nil {
		if !b.connects() {
			c.badRequest(b.id, code)
		}
		c.gone.put(b.id, goneByUs)
	}
	c.resetFor(b.id, b.s, code, rule, msg)
}

// connects says that the block asks for a tunnel, well-formed or not: CONNECT, or :protocol on
// whatever method.
func (b *blockIn) connects() bool {
	for _, f := range b.fields {
		if f.Name == ":protocol" || f.Name == ":method" && f.Value == "CONNECT" {
			return true
		}
	}
	return false
}

// trailers ends the peer's side with a field block (RFC 9113, 8.1).
func (c *core) trailers(b *blockIn) {
	s := b.s
	fault := checkTrailers(b.fields)
	switch {
	case s.tunnel:
		c.refuse(b, ProtocolError, "RFC 9113, 8.5", "HEADERS on a tunnel")
	case !b.fin:
		c.refuse(b, ProtocolError, "RFC 9113, 8.1", "trailers without END_STREAM")
	case b.tooBig:
		c.refuse(b, EnhanceYourCalm, "RFC 9113, 10.5.1", "trailers over the limits")
	case fault != nil:
		c.refuse(b, ProtocolError, fault.rule, fault.msg)
	case s.length > 0:
		c.refuse(b, ProtocolError, "RFC 9113, 8.1.1", "DATA does not add up to content-length")
	default:
		c.events.push(event{kind: evTrailers, s: s, tail: b.fields})
		c.peerEnded(s)
	}
}

// request opens a stream (RFC 9113, 8.3).
func (c *core) request(b *blockIn) {
	req := request{method: b.method, length: -1, tooBig: true}
	var fault *fault
	if !b.tooBig {
		req, fault = parseRequest(b.fields)
	}
	switch {
	case fault != nil:
		c.refuse(b, ProtocolError, fault.rule, fault.msg)
		return
	case req.protocol != "" && !c.cfg.connect:
		c.refuse(b, ProtocolError, "RFC 8441, 4", "extended CONNECT that was not offered")
		return
	case b.fin && req.length > 0:
		c.refuse(b, ProtocolError, "RFC 9113, 8.1.1", "content-length without DATA")
		return
	case len(c.streams) >= c.cfg.maxStreams:
		c.refuse(b, RefusedStream, "RFC 9113, 5.1.2", "over SETTINGS_MAX_CONCURRENT_STREAMS")
		return
	}
	s := c.open(b.id, b.fin)
	s.tunnel = req.method == "CONNECT"
	c.firstPriority(s, req.fields)
	s.length = req.length
	c.events.push(event{kind: evRequest, s: s, req: req, fin: b.fin})
}
