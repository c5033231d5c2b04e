package rfc8441

import (
	"fmt"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// enableConnectProtocol is SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441, 3).
const enableConnectProtocol http2.SettingID = 8

func settingsCases() []spec {
	return []spec{
		{"first", "RFC 8441, 3", "Connect and look at the server's first SETTINGS", "ENABLE_CONNECT_PROTOCOL=1 is in it", func(c *client) {
			c.open("")
			if len(c.settings) == 0 {
				return // said
			}
			for _, s := range c.settings[0] {
				if s.ID == enableConnectProtocol && s.Val == 1 {
					return
				}
			}
			c.quietly(func() bool { return false })
			if v, ok := c.serverSetting(enableConnectProtocol); ok && v == 1 {
				c.nonStrict("ENABLE_CONNECT_PROTOCOL=1 comes in a later SETTINGS, for which no client waits")
				return
			}
			c.fail("no ENABLE_CONNECT_PROTOCOL=1 in the first SETTINGS (RFC 8441, 3)")
		}},
		{"kept", "RFC 8441, 3", "Open a WebSocket, change settings, and look at all SETTINGS of the server", "ENABLE_CONNECT_PROTOCOL is 1 or absent in each, never 0 after 1", func(c *client) {
			t := c.connect()
			t.echo("before")
			c.setting("INITIAL_WINDOW_SIZE=70000")
			c.settled()
			t.echo("after")
			t.bye()
			c.quietly(func() bool { return false })
			c.checkConnectProtocol()
		}},
		{"push", "RFC 9113, 6.5.2", "Look at the server's SETTINGS, and open a WebSocket", "ENABLE_PUSH is 0 or absent, and nothing is pushed", func(c *client) {
			c.connect().echo("no push")
			if v, ok := c.serverSetting(http2.SettingEnablePush); ok && v != 0 {
				c.fail("ENABLE_PUSH=%d from a server", v)
			}
		}},
		{"values", "RFC 9113, 6.5.2", "Look at the server's SETTINGS", "INITIAL_WINDOW_SIZE is at most 2^31-1, MAX_FRAME_SIZE from 2^14 to 2^24-1", func(c *client) {
			c.open("")
			if v, ok := c.serverSetting(http2.SettingInitialWindowSize); ok && v > 1<<31-1 {
				c.fail("INITIAL_WINDOW_SIZE=%d", v)
			}
			if v, ok := c.serverSetting(http2.SettingMaxFrameSize); ok && (v < 1<<14 || v >= 1<<24) {
				c.fail("MAX_FRAME_SIZE=%d", v)
			}
		}},
		{"ack", "RFC 9113, 6.5.3", "Send SETTINGS at the start, and twice while a WebSocket is open", "Each is acknowledged, in order", func(c *client) {
			t := c.connect()
			c.settled()
			c.setting("INITIAL_WINDOW_SIZE=100000")
			c.setting("MAX_HEADER_LIST_SIZE=65536")
			c.settled()
			t.echo("after")
		}},
		{"unsent", "RFC 8441, 3", "Open a WebSocket, and never send ENABLE_CONNECT_PROTOCOL", "It is opened and echoes", func(c *client) {
			c.open("INITIAL_WINDOW_SIZE=65535")
			c.connect().echo("never sent")
		}},
		{"client-one", "RFC 8441, 3", "Send ENABLE_CONNECT_PROTOCOL=1, as some clients and proxies do", "It has no effect", func(c *client) {
			c.open("ENABLE_CONNECT_PROTOCOL=1")
			c.connect().echo("sent as 1")
		}},
		{"client-zero", "RFC 8441, 3", "Send ENABLE_CONNECT_PROTOCOL=0", "It has no effect", func(c *client) {
			c.open("ENABLE_CONNECT_PROTOCOL=0")
			c.connect().echo("sent as 0")
		}},
		{"client-two", "RFC 8441, 3", "Send ENABLE_CONNECT_PROTOCOL=2, which is no value of it", "It has no effect on a server, or the connection ends with PROTOCOL_ERROR", func(c *client) {
			c.dial("ENABLE_CONNECT_PROTOCOL=2")
			if c.wait(func() bool { return c.acked > 0 || c.goAway != nil }); c.goAway != nil || c.ended != nil {
				c.wantConnError(http2.ErrCodeProtocol)
				return
			}
			c.connect().echo("sent as 2")
		}},
		{"unknown", "RFC 9113, 6.5.2", "Send settings that nobody knows, reserved ones among them", "They are ignored", func(c *client) {
			c.open("0x1a1a=1 0xf0f0=4294967295 NO_RFC7540_PRIORITIES=1")
			c.connect().echo("unknown settings")
			c.settled()
		}},
		{"repeated", "RFC 9113, 6.5.3", "Send one SETTINGS with INITIAL_WINDOW_SIZE twice, 0 and then 65535", "The last value counts, and it is acknowledged once", func(c *client) {
			c.open("INITIAL_WINDOW_SIZE=0 INITIAL_WINDOW_SIZE=65535")
			c.connect().echo("the last value counts")
			c.settled()
		}},
		{"push-value", "RFC 9113, 6.5.2", "Send ENABLE_PUSH=2", "The connection ends with PROTOCOL_ERROR", func(c *client) {
			c.dial("ENABLE_PUSH=2")
			c.wantConnError(http2.ErrCodeProtocol)
		}},
		{"frame-size-value", "RFC 9113, 6.5.2", "Send MAX_FRAME_SIZE=16383 while a WebSocket is open", "The connection ends with PROTOCOL_ERROR", func(c *client) {
			c.connect().echo("before")
			c.setting("MAX_FRAME_SIZE=16383")
			c.wantConnError(http2.ErrCodeProtocol)
		}},
		{"stream", "RFC 9113, 6.5", "Send SETTINGS on the stream of a WebSocket", "The connection ends with PROTOCOL_ERROR", func(c *client) {
			t := c.connect()
			t.echo("before")
			c.send1(fmt.Sprintf("RAW 4 0 %d", t.id))
			c.wantConnError(http2.ErrCodeProtocol)
		}},
		{"table-zero", "RFC 7541, 4.2", "Send HEADER_TABLE_SIZE=0, and open two WebSockets once it is acknowledged", "The answers' field blocks stand without a dynamic table", func(c *client) {
			c.open("HEADER_TABLE_SIZE=0")
			c.settled()
			for range 2 {
				t := c.connect()
				t.echo("no table")
				if c.over() {
					return
				}
				dec := hpack.NewDecoder(0, nil)
				dec.SetAllowedMaxDynamicTableSize(0)
				if _, err := dec.DecodeFull(t.block); err != nil {
					c.fail("the field block cannot be read without a table: %v", err)
				}
			}
		}},
	}
}

// checkConnectProtocol looks at every value of ENABLE_CONNECT_PROTOCOL that the server sent.
func (c *client) checkConnectProtocol() {
	was := uint32(0)
	for i, ss := range c.settings {
		for _, s := range ss {
			switch {
			case s.ID != enableConnectProtocol:
			case s.Val > 1:
				c.fail("ENABLE_CONNECT_PROTOCOL=%d", s.Val)
			case s.Val < was:
				c.fail("ENABLE_CONNECT_PROTOCOL=0 after 1, in SETTINGS %d", i+1)
			default:
				was = s.Val
			}
		}
	}
}
