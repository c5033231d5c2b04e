package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/interop/conform"
	"weir/stream"
)

var update = flag.Bool("update", false, "write the golden files of testdata")

// evil is what a peer may send: markup, control characters, an end of a table's cell, and the end
// of a place in a page.
const evil = "<script>alert(1)</script>\x1b[2J|\u202e\xff\n<!-- end of conform:autobahn -->"

// outcome makes an outcome; code -1 is none.
func outcome(body, end conform.Verdict, code int, why string) conform.Outcome {
	o := conform.Outcome{Body: body, Close: end, Why: why}
	if code >= 0 {
		o.Code = &code
	}
	return o
}

// sample is a report with every verdict in it: a server over two transports, and one over one.
func sample() *Report {
	autobahn := []conform.Case{
		{ID: "1.1.1", Title: "an empty text message", Expect: "the same back", Section: "RFC 6455, 5.6"},
		{ID: "1.1.2", Title: "125 octets of text"},
		{ID: "6.4.1", Title: "bad UTF-8 in the second of three frames"},
		{ID: "7.1.6", Title: "data behind a close frame"},
		{ID: "12.1.1", Title: "compressed"},
		{ID: "12.9.1", Title: "a bomb", Strict: true},
	}
	rfc8441 := []conform.Case{{ID: "8441.settings.first", Title: "the first SETTINGS", Section: "RFC 8441, 3", Over: []stream.Transport{stream.H2C}}}
	var results []conform.Result
	add := func(agent string, over stream.Transport, c conform.Case, o conform.Outcome) {
		res := conform.Result{Case: c, Agent: agent, Transport: over, Outcome: o, Duration: time.Duration(len(results)+1) * 10 * time.Millisecond}
		res.Log = []conform.Entry{
			{At: 1500 * time.Microsecond, Dir: conform.Sent, Text: "text frame, 0 octets", Octets: []byte{0x81, 0x80, 1, 2, 3, 4}},
			{At: 2 * time.Millisecond, Dir: conform.Received, Text: "text frame, " + evil, Octets: []byte("\x81\x05" + evil)},
			{At: 3 * time.Millisecond, Dir: conform.Note, Text: "two\nlines"},
		}
		results = append(results, res)
	}
	ok := outcome(conform.OK, conform.OK, 1000, "")
	for _, over := range []stream.Transport{stream.H1, stream.H2C} {
		add("weir", over, autobahn[0], ok)
		add("weir", over, autobahn[1], ok)
		add("weir", over, autobahn[2], outcome(conform.NonStrict, conform.OK, 1007, "not before the end of the message"))
		add("weir", over, autobahn[3], outcome(conform.Informational, conform.Informational, -1, ""))
		add("weir", over, autobahn[4], outcome(conform.Unimplemented, conform.OK, 1000, "permessage-deflate was not agreed on"))
	}
	add("weir", stream.H2C, rfc8441[0], conform.Pass())
	add("<other>", stream.H1, autobahn[0], outcome(conform.Failed, conform.OK, 1000, "the echo is "+evil))
	add("<other>", stream.H1, autobahn[1], outcome(conform.OK, conform.Unclean, -1, "no close frame"))
	add("<other>", stream.H1, autobahn[2], outcome(conform.Failed, conform.WrongCode, 0, "code 0"))
	return &Report{
		Suites: []Suite{
			{Name: "autobahn", Title: "Autobahn's catalogue", Groups: map[string]string{"1": "Framing", "6": "UTF-8"}, Cases: autobahn},
			{Name: "8441", Title: "WebSockets over HTTP/2", Cases: rfc8441},
		},
		Results: results,
		Known:   []Known{{"1.1.2", stream.H1, "it never closes"}, {"7.*", "", "a slip that was mended"}, {"9.*", "", "did not run"}},
		Took:    1500 * time.Millisecond,
	}
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what was written:\n%s", name, got)
	}
}

