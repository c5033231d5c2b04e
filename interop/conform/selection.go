package conform

import (
	"fmt"
	"strings"
)

// groupOf: "6" of "6.4.1", "8441.settings" of "8441.settings.first".
func groupOf(id string) string {
	first, rest, _ := strings.Cut(id, ".")
	if second, _, more := strings.Cut(rest, "."); more && (second[0] < '0' || second[0] > '9') {
		return first + "." + second
	}
	return first
}

// Match says whether a pattern names the case: "6.4.1" itself; "6.*" and "6" all that begin with "6."; "*" all.
func Match(pattern, id string) bool {
	p := strings.TrimSuffix(pattern, "*")
	if p == "" {
		return pattern == "*"
	}
	if p != pattern { // as Autobahn has it, "6.2*" is 6.2.1 and 6.22.1
		return strings.HasPrefix(id, p)
	}
	return id == p || strings.HasPrefix(id, p+".")
}

// Select keeps the cases that one of the patterns of only names (none: all) and none of the patterns of but. A pattern that
// names nothing is an error: it is a slip, and a run of no case would pass.
func Select(cases []Case, only, but []string) ([]Case, error) {
	for _, p := range append(append([]string(nil), only...), but...) {
		found := false
		for i := range cases {
			found = found || Match(p, cases[i].ID)
		}
		if !found {
			return nil, fmt.Errorf("no case is called %q", p)
		}
	}
	var kept []Case
	for _, c := range cases {
		if (len(only) == 0 || matchAny(only, c.ID)) && !matchAny(but, c.ID) {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

func matchAny(patterns []string, id string) bool {
	for _, p := range patterns {
		if Match(p, id) {
			return true
		}
	}
	return false
}
