package rfc8441

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/interop/conform"
)

// found are the cases of a fault's groups that are not OK with it, and why.
func (f brokenServer) find(t *testing.T, server *conform.Target) map[string]string {
	cases, err := conform.Select(Cases(), strings.Split(f.run, ","), nil)
	if err != nil {
		t.Error(err)
	}
	for i := range cases {
		cases[i].Limit = 2 * time.Minute // for a machine that has much else to do
	}
	why := map[string]string{}
	for _, res := range (&conform.Run{Cases: cases, Target: relay(t, server, f.broken), Jobs: 12}).Do(t.Context()) {
		if res.Body != conform.OK || res.Bad() {
			why[strings.TrimPrefix(res.Case.ID, "8441.")] = string(res.Body) + ": " + res.Why
		}
	}
	return why
}

// TestFaults: each server that is broken is found out, by exactly the cases that are about it.
func TestFaults(t *testing.T) {
	server := weir(t, false)
	sound := brokenServer{"", func() (up, down alter) { return nil, nil }, "*", ""}
	for id, why := range sound.find(t, server) {
		t.Errorf("%s finds a fault of the relay: %s", id, why)
	}
	results := make([]map[string]string, len(faults))
	var wg sync.WaitGroup
	turns := make(chan struct{}, 6)
	for i, f := range faults {
		wg.Go(func() {
			turns <- struct{}{}
			results[i] = f.find(t, server)
			<-turns
		})
	}
	wg.Wait()
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			why, want := results[i], strings.Fields(f.found)
			for i, id := range want {
				id, lax := strings.CutSuffix(id, "~")
				if want[i] = id; lax && why[id] != "" && !strings.HasPrefix(why[id], string(conform.NonStrict)+": ") {
					t.Errorf("%s: %s; it is not strict", id, why[id])
				}
			}
			for id := range why {
				if !slices.Contains(want, id) {
					t.Errorf("%s: %s", id, why[id])
				}
			}
			for _, id := range want {
				if why[id] == "" {
					t.Errorf("%s did not find it", id)
				}
			}
			if len(want) == 0 {
				t.Error("nobody looks for it")
			}
		})
	}
}
