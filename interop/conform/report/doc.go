// Package report shows what conformance runs found: as text, as JSON in the layout of Autobahn's index.json, as tables in
// a page of Markdown, and as HTML with the wire log of each case. h2spec's result is read into the same report.
//
// Everything that came from the wire, or from another program, is escaped where it is shown.
package report
