package report

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"weir/interop/conform"
	"weir/stream"
)

func TestReadH2spec(t *testing.T) {
	f, err := os.Open("testdata/h2spec.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	results, err := ReadH2spec(f, "weir", stream.H2C)
	if err != nil {
		t.Fatal(err)
	}
	type brief struct {
		id, title, section, group string
		body                      conform.Verdict
		why                       string
	}
	want := []brief{
		{"h2spec.generic.1.1", "Sends a client connection preface", "", "h2spec.generic", conform.OK, ""},
		{"h2spec.http2.3.5.1", "Sends client connection preface", "RFC 7540, 3.5", "h2spec.http2", conform.OK, ""},
		{"h2spec.http2.3.5.2", "Sends invalid connection preface", "RFC 7540, 3.5", "h2spec.http2", conform.Failed, "Connection closed Error: unexpected EOF"},
		{"h2spec.http2.6.9.1", "Sends a WINDOW_UPDATE of <0>", "RFC 7540, 6.9", "h2spec.http2", conform.Failed, "GOAWAY Frame (Error Code: PROTOCOL_ERROR) Timeout"},
		{"h2spec.hpack.4.2.1", "Sends a dynamic table size update", "RFC 7541, 4.2", "h2spec.hpack", conform.Unimplemented, "skipped"},
	}
	if len(results) != len(want) {
		t.Fatalf("%d results", len(results))
	}
	for i, res := range results {
		if got := (brief{res.Case.ID, res.Case.Title, res.Case.Section, res.Case.Group(), res.Body, res.Why}); got != want[i] || res.Agent != "weir" || res.Transport != stream.H2C {
			t.Errorf("%+v, want %+v", got, want[i])
		}
	}
	if results[0].Duration != 1700*time.Microsecond {
		t.Errorf("took %v", results[0].Duration)
	}

	r := sample()
	r.Suites = append(r.Suites, H2spec(results))
	r.Results = append(r.Results, results...)
	r.Known = []Known{{Pattern: "h2spec", Why: "looked into"}}
	var b bytes.Buffer
	if err := r.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"h2spec.http2 RFC 7540", "FAILED  h2spec.http2.3.5.2  Sends invalid connection preface: Connection closed Error: unexpected EOF (known: looked into)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, b.String())
		}
	}
}

func TestReadH2specMisuse(t *testing.T) {
	for _, bad := range []string{"", "146 tests, 146 passed", "<testsuites></testsuites>", `<testsuites><testsuite package="http2/1"></testsuite></testsuites>`, "<html></html>", "<testsuites><testsuite>"} {
		if results, err := ReadH2spec(strings.NewReader(bad), "weir", stream.H2); err == nil {
			t.Errorf("%q: %d results", bad, len(results))
		}
	}
}
