package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"weir/internal/reach"
	"weir/websocket"
)

const connectLong = `Opens a WebSocket, sends the lines of standard input as messages, and shows what comes back. URL is ws, wss, http or https.

On a terminal it prompts with "> " and shows messages behind "< ". Otherwise each message is a line on standard output, and
nothing else is: the rest goes to standard error. --json shows everything as JSON, one event a line: open, message (type,
bytes, text or base64), ping, pong, close (reason, code, text, clean), and error when no WebSocket could be opened (message;
status, reason, location, try where there are some).

At the end of standard input, or of the -x messages, it sends a ping, waits for the pong (for up to 2 s), and closes with
1000: what the server answers in order has come by then. -w waits for that long instead. SIGINT and SIGTERM close with 1000,
a second one leaves at once.

With --slash a line may be a command: /ping [TEXT], /pong [TEXT], /close [CODE [REASON]].

` + exitHelp

const connectExample = `  weir connect ws://127.0.0.1:8080/echo
  weir connect -k --http 2 wss://127.0.0.1:8443/echo -x hello
  weir connect -k --http 3 wss://127.0.0.1:8443/echo -x hello
  weir connect -1 ws://127.0.0.1:8080/headers
  printf 'one\ntwo\n' | weir connect --json ws://127.0.0.1:8080/echo`

// connectConfig is what the flags of `weir connect` say.
type connectConfig struct {
	url      string
	http     string
	headers  []string
	origin   string
	proxy    string
	slash    bool
	one      bool
	execute  []string
	wait     time.Duration
	waitSet  bool
	noClose  bool
	binary   bool
	json     bool
	verbose  bool
	interval time.Duration
	timeout  time.Duration
	tls      tlsFlags

	options websocket.DialOptions
	dialer  websocket.Dialer
	http3   clientHTTP3
}

func connectCommand() *cobra.Command {
	c := new(connectConfig)
	cmd := &cobra.Command{
		Use:     "connect URL",
		Short:   "Talk to a WebSocket server",
		Long:    connectLong,
		Example: connectExample,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.url = args[0]
			c.waitSet = cmd.Flags().Changed("wait")
			if err := c.prepare(); err != nil {
				return err
			}
			out := &printer{
				url: reach.RedactURL(c.url), json: c.json, verbose: c.verbose, controls: c.slash,
				stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), gone: make(chan struct{}),
			}
			out.screen = writesToTerminal(out.stdout)
			out.terminal = !c.json && len(c.execute) == 0 && isTerminal(os.Stdin) && out.screen
			return newConnection(c, out).run(os.Stdin)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&c.http, "http", "auto", "`version` of HTTP: auto (over TLS as the server likes, in cleartext 1.1), 1.1, 2 (in cleartext with prior knowledge), or 3 (wss and https)")
	f.StringArrayVarP(&c.headers, "header", "H", nil, "a field of the request, `\"Name: value\"`; repeatable; Host replaces the URL's")
	f.StringArrayVarP(&c.options.Subprotocols, "subprotocol", "s", nil, "offer this subprotocol, a `name`; repeatable")
	f.StringVar(&c.origin, "origin", "", "the field Origin")
	c.tls.add(cmd)
	f.StringVar(&c.proxy, "proxy", "", "go through this proxy, a `URL`: http, https, socks5 or socks5h")
	f.BoolVar(&c.options.Compress, "compress", false, "offer permessage-deflate (RFC 7692)")
	f.BoolVar(&c.slash, "slash", false, "lines may be commands: /ping, /pong, /close")
	f.BoolVarP(&c.one, "one-message", "1", false, "leave when one message has come")
	f.StringArrayVarP(&c.execute, "execute", "x", nil, "send this `message` in place of standard input; repeatable")
	f.DurationVarP(&c.wait, "wait", "w", 0, "how long to stay after the last line (default: until a ping is answered)")
	f.BoolVar(&c.noClose, "no-close", false, "stay until the server closes")
	f.BoolVarP(&c.binary, "binary", "b", false, "send binary messages: each line whole (of a text a carriage return at its end is left out)")
	f.BoolVar(&c.json, "json", false, "show everything as JSON, one event a line")
	f.DurationVar(&c.interval, "ping-interval", 0, "ping when nothing came for so long; a server that does not answer for --timeout is given up (default never)")
	f.DurationVar(&c.timeout, "timeout", 30*time.Second, "how long opening may take, and the message of -1; 0: for ever")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "tell more, on standard error")
	return cmd
}

