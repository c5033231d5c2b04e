package wsframe

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// read feeds b to r in pieces that end at cuts, and tells the frames in one line: the form of testdata/wsframe/frames.txt,
// with "~" where a frame is not complete, and the error behind them; failed: there was one.
func read(t testing.TB, r Reader, b []byte, cuts ...int) (told string, failed bool) {
	t.Helper()
	var out strings.Builder
	var payload []byte
	var cur Header
	inside := false
	tell := func(ev Event, end bool) {
		if out.Len() > 0 {
			out.WriteString("; ")
		}
		out.WriteString(ev.Op.String())
		if !ev.Header.Fin {
			out.WriteString("+")
		}
		if ev.Compressed {
			out.WriteString(" z")
		}
		if n := len(payload); n > 200 && strings.Count(string(payload), string(payload[:1])) == n {
			fmt.Fprintf(&out, " %q*%d", payload[:1], n)
		} else {
			fmt.Fprintf(&out, " %q", payload)
		}
		if !end {
			out.WriteString("~")
		}
	}
	var last Event
	from := 0
	for _, to := range append(append([]int{}, cuts...), len(b)) {
		piece := append([]byte(nil), b[from:to]...)
		for taken := 0; taken < len(piece); {
			ev, n, err := r.Next(piece[taken:])
			if err != nil {
				if inside {
					tell(last, false)
				}
				e, ok := errors.AsType[*Error](err)
				if !ok {
					t.Fatalf("error of type %T", err)
				}
				if _, _, again := r.Next(piece); again != err {
					t.Fatalf("the error does not stay: %v, then %v", err, again)
				}
				return fmt.Sprintf("%s ! %d %s", out.String(), e.Code, e.Rule), true
			}
			if n <= 0 {
				t.Fatalf("took %d octets of %d", n, len(piece)-taken)
			}
			taken += n
			if ev.None() {
				if taken != len(piece) {
					t.Fatal("no event, and octets left")
				}
				continue
			}
			if ev.Start == inside {
				t.Fatalf("Start is %v inside a frame: %v", ev.Start, inside)
			}
			if ev.Start {
				cur, payload = ev.Header, payload[:0]
			}
			if ev.Header != cur {
				t.Fatalf("the header changed: %+v, then %+v", cur, ev.Header)
			}
			payload = append(payload, ev.Payload...)
			if got := cur.Length - int64(len(payload)); ev.End != (got == 0) || r.Left() != got {
				t.Fatalf("End is %v and Left %d with %d octets to come", ev.End, r.Left(), got)
			}
			inside, last = !ev.End, ev
			if ev.End {
				tell(ev, true)
			}
		}
		from = to
	}
	if inside {
		tell(last, false)
	}
	return out.String(), false
}

// eachCut runs f over all ways to cut n octets that matter: not at all, once anywhere, everywhere.
func eachCut(n int, f func(cuts ...int)) {
	f()
	step := max(1, n/400)
	for i := 1; i < n; i += step {
		f(i)
	}
	if n <= 1000 {
		var all []int
		for i := 1; i < n; i++ {
			all = append(all, i)
		}
		f(all...)
	}
}

// octets reads hex with "xx*n" runs.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for _, f := range strings.Fields(s) {
		run, times, repeated := strings.Cut(f, "*")
		b, err := hex.DecodeString(run)
		if err != nil {
			t.Fatal(err)
		}
		n := 1
		if repeated {
			if n, err = strconv.Atoi(times); err != nil {
				t.Fatal(err)
			}
		}
		for range n {
			out = append(out, b...)
		}
	}
	return out
}

// lines are those of a file of testdata, without comments.
func lines(t testing.TB, name string) (out []string) {
	t.Helper()
	f, err := os.Open("../testdata/wsframe/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if l := s.Text(); l != "" && l[0] != '#' {
			out = append(out, l)
		}
	}
	return out
}

func TestGoldenFrames(t *testing.T) {
	golden := lines(t, "frames.txt")
	if len(golden) < 10 {
		t.Fatalf("%d lines", len(golden))
	}
	for _, l := range golden {
		f := strings.Fields(l)
		i := 2
		for i < len(f) && len(f[i]) > 1 && strings.Trim(f[i][:2], "0123456789abcdef") == "" && (len(f[i]) == 2 || f[i][2] == '*') {
			i++
		}
		in, want := octets(t, strings.Join(f[2:i], " ")), strings.Join(f[i:], " ")
		t.Run(f[0], func(t *testing.T) {
			r := Reader{Client: f[1] != "server", Deflate: f[1] == "deflate"}
			eachCut(len(in), func(cuts ...int) {
				if got, _ := read(t, r, in, cuts...); got != want {
					t.Fatalf("cut at %v: got %s, want %s", cuts, got, want)
				}
			})
			// And written again by AppendFrame.
			var out []byte
			for b := append([]byte(nil), in...); len(b) > 0; {
				ev, n, err := r.Next(b)
				if err != nil {
					t.Fatal(err)
				}
				out = AppendFrame(out, ev.Header, ev.Payload)
				b = b[n:]
			}
			if string(out) != string(in) {
				t.Fatalf("written as % x", out)
			}
		})
	}
}
