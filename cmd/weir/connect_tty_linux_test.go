package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// On a terminal: prompts, what was received behind "< ", nothing that a terminal would obey, and ^C closes.
func TestConnectTerminal(t *testing.T) {
	p := start(t)
	master, slave := openTerminal(t)
	cmd := weir(testContext(t), "connect", "--slash", strings.Replace(p.http, "http", "ws", 1)+"/commands")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// slave stays open: behind its last close a read may fail before all that was written was given.
	if err := master.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	until := func(want string) {
		t.Helper()
		b := make([]byte, 4096)
		for !strings.Contains(seen.String(), want) {
			n, err := master.Read(b)
			if seen.Write(b[:n]); err != nil {
				t.Fatalf("%v before %q; the terminal shows\n%q", err, want, seen.String())
			}
		}
		_, after, _ := strings.Cut(seen.String(), want)
		seen.Reset()
		seen.WriteString(after)
	}
	until("* connected to ws://")
	until("over HTTP/1.1\r\n> ")
	io.WriteString(master, `[{"text":"hello\u001b[2J"},{"binary":"AP8="}]`+"\n")
	until("< hello\u241b[2J\r\n> ")
	until("< binary of 2: 00ff\r\n> ")
	io.WriteString(master, "/ping there\n")
	until("< pong \"there\"\r\n> ")
	io.WriteString(master, "/nothing\n")
	until("weir: \"/nothing\": /ping [TEXT]")
	io.WriteString(master, "\x03")
	until("* closed\r\n")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	p.wantEnd("/commands", event{"reason": "remote", "code": 1000})
}

// openTerminal gives the two sides of a pseudo terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}
