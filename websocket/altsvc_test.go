package websocket

import (
	"testing"
	"time"
)

// TestAltSvc: RFC 7838, 3.
func TestAltSvc(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		lines []string
		want  altSvc
	}{
		{[]string{`h3=":443"`}, altSvc{port: "443", age: day}},
		{[]string{`h3=":443"; ma=600`}, altSvc{port: "443", age: 10 * time.Minute}},
		{[]string{`h3=":443"; persist=1; ma="60"`}, altSvc{port: "443", age: time.Minute}},
		{[]string{`h3=":443"; ma=99999999999999`}, altSvc{port: "443", age: day}},
		{[]string{`h3=":443"; ma=2000000000`}, altSvc{port: "443", age: maxAltAge}},
		{[]string{`h2=":443", h3="alt.test:8443";ma=1 , h3=":1"`}, altSvc{host: "alt.test", port: "8443", age: time.Second}},
		{[]string{`h2=":443"`, `h3="[::1]:8443"`}, altSvc{host: "::1", port: "8443", age: day}},
		{[]string{`x="a,b;c=\"d,", h3=":5"`}, altSvc{port: "5", age: day}},
		{[]string{`clear`}, altSvc{clear: true}},
		{[]string{` clear `, `h3=":1"`}, altSvc{clear: true}},
		{[]string{`h3-29=":443"`}, altSvc{}},
		{[]string{`h3=:443`}, altSvc{}},
		{[]string{`h3="443"`}, altSvc{}},
		{[]string{`h3=":0"`}, altSvc{}},
		{[]string{`h3=":65536"`}, altSvc{}},
		{[]string{`h3="a@b:1"`}, altSvc{}},
		{[]string{`h3="a b:1"`}, altSvc{}},
		{[]string{`nothing, h3=":1"`}, altSvc{}},
		{[]string{``}, altSvc{}},
		{nil, altSvc{}},
	} {
		if got := parseAltSvc(c.lines); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.lines, got, c.want)
		}
	}
}

// FuzzAltSvc: what is given out can be dialled, whatever a server says.
func FuzzAltSvc(f *testing.F) {
	f.Add(`h2=":443", h3="alt.test:8443";ma=1`)
	f.Add(`h3="\":1"; ma="`)
	f.Fuzz(func(t *testing.T, line string) {
		a := parseAltSvc([]string{line})
		if a.age < 0 || a.age > maxAltAge || a.host != "" && a.port == "" || a.clear && a.port != "" {
			t.Errorf("%+v", a)
		}
	})
}
