package load

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Mode is what is measured.
type Mode int

const (
	Echo      Mode = iota // each WebSocket sends, and the server sends the same back
	Broadcast             // the first WebSocket sends, and the server sends it to all
	Idle                  // each WebSocket sends one message and then nothing
)

// Config is one measurement. Zero values are defaults.
type Config struct {
	URL    *url.URL // ws, wss, http or https
	HTTP2  bool     // extended CONNECT (RFC 8441); in cleartext with prior knowledge
	HTTP3  bool     // extended CONNECT (RFC 9220), by goroutines
	TLS    *tls.Config
	Header http.Header // further fields of each opening handshake
	Mode   Mode

	Connections int // 0: 1
	Streams     int // WebSockets on each connection of HTTP/2 or HTTP/3; 0: 1
	SlowReaders int // WebSockets beside those, that read 1 KiB a second; of an echo they ask without end

	Payloads [][]byte // the messages, in turn; nil: one of 16 octets. They are not written to.
	Binary   bool
	Compress bool // offer permessage-deflate (RFC 7692), and send compressed messages that refer to none before
	Takeover bool // with Compress: let the server refer to earlier messages

	InFlight    int           // messages without an answer on each WebSocket; 0: 1, and in an open loop without bound
	Gather      time.Duration // how long messages wait for others before they leave together, as from a proxy that serves many; the event loop alone does it
	Rate        float64       // messages a second, of all WebSockets together: an open loop; 0: a closed loop
	Messages    int64         // to measure; 0: as many as Duration takes
	Duration    time.Duration // with Messages 0; of Idle how long it holds; 0: 10 s
	Warmup      time.Duration // before the measurement, with the same load
	ConnectRate float64       // WebSockets to open a second; 0: as fast as they open, 256 at a time
	Timeout     time.Duration // of opening, and of answers after the end; 0: 10 s
	Window      int           // octets that a server may send ahead on a stream of HTTP/2; 0: 1 MiB

	Loops    int  // threads that send and read; 0: 1. Broadcast takes one.
	Portable bool // goroutines instead of epoll

	Pid      int            // the server's process, on this machine; 0: not looked at
	Settle   func() error   // called before the server's memory is looked at, at the beginning and at the end; nil: nothing
	Progress func(Progress) // called once a second
}

// Progress is how far a measurement is.
type Progress struct {
	Phase    string // opening, warm-up, measuring, holding, closing
	Elapsed  time.Duration
	Open     int   // WebSockets
	Want     int   // WebSockets
	Messages int64 // answers measured; of Broadcast deliveries
	Errors   int64
}

const (
	maxInFlight = 1 << 16
	maxSockets  = 1 << 20
	// MaxSize is how long a message may be.
	MaxSize = 64 << 20
)

// Check says what Run would refuse of c.
func (c Config) Check() error {
	_, err := c.defaults()
	return err
}

// defaults fills in what is zero, and refuses what cannot be.
func (c Config) defaults() (Config, error) {
	zero(&c.Connections, 1)
	zero(&c.Streams, 1)
	zero(&c.Loops, 1)
	zero(&c.Window, 1<<20)
	zero(&c.Timeout, 10*time.Second)
	if c.Rate == 0 || c.Mode == Idle {
		zero(&c.InFlight, 1)
	}
	if c.Messages == 0 || c.Mode == Idle {
		zero(&c.Duration, 10*time.Second)
	}
	if c.Mode == Idle {
		c.Rate, c.Messages, c.Warmup, c.InFlight = 0, 0, 0, 1
	}
	if c.Mode == Broadcast {
		c.Loops = 1
	}
	if len(c.Payloads) == 0 {
		c.Payloads = Text(16)
	}
	if c.URL == nil || c.URL.Hostname() == "" {
		return c, errors.New("load: a URL with a host")
	}
	switch c.URL.Scheme {
	case "ws", "wss", "http", "https":
	default:
		return c, fmt.Errorf("load: URL scheme %q: ws, wss, http or https", c.URL.Scheme)
	}
	for _, p := range c.Payloads {
		if len(p) > MaxSize {
			return c, fmt.Errorf("load: a message of %d octets: at most %d", len(p), MaxSize)
		}
	}
	sockets := c.Connections*c.Streams + c.SlowReaders
	switch {
	case c.Connections < 0 || c.Streams < 0 || c.SlowReaders < 0 || c.InFlight < 0 || c.Rate < 0 || c.Messages < 0 || c.Duration < 0 || c.Warmup < 0 ||
		c.ConnectRate < 0 || c.Timeout < 0 || c.Gather < 0 || c.Window < 0 || c.Loops < 0 || c.Pid < 0:
		return c, errors.New("load: a number below 0")
	case c.HTTP3 && (c.HTTP2 || !c.secure()):
		return c, errors.New("load: HTTP/3 is over TLS alone")
	case c.Streams > 1 && !c.HTTP2 && !c.HTTP3:
		return c, errors.New("load: HTTP/1.1 has one WebSocket a connection")
	case c.Connections > maxSockets || c.Streams > maxSockets || sockets > maxSockets:
		return c, fmt.Errorf("load: more than %d WebSockets", maxSockets)
	case c.InFlight > maxInFlight:
		return c, fmt.Errorf("load: more than %d messages in flight", maxInFlight)
	case c.Window > 1<<31-1:
		return c, errors.New("load: a window of more than 2^31-1 octets (RFC 9113, 6.9.1)")
	case c.Messages > 0 && c.Duration > 0:
		return c, errors.New("load: a number of messages, or a duration")
	}
	c.Loops = min(c.Loops, c.Connections)
	return c, nil
}

func zero[T comparable](v *T, def T) {
	var none T
	if *v == none {
		*v = def
	}
}

func (c *Config) secure() bool { return c.URL.Scheme == "wss" || c.URL.Scheme == "https" }

// address is where to connect to.
func (c *Config) address() string {
	if c.URL.Port() != "" {
		return c.URL.Host
	}
	if c.secure() {
		return c.URL.Host + ":443"
	}
	return c.URL.Host + ":80"
}
