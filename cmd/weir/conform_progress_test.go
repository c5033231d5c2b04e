package main

import (
	"testing"
	"time"
	"unicode/utf8"
)

func TestProgressLine(t *testing.T) {
	busy := progress{done: 30, total: 120, failed: 2, elapsed: 10 * time.Second, over: "h2c", running: []string{"9.1.6", "9.1.7"}}
	for _, test := range []struct {
		name  string
		p     progress
		width int
		want  string
	}{
		{"begin", progress{total: 10}, 80, "[------------------------------] 0/10"},
		{"busy", busy, 120, "[#######-----------------------] 30/120  2 failed  about 30s left  h2c 9.1.6 and 1 more"},
		{"a narrow bar", busy, 70, "[###---------] 30/120  2 failed  about 30s left  h2c 9.1.6 and 1 more"},
		{"no room for the bar", busy, 60, "30/120  2 failed  about 30s left  h2c 9.1.6 and 1 more"},
		{"no room for the case", busy, 50, "[###-----------] 30/120  2 failed  about 30s left"},
		{"no room for the time", busy, 30, "[##--------] 30/120  2 failed"},
		{"no room for much", busy, 17, "30/120  2 failed"},
		{"no room", busy, 5, "30/1"},
		{"no columns", busy, 0, ""},
		{"end", progress{done: 10, total: 10, elapsed: time.Second}, 80, "[##############################] 10/10"},
		{"nobody knows how many", progress{done: 3, running: []string{"1.1"}}, 80, "3 done  1.1"},
		{"in colour", progress{done: 1, total: 1, failed: 1, color: true}, 22, "[#####] 1/1  \x1b[31m1 failed\x1b[0m"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.p.line(test.width)
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if n := utf8.RuneCountInString(got); !test.p.color && n >= max(test.width, 1) {
				t.Errorf("%d columns of %d", n, test.width)
			}
		})
	}
	for width := range 130 {
		if n := len(busy.line(width)); n >= max(width, 1) {
			t.Errorf("%d columns of %d", n, width)
		}
	}
}
