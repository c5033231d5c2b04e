package main

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// conformTerminal runs the fake program on a terminal of so many columns, and gives all that it showed.
func conformTerminal(t *testing.T, columns int, interrupt string, args ...string) (shown string, code int) {
	t.Helper()
	master, slave := openTerminal(t)
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	cmd := fakeCommand(t, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	if err := master.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	b := make([]byte, 4096)
	for {
		n, err := master.Read(b)
		seen.Write(b[:n])
		if interrupt != "" && strings.Contains(seen.String(), interrupt) {
			io.WriteString(master, "\x03")
			interrupt = ""
		}
		if os.IsTimeout(err) {
			t.Fatalf("no end; the terminal shows\n%q", seen.String())
		}
		if err != nil { // EIO: the other side is closed
			break
		}
	}
	cmd.Wait() // the exit code is ProcessState's
	return seen.String(), cmd.ProcessState.ExitCode()
}

// On a terminal: a bar that is drawn in its place and gone at the end, colours, and ^C stops.
func TestConformTerminal(t *testing.T) {
	clear, _ := echoURLs(start(t))
	shown, code := conformTerminal(t, 70, "99.1", "--http", "1.1", "--cases", "1,5,99", clear)
	if code != exitAbnormal {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"\r\x1b[K[", "3/4", "1 failed", "h1 99.1", "\x1b[31mFAILED\x1b[0m  5.1", "weir: interrupted: 3 cases have run, 1 failed\r\n"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the terminal does not show %q:\n%q", want, shown)
		}
	}
	if strings.Contains(shown, "\x1b[2J") {
		t.Error("what a server sent reaches the terminal")
	}
	bars := 0
	for _, piece := range strings.Split(shown, "\r\x1b[K") {
		if bar, _, _ := strings.Cut(piece, "\r"); strings.HasPrefix(bar, "[") {
			bars++
			bar = strings.NewReplacer("\x1b[31m", "", "\x1b[0m", "", "^C", "").Replace(bar)
			if len(bar) >= 70 {
				t.Errorf("%d columns of 70: %q", len(bar), bar)
			}
		}
	}
	if bars == 0 {
		t.Error("no bar")
	}
	// The last thing that is drawn before the table is nothing.
	if before, _, _ := strings.Cut(shown, "\x1b[1m127.0.0.1"); !strings.HasSuffix(before, "\r\x1b[K") {
		t.Errorf("the bar is left behind: %q", before)
	}

	t.Run("quiet", func(t *testing.T) {
		if shown, code := conformTerminal(t, 80, "", "-q", "--cases", "1", clear); shown != "" || code != exitOK {
			t.Errorf("exit code %d, %q", code, shown)
		}
	})
	t.Run("no colour", func(t *testing.T) {
		shown, code := conformTerminal(t, 80, "", "--color", "never", "-v", "--jobs", "1", "--cases", "1,5", clear)
		if code != exitFail || strings.Contains(shown, "\x1b[3") || strings.Contains(shown, "\x1b[1m") || !strings.Contains(shown, "\r\x1b[K1.1.1 ") {
			t.Errorf("exit code %d, %q", code, shown)
		}
	})
}

func TestConformColor(t *testing.T) {
	clear, _ := echoURLs(start(t))
	for when, want := range map[string]bool{"always": true, "auto": false, "never": false} {
		if r := conformRun(append(good, "--color", when, clear)...); strings.Contains(r.stdout, "\x1b[32m") != want || strings.Contains(r.stderr, "\x1b") {
			t.Errorf("--color %s:\n%q\n%q", when, r.stdout, r.stderr)
		}
	}
}
