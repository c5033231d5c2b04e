package rfc8441

import (
	"regexp"
	"strings"
	"testing"

	"weir/stream"
)

// TestCatalogue: each case has what a report needs, and no other's name.
func TestCatalogue(t *testing.T) {
	cases := Cases()
	if len(cases) < 60 {
		t.Errorf("%d cases", len(cases))
	}
	seen := map[string]bool{}
	id := regexp.MustCompile(`^8441\.[a-z]+\.[a-z0-9-]+$`)
	section := regexp.MustCompile(`^RFC \d{4}, \d+(\.\d+)*$`)
	for _, c := range cases {
		switch {
		case !id.MatchString(c.ID) || seen[c.ID]:
			t.Errorf("%s: no ID, or one that another case has", c.ID)
		case !section.MatchString(c.Section):
			t.Errorf("%s: section %q", c.ID, c.Section)
		case c.Title == "" || c.Expect == "" || strings.HasSuffix(c.Title, ".") || c.Run == nil:
			t.Errorf("%s: %q, %q", c.ID, c.Title, c.Expect)
		case c.RunsOver(stream.H1) || !c.RunsOver(stream.H2) || !c.RunsOver(stream.H2C):
			t.Errorf("%s runs over %v", c.ID, c.Over)
		}
		seen[c.ID] = true
	}
}
