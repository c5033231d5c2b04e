package h2

import (
	"net/http"
	"reflect"
	"slices"
	"testing"
)

// TestConfigNegative: negative is off for every field, which for a limit is the largest there is,
// and never stricter than the default.
func TestConfigNegative(t *testing.T) {
	// Fields of which the core knows zero or less as off.
	off := []string{"MaxMemory", "MaxWindow", "MaxConnWindow", "MaxDecoderHeaderTableSize", "MaxEncoderHeaderTableSize",
		"MaxPeerResets", "MaxFaults", "MaxRefused", "MaxPings", "MaxSettings", "MaxWindowUpdates", "MaxTinyData", "MaxIgnored",
		"IdleTimeout", "StallTimeout", "WriteTimeout", "HandshakeTimeout", "PingInterval", "PingTimeout"}
	server := func(v reflect.Value) Config { return v.Interface().(Config).with(new(http.Server)) }
	client := func(v reflect.Value) Config { cfg := v.Interface().(ClientConfig); return cfg.config() }
	for _, tt := range []struct {
		zero any
		full func(reflect.Value) Config
		as   map[string]string // what a field is called in Config
	}{
		{Config{}, server, nil},
		{ClientConfig{}, client, map[string]string{"MaxStreams": "MaxConcurrentStreams"}},
	} {
		typ := reflect.TypeOf(tt.zero)
		n := 0
		for i := range typ.NumField() {
			f := typ.Field(i)
			if k := f.Type.Kind(); k != reflect.Int && k != reflect.Int64 {
				continue
			}
			n++
			name := f.Name
			if as := tt.as[name]; as != "" {
				name = as
			}
			set := reflect.New(typ).Elem()
			def := reflect.ValueOf(tt.full(set)).FieldByName(name).Int()
			set.Field(i).SetInt(-1)
			full := tt.full(set)
			got := reflect.ValueOf(full).FieldByName(name).Int()
			switch {
			case name == "PingTimeout":
				if full.PingInterval != 0 {
					t.Errorf("%s.%s: a PING after %v", typ.Name(), f.Name, full.PingInterval)
				}
			case slices.Contains(off, name):
				if got > 0 {
					t.Errorf("%s.%s: -1 is %d", typ.Name(), f.Name, got)
				}
			case got < def || got < 1<<20:
				t.Errorf("%s.%s: -1 is %d, the default %d", typ.Name(), f.Name, got, def)
			}
		}
		if n < 10 {
			t.Errorf("%s has %d fields", typ.Name(), n)
		}
	}
}
