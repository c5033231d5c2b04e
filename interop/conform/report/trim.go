package report

import "weir/interop/conform"

// What is kept of the wire log of a case that did not fail: a thousand messages over eight columns would fill a disk.
const (
	keptEntries = 60
	keptOctets  = 64
)

// Trim shortens the logs of results that did not fail. The others keep all that conform.Log keeps.
func Trim(results []conform.Result) {
	for i := range results {
		res := &results[i]
		if res.Bad() {
			continue
		}
		kept := min(len(res.Log), keptEntries)
		res.Dropped += len(res.Log) - kept
		short := make([]conform.Entry, kept) // a new one, so that the long one can go
		for j := range short {
			short[j] = res.Log[j]
			if o := short[j].Octets; len(o) > keptOctets {
				short[j].Octets = append([]byte(nil), o[:keptOctets]...)
			}
		}
		res.Log = short
	}
}
