package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/reach"
	"weir/interop/load"
)

const benchLong = `Puts load on a WebSocket server and measures it. URL is ws, wss, http or https, of an endpoint that sends back what it is
sent: /echo of weir serve, and of many others.

Each WebSocket keeps --in-flight messages without an answer (a closed loop); a message's latency is from when it was due,
which is when the answer before it came, to its answer. With --rate messages are due at fixed times (an open loop), whether
the server keeps up or not, and latency counts from that time: a server that stalls is charged with all that waited.

Length and type of every answer are checked, and the content of one in 61. WebSockets that fail or break are counted, by
what became of them, and the others go on.

  --http 2 -c 5 -m 20   20 WebSockets on each of 5 connections (RFC 8441)
  --broadcast           the first WebSocket speaks, and the server sends that to all, as /rooms/NAME does; deliveries count
  --idle                opens the WebSockets, sends one message on each, holds them for --duration, and tells what the
                        server's memory grew by, with --pid
  --slow-readers N      N WebSockets more that ask without end and read 1 KiB a second: what they cost the others
  --compress            permessage-deflate (RFC 7692): the messages are 64 JSON documents in turn, each compressed by itself;
                        with =no-takeover the server's answers have to be, too
  --pid PID             the server's CPU time and memory, if it runs on this machine (Linux)

On Linux one thread with an event loop of its own does all of it; --threads takes more of them. The result is a table
on standard output, or JSON with --json; --html writes a page with plots. Progress goes to standard error.

Exit codes:
  0  measured, and within the limits
  1  a fault of weir itself, a file that cannot be written, a process that cannot be measured
  2  the command line cannot be obeyed
  3  no connection, or every WebSocket was lost before the end
  4  the server refused every handshake, or answered it wrongly
  6  no handshake was answered in time
  7  measured, and not within --max-p99, --min-rate, --max-cpu-per-message or --max-errors`

const benchExample = `  weir bench ws://127.0.0.1:8080/echo
  weir bench -c 100 -d 16 --size 1k -D 30s --warmup 2s ws://127.0.0.1:8080/echo
  weir bench --http 2 -c 5 -m 20 -k wss://127.0.0.1:8443/echo
  weir bench --rate 10000 -c 100 --max-p99 5ms --max-errors 0 ws://127.0.0.1:8080/echo
  weir bench --broadcast -c 1000 --size 128 ws://127.0.0.1:8080/rooms/lobby
  weir bench --idle --http 2 -c 100 -m 100 --pid $(pgrep -x weir) ws://127.0.0.1:8080/echo
  weir bench -n 100000 --json --html bench.html ws://127.0.0.1:8080/echo`

// benchConfig is what the flags of `weir bench` say.
type benchConfig struct {
	url       string
	http      string
	headers   []string
	tls       tlsFlags
	size      sizeFlag
	content   string
	compress  string
	idle      bool
	broadcast bool
	json      bool
	html      string
	quiet     bool
	limits    benchLimits

	load load.Config
}