// prepare makes the options of the WebSocket of the flags, or says what cannot be obeyed.
func (c *connectConfig) prepare() error {
	versions := map[string]websocket.HTTPVersion{"auto": websocket.HTTPAuto, "1.1": websocket.HTTP1, "2": websocket.HTTP2, "3": websocket.HTTP3}
	version, ok := versions[c.http]
	u, err := reach.ParseURL(c.url)
	switch {
	case err != nil:
		return err
	case u.Scheme != "ws" && u.Scheme != "wss" && u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "":
		return fmt.Errorf("URL %q: ws, wss, http or https, with a host and without a fragment (RFC 6455, 3)",
			reach.RedactURL(c.url))
	case !ok:
		return fmt.Errorf("--http %q: auto, 1.1, 2 or 3", c.http)
	case version == websocket.HTTP3 && u.Scheme != "wss" && u.Scheme != "https":
		return fmt.Errorf("--http 3: wss or https, for HTTP/3 is over TLS alone (RFC 9114, 3.1)")
	case version == websocket.HTTP3 && c.proxy != "":
		return errors.New("--http 3 does not go through a --proxy")
	case c.wait < 0 || c.interval < 0 || c.timeout < 0:
		return errors.New("--wait, --ping-interval, --timeout: 0 or more")
	case c.noClose && c.waitSet:
		return errors.New("--no-close and --wait do not go together")
	}
	for _, m := range c.execute {
		if _, err := (&connection{connectConfig: c}).command(m); err != nil {
			return fmt.Errorf("--execute: %w", err)
		}
	}
	if err := c.header(); err != nil {
		return err
	}
	c.dialer.HTTP, c.dialer.HTTP3 = version, &c.http3
	c.dialer.Timeout = zeroIsNone(c.timeout)
	if c.dialer.TLS, err = c.tls.config(); err != nil {
		return err
	}
	if c.proxy != "" {
		p, err := url.Parse(c.proxy)
		if err != nil || p.Hostname() == "" {
			return fmt.Errorf("--proxy %q: a URL such as http://127.0.0.1:3128", reach.RedactURL(c.proxy))
		}
		switch p.Scheme {
		case "http", "https", "socks5", "socks5h":
		default:
			return fmt.Errorf("--proxy %q: http, https, socks5 or socks5h", p.Redacted())
		}
		c.dialer.Proxy = http.ProxyURL(p)
	}
	c.options.MaxFrameSize = maxMessage
	if c.options.PingInterval = c.interval; c.interval > 0 && c.timeout > 0 {
		c.options.IdleTimeout = c.interval + c.timeout
	}
	return nil
}

// header reads -H and --origin.
func (c *connectConfig) header() error {
	c.options.Header = http.Header{}
	for _, h := range c.headers {
		name, value, ok := strings.Cut(h, ":")
		if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !ok || name == "" {
			return fmt.Errorf("--header %q: \"Name: value\"", h)
		}
		switch name = http.CanonicalHeaderKey(name); {
		case name == "Host":
			c.options.Host = value
		case name == "Connection", name == "Upgrade", strings.HasPrefix(name, "Sec-Websocket-"):
			return fmt.Errorf("--header %q: the field is the handshake's", h)
		default:
			c.options.Header.Add(name, value)
		}
	}
	if c.origin != "" {
		c.options.Header.Set("Origin", c.origin)
	}
	return nil
}

// maxControl is how much a ping, a pong or a close frame may carry (RFC 6455, 5.5).
const maxControl = 125

// slashCommand reads a line of --slash.
func slashCommand(line string) (websocket.Command, error) {
	name, rest, _ := strings.Cut(line, " ")
	switch name {
	case "/ping", "/pong":
		if len(rest) > maxControl {
			return websocket.Command{}, fmt.Errorf("%s: at most %d octets (RFC 6455, 5.5)", name, maxControl)
		}
		if name == "/ping" {
			return websocket.Ping(rest), nil
		}
		return websocket.Pong(rest), nil
	case "/close":
		number, reason, _ := strings.Cut(rest, " ")
		code := 0
		if number != "" {
			var err error
			if code, err = strconv.Atoi(number); err != nil || code < 1000 || code > 4999 || !websocket.CloseCode(code).Sendable() {
				return websocket.Command{}, fmt.Errorf("/close %s: no code that may be sent (RFC 6455, 7.4)", number)
			}
		}
		if len(reason) > maxControl-2 || !utf8.ValidString(reason) {
			return websocket.Command{}, fmt.Errorf("/close: the reason is UTF-8 of at most %d octets (RFC 6455, 5.5.1)", maxControl-2)
		}
		return websocket.Close(websocket.CloseCode(code), reason), nil
	}
	return websocket.Command{}, fmt.Errorf("%.40q: /ping [TEXT], /pong [TEXT] or /close [CODE [REASON]]", line)
}

// isTerminal says whether somebody sits at f: a character device that is not the null device.
func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(st, null)
}

func writesToTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}
