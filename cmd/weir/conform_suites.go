package main

import (
	"net/http"

	"weir/interop/conform"
	"weir/interop/conform/autobahn"
	"weir/interop/conform/report"
	"weir/interop/conform/rfc8441"
)

// conformSuites are the suites of `weir conform`.
func conformSuites() []report.Suite {
	return []report.Suite{
		{Name: "autobahn", Title: "Autobahn's catalogue", Groups: autobahnGroups, Cases: autobahn.Cases()},
		{Name: "8441", Title: "WebSockets over HTTP/2", Cases: rfc8441.Cases()},
	}
}

// autobahnGroups are what the numbers of the catalogue are about.
var autobahnGroups = map[string]string{
	"1":  "Framing",
	"2":  "Pings and pongs",
	"3":  "Reserved bits",
	"4":  "Opcodes",
	"5":  "Fragmentation",
	"6":  "UTF-8",
	"7":  "Closing",
	"9":  "Limits and performance",
	"10": "Automatic fragmentation",
	"12": "Compression, payloads",
	"13": "Compression, parameters",
}

// fuzzer is a server that runs cases against the clients that come to it. It tells of each result, one at a time.
type fuzzer interface {
	http.Handler
	Results() []conform.Result
	Done() <-chan struct{} // closed when a client has said that it was the last
}

// newFuzzer makes the server of `weir conform --listen`.
type newFuzzer func(cases []conform.Case, progress func(conform.Result)) fuzzer
