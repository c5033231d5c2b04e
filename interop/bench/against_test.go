package main

import (
	"math"
	"testing"
)

// TestRatioOf: the geometric mean, and an interval that is as wide as the values differ.
func TestRatioOf(t *testing.T) {
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-3 }
	if mean, low, high := ratioOf([]float64{1.1, 1.1, 1.1}); !near(mean, 1.1) || !near(low, 1.1) || !near(high, 1.1) {
		t.Errorf("equal ratios: %v, %v to %v", mean, low, high)
	}
	mean, low, high := ratioOf([]float64{0.5, 2, 1})
	if !near(mean, 1) || !near(low, math.Exp(-4.30*math.Ln2/math.Sqrt(3))) || !near(low*high, 1) {
		t.Errorf("%v, %v to %v", mean, low, high)
	}
}
