package main

import (
	"slices"
	"strings"
	"time"

	"weir/interop/load"
)

// benchCase is one load, and who is put under it.
type benchCase struct {
	name, title string
	setting     setting
	load        load.Config
	servers     []string
	once        bool // one round is enough: it measures memory
}

// What the servers are: goLibrary, a yardstick, or something else.
var (
	goLibraries = []string{"gorilla", "coder", "gws", "gobwas", "nbio", "fasthttp"}
	yardsticks  = []string{"minimal", "floor", "gathered"}

	// What a handler that knows HTTP/1.1 alone costs over weir's HTTP/2, beside the same handler
	// over HTTP/1.1, which has a connection for each of the WebSockets.
	hijackers = []string{"gorilla-h2", "gorilla-h1"}
)

// of is the case as one of its servers has it.
func (c *benchCase) of(server string) (setting, load.Config) {
	s, cfg := c.setting, c.load
	s.Server = server
	if server == "gorilla-h1" {
		s.Transport = "h1"
		cfg.HTTP2, cfg.Connections, cfg.Streams = false, cfg.Connections*cfg.Streams, 1
	}
	return s, cfg
}

// allCases is the matrix.
func allCases() []*benchCase {
	h1 := slices.Concat([]string{"weir"}, goLibraries, []string{"node-ws", "lws", "minimal", "floor"})
	h2 := []string{"weir", "x/net", "node-h2", "lws"}
	hijacked := slices.Concat(h2, hijackers)
	echo := func(name, title, transport string, conns, streams, inFlight int, payloads [][]byte, servers ...string) *benchCase {
		return &benchCase{name: name, title: title, setting: setting{Transport: transport}, servers: servers,
			load: load.Config{HTTP2: transport == "h2", Connections: conns, Streams: streams, InFlight: inFlight, Payloads: payloads, Binary: true}}
	}
	var all []*benchCase
	add := func(c *benchCase, change ...func(*benchCase)) {
		for _, f := range change {
			f(c)
		}
		all = append(all, c)
	}
	text := func(c *benchCase) { c.load.Binary = false }
	deflate := func(takeover bool) func(*benchCase) {
		return func(c *benchCase) {
			c.setting.Compress, c.setting.Takeover = true, takeover
			c.load.Compress, c.load.Takeover = true, takeover
		}
	}
	broadcast := func(c *benchCase) { c.setting.Broadcast, c.load.Mode = true, load.Broadcast }
	idle := func(c *benchCase) { c.load.Mode, c.once = load.Idle, true }
	small, kib, large, huge := load.Noise(16), load.Noise(1<<10), load.Noise(64<<10), load.Noise(1<<20)

	add(echo("h1-16", "16 octets, 1 in flight, 100 connections", "h1", 100, 1, 1, small, h1...))
	add(echo("h1-16x16", "16 octets, 16 in flight, 100 connections", "h1", 100, 1, 16, small, append(h1, "gathered")...))
	add(echo("h1-1k", "1 KiB, 1 in flight, 100 connections", "h1", 100, 1, 1, kib, h1...))
	add(echo("h1-64k", "64 KiB, 1 in flight, 16 connections", "h1", 16, 1, 1, large, h1...))
	add(echo("h1-utf8", "64 KiB of UTF-8 text, validated, 16 connections", "h1", 16, 1, 1, load.MixedText(64<<10), "weir", "gws", "node-ws", "lws"), text,
		func(c *benchCase) { c.setting.UTF8 = true })
	add(echo("h1-1m", "1 MiB, 1 in flight, 4 connections", "h1", 4, 1, 1, huge, h1...))
	add(echo("h1-deflate", "1 KiB of JSON, deflate without takeover, 100 connections", "h1", 100, 1, 1, load.Documents(64, 1<<10), "weir", "gorilla", "gws", "nbio", "fasthttp", "node-ws"),
		text, deflate(false))
	add(echo("h1-takeover", "1 KiB of JSON, deflate with takeover, 100 connections", "h1", 100, 1, 1, load.Documents(64, 1<<10), "weir", "gws", "node-ws"), text, deflate(true))
	add(echo("h1-tls", "1 KiB over TLS, 1 in flight, 100 connections", "h1tls", 100, 1, 1, kib, "weir", "gorilla", "gws", "minimal"))
	add(echo("h1-broadcast", "128 octets to 1000 connections", "h1", 1000, 1, 1, load.Noise(128), "weir", "gorilla", "gws", "nbio", "node-ws", "minimal"), broadcast)
	add(echo("h1-idle", "idle, 10 000 connections", "h1", 10_000, 1, 1, small, h1...), idle)
	add(echo("h1-idle-tls", "idle over TLS, 2000 connections", "h1tls", 2000, 1, 1, small, "weir", "gorilla", "gws", "minimal"), idle)

	add(echo("h2-16", "16 octets, 1 in flight, 5 connections of 20", "h2", 5, 20, 1, small, hijacked...))
	add(echo("h2-bursts", "16 octets, 1 in flight, 5 connections of 20, sent in bursts each 200 µs", "h2", 5, 20, 1, small, h2...),
		func(c *benchCase) { c.load.Gather = 200 * time.Microsecond })
	add(echo("h2-16x16", "16 octets, 16 in flight, 5 connections of 20", "h2", 5, 20, 16, small, h2...))
	add(echo("h2-1k", "1 KiB, 1 in flight, 5 connections of 20", "h2", 5, 20, 1, kib, hijacked...))
	add(echo("h2-64k", "64 KiB, 1 in flight, 4 connections of 4", "h2", 4, 4, 1, large, hijacked...))
	add(echo("h2-1m", "1 MiB, 1 in flight, 4 connections of 1", "h2", 4, 1, 1, huge, hijacked...))
	add(echo("h2-alone", "16 octets, 1 in flight, 100 connections of 1", "h2", 100, 1, 1, small, h2...))
	add(echo("h2-broadcast", "128 octets to 10 connections of 100", "h2", 10, 100, 1, load.Noise(128), "weir", "x/net"), broadcast)
	add(echo("h2-idle", "idle, 100 connections of 100", "h2", 100, 100, 1, small, hijacked...), idle)
	return all
}

// chosen are the cases and servers that the flags ask for.
func chosen(o *options) []*benchCase {
	var some []*benchCase
	for _, c := range allCases() {
		if o.cases != nil && !slices.ContainsFunc(o.cases, func(begin string) bool { return strings.HasPrefix(c.name, begin) }) {
			continue
		}
		if o.servers != nil {
			c.servers = slices.DeleteFunc(c.servers, func(s string) bool { return !slices.Contains(o.servers, s) })
		}
		if len(c.servers) > 0 {
			some = append(some, c)
		}
	}
	return some
}
