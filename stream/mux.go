package stream

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Mux is a client's connection that carries many streams, each opened by extended CONNECT (RFC
// 8441, RFC 9220). Its methods may be called from any goroutine.
type Mux interface {
	// Open opens a stream, as h2.Client.Open does. It uses what was reserved, if there is any.
	Open(ctx context.Context, r *http.Request) (Stream, *http.Response, error)
	// ExtendedConnect waits for the server's SETTINGS, and says whether they offer it.
	ExtendedConnect(ctx context.Context) (bool, error)

	Room() int     // how many more streams may be opened, as far as is known
	Reserve() bool // keeps room for one stream until the next Open, or until Release
	Release()      // gives up what Reserve kept
	Streams() int  // how many are open, those that wait for their response too

	Heard() time.Time                // since when nothing has come, at the most
	Asked() time.Time                // when the server was asked whether it is there, without a word since; zero: not
	Ping()                           // asks, and does not wait
	Probe(ctx context.Context) error // asks, and waits for a word

	Leaving() bool // it takes no new streams
	Cause() error  // why, or nil
	Leave()        // ends it with its last stream
	Close() error  // gives every stream up, and does not wait

	Done() <-chan struct{} // closed when it has ended
	Err() error            // then why
}

// What errors.Is finds in an error of Mux.Open that says what to do next.
var (
	// ErrUnprocessed: the server has not looked at the request. It may be made again on another
	// connection, whatever it is (RFC 9113, 8.7; RFC 9114, 4.1.1).
	ErrUnprocessed = errors.New("stream: the server has not looked at the request")
	// ErrNotOffered: the server does not offer extended CONNECT (RFC 8441, 3; RFC 9220, 3).
	ErrNotOffered = errors.New("stream: the server does not offer extended CONNECT")
	// ErrFault: the connection has ended for a fault of one side's. Another would, too.
	ErrFault = errors.New("stream: the connection ended for a fault")
	// ErrFallback: the server wants the request over HTTP/1.1 (RFC 9113, 7; RFC 9114, 8.1).
	ErrFallback = errors.New("stream: the server wants HTTP/1.1")
)
