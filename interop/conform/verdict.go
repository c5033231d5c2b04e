package conform

// Verdict is what is said of a case, of its body or of its close, in the words of Autobahn's
// reports.
type Verdict string

// The verdicts. Of a body: OK, NON-STRICT, INFORMATIONAL, UNIMPLEMENTED, FAILED. Of a close: OK,
// FAILED, UNCLEAN, WRONG CODE, FAILED BY CLIENT, INFORMATIONAL.
const (
	OK             Verdict = "OK"
	NonStrict      Verdict = "NON-STRICT"
	Informational  Verdict = "INFORMATIONAL"
	Unimplemented  Verdict = "UNIMPLEMENTED"
	Failed         Verdict = "FAILED"
	Unclean        Verdict = "UNCLEAN"
	WrongCode      Verdict = "WRONG CODE"
	FailedByClient Verdict = "FAILED BY CLIENT"
)

// Bad says whether the verdict is one that nobody wants to see in a report.
func (v Verdict) Bad() bool {
	switch v {
	case Failed, Unclean, WrongCode, FailedByClient:
		return true
	}
	return false
}

// Outcome is how a case ended.
type Outcome struct {
	Body  Verdict
	Close Verdict // OK where a suite does not look at the close by itself
	Code  *int    // the close code that the peer sent, allowed or not; nil: none
	Why   string  // what is wrong, one line; empty when nothing is
}

// Pass is the outcome of a case that has nothing to say.
func Pass() Outcome { return Outcome{Body: OK, Close: OK} }

// Fail is the outcome of a case that found a fault.
func Fail(why string) Outcome { return Outcome{Body: Failed, Close: OK, Why: why} }

// Bad says whether the case counts as failed.
func (o Outcome) Bad() bool { return o.Body.Bad() || o.Close.Bad() }
