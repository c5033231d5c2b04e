package main

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"weir/wsframe"
)

// How a WebSocket ends: close code, reason, code and text, over every transport.
func TestContractEnds(t *testing.T) {
	closed := event{"reason": "error:closed", "code": nil, "text": nil, "sent_code": nil, "sent_text": nil}
	rows := []exchange{
		{name: "remote/empty", path: "/echo", send: frames(text("a"), closing(0, ""), text("never")), want: []string{`text "a"`, "close", "end"},
			end: event{"reason": "remote", "code": nil, "text": nil, "sent_code": nil, "sent_text": nil, "drain": nil, "in": event{"messages": 1, "bytes": 1}, "out": event{"messages": 1, "bytes": 1}}},
		{name: "remote/text", path: "/echo", send: closing(4001, "grüße"), want: ended("4001"), end: event{"reason": "remote", "code": 4001, "text": "grüße"}},
		{name: "remote/longest_text", path: "/echo", send: closing(1000, strings.Repeat("z", 123)), want: ended("1000"), end: event{"reason": "remote", "text": strings.Repeat("z", 123)}},
		{name: "remote/in_a_message", path: "/echo", send: frames(begin(wsframe.Text, "dropped"), closing(1001, "")), want: ended("1001"),
			end: event{"reason": "remote", "code": 1001, "in": event{"messages": 0, "bytes": 0}}},
		{name: "timeout", path: "/echo?idle_timeout=20", want: ended("1000"), end: event{"reason": "timeout", "code": nil, "sent_code": 1000, "sent_text": ""}},
		{name: "timeout/in_a_message", path: "/echo?idle_timeout=20", send: begin(wsframe.Text, "a"), want: ended("1000"), end: event{"reason": "timeout"}},
		{name: "crash/error", send: frames(script(`[{"text":"before"}]`), script(`[{"text":"never"},{"panic_error":"out of luck"}]`), ping("never")),
			want: append([]string{`text "before"`}, ended("1011")...), end: event{"reason": "crash:error", "crash": "out of luck", "shutdown_reason": nil}},
		{name: "crash/throw", send: script(`[{"panic":"out of rope"}]`), want: ended("1011"), end: event{"reason": "crash:throw", "crash": "out of rope", "sent_code": 1011}},
		{name: "crash/exit", send: script(`[{"goexit":true}]`), want: ended("1011"), end: event{"reason": "crash:exit"}},
		{name: "crash/takes_its_list_along", send: script(`[{"text":"never"},{"close":{"code":1000}},{"panic":"out of rope"}]`), want: ended("1011"), end: event{"reason": "crash:throw"}},
		{name: "crash/in_info", send: script(`[{"after":{"ms":1,"commands":[{"text":"never"},{"panic":"late"}]}}]`), want: ended("1011"), end: event{"reason": "crash:throw", "crash": "late"}},
		{name: "crash/exit_in_info", send: script(`[{"after":{"ms":1,"commands":[{"goexit":true}]}}]`), want: ended("1011"), end: event{"reason": "crash:exit"}},
		{name: "crash/in_init", path: "/close?code=1005", want: ended("1011"), end: event{"reason": "crash:error"}},
		{name: "closed/end", path: "/echo", send: frames(text("pending"), begin(wsframe.Text, "dropped")), fin: true, want: []string{`text "pending"`, "end"}, end: closed},
		{name: "closed/end_in_a_header", path: "/echo", send: []byte{0x81}, fin: true, want: []string{"end"}, end: closed},
		{name: "closed/end_at_once", path: "/echo", fin: true, want: []string{"end"}, end: closed},
		{name: "badsize/fragments", path: "/echo", send: []byte(string(begin(wsframe.Text, "")) + strings.Repeat(string(more("")), wsframe.DefaultMaxFragments)), want: ended("1008"), end: event{"reason": "error:badsize", "sent_code": 1008}},
	}
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		rows = append(rows, exchange{name: "remote/" + strconv.Itoa(code), path: "/echo", send: closing(code, "bye"), want: ended(strconv.Itoa(code)),
			end: event{"reason": "remote", "code": code, "text": "bye", "sent_code": code, "sent_text": ""}})
	}
	for _, code := range []int{1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		rows = append(rows, exchange{name: "remote/" + strconv.Itoa(code), path: "/echo", send: closing(code, ""), want: ended("1002"),
			end: event{"reason": "error:badframe", "code": nil, "sent_code": 1002}})
	}
	runAll(t, rows)
}

// A reset is seen at once, held frames or not; over HTTP/2 it leaves the other WebSockets alone.
func TestContractReset(t *testing.T) {
	p := start(t)
	eachLane(t, p, func(t *testing.T, l *lane) {
		beside := l.open(t, "/echo")
		r := l.open(t, "/commands")
		r.say(script(`[{"active":false},{"text":"paused"}]`), text("held"))
		r.wantNext(`text "paused"`)
		r.reset()
		p.wantEnd("/commands", event{"reason": "error:closed", "in": event{"messages": 1, "bytes": len(`[{"active":false},{"text":"paused"}]`)}})
		beside.say(text("alive"), closing(1000, ""))
		beside.want(append([]string{`text "alive"`}, ended("1000")...)...)
		p.wantEnd("/echo", event{"reason": "remote"})
	})
}

// The loss of a connection ends every WebSocket on it.
func TestContractLoss(t *testing.T) {
	p := start(t)
	for _, transport := range []string{"h2c", "h2", "h3"} {
		t.Run(transport, func(t *testing.T) {
			l := newLane(t, p, transport)
			for range 3 {
				l.open(t, "/echo")
			}
			if l.http3() {
				l.peer3.Close()
			} else {
				l.peer.Close()
			}
			for range 3 {
				p.wantEnd("/echo", event{"reason": "error:closed"})
			}
		})
	}
}

// SIGTERM closes with 1001, each transport alike.
func TestContractDrain(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			p := start(t)
			l := newLane(t, p, transport)
			r := l.open(t, "/echo")
			p.event("open", "/echo")
			p.signal(syscall.SIGTERM)
			r.want(ended("1001")...)
			p.wantEnd("/echo", event{"reason": "stop", "code": nil})
			p.wantExit(exitOK)
		})
	}
}
