// Package streamtest holds the contract of package stream as a suite that every transport passes.
package streamtest

import (
	"testing"
	"testing/synctest"

	"weir/stream"
)

// Open gives two connected streams nobody has attached to: a is the one under test, b its peer,
// which obeys the contract as well. The test's cleanup may end what carries them; the suite gives
// both streams up.
type Open func(t *testing.T) (a, b stream.Stream)

// Run runs the suite in real time.
func Run(t *testing.T, open Open) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open) })
	}
}

// RunFake runs each case of the suite in a bubble of testing/synctest, which open is called in: no
// goroutine may be left of the streams.
func RunFake(t *testing.T, open Open) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t, open) })
		})
	}
}

var cases = []struct {
	name string
	run  func(*testing.T, Open)
}{
	{"Send/order", testOrder},
	{"Send/lent_until_it_returns", testLent},
	{"Send/whole_among_goroutines", testWhole},
	{"Send/empty", testEmpty},
	{"Send/queued_and_drained", testDrained},
	{"Send/queued_behind_fin", testQueuedBehindFin},
	{"Send/after_the_end", testAfterEnd},
	{"Attach/told_first", testToldFirst},
	{"Attach/after_both_ends", testAttachLate},
	{"Release/window_withheld", testWindow},
	{"Release/one_octet", testWindowOne},
	{"Data/methods_inside", testInside},
	{"Data/reset_inside", testResetInside},
	{"fin/both_sides", testFin},
	{"fin/half_open", testHalfOpen},
	{"fin/behind_withheld_octets", testFinWithheld},
	{"Reset/ours", testResetOurs},
	{"Reset/theirs", testResetTheirs},
	{"Reset/without_credit", testResetNoCredit},
	{"Reset/while_sending", testResetSending},
	{"Reset/before_attach", testResetEarly},
	{"Reset/no_error", testQuiet},
	{"Reset/no_error_after_both_ends", testQuietLate},
	{"Info/constant", testInfo},
}
