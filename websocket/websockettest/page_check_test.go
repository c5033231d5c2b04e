package websockettest_test

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/pages"
	"weir/websocket"
	. "weir/websocket/websockettest"
)

const page = "../../docs/testing.md"

// TestPage: the blocks of docs/testing.md are the source of page_test.go behind its imports, in
// order.
func TestPage(t *testing.T) {
	p, err := pages.Read(page)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, b := range p.Blocks {
		if b.Lang == "go" {
			shown = append(shown, b.Text)
		}
	}
	src, err := os.ReadFile("page_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, run, _ := strings.Cut(string(src), "\n)\n\n")
	got, want := strings.Split(strings.Join(shown, "\n"), "\n"), strings.Split(run, "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("line %d of the blocks of %s is not that of page_test.go behind its imports:\n%q\n%q", i+1, page,
				lineAt(got, i), lineAt(want, i))
		}
	}
	// What is promised of it: a handler with timers is tested in under 30 lines.
	_, test, _ := strings.Cut(run, "func TestReminder(")
	test, _, _ = strings.Cut(test, "\n}\n")
	if n := strings.Count(test, "\n") + 2; n >= 30 || n < 10 {
		t.Errorf("TestReminder has %d lines", n)
	}
}

func lineAt(lines []string, i int) string {
	if i >= len(lines) {
		return "(the end)"
	}
	return lines[i]
}

// TestPageFailure: what the page shows of a failure is what a failure says.
func TestPageFailure(t *testing.T) {
	p, err := pages.Read(page)
	if err != nil {
		t.Fatal(err)
	}
	shown := ""
	for _, b := range p.Blocks {
		if b.Lang == "" {
			shown += b.Text
		}
	}
	_, shown, _ = strings.Cut(shown, ": ")
	synctest.Test(t, func(t *testing.T) {
		got := try(t, func(t testing.TB) {
			p := Open(t, H2, new(reminder), &websocket.Options{IdleTimeout: -1})
			p.WantText("hello")
			time.Sleep(4 * time.Minute)
			p.SendText("I am reading")
			p.WantSilence(5*time.Minute - 1)
			p.WantClose(4000, "silence")
		})
		if len(got) != 1 {
			t.Fatal(got)
		}
		if _, said, _ := strings.Cut(got[0], ": "); said+"\n" != shown {
			t.Errorf("the page shows\n%s\na failure says\n%s", shown, said)
		}
	})
}
