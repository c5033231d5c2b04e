package peers

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// closesRuns is how often each ending is played by each client; interop/closes.sh says 20.
var closesRuns = flag.Int("closes", 2, "how often TestCloses plays each `ending`")

// ending is one way in which a WebSocket of `weir serve` ends, for all clients alike: they open
// Path, send what is to be sent, read Await messages, and then say Close or wait for the server's
// close frame. JSON carries it to Node and to the browser.
type ending struct {
	Name      string
	Path      string // {n} becomes a number that nobody else has
	Protocols []string
	Send      []string // text messages
	Octets    string   // sent as they are, in hexadecimal: by clients that can, see player.raw
	Await     int
	Close     *farewell // nil: the server closes first

	messages []string // what is to come of the server, as brief says it
	many     bool     // more than that may come
	code     int      // 1005: a close frame without a code (RFC 6455, 7.1.5)
	text     string
	reason   string // of the terminate event
}

// farewell is a close frame; code 1005 is one without a code.
type farewell struct {
	Code int
	Text string
}

// heardEnd is what a client was told of one WebSocket.
type heardEnd struct {
	Messages []string
	Code     int
	Text     string
	Clean    bool   // the end behind the close frame was no reset; in a browser: wasClean
	Late     bool   // that end came only after the client's own
	Error    string // in place of a close frame
	Millis   int64  // what it took
}

// brief is a message as endings and heardEnd have it.
func brief(m []byte) string {
	if len(m) > 100 && m[0] != '{' {
		return fmt.Sprintf("%d octets", len(m))
	}
	return string(m)
}

// want is what a client is to say of e.
func (e *ending) want() string {
	return heardEnd{Messages: e.messages, Code: e.code, Text: e.text, Clean: true}.say(e, "")
}

// say puts it into words; front is what X-Front is to say, see closesProxy.
func (r heardEnd) say(e *ending, front string) string {
	var b strings.Builder
	messages := r.Messages
	if e.many && len(messages) > len(e.messages) {
		messages = messages[:len(e.messages)]
	}
	for i, m := range messages {
		if i == 0 || m != messages[i-1] {
			n := 1
			for i+n < len(messages) && messages[i+n] == m {
				n++
			}
			fmt.Fprintf(&b, "%d x %q, ", n, asked(m, front))
		}
	}
	switch {
	case r.Error != "":
		b.WriteString("lost: " + r.Error)
	case r.Text != "":
		fmt.Fprintf(&b, "%d %q", r.Code, r.Text)
	default:
		fmt.Fprint(&b, r.Code)
	}
	if r.Late {
		b.WriteString(lateEnd)
	}
	if r.Error == "" && !r.Clean {
		b.WriteString(reset)
	}
	return b.String()
}

// asked takes what /headers says of the request as one word, if it came through the front that was
// meant.
func asked(m, front string) string {
	if !strings.HasPrefix(m, "{") {
		return m
	}
	var seen struct {
		Path, Subprotocol string
		Headers           map[string][]string
	}
	if err := json.Unmarshal([]byte(m), &seen); err != nil {
		return err.Error()
	}
	by := strings.Join(seen.Headers["X-Front"], ", ")
	switch {
	case seen.Path != "/headers":
		return m
	case by != front:
		return "a request by " + by + ", not " + front
	case seen.Subprotocol != "":
		return request + ", " + seen.Subprotocol
	}
	return request
}

// proxyFault is something that a proxy does to what a client is told, though not each time.
type proxyFault struct {
	proxy, client, back string // the last two: "", or a beginning
	afterFault          bool   // only to ends by a fault
	adds                string // to what is to be said of an ending
	says                string // in place of it
	seldom              bool   // once in a hundred times at most, or once
	why                 string
}

// explains says whether f made r of what was to be said of e.
func (f *proxyFault) explains(e *ending, said string) bool {
	if f.afterFault && !strings.HasPrefix(e.reason, "error:") && !strings.HasPrefix(e.reason, "crash:") {
		return false
	}
	return said == f.says || f.adds != "" && said == e.want()+f.adds
}

// What is said besides the close frame.
const (
	reset   = ", then a reset"
	lateEnd = ", then no end before the client's" // END_STREAM came behind the client's
)

// tally counts what clients said on one way: client, proxy, what is behind it.
type tally struct {
	mu      sync.Mutex
	counts  map[[2]string]int // by the ending's name, and what was said
	slowest int64             // milliseconds
	slow    string            // the ending that took them
}

// saying counts what comes through the front that X-Front names, see closesProxy.
func (y *tally) saying(front string) saying {
	return func(e *ending, r heardEnd) { y.add(e, r, front) }
}

func (y *tally) add(e *ending, r heardEnd, front string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.counts == nil {
		y.counts = map[[2]string]int{}
	}
	y.counts[[2]string{e.Name, r.say(e, front)}]++
	if r.Millis > y.slowest {
		y.slowest, y.slow = r.Millis, e.Name
	}
}

// judge says what is not as it should be.
func (y *tally) judge(t *testing.T, played []ending, runs int, faults []proxyFault) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	right, known := 0, make([]int, len(faults))
	for _, e := range played {
		all := 0
		for key, n := range y.counts {
			if key[0] != e.Name {
				continue
			}
			all += n
			if key[1] == e.want() {
				right += n
				continue
			}
			i := slices.IndexFunc(faults, func(f proxyFault) bool { return f.explains(&e, key[1]) })
			if i < 0 {
				t.Errorf("%s: %d of %d: %s\nwant: %s", e.Name, n, runs, key[1], e.want())
				continue
			}
			known[i] += n
		}
		if all != runs {
			t.Errorf("%s: played %d times, not %d", e.Name, all, runs)
		}
	}
	t.Logf("%d of %d are told right; the slowest is %s, %d ms", right, runs*len(played), y.slow, y.slowest)
	for i, f := range faults {
		switch {
		case known[i] > 0:
			t.Logf("%d times %s", known[i], f.why)
		case !f.seldom:
			t.Errorf("it is no longer so that %s", f.why)
		}
		if f.seldom && known[i] > max(1, runs*len(played)/100) {
			t.Errorf("%d times in %d: %s", known[i], runs*len(played), f.why)
		}
	}
}
