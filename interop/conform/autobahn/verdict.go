package autobahn

import (
	"cmp"
	"fmt"
	"slices"

	"weir/interop/conform"
)

// outcome judges what a case has come to.
func (t *tester) outcome() conform.Outcome {
	s := t.spec
	o := conform.Outcome{Code: t.code}
	o.Body, o.Why = t.body()
	end, why := t.ending()
	o.Close = end
	if o.Why == "" {
		o.Why = why
	}
	switch {
	case end == conform.Failed && s.close.fatalEnd, end == conform.WrongCode && s.close.fatalCode, end == conform.Unclean && s.close.fatalClean:
		o.Body, o.Why = conform.Failed, why
	}
	if s.judge != nil {
		s.judge(t, &o)
	}
	if s.info {
		o.Body, o.Close, o.Why = conform.Informational, conform.Informational, ""
	}
	return o
}

// body is the verdict of the list, or of the case's own callback.
func (t *tester) body() (conform.Verdict, string) {
	s := t.spec
	switch {
	case t.verdict != "":
		return t.verdict, t.why
	case s.message != nil:
		return conform.Failed, cmp.Or(t.why, t.left())
	case same(t.received, s.ok):
		return conform.OK, ""
	case s.lax != nil && same(t.received, *s.lax):
		return conform.NonStrict, ""
	}
	why := fmt.Sprintf("received %v, expected %v", t.received, s.ok)
	if s.close.byMe && !t.closedByMe {
		return conform.Failed, why + because(cmp.Or(t.why, t.left()))
	}
	return conform.Failed, why + because(t.why)
}

// left says how the peer ended a case that was not done.
func (t *tester) left() string {
	switch {
	case t.closedByMe || t.code == nil:
		return "the connection ended before the case was done"
	case t.coded(1009):
		return "the peer closed with 1009: the message is over its limit (weir serve has none with --max-frame-size 0)"
	}
	return fmt.Sprintf("the peer closed with %d before the case was done", *t.code)
}

// ending is the verdict of the close; the first rule that is broken counts.
func (t *tester) ending() (conform.Verdict, string) {
	e := t.spec.close
	switch {
	case e.byMe != t.closedByMe && e.byMe:
		return conform.Failed, "the peer ended the connection, and should not have"
	case e.byMe != t.closedByMe:
		return conform.Failed, "the peer did not fail the connection: the tester had to" + because(t.why)
	case e.clean && !t.clean:
		return conform.Unclean, "the close was not clean" + because(t.why)
	case t.code != nil && !slices.Contains(e.codes, *t.code):
		return conform.WrongCode, fmt.Sprintf("the peer's close code is %d, expected %v", *t.code, e.codes)
	case t.c.Client && t.droppedByMe:
		return conform.FailedByClient, "the server did not drop the connection" + because(t.why)
	}
	return conform.OK, ""
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}