func TestColumns(t *testing.T) {
	names := func(results ...conform.Result) string {
		var names []string
		for _, c := range (&Report{Results: results}).Columns() {
			names = append(names, c.Name)
		}
		return strings.Join(names, " ")
	}
	of := func(agent string, over stream.Transport) conform.Result {
		return conform.Result{Agent: agent, Transport: over}
	}
	for _, test := range []struct {
		results []conform.Result
		want    string
	}{
		{nil, ""},
		{[]conform.Result{of("a", stream.H1), of("b", stream.H2), of("a", stream.H1)}, "a b"},
		{[]conform.Result{of("a", stream.H1), of("a", stream.H2)}, "a-h1 a-h2"},
		{[]conform.Result{of("a", stream.H2), of("a", stream.H1), of("a-h2", stream.H1)}, "a-h2 a-h1 a-h2-h1"},
	} {
		if got := names(test.results...); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestTally(t *testing.T) {
	r := sample()
	got := r.Total()
	got.Time = 0
	if want := (Tally{OK: 5, NonStrict: 2, Informational: 2, Unimplemented: 2, Failed: 3, Known: 1}); got != want || got.Cases() != 14 {
		t.Errorf("%+v, want %+v", got, want)
	}
	if r.Passed() {
		t.Error("a report with failures passes")
	}
	r.Known = append(r.Known, Known{Pattern: "*", Why: "all of it"})
	if !r.Passed() {
		t.Error("failures that are known do not pass")
	}
	if m := sample().Mended(); len(m) != 1 || m[0].Pattern != "7.*" {
		t.Errorf("mended: %+v", m)
	}
}

// What is bad comes before what is not, and the body before the close.
func TestShown(t *testing.T) {
	for _, test := range []struct{ body, end, want conform.Verdict }{
		{conform.OK, conform.OK, conform.OK},
		{conform.NonStrict, conform.OK, conform.NonStrict},
		{conform.Informational, conform.Informational, conform.Informational},
		{conform.Failed, conform.OK, conform.Failed},
		{conform.Failed, conform.Unclean, conform.Failed},
		{conform.OK, conform.Unclean, conform.Unclean},
		{conform.NonStrict, conform.WrongCode, conform.WrongCode},
		{conform.Unimplemented, conform.FailedByClient, conform.FailedByClient},
	} {
		if got := Shown(outcome(test.body, test.end, 0, "")); got != test.want {
			t.Errorf("%s, close %s: %s, want %s", test.body, test.end, got, test.want)
		}
	}
}

func TestParseKnown(t *testing.T) {
	for s, want := range map[string]Known{
		"6.4.1=late":                    {"6.4.1", "", "late"},
		"h2spec.http2.3.5.2@h2c=a = b ": {"h2spec.http2.3.5.2", stream.H2C, "a = b "},
		"9.*@h1=slow@night":             {"9.*", stream.H1, "slow@night"},
	} {
		if got, err := ParseKnown(s); err != nil || got != want {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "6.4.1", "6.4.1=", "=why", "@h1=why", "6.4.1@=why"} {
		if got, err := ParseKnown(s); err == nil {
			t.Errorf("%q: %+v", s, got)
		}
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "index.json", b.Bytes())
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := sample().WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", b.Bytes())
	if strings.ContainsAny(b.String(), "\x1b\u202e") {
		t.Error("what a peer sent reaches the terminal")
	}
	var colored bytes.Buffer
	if err := sample().WriteText(&colored, true); err != nil {
		t.Fatal(err)
	}
	if plain := strings.NewReplacer("\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[34m", "", "\x1b[1m", "", "\x1b[0m", "").Replace(colored.String()); plain != b.String() || plain == colored.String() {
		t.Errorf("in colour it is another table:\n%s", plain)
	}
	cut := sample()
	cut.Results, cut.Known, cut.Cut = cut.Results[:1], nil, true
	if got := cut.sum(false); got != "1 case, interrupted, none failed, in 1.50s" {
		t.Error(got)
	}
}

func TestLine(t *testing.T) {
	res := sample().Results[11]
	if got, want := Line(&res, false), "1.1.1    <other> over h1  FAILED  0.12s  the echo is <script>alert(1)</script>\u241b[2J|\uFFFD\uFFFD <!-- end of conform:autobahn -->"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMarkdown(t *testing.T) {
	page := []byte("# Page\n\n<!-- conform:autobahn -->\nold\n<!-- end of conform:autobahn -->\n\nbetween\n\n<!-- conform:8441 -->\n<!-- end of conform:8441 -->\n" +
		"<!-- conform:h2spec -->\nkept\n<!-- end of conform:h2spec -->\n")
	got, err := sample().Markdown(page)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "page.md", got)
	again, err := sample().Markdown(got)
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("written again it is another page: %v\n%s", err, again)
	}
	for _, bad := range []string{"", "# Page\n", "<!-- conform:autobahn -->\n", "<!-- conform:other -->\n<!-- end of conform:other -->\n"} {
		if got, err := sample().Markdown([]byte(bad)); err == nil {
			t.Errorf("%q becomes %q", bad, got)
		}
	}
}

func TestTrim(t *testing.T) {
	long := make([]conform.Entry, 100)
	for i := range long {
		long[i].Octets = make([]byte, 256)
	}
	results := []conform.Result{{Outcome: conform.Pass(), Log: long, Dropped: 7}, {Outcome: conform.Fail("no"), Log: long}}
	Trim(results)
	if got := results[0]; len(got.Log) != keptEntries || len(got.Log[0].Octets) != keptOctets || got.Dropped != 47 {
		t.Errorf("of a case that passed: %d lines of %d octets, %d dropped", len(got.Log), len(got.Log[0].Octets), got.Dropped)
	}
	if got := results[1]; len(got.Log) != 100 || len(got.Log[0].Octets) != 256 || got.Dropped != 0 {
		t.Error("the log of a case that failed was cut")
	}
}

// TestTextAlike: what is said of several cases is said once, and which they are.
func TestTextAlike(t *testing.T) {
	r := &Report{Suites: []Suite{{Name: "autobahn"}}, Known: []Known{{Pattern: "9.3.9", Why: "it is slow"}}}
	add := func(id string, o conform.Outcome) {
		c := conform.Case{ID: id, Title: "a message"}
		r.Suites[0].Cases = append(r.Suites[0].Cases, c)
		r.Results = append(r.Results, conform.Result{Case: c, Agent: "weir", Transport: stream.H1, Outcome: o})
	}
	add("1.1.1", conform.Fail("too large"))
	add("1.1.2", conform.Fail("another"))
	add("1.1.3", outcome(conform.Failed, conform.Unclean, -1, "too large"))
	for i := range 20 {
		add(fmt.Sprintf("9.3.%d", i+1), conform.Fail("too large"))
	}
	add("10.1.1", conform.Fail(""))
	add("10.1.2", conform.Fail(""))
	var b strings.Builder
	if err := r.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "FAILED  20 cases")
	want := `: too large
    1.1.1 9.3.1 9.3.2 9.3.3 9.3.4 9.3.5 9.3.6 9.3.7 9.3.8 9.3.10 9.3.11 9.3.12 9.3.13 9.3.14 9.3.15
    9.3.16 9.3.17 9.3.18 9.3.19 9.3.20
  FAILED  1.1.2  a message: another
  FAILED, close UNCLEAN  1.1.3  a message: too large
  FAILED  9.3.9  a message: too large (known: it is slow)
  FAILED  10.1.1  a message
  FAILED  10.1.2  a message

25 cases, 25 failed, 1 of them known, in 0.00s
`
	if got != want {
		t.Errorf("got\n%s", b.String())
	}
}
