package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"weir/interop/conform"
	"weir/stream"
)

// H2specName is the name of the suite that ReadH2spec gives, and how the IDs of its cases begin.
const H2specName = "h2spec"

// junit is what `h2spec -j FILE` writes.
type junit struct {
	XMLName xml.Name `xml:"testsuites"`
	Suites  []struct {
		Name    string      `xml:"name,attr"`    // "3.5. HTTP/2 Connection Preface"
		Package string      `xml:"package,attr"` // "http2/3.5"
		Cases   []junitCase `xml:"testcase"`
	} `xml:"testsuite"`
}

type junitCase struct {
	Title   string  `xml:"classname,attr"`
	Time    string  `xml:"time,attr"`
	Failure *string `xml:"failure"`
	Error   *string `xml:"error"`
	Skipped *string `xml:"skipped"`
}

// ReadH2spec reads what `h2spec -j FILE` wrote of an agent. Its case http2/3.5/2 is h2spec.http2.3.5.2 here.
func ReadH2spec(r io.Reader, agent string, over stream.Transport) ([]conform.Result, error) {
	var doc junit
	if err := xml.NewDecoder(r).Decode(&doc); err != nil {
		return nil, fmt.Errorf("not a report of h2spec -j: %w", err)
	}
	var results []conform.Result
	for _, s := range doc.Suites {
		for i, c := range s.Cases {
			took, _ := strconv.ParseFloat(c.Time, 64) // a report without times is as good
			results = append(results, conform.Result{
				Case: conform.Case{
					ID:      fmt.Sprintf("%s.%s.%d", H2specName, strings.ReplaceAll(s.Package, "/", "."), i+1),
					Title:   c.Title,
					Section: h2specSection(s.Package),
				},
				Agent:     agent,
				Transport: over,
				Outcome:   c.outcome(),
				Duration:  time.Duration(took * float64(time.Second)),
			})
		}
	}
	if len(results) == 0 {
		return nil, errors.New("not a report of h2spec -j: no case in it")
	}
	return results, nil
}

func (c *junitCase) outcome() conform.Outcome {
	for _, why := range []*string{c.Failure, c.Error} {
		if why != nil {
			return conform.Fail(strings.Join(strings.Fields(*why), " "))
		}
	}
	if c.Skipped != nil {
		return conform.Outcome{Body: conform.Unimplemented, Close: conform.OK, Why: "skipped"}
	}
	return conform.Pass()
}

// h2specSection is what a package of h2spec is about: it numbers the sections of the RFCs of 2015.
func h2specSection(pkg string) string {
	spec, section, _ := strings.Cut(pkg, "/")
	switch spec {
	case "http2":
		return "RFC 7540, " + section
	case "hpack":
		return "RFC 7541, " + section
	}
	return ""
}

// H2spec makes the suite of such results.
func H2spec(results []conform.Result) Suite {
	s := Suite{Name: H2specName, Title: "h2spec", Groups: map[string]string{
		"h2spec.generic": "HTTP/2 and HPACK in use", "h2spec.http2": "RFC 7540", "h2spec.hpack": "RFC 7541",
	}}
	seen := map[string]bool{}
	for _, res := range results {
		if !seen[res.Case.ID] {
			seen[res.Case.ID] = true
			s.Cases = append(s.Cases, res.Case)
		}
	}
	return s
}
