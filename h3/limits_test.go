package h3

import (
	"reflect"
	"testing"
)

// A limit's name is that of its field of Config, as h2's are.
func TestLimitNames(t *testing.T) {
	config := reflect.TypeFor[Config]()
	for l := range limits {
		if _, ok := config.FieldByName(l.String()); !ok {
			t.Errorf("limit %d is called %q, which is no field of Config", int(l), l)
		}
	}
	if got := limits.String(); got != "none" {
		t.Errorf("no limit is called %q", got)
	}
}
