package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/upgrade"
	"weir/websocket"
)

const serveLong = `A test server for WebSockets, over HTTP/1.1 (RFC 6455), HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220).

It serves HTTP/1.1 and HTTP/2 on one cleartext port, and both over TLS on another, whose UDP port --h3 gives HTTP/3.
Every path below is a WebSocket on any version of HTTP; what is printed on standard output is one JSON event a line, logs go to standard error.

  /echo       messages come back as they are
  /commands   obeys the scripts it is sent: [{"text":"hi"},{"close":{"code":4000,"reason":"bye"}}]
  /push       ?interval=MS&size=N&count=N&type=text|binary: sends messages at a pace
  /source     ?size=N&count=N&type=text|binary: sends as fast as flow control lets it
  /discard    reads and drops, and counts
  /headers    one message, the request as JSON
  /close      ?code=N&reason=S: closes at once
  /rooms/NAME what one member sends goes to every member; over 64 KiB only if that is 64 MiB at most for all
  Each takes compress=0|1, max_frame_size=N, idle_timeout=MS, validate_utf8=0|1 and window=N in its query. N of
  max_frame_size is at most 16777216, or what --max-frame-size says if that is more. A script may have 1000 "after" to
  come, 32 within each other; /push and /source have 128 MiB of messages over 64 KiB under way, of all sessions together.

  /tunnel     no WebSocket: upgrade token weir-echo, raw octets come back
  /events     ?room=NAME: what is said in /rooms/NAME as server-sent events, binary messages in base64

  / is a console for browsers. /healthz  /metrics  /bytes/N  /upload are ordinary HTTP.

The event "terminate" says why a WebSocket ended: "reason"; "code" and "text" of the peer's close frame, "sent_code" and
"sent_text" of the server's, where they had a code; "drain":true if the server was draining and had asked it to end.

Nobody waits for who reads the events. Where some are missing, because too many were not read, stands the event "dropped"
with their count. Of each message the log has one line a second; with -v it has all.

With --proxy-protocol a connection on a cleartext listener begins with a PROXY header, from a proxy that
--proxy-protocol-from names. Any other is closed, and its peer is in the log, once.

SIGTERM or SIGINT drains: every WebSocket is closed with 1001, exit code 0; 1 if some had to be cut. A second one stops
at once.`

const serveExample = `  weir serve                                           127.0.0.1:8080 and, with a certificate made in memory, 127.0.0.1:8443
  weir serve --listen 127.0.0.1:0 --tls-listen ""      one free port; the first line on standard output names it
  weir serve --listen unix:/tmp/weir.sock -v           a unix socket, and all of the log
  weir serve --compress --deflate server-max-window-bits=10,server-no-context-takeover
  weir serve --proxy-protocol --proxy-protocol-from 10.0.0.7 --trusted-proxy 10.0.0.0/8
  weir serve --cert cert.pem --key key.pem             a certificate of your own
  weir serve --h3                                      HTTP/3, too, on UDP port 8443

  npx wscat -c ws://127.0.0.1:8080/echo
  npx wscat --no-check -c wss://127.0.0.1:8443/echo
  node --experimental-websocket -e 'const w = new WebSocket("ws://127.0.0.1:8080/echo"); w.onopen = () => w.send("hi"); w.onmessage = m => { console.log(m.data); w.close() }'
  curl --http2-prior-knowledge http://127.0.0.1:8080/healthz
  curl -k https://127.0.0.1:8443/bytes/1000000 -o /dev/null`

// config is what the flags of `weir serve` say.
type config struct {
	listen            []string
	tlsListen         string
	cert, key         string
	h3                bool
	noExtendedConnect bool
	compress          bool
	deflate           websocket.DeflateOptions
	maxFrameSize      int64
	idleTimeout       time.Duration
	window            int
	maxStreams        int
	subprotocols      []string
	origins           []string
	noValidateUTF8    bool
	proxyProtocol     bool
	proxiesFrom       trust
	trusted           trust
	drain             time.Duration
	logFormat         string
	verbose           bool
}