func benchCommand() *cobra.Command {
	c := &benchConfig{size: 16}
	cmd := &cobra.Command{
		Use:     "bench URL",
		Short:   "Measure a WebSocket server under load",
		Long:    benchLong,
		Example: benchExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.url = args[0]
			if err := c.prepare(cmd.Flags().Changed); err != nil {
				return err
			}
			return c.run(cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&c.http, "http", "1.1", "`version` of HTTP: 1.1, 2 (in cleartext with prior knowledge), or 3 (wss and https)")
	f.IntVarP(&c.load.Connections, "connections", "c", 10, "connections")
	f.IntVarP(&c.load.Streams, "streams", "m", 1, "WebSockets on each connection, over HTTP/2 and HTTP/3")
	f.IntVarP(&c.load.InFlight, "in-flight", "d", 0, "messages without an answer on each WebSocket (default 1; with --rate no bound)")
	f.DurationVar(&c.load.Gather, "gather", 0, "let messages wait so long for others, and send them together (Linux)")
	f.Float64Var(&c.load.Rate, "rate", 0, "messages a second, of all WebSockets together: an open loop (default: a closed loop)")
	f.Int64VarP(&c.load.Messages, "messages", "n", 0, "end after so many messages")
	f.DurationVarP(&c.load.Duration, "duration", "D", 0, "measure for so long (default 10s without -n)")
	f.DurationVar(&c.load.Warmup, "warmup", 0, "the same load for so long before the measurement")
	f.VarP(&c.size, "size", "s", "`octets` of a message; 64k and 1m are multiples of 1024")
	f.StringVar(&c.content, "content", "", "what the messages are: ascii, utf8 (characters of 1 to 4 octets), json (64 documents in turn), noise (binary) (default ascii; with --compress json)")
	f.BoolVarP(&c.load.Binary, "binary", "b", false, "send binary messages")
	f.StringVar(&c.compress, "compress", "", "offer permessage-deflate and send compressed messages; the server's context: takeover or no-takeover")
	f.Lookup("compress").NoOptDefVal = "takeover"
	f.BoolVar(&c.broadcast, "broadcast", false, "one WebSocket speaks, and all are sent it")
	f.BoolVar(&c.idle, "idle", false, "open the WebSockets and hold them")
	f.IntVar(&c.load.SlowReaders, "slow-readers", 0, "WebSockets more that read 1 KiB a second")
	f.Float64Var(&c.load.ConnectRate, "connect-rate", 0, "WebSockets to open a second (default: 256 at a time)")
	f.IntVar(&c.load.Window, "window", 0, "octets that the server may send ahead on a stream of HTTP/2 or HTTP/3 (default 1 MiB)")
	f.DurationVar(&c.load.Timeout, "timeout", 10*time.Second, "how long a handshake may take, and the last answers")
	f.IntVar(&c.load.Loops, "threads", 1, "threads that send and read")
	f.StringArrayVarP(&c.headers, "header", "H", nil, "a field of each handshake, `\"Name: value\"`; repeatable; Host replaces the URL's")
	c.tls.add(cmd)
	f.IntVar(&c.load.Pid, "pid", 0, "the server's process: its CPU time and memory (Linux)")
	f.BoolVar(&c.json, "json", false, "the result as JSON")
	f.StringVar(&c.html, "html", "", "write the result with plots to this `file`, a page that needs no other")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "no progress")
	c.limits.add(cmd)
	return cmd
}

