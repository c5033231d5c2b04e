package h3

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestBehaviour runs the behaviour suite of package websocket in mode h3: its rows are those of
// docs/behaviour.md. Package websocket may not import h3, nor may its tests, so the files of
// testdata/suite are laid over it.
func TestBehaviour(t *testing.T) {
	files, err := filepath.Glob("testdata/suite/*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for _, f := range files {
		from, err := filepath.Abs(f)
		if err != nil {
			t.Fatal(err)
		}
		to, err := filepath.Abs(filepath.Join("../websocket", "mode_h3_"+filepath.Base(f)))
		if err != nil {
			t.Fatal(err)
		}
		overlay.Replace[to] = from
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"test", "-overlay", name, "-count=1", "../websocket", "-mode", "h3"}
	if raceEnabled {
		args = append(args, "-race")
	}
	if testing.Verbose() {
		args = append(args, "-v")
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if testing.Verbose() {
		t.Logf("%s", out)
	}
}
