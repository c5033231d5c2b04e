package report

import (
	"fmt"
	"strings"
	"time"

	"weir/interop/conform"
	"weir/stream"
)

// Shown is the one verdict that stands for an outcome: what is bad about it if anything is, the body before the close,
// and the verdict of the body otherwise.
func Shown(o conform.Outcome) conform.Verdict {
	if !o.Body.Bad() && o.Close.Bad() {
		return o.Close
	}
	return o.Body
}

// words tells body and close, if the close has something to say.
func words(o conform.Outcome) string {
	if o.Close == conform.OK || o.Close == o.Body || o.Close == "" {
		return string(o.Body)
	}
	return fmt.Sprintf("%s, close %s", o.Body, o.Close)
}

// Tally counts cases.
type Tally struct {
	OK, NonStrict, Informational, Unimplemented, Failed int
	Known                                               int // of Failed
	Time                                                time.Duration
}

// Cases is how many there are.
func (t Tally) Cases() int {
	return t.OK + t.NonStrict + t.Informational + t.Unimplemented + t.Failed
}

// Fine is how many of them the agent does as it has to, as far as can be said.
func (t Tally) Fine() int { return t.OK + t.NonStrict + t.Informational }

// count adds one result.
func (r *Report) count(t *Tally, res *conform.Result) {
	t.Time += res.Duration
	switch {
	case res.Bad():
		t.Failed++
		if _, ok := r.known(res); ok {
			t.Known++
		}
	case res.Body == conform.NonStrict:
		t.NonStrict++
	case res.Body == conform.Informational:
		t.Informational++
	case res.Body == conform.Unimplemented:
		t.Unimplemented++
	default:
		t.OK++
	}
}

// Total counts all results.
func (r *Report) Total() Tally {
	var t Tally
	for i := range r.Results {
		r.count(&t, &r.Results[i])
	}
	return t
}

// Passed says that nothing failed but what is known to.
func (r *Report) Passed() bool {
	t := r.Total()
	return t.Failed == t.Known
}

// tally counts a column of some rows.
func (r *Report) tally(rows []row, column int) Tally {
	var t Tally
	for _, row := range rows {
		if res := row.cells[column]; res != nil {
			r.count(&t, res)
		}
	}
	return t
}

// Known is a failure that somebody has looked into. It is shown as one, and does not make a run fail.
type Known struct {
	Pattern   string           // of conform.Match
	Transport stream.Transport // where it fails; empty: everywhere
	Why       string
}

// ParseKnown reads "ID=WHY" or "ID@TRANSPORT=WHY"; the ID may be a pattern.
func ParseKnown(s string) (Known, error) {
	id, why, ok := strings.Cut(s, "=")
	id, transport, at := strings.Cut(id, "@")
	if !ok || id == "" || why == "" || at && transport == "" {
		return Known{}, fmt.Errorf("%q: ID=WHY, or ID@TRANSPORT=WHY", s)
	}
	return Known{id, stream.Transport(transport), why}, nil
}

func (k *Known) names(res *conform.Result) bool {
	return conform.Match(k.Pattern, res.Case.ID) && (k.Transport == "" || k.Transport == res.Transport)
}

// known gives the reason for a failure, if somebody has given one.
func (r *Report) known(res *conform.Result) (why string, ok bool) {
	for i := range r.Known {
		if r.Known[i].names(res) {
			return r.Known[i].Why, true
		}
	}
	return "", false
}

// Mended are the known failures that did not fail in this run, though their cases ran.
func (r *Report) Mended() []Known {
	var mended []Known
	for i := range r.Known {
		ran, failed := false, false
		for j := range r.Results {
			if res := &r.Results[j]; r.Known[i].names(res) {
				ran = true
				failed = failed || res.Bad()
			}
		}
		if ran && !failed {
			mended = append(mended, r.Known[i])
		}
	}
	return mended
}
