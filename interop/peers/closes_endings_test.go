package peers

import (
	"net/url"
	"slices"
	"strings"
)

const (
	hello   = "grüße"
	request = "the request" // in place of what /headers says
)

// endings are every endpoint of `weir serve` that closes at once, after one message and after the
// peer's close.
var endings = []ending{
	// At once.
	{Name: "close", Path: "/close", code: 1005, reason: "stop"},
	{Name: "close_1000", Path: "/close?code=1000", code: 1000, reason: "stop"},
	{
		Name: "close_1001", Path: "/close?code=1001&reason=over",
		code: 1001, text: "over", reason: "stop",
	},
	{
		Name: "close_1013", Path: "/close?code=1013&reason=later",
		code: 1013, text: "later", reason: "stop",
	},
	{
		Name: "close_4401", Path: "/close?code=4401&reason=login+failed",
		code: 4401, text: "login failed", reason: "stop",
	},
	{
		Name: "close_longest", Path: "/close?code=4999&reason=" + url.QueryEscape(longest),
		code: 4999, text: longest, reason: "stop",
	},
	// No frame may say 1005.
	{
		Name: "close_1005", Path: "/close?code=1005",
		code: 1011, reason: "crash:error",
	},
	{Name: "headers", Path: "/headers", messages: []string{request}, code: 1000, reason: "stop"},
	{
		Name: "headers_subprotocol", Path: "/headers", Protocols: []string{"other", "chat"},
		messages: []string{request + ", chat"}, code: 1000, reason: "stop",
	},
	{
		Name: "source", Path: "/source?count=3",
		messages: slices.Repeat([]string{"1024 octets"}, 3), code: 1000, reason: "stop",
	},
	{
		Name: "source_binary", Path: "/source?count=3&size=10&type=binary",
		messages: slices.Repeat([]string{"0123456789"}, 3), code: 1000, reason: "stop",
	},
	{
		Name: "source_deflate", Path: "/source?count=3&compress=1",
		messages: slices.Repeat([]string{"1024 octets"}, 3), code: 1000, reason: "stop",
	},
	{
		Name: "source_many", Path: "/source?count=200&size=1000",
		messages: slices.Repeat([]string{"1000 octets"}, 200), code: 1000, reason: "stop",
	},
	{
		Name: "source_large", Path: "/source?count=1&size=1048576",
		messages: []string{"1048576 octets"}, code: 1000, reason: "stop",
	},

	// After one message.
	{
		Name: "commands_close", Path: "/commands",
		Send: []string{`[{"close":{"code":4401,"reason":"login failed"}}]`},
		code: 4401, text: "login failed", reason: "stop",
	},
	{
		Name: "commands_text_close", Path: "/commands",
		Send:     []string{`[{"text":"no"},{"close":{"code":4403}}]`},
		messages: []string{"no"}, code: 4403, reason: "stop",
	},
	{
		Name: "commands_stop", Path: "/commands", Send: []string{`[{"text":"no"},{"stop":true}]`},
		messages: []string{"no"}, code: 1000, reason: "stop",
	},
	{
		Name: "commands_later", Path: "/commands",
		Send:     []string{`[{"after":{"ms":5,"commands":[{"text":"no"},{"close":{"code":4404}}]}}]`},
		messages: []string{"no"}, code: 4404, reason: "stop",
	},
	{
		Name: "commands_panic", Path: "/commands", Send: []string{`[{"panic":"no"}]`},
		code: 1011, reason: "crash:throw",
	},
	{
		Name: "commands_panic_error", Path: "/commands", Send: []string{`[{"panic_error":"no"}]`},
		code: 1011, reason: "crash:error",
	},
	{
		Name: "commands_goexit", Path: "/commands", Send: []string{`[{"goexit":true}]`},
		code: 1011, reason: "crash:exit",
	},
	{
		Name: "commands_999", Path: "/commands",
		Send: []string{`[{"text":"not sent"},{"close":{"code":999}}]`},
		code: 1011, reason: "crash:error",
	},
	{
		Name: "too_large", Path: "/echo?max_frame_size=10", Send: []string{"more than ten octets"},
		code: 1009, reason: "error:badsize",
	},
	{Name: "idle", Path: "/echo?idle_timeout=100", code: 1000, reason: "timeout"},
	{
		Name: "commands_idle", Path: "/commands",
		Send:     []string{`[{"text":"yes"},{"set_options":{"idle_timeout":100}}]`},
		messages: []string{"yes"}, code: 1000, reason: "timeout",
	},
	{
		Name: "no_utf8", Path: "/echo", Octets: "818100000000ff",
		code: 1007, reason: "error:badencoding",
	},
	{
		Name: "no_opcode", Path: "/echo", Octets: "838000000000",
		code: 1002, reason: "error:badframe",
	},
	{Name: "no_mask", Path: "/echo", Octets: "810161", code: 1002, reason: "error:badframe"},

	// After the peer's close.
	{
		Name: "echo", Path: "/echo", Send: []string{hello}, Await: 1, Close: &farewell{4001, hello},
		messages: []string{hello}, code: 4001, reason: "remote 4001 " + hello,
	},
	{
		Name: "echo_no_code", Path: "/echo", Send: []string{hello}, Await: 1,
		Close:    &farewell{1005, ""},
		messages: []string{hello}, code: 1005, reason: "remote",
	},
	{
		Name: "echo_at_once", Path: "/echo", Close: &farewell{1000, ""},
		code: 1000, reason: "remote 1000 ",
	},
	{
		Name: "echo_behind", Path: "/echo", Send: slices.Repeat([]string{hello}, 20),
		Close: &farewell{3000, "over"},
		many:  true, code: 3000, reason: "remote 3000 over",
	},
	{
		Name: "echo_deflate", Path: "/echo?compress=1", Send: []string{hello, hello}, Await: 2,
		Close:    &farewell{1000, ""},
		messages: []string{hello, hello}, code: 1000, reason: "remote 1000 ",
	},
	{
		Name: "commands", Path: "/commands", Send: []string{`[{"text":"yes"}]`}, Await: 1,
		Close:    &farewell{4002, ""},
		messages: []string{"yes"}, code: 4002, reason: "remote 4002 ",
	},
	{
		Name: "discard", Path: "/discard", Send: []string{hello, hello},
		Close: &farewell{4003, "over"},
		code:  4003, reason: "remote 4003 over",
	},
	{
		Name: "rooms", Path: "/rooms/closes-{n}", Send: []string{hello}, Await: 1,
		Close:    &farewell{1000, "over"},
		messages: []string{hello}, code: 1000, reason: "remote 1000 over",
	},
	{
		Name: "push", Path: "/push?interval=1&size=3", Await: 2, Close: &farewell{4004, ""},
		messages: []string{"012", "012"}, many: true, code: 4004, reason: "remote 4004 ",
	},
	{
		Name: "source_endless", Path: "/source?count=0&size=10000", Await: 2,
		Close:    &farewell{4005, ""},
		messages: []string{"10000 octets", "10000 octets"}, many: true, code: 4005,
		reason: "remote 4005 ",
	},
	// Both close.
	{
		Name: "headers_both", Path: "/headers", Await: 1, Close: &farewell{4006, ""},
		messages: []string{request}, code: 1000, reason: "stop",
	},
}

// longest is 123 octets, the most that a close frame may say (RFC 6455, 5.5).
var longest = strings.Repeat("€", 41)
