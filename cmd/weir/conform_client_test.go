package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"weir/websocket"
)

// The real program, both ways: as a fuzzing server, and as its client over every transport.
func TestConformClient(t *testing.T) {
	for _, test := range []struct {
		transport string
		args      []string
	}{
		{"h1", nil},
		{"h2c", []string{"--http", "2"}},
		{"h1tls", []string{"--http", "1.1", "-k"}},
		{"h2", []string{"-k", "--jobs", "4"}},
	} {
		t.Run(test.transport, func(t *testing.T) {
			p := startListening(t, "--cases", "1.1,2.1,5.6,7.1.1,12.1.1")
			root := p.clear
			if strings.HasSuffix(test.transport, "tls") || test.transport == "h2" {
				root = p.secure
			}
			stdout, stderr, code := runWeir(t, append([]string{"conform", "--client", root, "--shutdown", "--agent", "mine"}, test.args...)...)
			if code != exitOK || stderr != "" || stdout != "12 cases played as mine; the server has the reports\n" {
				t.Errorf("the client: exit code %d, %q, %q", code, stdout, stderr)
			}
			r := p.end()
			if r.code != exitOK || !strings.Contains(r.stdout, "mine over "+test.transport+"\n") || !strings.Contains(r.stdout, "\n12 cases, none failed, in ") {
				t.Errorf("the server: %+v", r)
			}
		})
	}
	t.Run("a server that ends without an answer", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/updateReports" { // as Autobahn's does
				if nc, _, err := http.NewResponseController(w).Hijack(); err == nil {
					nc.Close()
				}
				return
			}
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer c.CloseNow()
			if r.URL.Path == "/getCaseCount" {
				_ = c.Write(r.Context(), websocket.TextFrame, []byte("3")) // a client that does not get it says so
			}
			_ = c.Close(1000, "")
		}))
		defer s.Close()
		for _, test := range []struct {
			flags  []string
			code   int
			stdout string
		}{
			{[]string{"--shutdown"}, exitOK, "3 cases played as weir; the server has the reports\n"},
			{nil, exitFail, ""},
		} {
			stdout, stderr, code := runWeir(t, append([]string{"conform", "--client", s.URL}, test.flags...)...)
			if code != test.code || stdout != test.stdout || (stderr == "") != (code == exitOK) {
				t.Errorf("%v: exit code %d, %q, %q", test.flags, code, stdout, stderr)
			}
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		if stdout, stderr, code := runWeir(t, "conform", "--client", "ws://"+nobodyThere); code != exitConnect || stdout != "" || !strings.Contains(stderr, "connection refused") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
		}
	})
}

// listening is a running fuzzing server.
type listening struct {
	clear, secure string
	end           func() result
}

func startListening(t *testing.T, args ...string) listening {
	t.Helper()
	cmd := weir(context.Background(), append([]string{"conform", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"}, args...)...)
	urls, end := startFuzzing(t, cmd)
	t.Cleanup(func() { stopFuzzing(cmd) })
	return listening{strings.Replace(urls[0], "http", "ws", 1), strings.Replace(urls[1], "http", "ws", 1), end}
}

func stopFuzzing(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		cmd.Process.Signal(syscall.SIGINT) // an error: it has ended already
		cmd.Wait()
	}
}
