package peers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// node runs all of ordinary.mjs and gives what was seen by name, and in order the names.
func (s *site) node() (names []string, seen map[string]string) {
	s.t.Helper()
	cmd := exec.CommandContext(bounded(s.t), "node", "ordinary.mjs", s.origin)
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatalf("%v; see interop/peers.sh for what must be installed", err)
	}
	seen = map[string]string{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var pair []string
		if lines.Text() == `"step"` {
			s.step()
		} else if err := json.Unmarshal(lines.Bytes(), &pair); err != nil || len(pair) != 2 {
			s.t.Errorf("node: %s", lines.Bytes())
		} else {
			names = append(names, pair[0])
			seen[pair[0]] = strings.ReplaceAll(pair[1], s.addr, "ADDR")
			if notes := nodeNotes[pair[0]]; notes > 0 {
				seen[pair[0]] += "; " + s.noted(notes)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		s.t.Errorf("node, weir %t, after %q: %v\n%s", s.weir, names, err, faults.Bytes())
	}
	return names, seen
}

// nodeNotes are how many notes of handlers there are.
var nodeNotes = map[string]int{"closed with CANCEL": 1, "closed with NO_ERROR": 1, "upload closed": 1, "connection destroyed": 1}

// nodeDiffers are the documented differences.
var nodeDiffers = map[string]act{}

func TestOrdinaryNode(t *testing.T) {
	for transport, secure := range map[string]bool{"h2c": false, "h2": true} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			var names [2][]string
			var seen [2]map[string]string
			for i := range 2 {
				s := newSite(t, i == 1, secure, nil)
				names[i], seen[i] = s.node()
				s.close()
			}
			if len(names[0]) < 30 {
				t.Errorf("Node did only %q", names[0])
			}
			for _, name := range names[0] {
				t.Run(name, func(t *testing.T) {
					a := nodeDiffers[name]
					a.judge(t, func(weir bool) string {
						if weir {
							return seen[1][name]
						}
						return seen[0][name]
					})
				})
			}
		})
	}
}
