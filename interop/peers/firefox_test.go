package peers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// firefox opens the page in Firefox, which must have a result. It is driven by
// Marionette, its protocol for tests, for nothing else has it take the server's certificate.
func (s *webSite) firefox(t *testing.T) browsed {
	t.Helper()
	needs(t, "firefox-esr")
	dir, err := os.MkdirTemp("", "weir-firefox")
	if err != nil {
		t.Fatal(err)
	}
	prefs := `user_pref("marionette.port", 0); user_pref("network.captive-portal-service.enabled", false);`
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(prefs), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command("firefox-esr", "--headless", "--no-remote", "--marionette", "--profile", dir)
	cmd.Env = append(os.Environ(), "HOME="+dir, "MOZ_DISABLE_CONTENT_SANDBOX=1")
	cmd.Stdout, cmd.Stderr = io.Discard, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it has many processes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // an error: it has ended
		_ = cmd.Wait()                                      // of a process that was killed
		os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("firefox: %s", log.Bytes())
		}
	}()
	end := time.Now().Add(mostWait)
	session, err := marionette(dir, end)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close() // with it the certificate would not do any more
	if err := navigate(session, s.URL+"/"); err != nil {
		t.Fatal(err)
	}
	select {
	case b := <-s.results:
		return b
	case <-time.After(time.Until(end)):
		t.Fatal("Firefox has no result")
		return nil
	}
}

// marionette connects to the Firefox of a profile.
func marionette(profile string, end time.Time) (net.Conn, error) {
	port := ""
	for port == "" { // Firefox writes it there once it listens
		if time.Now().After(end) {
			return nil, errors.New("Firefox does not listen")
		}
		b, _ := os.ReadFile(filepath.Join(profile, "MarionetteActivePort"))
		if port = strings.TrimSpace(string(b)); port == "" {
			time.Sleep(20 * time.Millisecond)
		}
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(end)
}

// navigate begins a session that takes any certificate, and opens a page in it.
func navigate(c net.Conn, url string) error {
	in := bufio.NewReader(c)
	if _, err := marionetteMessage(in); err != nil { // its greeting
		return err
	}
	capabilities := map[string]any{"acceptInsecureCerts": true, "pageLoadStrategy": "none"}
	for i, command := range []struct {
		name string
		args any
	}{
		{"WebDriver:NewSession", capabilities},
		{"WebDriver:Navigate", map[string]any{"url": url}},
	} {
		b, err := json.Marshal([]any{0, i + 1, command.name, command.args})
		if err != nil {
			return err
		}
		fmt.Fprintf(c, "%d:%s", len(b), b)
		answer, err := marionetteMessage(in)
		if err != nil {
			return err
		}
		var parts []any
		if err := json.Unmarshal(answer, &parts); err != nil || len(parts) != 4 || parts[2] != nil {
			return fmt.Errorf("%s: %s", command.name, answer)
		}
	}
	return nil
}

// marionetteMessage reads one of Marionette's: a length, a colon, and JSON.
func marionetteMessage(in *bufio.Reader) ([]byte, error) {
	length, err := in.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil || n < 0 || n > 1<<20 {
		return nil, fmt.Errorf("a message of Marionette begins with %q", length)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(in, b)
	return b, err
}
