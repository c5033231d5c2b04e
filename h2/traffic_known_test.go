package h2_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// trafficDifference is where two servers may differ.
type trafficDifference struct {
	what  string   // a row of docs/nethttp.md, or the reason why the thing cannot be compared
	row   bool     // it is a row
	keys  []string // beginnings of the names of what may differ
	where func(s *trafficScript, nethttp, weir seenIn) bool
}

// seenIn are what was seen on the two servers.
type seenIn = map[string]string

func setsField(names ...string) func(*trafficScript, seenIn, seenIn) bool {
	return func(s *trafficScript, _, _ seenIn) bool { return slices.ContainsFunc(names, s.hasField) }
}

// inAnswer are the names of a field wherever it can be in an answer.
func inAnswer(names ...string) (keys []string) {
	for _, n := range names {
		for _, k := range []string{n, strings.ToLower(n)} {
			keys = append(keys, "client field "+k, "client informed "+k)
		}
	}
	return keys
}

// everything is what both sides saw; only the request cannot differ.
var everything = []string{"client", "op ", "body ", "answer ", "both ", "after", "request trailer"}

// trafficDifferences are all that TestTraffic knows.
var trafficDifferences = []trafficDifference{
	// Rows of docs/nethttp.md.
	{
		what: "Keep-Alive, Proxy-Connection and Upgrade in an answer", row: true,
		keys:  inAnswer("Keep-Alive", "Upgrade", "Connection", "Transfer-Encoding"),
		where: setsField("Keep-Alive", "Upgrade", "Connection", "Transfer-Encoding"),
	},
	{
		what: "white space around the value of a response field", row: true,
		keys:  inAnswer("X-Space"),
		where: setsField("X-Space"),
	},
	{
		what: "Content-Length of an answer with trailers", row: true,
		keys: inAnswer("Content-Length"),
		where: func(s *trafficScript, nethttp, weir seenIn) bool {
			return (s.hasField("Trailer") || s.hasField("Trailer:X-Late")) && !s.has("length")
		},
	},
	{
		what: "a body shorter than its content-length", row: true,
		keys: everything,
		where: func(s *trafficScript, _, _ seenIn) bool {
			return s.Length > int64(s.uploads()) && !s.NoBody && s.End == endFin
		},
	},
	{
		what: "an answer longer than its Content-Length", row: true,
		keys: everything,
		where: func(s *trafficScript, _, weir seenIn) bool {
			return s.has("length") && anyOf(weir, "", "wrote more than the declared")
		},
	},
	{
		what: "an answer shorter than its Content-Length", row: true,
		keys: []string{"client"},
		where: func(s *trafficScript, _, weir seenIn) bool {
			return s.has("length") && strings.Contains(weir["client end"], "INTERNAL_ERROR")
		},
	},
	{
		what: "Content-Length on a 204", row: true,
		keys: append(inAnswer("Content-Length"), "client end"),
		where: func(s *trafficScript, nethttp, _ seenIn) bool {
			return s.has("length") && nethttp["client status"] == "204"
		},
	},
	{
		what: "request trailers that the Trailer field did not announce", row: true,
		keys:  []string{"request trailer other"},
		where: func(s *trafficScript, _, _ seenIn) bool { return len(s.Trailers) > 0 && !s.Announce },
	},

	{
		what: "a body longer than its content-length", row: true,
		keys: everything,
		where: func(s *trafficScript, nethttp, weir seenIn) bool {
			return s.lies() && s.Raw && s.Length < int64(s.uploads()) && weir["client status"] == "400" &&
				nethttp["client end"] == "RST_STREAM PROTOCOL_ERROR"
		},
	},
	{
		what: "a malformed request", row: true,
		keys: []string{""},
		where: func(s *trafficScript, nethttp, weir seenIn) bool {
			return s.Odd != "" && weir["client status"] == "400" &&
				weir["client reset behind it"] == "PROTOCOL_ERROR" && weir["calls"] == ""
		},
	},
	{
		what: "white space around the value of a request field", row: true,
		keys: []string{"request header"},
		where: func(s *trafficScript, _, weir seenIn) bool {
			return strings.Contains(weir["request header"], `X-Space=["v"`)
		},
	},
	{
		what: "trailers of a 204 and a 304", row: true,
		keys: []string{"client trailer"},
		where: func(s *trafficScript, nethttp, _ seenIn) bool {
			return (s.hasField("X-Check") || s.hasField("Trailer:X-Late")) &&
				(nethttp["client status"] == "204" || nethttp["client status"] == "304")
		},
	},
	{
		what: "100 Continue after another informational answer", row: true,
		keys: []string{"client", "body ", "both ", "after"},
		where: func(s *trafficScript, _, weir seenIn) bool {
			return s.Expect && s.has("info") && strings.Contains(weir["client informed"], "100")
		},
	},
	{
		what: "100 Continue for content that has come already, or that there is none of", row: true,
		keys: []string{"client informed"},
		where: func(s *trafficScript, nethttp, weir seenIn) bool {
			return s.Expect && strings.TrimPrefix(strings.TrimPrefix(nethttp["client informed"], "100"),
				"; ") == weir["client informed"]
		},
	},
	{
		what: "SetReadDeadline after a deadline has passed", row: true,
		keys: everything,
		where: func(s *trafficScript, _, _ seenIn) bool {
			return s.passes("readby") &&
				s.sets("readby") > 1
		},
	},
	{
		what: "SetWriteDeadline after a deadline has passed", row: true,
		keys: everything,
		where: func(s *trafficScript, _, _ seenIn) bool {
			return s.passes("writeby") &&
				s.sets("writeby") > 1
		},
	},
	{
		what: "a write deadline, or http.Server.WriteTimeout, that passes while nothing is written", row: true,
		keys: everything,
		where: func(s *trafficScript, nethttp, weir seenIn) bool {
			return s.passes("writeby") && (strings.HasSuffix(nethttp["after"], "canceled") ||
				strings.Contains(nethttp["client end"], "INTERNAL_ERROR"))
		},
	},

	{
		what: "Request.Body where there is none", row: true,
		keys: []string{"request NoBody"},
		where: func(s *trafficScript, _, weir seenIn) bool {
			return s.NoBody &&
				weir["request NoBody"] == "true"
		},
	},
	{
		what: "HEAD whose handler goes on behind the header", row: true,
		keys: []string{"op ", "body ", "answer ", "both ", "after", "client reset", "client end",
			"request trailer"},
		where: func(s *trafficScript, _, _ seenIn) bool { return s.Method == "HEAD" },
	},
	{
		what: "the words of an error: that of Body.Read behind Body.Close",
		keys: []string{"body ", "both "},
		where: func(s *trafficScript, _, weir seenIn) bool {
			return s.has("closebody") && anyOf(weir, "", http.ErrBodyReadAfterClose.Error())
		},
	},
	{
		what: "END_STREAM behind Body.Close, or behind a read deadline", row: true,
		keys: []string{"client reset"},
		where: func(s *trafficScript, _, weir seenIn) bool {
			return (s.has("closebody") || s.passes("readby")) && weir["client reset behind it"] == ""
		},
	},

	// What cannot be compared.
	{
		what:  "which is first of a handler that reads and writes at once: Body.Read asks for 100",
		keys:  []string{"client informed", "client reset", "both "},
		where: func(s *trafficScript, _, _ seenIn) bool { return s.Expect && s.has("duplex") },
	},
	{
		what: "a write deadline that net/http sets when the stream has gone, which is reset once more",
		keys: []string{"client reset"},
		where: func(s *trafficScript, nethttp, _ seenIn) bool {
			return s.passes("writeby") && nethttp["client reset behind it"] == "INTERNAL_ERROR"
		},
	},
	{
		what:  "what a client has sent that waits for a 100 behind Body.Close",
		keys:  everything,
		where: func(s *trafficScript, _, _ seenIn) bool { return s.Expect && s.has("closebody") },
	},
	{
		what: "what a deadline finds: octets that a server keeps for a client, or a Write that waits",
		keys: everything,
		where: func(s *trafficScript, _, _ seenIn) bool {
			return (s.passes("writeby") || s.passes("readby")) && s.answers() > 1000 && len(s.Reads) > 0
		},
	},
	{
		what:  "whether the body or the handler ends first, where the client is slow to read",
		keys:  []string{"client reset"},
		where: func(s *trafficScript, _, _ seenIn) bool { return s.answers() > 1000 && len(s.Reads) > 0 },
	},
	{
		what:  "when a client may go on whose window is used up: a server gives it back in pieces",
		keys:  []string{"client reset"},
		where: func(s *trafficScript, _, _ seenIn) bool { return s.uploads() > s.Window/2 },
	},
	{
		what:  "the first octets of an echo, which its type is guessed from",
		keys:  inAnswer("Content-Type"),
		where: func(s *trafficScript, _, _ seenIn) bool { return s.has("echo") },
	},
	{
		what: "a Write after the client has gone, which fits into a buffer or not",
		keys: []string{"answer "},
		where: func(s *trafficScript, nethttp, weir seenIn) bool {
			return s.cancels() && strings.HasSuffix(nethttp["after"], "canceled") &&
				strings.HasSuffix(weir["after"], "canceled")
		},
	},
	{
		what: "how much of an answer a server keeps until a window opens: 64 KiB, or 4",
		keys: []string{"op ", "body ", "answer ", "both ", "after", "client body", "client end",
			"client reset", "client trailer"},
		where: func(s *trafficScript, _, _ seenIn) bool {
			return s.cancels() && s.answers() > 1000 && (len(s.Reads) > 0 || s.ReadEnd != readAllOf)
		},
	},
}

// anyOf says whether something that begins with prefix says text.
func anyOf(seen seenIn, prefix, text string) bool {
	for k, v := range seen {
		if strings.HasPrefix(k, prefix) && strings.Contains(v, text) {
			return true
		}
	}
	return false
}

// trafficSpared names the difference that lets key differ, "" if there is none.
func trafficSpared(s *trafficScript, key string, nethttp, weir seenIn) string {
	for _, d := range trafficDifferences {
		for _, k := range d.keys {
			if strings.HasPrefix(key, k) && d.where(s, nethttp, weir) {
				return d.what
			}
		}
	}
	return ""
}

// TestTrafficDocs holds that what TestTraffic calls documented is.
func TestTrafficDocs(t *testing.T) {
	rows := map[string]bool{}
	for _, c := range parityCases() {
		rows[c.what] = c.differs()
	}
	for _, d := range trafficDifferences {
		if d.row && !rows[d.what] {
			t.Errorf("no row of docs/nethttp.md is about %s", d.what)
		}
	}
}
