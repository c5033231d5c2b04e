package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What a script costs grows with its octets, and not with how deep they lie.
func TestScriptCost(t *testing.T) {
	within := func(depth int, s string) string {
		return strings.Repeat(`[{"after":{"ms":1,"commands":`, depth) + s + strings.Repeat(`}}]`, depth)
	}
	for name, text := range map[string]string{
		"deep":       within(maxDepth, `[{"text":"`+strings.Repeat("x", 500_000)+`"}]`),
		"too deep":   within(20_000, `[]`),
		"wide":       within(maxDepth, `[`+strings.Repeat(`{"stop":true},`, 10_000)+`{"stop":true}]`),
		"bad at end": within(maxDepth, `[`+strings.Repeat(`{"stop":true},`, 10_000)+`{"sing":true}]`),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := parseScript([]byte(text))
		runtime.ReadMemStats(&after)
		if (err == nil) != (name == "deep" || name == "wide") {
			t.Errorf("%s: %.100v", name, err)
		}
		if got := int(after.TotalAlloc-before.TotalAlloc) / len(text); got > 40 {
			t.Errorf("%s: %d octets of memory for each of the script", name, got)
		}
	}
}

// What is put off is counted with all that lies within it, and comes to nothing when all has run.
func TestScriptBurden(t *testing.T) {
	text := `[{"after":{"ms":1,"commands":[{"text":"a"},{"after":{"ms":1,"commands":[]}},{"after":{"ms":1,"commands":[]}}]}},{"text":"b"},{"after":{"ms":1,"commands":[]}}]`
	s, err := parseScript([]byte(text))
	if err != nil || s.later.count != 4 || s.later.octets < len(text)-60 || s.later.octets > len(text) {
		t.Fatalf("%+v, %v", s.later, err)
	}
	c := &commands{config: new(config), pending: map[*later]*time.Timer{}}
	if err := c.admit(s.later); err != nil {
		t.Fatal(err)
	}
	c.run(s.steps, nil)
	for len(c.pending) > 0 {
		for l, timer := range c.pending {
			timer.Stop()
			c.Info(l, nil)
		}
	}
	if c.later != (burden{}) {
		t.Errorf("%+v is left", c.later)
	}
}

// A script is read as strictly as JSON is: names, values and what stands behind. Where nothing is
// wanted the words are encoding/json's.
func TestScriptMistakes(t *testing.T) {
	for text, want := range map[string]string{
		``:                                      "",
		`nul`:                                   "",
		`null`:                                  "a script is a JSON array of objects: null",
		`{}`:                                    `a script is a JSON array of objects: "{" in place of "["`,
		`[] []`:                                 "text after the value",
		`[1]`:                                   `element 0: an object with one member: "1" in place of "{"`,
		`[{}]`:                                  "an object with one member, not 0",
		`[{"stop":true},{"text":"a","x":1}]`:    "element 1: an object with one member, not more",
		`[{"stop":true}`:                        "",
		`[{"sing":1}]`:                          `unknown command "sing"`,
		`[{"text":tru}]`:                        "",
		`[{"text":"a"]`:                         "",
		`[{1:2}]`:                               "",
		`[{"after":1}]`:                         `element 0: after: "1" in place of "{"`,
		`[{"after":{}}]`:                        "no commands",
		`[{"after":{"ms":null,"commands":[]}}]`: "null",
		`[{"after":{"ms":1.5,"commands":[]}}]`:  "1.5",
		`[{"after":{"ms":1,"commands":[],"x":1}}]`:  `unknown member "x"`,
		`[{"after":{"ms":1,"commands":null}}]`:      "null",
		`[{"after":{"ms":86400001,"commands":[]}}]`: "0 to a day",
		`[{"after":{"ms":1,"commands":[{"x":1}]}}]`: `element 0: after: element 0: unknown command "x"`,
		`[{"` + strings.Repeat("x", 1000) + `":1}]`: `unknown command "` + strings.Repeat("x", 40) + `"`,
	} {
		_, err := parseScript([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
		if json.Valid([]byte(text)) && strings.Contains(fmt.Sprint(err), "invalid character") {
			t.Errorf("%.60s is JSON: %v", text, err)
		}
	}
}
