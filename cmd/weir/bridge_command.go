package main

import (
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"
)

const bridgeLong = `Accepts WebSockets over HTTP/1.1 on LISTEN and relays them to the server of URL over HTTP/2 (RFC 8441), or with --http 3
over HTTP/3 (RFC 9220): all on one connection, as long as the server allows so many streams, then on another.

LISTEN is host:port; port 0 picks one, and the event on standard output names it. URL is http, https, ws or wss, and
without a path: that of each WebSocket is its own. http and ws are HTTP/2 with prior knowledge.

The handshake passes through: path, query, cookies, origin, subprotocols and extensions one way, and the answer the other;
statuses other than 200 come back with their bodies, up to 64 KiB. After it the octets are relayed as they are, each side as
fast as the other reads; a FIN is END_STREAM, a TCP reset is RST_STREAM(CANCEL). What the bridge itself answers: 426 or 400
to what is no WebSocket handshake, 502 when the server cannot be reached or does not offer extended CONNECT, 504 when it
does not answer in time.

SIGTERM or SIGINT: nothing new is accepted, and exit code 0 when the last WebSocket has ended; 1 if some had to be cut. A
second one stops at once.`

const bridgeExample = `  weir bridge 127.0.0.1:9000 http://127.0.0.1:8080     then: weir connect ws://127.0.0.1:9000/echo
  weir bridge 127.0.0.1:9000 https://127.0.0.1:8443 -k
  weir bridge 127.0.0.1:9000 https://127.0.0.1:8443 -k --http 3`

func bridgeCommand() *cobra.Command {
	var (
		c     config // of the log
		t     tlsFlags
		b     bridge
		drain time.Duration

		version string
	)
	cmd := &cobra.Command{
		Use:     "bridge LISTEN URL",
		Short:   "Relay WebSockets over HTTP/1.1 to a server over HTTP/2 or HTTP/3",
		Long:    bridgeLong,
		Example: bridgeExample,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case c.logFormat != "text" && c.logFormat != "json":
				return fmt.Errorf("--log %q: text or json", c.logFormat)
			case b.timeout <= 0:
				return fmt.Errorf("--timeout %v: more than 0", b.timeout)
			case b.window < 1:
				return fmt.Errorf("--window %d: octets, 1 or more", b.window)
			case drain < 0:
				return fmt.Errorf("--drain %v: 0 or more", drain)
			}
			cfg, err := t.config()
			if err != nil {
				return err
			}
			log, out := c.logger(cmd.ErrOrStderr())
			defer out.flush()
			b.log = log
			if b.up, err = newUpstream(args[1], version, cfg, b.log); err != nil {
				return err
			}
			l, err := net.Listen("tcp", args[0])
			if err != nil {
				return &runError{err}
			}
			if err := serveBridge(&b, l, drain, newEvents(cmd.OutOrStdout())); err != nil {
				return &runError{err}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&version, "http", "2", "`version` of HTTP to the server: 2, or 3 (wss and https)")
	t.add(cmd)
	f.BoolVar(&b.keepHost, "keep-host", false, "send the client's Host on, in place of the URL's")
	f.DurationVar(&b.timeout, "timeout", 30*time.Second, "how long the server may take to answer a handshake")
	f.IntVar(&b.window, "window", 65535, "`octets` that each side of a WebSocket may send ahead")
	f.DurationVar(&drain, "drain", 10*time.Second, "how long SIGTERM or SIGINT waits for open WebSockets")
	f.StringVar(&c.logFormat, "log", "text", "log `format`, text or json")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "log everything")
	return cmd
}
