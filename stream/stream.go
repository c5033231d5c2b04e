package stream

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// Stream is one bidirectional run of octets: a hijacked HTTP/1.1 connection, or one HTTP/2 or
// HTTP/3 stream. Methods may be called from any goroutine, also from inside a Sink's method; none
// of them calls the Sink.
type Stream interface {
	// Attach names the sink and opens the tap. It is called once. Octets and ends that came before
	// are told first, in order, on a goroutine of the transport.
	Attach(s Sink, l Limits)

	// Send queues the octets of v, in order, and with fin ends our side behind them: END_STREAM, or
	// a TCP half-close. v and its slices are lent until Send returns: what cannot leave at once is
	// copied. Send never waits for a window. Where a Write may block, on TLS or a wrapped
	// connection, it waits for a moment (2 ms) to see the octets off. queued is the number of
	// octets that still wait in the transport for the peer, after this call; Send(nil, false) asks
	// for it, and makes an answer that still waits for its first octets (a 101, a 200) leave by
	// itself. After fin, a reset or the end of the stream, err is ErrClosed or the *ResetError;
	// Send(nil, false) still says what is queued.
	Send(v [][]byte, fin bool) (queued int, err error)

	// Release says that n received octets are consumed: as much credit goes back to the peer,
	// gathered until it is half the window where credit costs a frame. After the end it does
	// nothing.
	Release(n int)

	// Reset gives the stream up: RST_STREAM(c), or a TCP reset. What is queued is dropped.
	// Reset(NoError) is the quiet form: all that mattered has been said, RST_STREAM(NO_ERROR) if
	// the peer has not ended its side, or an ordinary TCP close once what is queued has left. Any
	// time, also while a Send blocks; Closed follows unless it has been told.
	Reset(c Code)

	// Info says what the stream runs on. It never changes.
	Info() Info
}

// Limits are what a sink asks of its stream.
type Limits struct {
	Window       int           // octets the peer may send ahead of Release; 0: 65 535. HTTP/2 never shrinks its initial window for it
	Low          int           // Drained is told when the send queue falls to Low octets or below after it was above
	WriteTimeout time.Duration // how long one write to the socket may take before the stream fails with os.ErrDeadlineExceeded; 0: 30 s; negative: for ever
}

// DefaultWindow is the Window of Limits when none is given: the initial window of RFC 9113, 6.9.2.
const DefaultWindow = 65535

// DefaultWriteTimeout is the WriteTimeout of Limits when none is given.
const DefaultWriteTimeout = 30 * time.Second

// WithDefaults fills in what is zero.
func (l Limits) WithDefaults() Limits {
	if l.Window <= 0 {
		l.Window = DefaultWindow
	}
	if l.WriteTimeout == 0 {
		l.WriteTimeout = DefaultWriteTimeout
	}
	return l
}

// Sink is what a transport feeds, with no transport lock held. Data and Closed come one at a time,
// in order; Drained comes from any goroutine.
type Sink interface {
	// Data lends b until it returns: copy what you keep. The sink may overwrite b meanwhile
	// (unmasking in place). Its octets stay charged until Release. fin: the peer has ended its
	// side; nothing but Closed follows. An empty DATA frame is Data(nil, false); an end by itself
	// is Data(nil, true). Where Info.Own allows handlers inside Data, one of them may end the
	// goroutine (runtime.Goexit): the transport goes on with another.
	Data(b []byte, fin bool)

	// Drained says that the send queue fell to Limits.Low or below.
	Drained()

	// Closed is the last call, exactly once. nil: both sides have ended. Otherwise what cut the
	// stream: a *ResetError, os.ErrDeadlineExceeded for a write that took too long, or the socket's
	// error.
	Closed(err error)
}

// Filler is optional for a Sink: it says where octets of a large message belong, so that they need
// not be copied.
type Filler interface {
	// Fill is asked before a read, on the goroutine that calls Data. If it is not nil, what is read
	// is put there, and Data gets what that is: a prefix of it. What does not fit comes in a Data
	// of its own.
	Fill() []byte
}

// Expecter is what a Stream may offer besides, where credit costs a frame and its way there: a
// large message need not come window by window.
type Expecter interface {
	// Expect is Release(n), and lets the peer send more octets ahead than Limits.Window: those of a
	// message that has begun, for which there is room. They are released like all others. It is
	// good until the next call; what the peer knows of by then is not taken back.
	Expect(n, more int)
}

// Opener is what a transport's http.ResponseWriter offers: answer the request with 101 or 200 and
// header, and it is a stream from then on. The answer leaves with the first Send. After it, w and r
// belong to nobody: writes to w give http.ErrHijacked. A request that has been answered already
// gives ErrAnswered, or http.ErrHijacked; an Opener that has Answered() bool says so before it is
// asked to open. One that has StreamInfo() Info says before what the stream would run on.
type Opener interface {
	OpenStream(header http.Header) (Stream, error)
}

// Transport names what a stream runs on, as the test server's events do.
type Transport string

// The transports.
const (
	H1    Transport = "h1"    // HTTP/1.1 in cleartext
	H1TLS Transport = "h1tls" // HTTP/1.1 over TLS
	H2C   Transport = "h2c"   // HTTP/2 in cleartext
	H2    Transport = "h2"    // HTTP/2 over TLS
	H3    Transport = "h3"    // HTTP/3
	Mem   Transport = "pipe"  // in memory
)

// HTTPVersion is the version of HTTP the transport carries: "1.1", "2", "3", or "" in memory.
func (t Transport) HTTPVersion() string {
	switch t {
	case H1, H1TLS:
		return "1.1"
	case H2C, H2:
		return "2"
	case H3:
		return "3"
	}
	return ""
}

// Info describes a stream.
type Info struct {
	Transport     Transport            // HTTP/1.1 or HTTP/2, in cleartext or over TLS
	ID            uint64               // the stream's id on its connection; 0 on HTTP/1.1
	Local, Remote net.Addr             // of the connection: a proxy's, where there is one
	TLS           *tls.ConnectionState // nil in cleartext
	// Own: the goroutine that calls Data serves this stream alone (HTTP/1.1, HTTP/3); only there
	// may a sink run handlers inside Data.
	Own bool
}
