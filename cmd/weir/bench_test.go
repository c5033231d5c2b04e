package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/interop/load"
)

// bench runs `weir bench` to its end.
func bench(t *testing.T, args ...string) result {
	t.Helper()
	return finish(t, weir(testContext(t), append([]string{"bench", "-q", "--timeout", "30s"}, args...)...))
}

// wantJSON is what it measured, of a run that ends well.
func (r result) wantJSON(t *testing.T) benchJSON {
	t.Helper()
	var j benchJSON
	dec := json.NewDecoder(strings.NewReader(r.stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil || r.code != 0 || r.stderr != "" {
		t.Fatalf("exit code %d, %v; standard output and error:\n%s\n%s", r.code, err, r.stdout, r.stderr)
	}
	return j
}

func TestBench(t *testing.T) {
	p := start(t, "--compress")
	eachLane(t, p, func(t *testing.T, l *lane) {
		version := "1.1"
		if l.http2() {
			version = "2"
		} else if l.http3() {
			version = "3"
		}
		t.Run("echo", func(t *testing.T) {
			j := bench(t, l.connectArgs("/echo", "--json", "-n", "200", "-c", "2", "-d", "3")...).wantJSON(t)
			if j.Messages != 200 || j.Latency.Count != 200 || j.Opened != 2 || j.Lost != 0 || j.Failed != 0 || len(j.Errors) != 0 || j.HTTPVersion != version || j.Mode != "echo" ||
				j.Type != "text" || j.Size != 16 || j.InFlight != 3 || j.Handshake.Count != 2 || j.AnswerSize != 16 || j.Server != nil || j.Lag != nil || j.Interrupted ||
				(j.QUIC != nil) != l.http3() || j.QUIC != nil && (j.QUIC.Sent == 0 || j.QUIC.Received == 0) {
				t.Errorf("%+v", j)
			}
			if l := j.Latency; l.Min > l.P50 || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.P999 || l.P999 > l.Max || l.Min <= 0 || j.PerSecond <= 0 {
				t.Errorf("latency %+v", l)
			}
			for range 2 {
				p.wantEnd("/echo", event{"reason": "remote", "code": 1000})
			}
		})
		t.Run("compress", func(t *testing.T) {
			sizes := map[string]float64{}
			for _, context := range []string{"takeover", "no-takeover"} {
				j := bench(t, l.connectArgs("/echo", "--json", "-n", "100", "-c", "1", "--compress="+context, "--size", "1k")...).wantJSON(t)
				if j.Content != "json" || !strings.HasPrefix(j.Extensions, "permessage-deflate") || j.Failed != 0 || j.Messages != 100 {
					t.Errorf("%s: %+v", context, j)
				}
				sizes[context] = j.AnswerSize
			}
			if sizes["takeover"] >= sizes["no-takeover"] || sizes["no-takeover"] >= 1024 {
				t.Errorf("answers of %v octets on average", sizes)
			}
		})
		t.Run("broadcast", func(t *testing.T) {
			j := bench(t, l.connectArgs("/rooms/"+l.transport, "--json", "--broadcast", "-n", "20", "-c", "5", "--slow-readers", "1")...).wantJSON(t)
			if j.Messages != 100 || j.Failed != 0 || j.Mode != "broadcast" || j.SlowReaders != 1 || j.Opened != 6 {
				t.Errorf("%+v", j)
			}
		})
		t.Run("rate", func(t *testing.T) {
			j := bench(t, l.connectArgs("/echo", "--json", "-n", "100", "-c", "2", "--rate", "2000", "--content", "utf8", "--size", "300", "-b")...).wantJSON(t)
			if j.Messages != 100 || j.Latency.Count != 100 || j.Failed != 0 || j.Lag == nil || j.Lag.Count != 100 || j.Rate != 2000 || j.Type != "binary" {
				t.Errorf("%+v", j)
			}
		})
	})
}

// The process of the server is looked at, on Linux.
func TestBenchProcess(t *testing.T) {
	p := start(t)
	pid := strconv.Itoa(p.cmd.Process.Pid)
	if runtime.GOOS != "linux" {
		bench(t, "-n", "1", "--pid", pid, p.http+"/echo").want(t, exitFail, "", "Linux")
		return
	}
	j := bench(t, "--json", "-n", "2000", "-d", "16", "--pid", pid, p.http+"/echo").wantJSON(t)
	if s := j.Server; s == nil || s.CPU <= 0 || s.PerMessage <= 0 || s.RSS <= 0 || s.PSS <= 0 || s.RSS < s.PSS || strconv.Itoa(s.Pid) != pid {
		t.Errorf("server %+v", j.Server)
	}
	j = bench(t, "--json", "--idle", "-D", "50ms", "--http", "2", "-c", "2", "-m", "50", "--pid", pid, p.http+"/echo").wantJSON(t)
	if j.Mode != "idle" || j.Opened != 100 || j.Failed != 0 || j.Server.RSS <= 0 {
		t.Errorf("%+v, server %+v", j, j.Server)
	}
	bench(t, "-n", "1", "--pid", "1073741824", p.http+"/echo").want(t, exitFail, "", "1073741824")
}

// What people are shown.
func TestBenchOutput(t *testing.T) {
	p := start(t)
	page := filepath.Join(t.TempDir(), "bench.html")
	r := bench(t, "-n", "2000", "--max-errors", "0", "--html", page, "--http", "2", "-c", "2", "-m", "3", p.http+"/echo")
	for _, want := range []string{p.http + "/echo", "HTTP/2, 2 connections with 3 WebSockets each", "messages", "2000 in", "p99.9", "handshake", "6 opened", "errors", "none", "kept: max-errors"} {
		if r.code != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("exit code %d, no %q in\n%s", r.code, want, r.stdout)
		}
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<!doctype html>", "<svg", "Latency by percentile", "99.9 %", "2000 in"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, never := range []string{"<script", "<link", "src=", "@import", "url(", "ZgotmplZ"} {
		if bytes.Contains(b, []byte(never)) {
			t.Errorf("the page has %q: it needs another file, or runs something", never)
		}
	}
	bench(t, "-n", "1", "--html", "/nowhere/bench.html", p.http+"/echo").want(t, exitFail, "", "/nowhere/bench.html")
}

// Limits have an exit code of their own, and the figures are told all the same.
func TestBenchLimits(t *testing.T) {
	p := start(t)
	r := bench(t, "-n", "50", "--json", "--max-p99", "1ns", "--min-rate", "1e12", "--max-errors", "0", p.http+"/echo")
	r.wantCode(t, exitLimit, r.stdout, "not within the limits", "max-p99", "min-rate")
	var j benchJSON
	if err := json.Unmarshal([]byte(r.stdout), &j); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	state := ""
	for _, l := range j.Limits {
		state += fmt.Sprint(l.Name, " ", l.OK, "; ")
	}
	if state != "max-p99 false; min-rate false; max-errors true; " {
		t.Error(state)
	}
	bench(t, "-n", "50", "--json", "--max-p99", "1h", "--min-rate", "0.001", p.http+"/echo").wantJSON(t)
	if runtime.GOOS == "linux" {
		r = bench(t, "-n", "50", "--max-cpu-per-message", "1ns", "--pid", strconv.Itoa(p.cmd.Process.Pid), p.http+"/echo")
		r.wantCode(t, exitLimit, r.stdout, "max-cpu-per-message")
	}
	r = bench(t, "-n", "50", "-c", "2", "--max-errors", "1", "--size", "100", p.http+"/echo?max_frame_size=99") // closed with 1009, both
	r.wantCode(t, exitLimit, r.stdout, "max-errors 1 errors, measured 2 errors")
}

// Whoever cannot be measured is told in one line.
func TestBenchFails(t *testing.T) {
	p := start(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, version := range []string{"1.1", "2"} {
		bench(t, "--http", version, "-c", "5", "ws://"+nobodyThere+"/").want(t, exitConnect, "", "connection refused", nobodyThere)
		bench(t, "--http", version, "-c", "5", p.http+"/nowhere").want(t, exitRefused, "", "refused: 404")
		bench(t, "--http", version, "-c", "5", "--compress", p.http+"/echo").want(t, exitRefused, "", "does not compress")
		bench(t, "--http", version, p.https+"/echo").want(t, exitConnect, "", "certificate", "--cacert FILE names who signed it, -k takes any")
		timeout, r := 100*time.Millisecond, result{}
		for r.code != exitTimeout && timeout < patience { // on a busy machine it takes longer to connect
			r = bench(t, "--http", version, "--timeout", timeout.String(), "ws://"+silent.Addr().String()+"/")
			timeout *= 4
		}
		r.want(t, exitTimeout, "", "no answer in time")
	}
	bench(t, "--http", "2", start(t, "--no-extended-connect").http+"/echo").want(t, exitRefused, "", "RFC 8441")
}

// A server that dies in the middle is counted, not suffered.
func TestBenchServerDies(t *testing.T) {
	for _, version := range []string{"1.1", "2"} {
		p := start(t)
		cmd := weir(testContext(t), "bench", "--http", version, "-c", "3", "-D", "1h", "--timeout", "5s", p.http+"/echo")
		var stdout bytes.Buffer
		cmd.Stdout = &stdout
		progress, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		last := ""
		for lines := bufio.NewScanner(progress); lines.Scan(); {
			if last = lines.Text(); strings.HasPrefix(last, "measuring") {
				p.signal(syscall.SIGKILL)
			}
		}
		_ = cmd.Wait() // the exit code is ProcessState's
		if code := cmd.ProcessState.ExitCode(); code != exitConnect || !strings.Contains(last, "every WebSocket was lost: connection") {
			t.Errorf("HTTP/%s: exit code %d, %s", version, code, last)
		}
		lost := 0 // by a reset or an end, as the kernel of a process that died has it
		for _, m := range regexp.MustCompile(`(\d+) × connection`).FindAllStringSubmatch(stdout.String(), -1) {
			n, _ := strconv.Atoi(m[1]) // digits
			lost += n
		}
		for _, want := range []string{"3 opened", "3 lost"} {
			if lost != 3 || !strings.Contains(stdout.String(), want) {
				t.Errorf("HTTP/%s: %d connections named, or no %q, in %s", version, lost, want, stdout.String())
			}
		}
	}
}

// SIGINT ends a measurement, and what there is is told.
func TestBenchInterrupted(t *testing.T) {
	p := start(t)
	cmd := weir(testContext(t), "bench", "-q", "--json", "-c", "2", "-D", "1h", p.http+"/echo")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.event("open", "/echo")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is ProcessState's
	var j benchJSON
	switch code := cmd.ProcessState.ExitCode(); code {
	case exitOK:
		if err := json.Unmarshal(stdout.Bytes(), &j); err != nil || !j.Interrupted {
			t.Errorf("%v: %s", err, &stdout)
		}
	case exitFail: // it came before a handshake was answered
		if !strings.Contains(stderr.String(), "interrupted") {
			t.Errorf("it says %s", &stderr)
		}
	default:
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}

func TestBenchMisuse(t *testing.T) {
	for args, says := range map[string]string{
		"":                                      "accepts 1 arg",
		"ftp://127.0.0.1/":                      "ws, wss, http or https",
		"ws://127.0.0.1/#part":                  "fragment",
		"ws:///echo":                            "host",
		"--http 4 wss://a/":                     "1.1, 2 or 3",
		"--http 3 ws://a/":                      "RFC 9114, 3.1",
		"-m 2 ws://a/":                          "--streams",
		"-c 0 ws://a/":                          "--connections",
		"-d 0 ws://a/":                          "--in-flight",
		"--rate 0 ws://a/":                      "--rate",
		"--connect-rate -1 ws://a/":             "--connect-rate",
		"-n 0 ws://a/":                          "--messages",
		"-D 0s ws://a/":                         "--duration",
		"-n 1 -D 1s ws://a/":                    "do not go together",
		"--warmup -1s ws://a/":                  "--warmup",
		"--size 1t ws://a/":                     "octets",
		"--size 65m ws://a/":                    "octets",
		"--content prose ws://a/":               "ascii, utf8, json or noise",
		"--compress=perhaps ws://a/":            "no-takeover",
		"--idle --broadcast ws://a/":            "do not go together",
		"--idle --rate 1 ws://a/":               "--idle",
		"--broadcast --threads 2 -c 2 ws://a/":  "one thread",
		"--slow-readers -1 ws://a/":             "--slow-readers",
		"--threads 0 ws://a/":                   "--threads",
		"--timeout 0s ws://a/":                  "--timeout",
		"--window -1 ws://a/":                   "--window",
		"--gather -1us ws://a/":                 "--gather",
		"--pid 0 ws://a/":                       "--pid",
		"--max-cpu-per-message 1us ws://a/":     "--pid",
		"--max-p99 0s ws://a/":                  "--max-p99",
		"--min-rate -1 ws://a/":                 "--min-rate",
		"--max-errors -1 ws://a/":               "--max-errors",
		"-H novalue ws://a/":                    "Name: value",
		"-H Upgrade:x ws://a/":                  "handshake's",
		"--cacert /nowhere ws://a/":             "/nowhere",
		"-d 100000 ws://127.0.0.1:1/":           "in flight",
		"--http 2 -c 2000000 ws://127.0.0.1:1/": "WebSockets",
	} {
		stdout, stderr, code := runWeir(t, append([]string{"bench"}, strings.Fields(args)...)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, says) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
	stdout, _, code := runWeir(t, "bench", "--help")
	for _, want := range []string{"Exit codes:", "--rate", "open loop", "RFC 8441", "weir bench --broadcast", "--max-p99"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d; the help does not speak of %s", code, want)
		}
	}
}

// Progress is a line that changes on a terminal, and elsewhere a line now and then, and when the
// phase changes.
func TestBenchProgress(t *testing.T) {
	var b bytes.Buffer
	pipe := &benchProgress{w: &b}
	for i, phase := range []string{"opening", "measuring", "measuring", "measuring", "measuring", "measuring", "measuring", "measuring"} {
		pipe.show(load.Progress{Phase: phase, Elapsed: time.Duration(i+1) * time.Second, Open: 2, Want: 3, Messages: int64(i * 1000), Errors: int64(i / 6)})
	}
	pipe.end()
	if want := "opening, 1 s: 2 of 3 open\nmeasuring, 2 s: 2 of 3 open, 1000 messages, 1000 a second\nmeasuring, 7 s: 2 of 3 open, 6000 messages, 1000 a second, 1 errors\n"; b.String() != want {
		t.Errorf("in a pipe:\n%s", b.String())
	}
	b.Reset()
	live := &benchProgress{w: &b, live: true}
	live.show(load.Progress{Phase: "opening", Elapsed: time.Second, Want: 3})
	live.end()
	if want := "\r\x1b[Kopening, 1 s: 0 of 3 open\r\x1b[K"; b.String() != want {
		t.Errorf("on a terminal: %q", b.String())
	}
}

// Over HTTP/3 a server that refuses, or is not there, is told as over the others, and many
// WebSockets share a connection.
func TestBenchHTTP3(t *testing.T) {
	p := start(t)
	bench(t, "-k", "-n", "1", "--http", "3", p.https+"/nowhere").want(t, exitRefused, "", "404")
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	if r := bench(t, "-k", "-n", "1", "--timeout", "200ms", "--http", "3", "wss://"+pc.LocalAddr().String()); r.code != exitConnect && r.code != exitTimeout {
		t.Errorf("%+v", r)
	}
	j := bench(t, "-k", "--json", "--idle", "-D", "50ms", "--http", "3", "-c", "2", "-m", "50", p.https+"/echo").wantJSON(t)
	if j.Mode != "idle" || j.Opened != 100 || j.Failed != 0 || j.QUIC == nil {
		t.Errorf("%+v", j)
	}
}
