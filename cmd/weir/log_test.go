package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever peers provoke, there is one line of each message a second, and it counts the others.
func TestLogSparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got lockedBuffer
		log, out := (&config{logFormat: "text"}).logger(&got)
		for i := range 1000 {
			log.Warn(fmt.Sprintf("http: TLS handshake error from 192.0.2.%d:1: EOF", i))
			log.Warn(fmt.Sprintf("upgrade: GET /%d: no", i))
			log.With("path", "/"+fmt.Sprint(i)).Error("websocket: callback panicked")
		}
		out.flush()
		lines := func(want ...string) {
			t.Helper()
			synctest.Wait()
			got := got.String()
			if n := strings.Count(got, "\n"); n != len(want) {
				t.Fatalf("%d lines, want %d:\n%s", n, len(want), got)
			}
			for _, s := range want { // timers of one time come in any order
				if !strings.Contains(got, s+"\n") {
					t.Errorf("no %s in\n%s", s, got)
				}
			}
		}
		first := []string{`msg="http: TLS handshake error from 192.0.2.0:1: EOF"`, `msg="upgrade: GET /0: no"`, `msg="websocket: callback panicked" path=/0`}
		lines(first...)
		time.Sleep(2 * time.Second) // fake time
		synctest.Wait()
		second := append(first, `192.0.2.999:1: EOF" more=998`, `GET /999: no" more=998`, `path=/999 more=998`)
		lines(second...)
		log.Warn("http: TLS handshake error from [::1]:1: EOF") // a quiet second later: at once
		lines(append(second, `[::1]:1: EOF"`)...)
		time.Sleep(2 * time.Second)
		lines(append(second, `[::1]:1: EOF"`)...)
	})
}

// A peer that has a message of its own each time gets no line of its own each time.
func TestLogSparingMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got lockedBuffer
		log, out := (&config{logFormat: "json"}).logger(&got)
		for i := range 100_000 {
			log.Warn(strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(i)))
		}
		out.flush()
		if n := strings.Count(got.String(), "\n"); n != sparingMost+1 {
			t.Errorf("%d lines", n)
		}
		time.Sleep(2 * time.Second)
	})
}

// With -v everything is told.
func TestLogVerbose(t *testing.T) {
	var got lockedBuffer
	log, out := (&config{logFormat: "json", verbose: true}).logger(&got)
	for range 1000 {
		log.Debug("h2: frame", "name", "\u202e\x7f\u009b")
	}
	out.flush()
	if n := strings.Count(got.String(), `"name":"\u202e\u007f\u009b"}`+"\n"); n != 1000 {
		t.Errorf("%d lines of 1000: %.300q", n, got.String())
	}
}

// Handshakes of TLS that their peers give up are no flood of lines.
func TestServeHandshakesGivenUp(t *testing.T) {
	p := start(t, "--listen=")
	for range 200 {
		c := dialTCP(t, p.https)
		io.WriteString(c, "\x16\x03\x01\x02\x00\x01")
		c.Close()
	}
	c := dialTCP(t, p.https) // all of them were accepted before this one
	if err := tls.Client(c, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(testContext(t)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	p.signal(syscall.SIGTERM)
	p.wantExit(exitOK)
	if n, log := strings.Count(p.stderr.String(), "TLS handshake error"), p.stderr.String(); n == 0 || n > 100 {
		t.Errorf("%d lines: %.500s", n, log)
	}
}
