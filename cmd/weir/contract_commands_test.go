package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hour is an "after" that does not come.
const hour = `{"after":{"ms":3600000,"commands":[]}}`

// long600 is a script of 600 KB that puts all of it off.
func long600(letter string) string {
	return `[{"after":{"ms":3600000,"commands":[{"text":"` + strings.Repeat(letter, 600_000) + `"}]}}]`
}

// chain is a script of "after" within "after", which stops the session at its end.
func chain(depth int) string {
	s := `[{"stop":true}]`
	for range depth {
		s = `[{"text":"x"},{"after":{"ms":0,"commands":` + s + `}}]`
	}
	return s
}

// Each command of /commands does what it says, over every transport.
func TestContractCommands(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	stop := event{"reason": "stop"}
	crash := event{"reason": "crash:error", "shutdown_reason": nil}
	rows := []exchange{
		{name: "frames/each", send: script(`[{"text":"grüße"},{"binary":"AAEC/w=="},{"ping":"p"},{"pong":"q"},{"text":""},{"binary":""},{"ping":""},{"pong":""}]`),
			want: []string{`text "grüße"`, `binary "\x00\x01\x02\xff"`, `ping "p"`, `pong "q"`, `text ""`, `binary ""`, `ping ""`, `pong ""`}},
		{name: "frames/longest_control", send: script(`[{"ping":"` + long(125) + `"},{"pong":"` + long(125) + `"}]`),
			want: []string{`ping "` + long(125) + `"`, `pong "` + long(125) + `"`}},
		{name: "frames/mistake", send: frames(script(`no script`), script(`[]`), script(`[{"text":"on"}]`)),
			want: []string{`text "{\"error\":\"a script is a JSON array of objects: invalid character 'o' in literal null (expecting 'u')\"}"`, `text "on"`}},
		{name: "frames/binary", send: binaryFrame("[]"), want: []string{`binary "[]"`}},
		{name: "frames/ping_is_answered", send: ping("a"), want: []string{`pong "a"`}},
		{name: "frames/report", send: frames(script(`[{"report":["ping","pong"]}]`), ping("a"), pong("b"), script(`[{"report":[]}]`), ping("c")),
			want: []string{`pong "a"`, `text "{\"ping\":\"a\"}"`, `text "{\"pong\":\"b\"}"`, `pong "c"`}},

		{name: "close/empty", send: script(`[{"text":"first"},{"close":{}},{"text":"never"}]`), want: []string{`text "first"`, `close`, "end"}, end: stop},
		{name: "close/first_counts", send: frames(script(`[{"close":{"code":1001}},{"stop":true}]`), text("never looked at")), want: ended("1001"), end: stop},
		{name: "close/code_and_text", send: script(`[{"close":{"code":4000,"reason":"grüße"}},{"close":{"code":1}}]`), want: []string{`close 4000 "grüße"`, "end"},
			end: event{"reason": "stop", "shutdown_reason": nil, "code": nil, "text": nil}},
		{name: "close/longest_text", send: script(`[{"close":{"code":3000,"reason":"` + long(123) + `"}}]`), want: []string{`close 3000 "` + long(123) + `"`, "end"}, end: stop},

		{name: "active/held_in_order", send: frames(script(`[{"active":false},{"text":"of this callback"},{"after":{"ms":20,"commands":[{"text":"posts arrive"},{"active":true},{"text":"behind it"}]}}]`),
			script(`[{"text":"held 1"}]`), ping("held 2"), binaryFrame("held 3")),
			want: []string{`text "of this callback"`, `text "posts arrive"`, `text "behind it"`, `text "held 1"`, `pong "held 2"`, `binary "held 3"`}},
		{name: "active/last_counts", send: frames(script(`[{"active":false},{"active":true},{"active":true}]`), text(`[{"text":"live"}]`)), want: []string{`text "live"`}},
		{name: "active/repeated", send: frames(script(`[{"active":false},{"active":false},{"after":{"ms":1,"commands":[{"active":false},{"text":"still"},{"after":{"ms":1,"commands":[{"active":true}]}}]}}]`), binaryFrame("held")),
			want: []string{`text "still"`, `binary "held"`}},
		{name: "active/bad_frame_waits", send: frames(script(`[{"active":false},{"after":{"ms":20,"commands":[{"text":"first"},{"active":true}]}}]`), binaryFrame("held"), []byte{0xff, 0xff}),
			want: append([]string{`text "first"`, `binary "held"`}, ended("1002")...), end: event{"reason": "error:badframe"}},
		{name: "active/close_frame_waits", send: frames(script(`[{"active":false},{"after":{"ms":20,"commands":[{"text":"first"},{"active":true}]}}]`), binaryFrame("held"), closing(4001, "bye")),
			want: append([]string{`text "first"`, `binary "held"`}, ended("4001")...), end: event{"reason": "remote", "code": 4001, "text": "bye"}},
		{name: "active/end_waits", send: frames(script(`[{"active":false},{"after":{"ms":20,"commands":[{"text":"first"},{"active":true}]}}]`), binaryFrame("held")), fin: true,
			want: []string{`text "first"`, `binary "held"`, "end"}, end: event{"reason": "error:closed"}},
		{name: "active/ends_while_paused", send: frames(script(`[{"active":false},{"after":{"ms":10,"commands":[{"close":{"code":1001}}]}}]`), binaryFrame("held")),
			want: ended("1001"), end: stop},
		{name: "active/idle_while_paused", send: frames(script(`[{"set_options":{"idle_timeout":20}},{"active":false}]`), binaryFrame("held")),
			want: ended("1000"), end: event{"reason": "timeout"}},

		{name: "set_options/idle_timeout", send: script(`[{"set_options":{"idle_timeout":20}},{"text":"set"}]`), want: append([]string{`text "set"`}, ended("1000")...),
			end: event{"reason": "timeout", "code": nil}},
		{name: "set_options/idle_timeout_none", send: script(`[{"set_options":{"idle_timeout":30}},{"set_options":{"idle_timeout":0}},{"after":{"ms":100,"commands":[{"text":"alive"},{"stop":true}]}}]`),
			want: append([]string{`text "alive"`}, ended("1000")...), end: stop},
		{name: "set_options/max_frame_size", send: frames(script(`[{"set_options":{"max_frame_size":4}}]`), binaryFrame("1234"), binaryFrame("12345"), binaryFrame("6")),
			want: append([]string{`binary "1234"`}, ended("1009")...), end: event{"reason": "error:badsize"}},
		{name: "set_options/max_frame_size_none", path: "/commands?max_frame_size=40", send: frames(script(`[{"set_options":{"max_frame_size":0}}]`), binaryFrame(long(70000))),
			want: []string{`binary of 70000`}},

		{name: "shutdown_reason/stop", send: script(`[{"shutdown_reason":{"why":[1,null,"<&>"]}},{"stop":true}]`), want: ended("1000"),
			end: event{"reason": "stop", "shutdown_reason": event{"why": []any{1, nil, "<&>"}}}},
		{name: "shutdown_reason/last_counts", send: script(`[{"shutdown_reason":1},{"shutdown_reason":2},{"close":{}}]`), want: []string{"close", "end"}, end: event{"reason": "stop", "shutdown_reason": 2}},
		{name: "shutdown_reason/remote", send: frames(script(`[{"shutdown_reason":"r"}]`), closing(1000, "")), want: ended("1000"), end: event{"reason": "remote", "shutdown_reason": "r"}},
		{name: "shutdown_reason/timeout", send: script(`[{"shutdown_reason":"r"},{"set_options":{"idle_timeout":10}}]`), want: ended("1000"), end: event{"reason": "timeout", "shutdown_reason": "r"}},
		{name: "shutdown_reason/after_close", send: script(`[{"close":{"code":1000}},{"shutdown_reason":"r"}]`), want: ended("1000"), end: event{"reason": "stop", "shutdown_reason": nil}},
		{name: "shutdown_reason/crash", send: frames(script(`[{"shutdown_reason":"r"}]`), script(`[{"panic":"p"}]`)), want: ended("1011"), end: event{"reason": "crash:throw", "shutdown_reason": nil}},

		{name: "after/most", send: frames(script("["+strings.TrimSuffix(strings.Repeat(hour+",", maxPending-1), ",")+"]"), script(`[{"after":{"ms":1,"commands":[`+hour+`]}}]`),
			script("["+hour+`,{"text":"one is left"}]`), script("["+hour+`,{"text":"never"}]`), script(`[{"text":"on"}]`)),
			want: []string{`text "{\"error\":\"after: more than 1000 are to come\"}"`, `text "one is left"`, `text "{\"error\":\"after: more than 1000 are to come\"}"`, `text "on"`}},
		{name: "after/octets", send: frames(script(long600("a")), script(long600("b")), script(long600("c")), script(long600("d")), script(long600("e")), script(long600("f")), script(long600("g"))),
			want: []string{`text "{\"error\":\"after: more than 4194304 octets are to come\"}"`}},
		{name: "after/released", send: script(chain(maxDepth)), want: append(slices.Repeat([]string{`text "x"`}, maxDepth), ended("1000")...), end: stop},
		{name: "after/too_deep", send: frames(script(chain(maxDepth+1)), script(`[{"text":"on"}]`)),
			want: []string{"text of 636", `text "on"`}},

		{name: "hibernate", send: frames(script(`[{"hibernate":true},{"text":"same turn"}]`), script(`[{"text":"awake"},{"hibernate":true}]`), ping("a")),
			want: []string{`text "same turn"`, `text "awake"`, `pong "a"`}},
		{name: "stop", send: frames(script(`[{"text":"first"},{"stop":true},{"text":"never"},{"shutdown_reason":"never"}]`), text("never looked at")),
			want: append([]string{`text "first"`}, ended("1000")...), end: event{"reason": "stop", "shutdown_reason": nil, "code": nil}},
		{name: "after/order", send: script(`[{"after":{"ms":3600000,"commands":[{"text":"never"}]}},{"after":{"ms":1,"commands":[{"text":"second"},{"after":{"ms":1,"commands":[{"text":"third"},{"stop":true}]}}]}},{"text":"first"}]`),
			want: append([]string{`text "first"`, `text "second"`, `text "third"`}, ended("1000")...), end: stop},
	}
	for _, command := range []string{`{"ping":"` + long(126) + `"}`, `{"pong":"` + long(126) + `"}`, `{"close":{"reason":"without a code"}}`,
		`{"close":{"code":1000,"reason":"` + long(124) + `"}}`, `{"close":{"code":65535}}`} {
		rows = append(rows, exchange{name: "cannot_be_sent/" + command[:min(len(command), 40)],
			send: script(`[{"text":"never"},{"shutdown_reason":"never"},` + command + `,{"text":"never"}]`), want: ended("1011"), end: crash})
	}
	for _, code := range []int{1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000} {
		rows = append(rows, exchange{name: "cannot_be_sent/close_" + strconv.Itoa(code),
			send: script(`[{"text":"never"},{"close":{"code":` + strconv.Itoa(code) + `}}]`), want: ended("1011"), end: crash})
	}
	for _, code := range []int{1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4999} {
		rows = append(rows, exchange{name: "close/" + strconv.Itoa(code),
			send: script(`[{"close":{"code":` + strconv.Itoa(code) + `}}]`), want: ended(strconv.Itoa(code)), end: stop})
	}
	runAll(t, rows)
}

// Data frames have the shortest length form (RFC 6455, 5.2), which the client checks of every
// frame.
func TestContractLengths(t *testing.T) {
	var rows []exchange
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 500_000} {
		s := strings.Repeat("y", n)
		told := func(kind string) string {
			if n > 200 {
				return kind + " of " + strconv.Itoa(n)
			}
			return kind + ` "` + s + `"`
		}
		rows = append(rows,
			exchange{name: strconv.Itoa(n) + "/command", send: script(`[{"text":"` + s + `"}]`), want: []string{told("text")}},
			exchange{name: strconv.Itoa(n) + "/echo", path: "/echo", send: frames(text(s), binaryFrame(s)), want: []string{told("text"), told("binary")}})
	}
	runAll(t, rows)
}
