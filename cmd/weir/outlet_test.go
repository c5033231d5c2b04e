package main

//lint:file-ignore SA1019 the module lives on under another path; it is a peer here, whatever its name

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// gated is a reader that takes a Write when it is let.
type gated struct {
	let chan error // what each Write gives
	got bytes.Buffer
}

func (g *gated) Write(p []byte) (int, error) {
	if err := <-g.let; err != nil {
		return 0, err
	}
	return g.got.Write(p)
}

// Nobody waits for a reader of standard output: what it does not take is dropped, and told where it
// is missing.
func TestOutlet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gated{let: make(chan error)}
		o := newOutlet(g, func(n int64) []byte { return fmt.Appendf(nil, "dropped %d\n", n) })
		o.limit = 20
		line := func(s string) { io.WriteString(o, s+"\n") }
		line("line 0")
		synctest.Wait() // it is being written
		for i := range 4 {
			line(fmt.Sprintf("line %d", i+1)) // 7 octets: one more may wait
		}
		g.let <- nil
		synctest.Wait()
		line("short") // it would fit by now, and belongs behind what is missing
		g.let <- nil  // line 1
		g.let <- nil  // what is missing
		synctest.Wait()
		line("next")
		g.let <- nil
		o.flush()
		if want := "line 0\nline 1\ndropped 4\nnext\n"; g.got.String() != want {
			t.Errorf("%q, want %q", g.got.String(), want)
		}
	})
}

// A line longer than all that may wait is written if nothing else waits.
func TestOutletLongLine(t *testing.T) {
	var got bytes.Buffer
	o := newOutlet(&got, nil)
	long := strings.Repeat("x", 3*outletWrite) + "\n"
	o.limit = 10
	io.WriteString(o, long)
	o.flush()
	io.WriteString(o, "a\n")
	o.flush()
	if got.String() != long+"a\n" {
		t.Errorf("%d octets", got.Len())
	}
}

// Lines that a full disk did not take are told when it takes some again; a reader that has gone is
// no reason to write on.
func TestOutletFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gated{let: make(chan error)}
		o := newOutlet(g, func(n int64) []byte { return fmt.Appendf(nil, "dropped %d\n", n) })
		full := errors.New("no space left on device")
		io.WriteString(o, "a\n")
		g.let <- full // a
		g.let <- full // that it was dropped
		synctest.Wait()
		io.WriteString(o, "b\n") // behind what is missing
		g.let <- nil
		synctest.Wait()
		io.WriteString(o, "c\n")
		g.let <- nil
		o.flush()
		if want := "dropped 2\nc\n"; g.got.String() != want {
			t.Errorf("%q, want %q", g.got.String(), want)
		}
	})
}

// A program that ends does not wait for a reader that takes nothing.
func TestOutletFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gated{let: make(chan error)}
		o := newOutlet(g, nil)
		io.WriteString(o, "a\n")
		o.flush() // in fake time: it would wait for ever
		g.let <- nil
		synctest.Wait()
	})
}

// What a peer says is escaped on its way out: DEL, C1, changes of direction. A reader of JSON gets
// it as it was.
func TestOutletEscapes(t *testing.T) {
	var got bytes.Buffer
	o := newOutlet(&got, nil)
	io.WriteString(o, "{\"text\":\"a\x7fb\u009bc\u202ed\u2066\"}\n")
	o.flush()
	if want := `{"text":"a\u007fb\u009bc\u202ed\u2066"}` + "\n"; got.String() != want {
		t.Errorf("%q, want %q", got.String(), want)
	}
}

// Events have a peer's text escaped, and so has a report that is written to standard output.
func TestEventsEscaped(t *testing.T) {
	const said = "a\x7fb\u009bc\u202ed"
	const escapedSaid = `a\u007fb\u009bc\u202ed`
	cmd, stdout, stderr := piped(t, "serve", "--tls-listen=", "--listen", "127.0.0.1:0")
	url := listeningAt(t, stdout)
	c := dial(t, url, "/echo")
	c.Close(4000, said)
	cmd.Process.Signal(syscall.SIGTERM)
	lines, err := io.ReadAll(stdout)
	if err != nil || !strings.Contains(string(lines), `"text":"`+escapedSaid+`"`) {
		t.Errorf("%q, %v", lines, err)
	}
	exitsWith(t, cmd, stderr, exitOK)

	p := start(t)
	report, log, code := runWeir(t, "conform", "-q", "--http", "1.1", "--cases", "1.1.1", "--agent", said, "--json", "-", p.http+"/echo")
	if code != exitOK || !strings.Contains(report, `"`+escapedSaid+`"`) {
		t.Errorf("exit code %d, %s, %s", code, report, log)
	}
}