func serveCommand() *cobra.Command {
	var c config
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Run the test server",
		Long:    serveLong,
		Example: serveExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(); err != nil {
				return err
			}
			log, out := c.logger(cmd.ErrOrStderr())
			defer out.flush()
			if err := serve(&c, log, cmd.OutOrStdout()); err != nil {
				return &runError{err}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringArrayVar(&c.listen, "listen", []string{"127.0.0.1:8080"}, "cleartext `address`; repeatable; port 0 picks one; unix:PATH; \"\" turns it off")
	f.StringVar(&c.tlsListen, "tls-listen", "127.0.0.1:8443", "TLS `address`; \"\" turns it off")
	f.StringVar(&c.cert, "cert", "", "certificate, a PEM `file`; without it one for localhost is made in memory")
	f.StringVar(&c.key, "key", "", "its key, a PEM `file`")
	f.BoolVar(&c.h3, "h3", false, "HTTP/3 on the UDP port of the TLS address, which the others name by Alt-Svc")
	f.BoolVar(&c.noExtendedConnect, "no-extended-connect", false, "HTTP/2 and HTTP/3 without WebSockets (RFC 8441, RFC 9220)")
	f.BoolVar(&c.compress, "compress", false, "offer permessage-deflate (RFC 7692) to every endpoint")
	f.Var(deflateFlag{&c.deflate}, "deflate", "how: level (0 to 9), server-max-window-bits, client-max-window-bits (8 to 15), server-no-context-takeover, client-no-context-takeover; mem-level is taken and has no effect")
	f.Int64Var(&c.maxFrameSize, "max-frame-size", 1_000_000, "`octets` of a frame and of a message; 0: unlimited")
	f.DurationVar(&c.idleTimeout, "idle-timeout", 60*time.Second, "ends a WebSocket that received nothing for so long; 0: never")
	f.IntVar(&c.window, "window", 65535, "receive window of a WebSocket, `octets`")
	f.IntVar(&c.maxStreams, "max-streams", 250, "HTTP/2 or HTTP/3 streams a connection may have open")
	f.StringArrayVar(&c.subprotocols, "subprotocol", nil, "a sub protocol's `name`; repeatable; the first that the client offers is chosen")
	f.StringArrayVar(&c.origins, "origin", nil, "allowed origin, a `pattern`; repeatable; others get 403 (default any)")
	f.BoolVar(&c.noValidateUTF8, "no-validate-utf8", false, "take text as it comes")
	f.BoolVar(&c.proxyProtocol, "proxy-protocol", false, "require a PROXY header, version 1 or 2, on cleartext listeners")
	f.Var(trustFlag{&c.proxiesFrom}, "proxy-protocol-from",
		"who may send a PROXY header; repeatable (default loopback and private addresses)")
	f.Var(trustFlag{&c.trusted}, "trusted-proxy", "a proxy whose Forwarded or X-Forwarded-* is believed; repeatable")
	f.DurationVar(&c.drain, "drain", 10*time.Second, "how long SIGTERM or SIGINT drains before it cuts")
	f.StringVar(&c.logFormat, "log", "text", "log `format`, text or json")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "log everything, HTTP/2 frames too (values of fields stay out)")
	return cmd
}

// check refuses what no server can be made of.
func (c *config) check() error {
	c.listen = nonEmpty(c.listen)
	switch {
	case len(c.listen) == 0 && c.tlsListen == "":
		return errors.New("--listen and --tls-listen are both off: nothing to serve")
	case (c.cert == "") != (c.key == ""):
		return errors.New("--cert and --key go together")
	case c.cert != "" && c.tlsListen == "":
		return errors.New("--cert needs --tls-listen")
	case c.h3 && (c.tlsListen == "" || strings.HasPrefix(c.tlsListen, "unix:")):
		return errors.New("--h3 needs --tls-listen with a port")
	case c.maxFrameSize < 0:
		return fmt.Errorf("--max-frame-size %d: octets, 0 or more", c.maxFrameSize)
	case c.idleTimeout < 0:
		return fmt.Errorf("--idle-timeout %v: 0 or more", c.idleTimeout)
	case c.window < 1:
		return fmt.Errorf("--window %d: octets, 1 or more", c.window)
	case c.maxStreams < 1:
		return fmt.Errorf("--max-streams %d: 1 or more", c.maxStreams)
	case c.drain < 0:
		return fmt.Errorf("--drain %v: 0 or more", c.drain)
	case len(c.proxiesFrom) > 0 && !c.proxyProtocol:
		return errors.New("--proxy-protocol-from needs --proxy-protocol")
	case c.logFormat != "text" && c.logFormat != "json":
		return fmt.Errorf("--log %q: text or json", c.logFormat)
	}
	if err := (&upgrade.WebSocketConfig{Origins: c.origins}).Check(); err != nil {
		return fmt.Errorf("--origin: %w", err)
	}
	if err := (&upgrade.WebSocketConfig{Subprotocols: c.subprotocols}).Check(); err != nil {
		return fmt.Errorf("--subprotocol: %w", err)
	}
	for _, a := range c.listen {
		if a == "unix:" {
			return errors.New("--listen unix: needs a path")
		}
	}
	return nil
}

func nonEmpty(list []string) []string {
	var out []string
	for _, s := range list {
		if strings.TrimSpace(s) != "" {
			out = append(out, s)
		}
	}
	return out
}