// prepare makes a load of the flags, or says what cannot be obeyed. changed tells which flags were
// given.
func (c *benchConfig) prepare(changed func(string) bool) error {
	u, err := reach.ParseURL(c.url)
	switch {
	case err != nil:
		return err
	case u.Scheme != "ws" && u.Scheme != "wss" && u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "":
		return fmt.Errorf("URL %q: ws, wss, http or https, with a host and without a fragment (RFC 6455, 3)",
			reach.RedactURL(c.url))
	case c.http != "1.1" && c.http != "2" && c.http != "3":
		return fmt.Errorf("--http %q: 1.1, 2 or 3", c.http)
	case c.http == "3" && u.Scheme != "wss" && u.Scheme != "https":
		return errors.New("--http 3: wss or https, for HTTP/3 is over TLS alone (RFC 9114, 3.1)")
	case c.http == "1.1" && c.load.Streams != 1:
		return errors.New("--streams: HTTP/1.1 has one WebSocket a connection; --http 2 has many")
	case c.idle && c.broadcast:
		return errors.New("--idle and --broadcast do not go together")
	case c.idle && (c.load.Rate != 0 || c.load.Messages != 0 || c.load.Warmup != 0 || c.load.InFlight != 0):
		return errors.New("--idle sends nothing: no --rate, --messages, --warmup or --in-flight")
	case c.load.Messages != 0 && c.load.Duration != 0:
		return errors.New("--messages and --duration do not go together")
	case c.broadcast && c.load.Loops > 1:
		return errors.New("--broadcast takes one thread")
	case c.compress != "" && c.compress != "takeover" && c.compress != "no-takeover":
		return fmt.Errorf("--compress=%s: takeover or no-takeover", c.compress)
	case changed("in-flight") && c.load.InFlight < 1:
		return errors.New("--in-flight: 1 or more")
	case changed("rate") && c.load.Rate <= 0 || changed("connect-rate") && c.load.ConnectRate <= 0:
		return errors.New("--rate, --connect-rate: over 0")
	case changed("pid") && c.load.Pid <= 0, changed("messages") && c.load.Messages <= 0, changed("duration") && c.load.Duration <= 0:
		return errors.New("--pid, --messages, --duration: over 0")
	case c.load.Connections < 1 || c.load.Streams < 1 || c.load.Loops < 1:
		return errors.New("--connections, --streams, --threads: 1 or more")
	case c.load.SlowReaders < 0 || c.load.Warmup < 0 || c.load.Window < 0 || c.load.Gather < 0 || c.load.Timeout <= 0:
		return errors.New("--slow-readers, --warmup, --window, --gather: 0 or more; --timeout: over 0")
	}
	if err := c.limits.check(changed, c.load.Pid); err != nil {
		return err
	}
	c.load.URL, c.load.HTTP2, c.load.HTTP3 = u, c.http == "2", c.http == "3"
	switch {
	case c.idle:
		c.load.Mode = load.Idle
	case c.broadcast:
		c.load.Mode = load.Broadcast
	}
	c.load.Compress, c.load.Takeover = c.compress != "", c.compress == "takeover"
	if c.load.TLS, err = c.tls.config(); err != nil {
		return err
	}
	if c.load.Header, err = benchHeader(c.headers); err != nil {
		return err
	}
	if err := c.payloads(); err != nil {
		return err
	}
	return c.load.Check()
}

// payloads makes the messages.
func (c *benchConfig) payloads() error {
	if c.content == "" {
		c.content = "ascii"
		if c.load.Compress {
			c.content = "json"
		}
	}
	switch size := int(c.size); c.content {
	case "ascii":
		c.load.Payloads = load.Text(size)
	case "utf8":
		c.load.Payloads = load.MixedText(size)
	case "json":
		c.load.Payloads = load.Documents(64, size)
	case "noise":
		c.load.Payloads, c.load.Binary = load.Noise(size), true
	default:
		return fmt.Errorf("--content %q: ascii, utf8, json or noise", c.content)
	}
	return nil
}

// benchHeader reads -H.
func benchHeader(fields []string) (http.Header, error) {
	h := http.Header{}
	for _, f := range fields {
		name, value, ok := strings.Cut(f, ":")
		if name, value = http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value); !ok || name == "" || strings.ContainsAny(f, "\r\n\x00") {
			return nil, fmt.Errorf("--header %q: \"Name: value\"", f)
		}
		switch {
		case name == "Connection", name == "Upgrade", strings.HasPrefix(name, "Sec-Websocket-"):
			return nil, fmt.Errorf("--header %q: the field is the handshake's", f)
		}
		h.Add(name, value)
	}
	return h, nil
}

// sizeFlag is a number of octets, perhaps with k or m behind it.
type sizeFlag int

func (s *sizeFlag) String() string { return strconv.Itoa(int(*s)) }
func (s *sizeFlag) Type() string   { return "octets" }

func (s *sizeFlag) Set(v string) error {
	digits, unit := strings.ToLower(v), 1
	if n, ok := strings.CutSuffix(digits, "k"); ok {
		digits, unit = n, 1<<10
	} else if n, ok := strings.CutSuffix(digits, "m"); ok {
		digits, unit = n, 1<<20
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > load.MaxSize/unit {
		return fmt.Errorf("0 to %d octets, such as 100, 64k or 1m", load.MaxSize)
	}
	*s = sizeFlag(n * unit)
	return nil
}
