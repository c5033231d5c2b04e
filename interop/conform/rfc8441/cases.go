package rfc8441

import (
	"slices"

	"weir/interop/conform"
	"weir/stream"
)

// spec is a case before it has its number.
type spec struct {
	name, section string
	title, expect string
	script        func(c *client)
}

// Cases are the suite, for a target that is reached over HTTP/2.
func Cases() []conform.Case {
	return slices.Concat(
		group("settings", settingsCases()),
		group("connect", connectCases()),
		group("refuse", refuseCases()),
		group("answer", answerCases()),
		group("negotiate", negotiateCases()),
		group("frames", frameCases()),
		group("control", controlCases()),
		group("flow", flowCases()),
		group("windows", windowCases()),
		group("close", closeCases()),
		group("end", endCases()),
		group("reset", resetCases()),
		group("goaway", goAwayCases()),
		group("many", manyCases()),
		group("plain", plainCases()),
	)
}

func group(name string, specs []spec) []conform.Case {
	var cases []conform.Case
	for _, s := range specs {
		cases = append(cases, conform.Case{ID: "8441." + name + "." + s.name, Section: s.section, Title: s.title, Expect: s.expect,
			Over: []stream.Transport{stream.H2C, stream.H2}, Run: run(s.script)})
	}
	return cases
}
