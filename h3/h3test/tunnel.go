package h3test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/net/quic"
)

// Tunnel is one stream of a Peer: an extended CONNECT, or any other request. It is a net.Conn whose
// octets are the payload of DATA frames. What is not read gives the server no credit.
type Tunnel struct {
	Status int       // of the answer, see Answer
	Header [][]Field // the field sections received, the informational ones and trailers too

	p    *Peer
	s    *quic.Stream
	left uint64 // of the DATA frame that is being read

	endRead, endWrite context.CancelFunc // of the deadlines
}

var _ net.Conn = (*Tunnel)(nil)

func newTunnel(p *Peer, s *quic.Stream) *Tunnel {
	nothing := func() {}
	return &Tunnel{p: p, s: s, endRead: nothing, endWrite: nothing}
}

// ID is the stream's.
func (t *Tunnel) ID() int64 { return t.s.ID() }

// Raw sends octets as they are.
func (t *Tunnel) Raw(b []byte) error { return write(t.s, b) }

// Frame sends a frame.
func (t *Tunnel) Frame(kind uint64, payload []byte) error {
	return t.Raw(AppendFrame(nil, kind, payload))
}

// Headers sends a HEADERS frame with fields, names and values in turn.
func (t *Tunnel) Headers(fields ...string) error {
	return t.Frame(FrameHeaders, AppendSection(nil, Fields(fields...)...))
}

// Write sends b as one DATA frame, as credit for it comes.
func (t *Tunnel) Write(b []byte) (int, error) {
	if err := t.Frame(FrameData, b); err != nil {
		return 0, deadlined(err)
	}
	return len(b), nil
}

// CloseWrite ends our side with FIN.
func (t *Tunnel) CloseWrite() error { return t.s.CloseWrite() }

// Reset ends our side with RESET_STREAM.
func (t *Tunnel) Reset(code Code) error { return t.s.Reset(uint64(code)) }

// StopSending asks the server to end its side. Nothing can be read after it.
func (t *Tunnel) StopSending(code Code) error { return t.s.StopSending(uint64(code)) }

// Cancel gives the stream up both ways, as RFC 9220, 3 has it.
func (t *Tunnel) Cancel(code Code) error {
	return errors.Join(t.Reset(code), t.StopSending(code))
}

// Close gives the stream up with H3_REQUEST_CANCELLED.
func (t *Tunnel) Close() error {
	t.endRead()
	t.endWrite()
	return t.Cancel(RequestCancelled)
}

// Stopped waits for the server's STOP_SENDING, at most for d, and gives its code. We must not have
// ended our side.
func (t *Tunnel) Stopped(d time.Duration) (Code, error) {
	for deadline := time.Now().Add(d); ; time.Sleep(time.Millisecond) {
		err := t.s.Flush()
		if code, ok := CloseCode(err); ok || err != nil {
			return code, err
		}
		if !time.Now().Before(deadline) {
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// Answer reads until the header of the final answer has come, at most for d. There is no deadline
// for reading after it.
func (t *Tunnel) Answer(d time.Duration) error {
	if err := t.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	for t.Status < 200 {
		kind, err := t.next()
		if err != nil {
			return err
		}
		if kind == FrameData {
			return fmt.Errorf("h3test: DATA comes before the answer")
		}
	}
	return t.SetReadDeadline(time.Time{})
}

// next reads the head of a DATA frame, or a whole frame of another type.
func (t *Tunnel) next() (kind uint64, err error) {
	kind, length, err := frameHead(t.s)
	if err != nil {
		return 0, deadlined(err)
	}
	if kind == FrameData {
		t.left = length
		return kind, nil
	}
	b, err := framePayload(t.s, length)
	if err != nil {
		return 0, deadlined(err)
	}
	if kind != FrameHeaders {
		return kind, nil
	}
	fs, err := ParseSection(b)
	if err != nil {
		return kind, err
	}
	t.Header = append(t.Header, fs)
	if len(fs) > 0 && fs[0].Name == ":status" {
		t.Status, err = strconv.Atoi(fs[0].Value)
	}
	return kind, err
}

// Field is the value of a field of the answer that came last, or "".
func (t *Tunnel) Field(name string) string {
	for i := len(t.Header) - 1; i >= 0; i-- {
		for _, f := range t.Header[i] {
			if f.Name == name {
				return f.Value
			}
		}
	}
	return ""
}

// Read reads the payload of DATA: io.EOF after FIN, an error with the code after RESET_STREAM.
func (t *Tunnel) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for t.left == 0 {
		if _, err := t.next(); err != nil {
			return 0, err
		}
	}
	n, err := t.s.Read(b[:min(uint64(len(b)), t.left)])
	t.left -= uint64(n)
	if err == io.EOF && t.left > 0 {
		err = io.ErrUnexpectedEOF // FIN within a DATA frame
	}
	return n, deadlined(err)
}

// Rest reads until FIN or another end, at most for d, and gives what came.
func (t *Tunnel) Rest(d time.Duration) ([]byte, error) {
	if err := t.SetReadDeadline(time.Now().Add(d)); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err := b.ReadFrom(t)
	return b.Bytes(), err
}

// deadlined is err, with that of a context as package net says it.
func deadlined(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return err
}

// SetDeadline sets both.
func (t *Tunnel) SetDeadline(at time.Time) error {
	return errors.Join(t.SetReadDeadline(at), t.SetWriteDeadline(at))
}

// SetReadDeadline is good for reads that begin after it.
func (t *Tunnel) SetReadDeadline(at time.Time) error {
	t.endRead()
	var ctx context.Context
	ctx, t.endRead = until(at)
	t.s.SetReadContext(ctx)
	return nil
}

// SetWriteDeadline is good for writes that begin after it.
func (t *Tunnel) SetWriteDeadline(at time.Time) error {
	t.endWrite()
	var ctx context.Context
	ctx, t.endWrite = until(at)
	t.s.SetWriteContext(ctx)
	return nil
}

func until(at time.Time) (context.Context, context.CancelFunc) {
	if at.IsZero() {
		return context.Background(), func() {}
	}
	return context.WithDeadline(context.Background(), at)
}

// LocalAddr is the connection's.
func (t *Tunnel) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(t.p.conn.LocalAddr()) }

// RemoteAddr is the connection's.
func (t *Tunnel) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(t.p.conn.RemoteAddr()) }

// End sends a HEADERS frame with fields, and FIN with it.
func (t *Tunnel) End(fields ...string) error {
	section := AppendSection(nil, Fields(fields...)...)
	if _, err := t.s.Write(AppendFrame(nil, FrameHeaders, section)); err != nil {
		return err
	}
	return t.s.CloseWrite()
}
