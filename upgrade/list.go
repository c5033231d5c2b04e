package upgrade

import (
	"iter"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// elements gives the elements of a list field over all its lines, without the empty ones (RFC 9110, 5.6.1).
func elements(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for e := range strings.SplitSeq(line, ",") {
				if e = strings.Trim(e, " \t"); e != "" && !yield(e) {
					return
				}
			}
		}
	}
}

// contains says whether a list field has token, in any case.
func contains(lines []string, token string) bool {
	for e := range elements(lines) {
		if strings.EqualFold(e, token) {
			return true
		}
	}
	return false
}

// isToken judges s by RFC 9110, 5.6.2.
func isToken(s string) bool { return httpguts.ValidHeaderFieldName(s) }
