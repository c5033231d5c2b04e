package h3

import (
	"context"
	"errors"
	"io"

	"github.com/quic-go/quic-go"
)

// accept takes the unidirectional streams of the server, to the end of the connection. Of others
// QUIC allows it none.
func (cl *Client) accept() {
	for {
		rs, err := cl.c.qc.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		go cl.uni(rs) // ends with the stream; uniStreams bounds them
	}
}

// uni reads one of them.
func (cl *Client) uni(rs *quic.ReceiveStream) {
	kind, ok := streamType(rs)
	if !ok {
		return // it has ended before its type, which changes nothing (RFC 9114, 6.2)
	}
	fault := cl.opened(kind)
	switch {
	case fault != nil:
	case kind == streamControl:
		fault = cl.readControl(rs)
	case kind == streamEncoder, kind == streamDecoder:
		fault = cl.readQPACK(rs, &qpackReader{decoder: kind == streamDecoder})
	default:
		rs.CancelRead(quic.StreamErrorCode(StreamCreationError)) // RFC 9114, 6.2.3
		cl.ignore(1)
	}
	if fault != nil {
		cl.c.fail(fault)
	}
}

// streamType reads the type of a stream.
func streamType(rs *quic.ReceiveStream) (kind uint64, ok bool) {
	var b [8]byte
	for n := 0; ; {
		m, err := rs.Read(b[n : n+1])
		if m == 0 && err != nil {
			return 0, false
		}
		n += m
		if kind, m := varint(b[:n]); m > 0 {
			return kind, true
		}
		if err != nil {
			return 0, false
		}
	}
}

// opened notes that there is a stream of a type.
func (cl *Client) opened(kind uint64) *ConnError {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	twice := func(have *bool, rule, text string) *ConnError {
		if *have {
			return &ConnError{Code: StreamCreationError, Rule: rule, Text: text}
		}
		*have = true
		return nil
	}
	switch kind {
	case streamControl:
		return twice(&cl.control, "RFC 9114, 6.2.1", "a second control stream")
	case streamEncoder:
		return twice(&cl.qpack[0], "RFC 9204, 4.2", "a second stream of the QPACK encoder")
	case streamDecoder:
		return twice(&cl.qpack[1], "RFC 9204, 4.2", "a second stream of the QPACK decoder")
	case streamPush:
		return &ConnError{Code: IDError, Rule: "RFC 9114, 4.6", Text: "a push that was not allowed"}
	}
	return nil
}

// readControl reads the control stream.
func (cl *Client) readControl(rs *quic.ReceiveStream) *ConnError {
	var r controlReader
	return cl.critical(rs, "RFC 9114, 6.2.1", func(b []byte) *ConnError {
		ignored := 0
		fault := r.feed(b, func(ev controlEvent) {
			switch {
			case ev.ignored:
				ignored++
			case ev.settings != nil:
				cl.c.mu.Lock()
				cl.peer, cl.greeted = *ev.settings, true
				cl.c.mu.Unlock()
				close(cl.ready)
			case ev.goAway:
				ignored++
				cl.c.mu.Lock()
				cl.goAway(ev.id)
				cl.c.mu.Unlock()
			}
		})
		if fault == nil {
			cl.ignore(ignored)
		}
		return fault
	})
}

// readQPACK reads the stream of an encoder or a decoder.
func (cl *Client) readQPACK(rs *quic.ReceiveStream, r *qpackReader) *ConnError {
	return cl.critical(rs, "RFC 9204, 4.2", func(b []byte) *ConnError {
		ignored, fault := r.feed(b)
		if fault == nil {
			cl.ignore(ignored)
		}
		return fault
	})
}

// critical reads a stream that has no end while the connection lives.
func (cl *Client) critical(rs *quic.ReceiveStream, rule string,
	feed func([]byte) *ConnError) *ConnError {
	b := make([]byte, 512)
	for {
		n, err := rs.Read(b)
		if fault := feed(b[:n]); fault != nil {
			return fault
		}
		if _, reset := errors.AsType[*quic.StreamError](err); err == io.EOF || reset {
			return &ConnError{Code: ClosedCritical, Rule: rule,
				Text: "the end of a critical stream"}
		}
		if err != nil {
			return nil // the connection's
		}
	}
}

// ignore counts what changes nothing.
func (cl *Client) ignore(n int) {
	if n > 0 && !cl.c.ignored.take(n) {
		cl.c.exceed(LimitIgnored)
	}
}
