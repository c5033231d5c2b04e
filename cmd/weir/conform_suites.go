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

// conformFuzzing is the server of `weir conform --listen`.
func conformFuzzing() fuzzing {
	return fuzzing{
		suites: []report.Suite{{Name: "autobahn-clients", Title: "Autobahn's catalogue, for clients", Groups: autobahnGroups, Cases: autobahn.ServerCases()}},
		server: func(cases []conform.Case, pace *conform.Pace, result func(conform.Result), completed func()) (fuzzer, error) {
			s, err := autobahn.NewServer(autobahn.ServerOptions{Cases: cases, Pace: pace, Result: result, Completed: func(string) { completed() }})
			return autobahnServer{s}, err
		},
	}
}

type autobahnServer struct{ *autobahn.Server }

// Results are those of all clients.
func (s autobahnServer) Results() (all []conform.Result) {
	for _, a := range s.Agents() {
		all = append(all, s.Server.Results(a)...)
	}
	return all
}

// fuzzing makes servers that run cases against the clients that come to them.
type fuzzing struct {
	suites []report.Suite // whose cases are for clients

	// server makes one. It tells of each result, and, as often as it likes, that a client has said
	// that it was the last; from any goroutine.
	server func(cases []conform.Case, pace *conform.Pace, result func(conform.Result), completed func()) (fuzzer, error)
}

// fuzzer is such a server.
type fuzzer interface {
	http.Handler
	Results() []conform.Result // of every client, a case once for each
}
