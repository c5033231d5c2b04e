package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// stage is where peers run: one at a time, and the proxy in front of it.
type stage struct {
	ctx     context.Context
	dir     string // of its own
	servers string // the program of ./servers
	running []*exec.Cmd
}

// build builds the program of ./servers.
func (s *stage) build() error {
	cmd := exec.CommandContext(s.ctx, "go", "build", "-o", s.servers, "./servers")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// stop ends what runs, the last first.
func (s *stage) stop() {
	for i := len(s.running) - 1; i >= 0; i-- {
		_ = s.running[i].Process.Kill() // it may have ended
		_ = s.running[i].Wait()         // killed
	}
	s.running = nil
}

// line starts a program that prints where it listens, and gives that.
func (s *stage) line(env []string, name string, args ...string) (string, error) {
	if _, err := exec.LookPath(name); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(s.ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	s.running = append(s.running, cmd)
	found := make(chan string, 1)
	go func() { // ends with the line, or with the program
		l, _ := bufio.NewReader(out).ReadString('\n') // an empty one is told apart
		found <- strings.TrimSpace(l)
	}()
	select {
	case l := <-found:
		if l == "" {
			return "", fmt.Errorf("%s ended before it listened", name)
		}
		return l, nil
	case <-time.After(time.Minute):
		return "", fmt.Errorf("%s does not say where it listens", name)
	}
}

// server starts a server of ./servers, and gives its address.
func (s *stage) server(name string, env ...string) (string, error) {
	return s.line(env, s.servers, name)
}

// proxy starts a proxy in front of a server. args makes its arguments of the address it is to listen on and of a
// file for its configuration.
func (s *stage) proxy(name string, args func(addr, file string) ([]string, error)) (string, error) {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		path, err = exec.LookPath("/usr/sbin/" + name) // where Debian has them, and not everybody's PATH
	}
	if err != nil {
		return "", err
	}
	addr, err := unused()
	if err != nil {
		return "", err
	}
	a, err := args(addr, filepath.Join(s.dir, name+".cfg"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(s.ctx, path, a...)
	if err := cmd.Start(); err != nil {
		return "", err
	}
	s.running = append(s.running, cmd)
	for range 1000 { // on a busy machine it takes its time
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			return addr, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "", fmt.Errorf("%s does not listen", name)
}

// unused is an address that nothing listens on. It is none that the system gives to whoever asks
// for any, who might have it before the one that it is for.
func unused() (string, error) {
	var err error
	for range 1000 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 25_000+rand.IntN(5_000))); err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", err
}
