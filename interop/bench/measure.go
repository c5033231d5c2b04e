package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"weir/interop/load"
)

// figures are what one run of one server found.
type figures struct {
	cpu      float64 // us a message
	p50, p99 float64 // us
	rate     float64 // messages a second
	memory   float64 // octets a WebSocket
	answer   float64 // octets of an answer on the wire
	client   float64 // CPU of the load generator, us a message
	errors   int64
}

// child is the process of a server.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	addr   string
	log    bytes.Buffer
	killer *time.Timer
}

// start runs a server, and waits for its address.
func start(p *peers, s setting) (*child, error) {
	cmd, err := p.command(s)
	if err != nil {
		return nil, err
	}
	c := &child{cmd: cmd}
	cmd.Stderr = &c.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.killer = time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() }) // whatever hangs, hangs no longer
	if c.addr, err = c.out.ReadString('\n'); err != nil {
		c.stop()
		return nil, fmt.Errorf("%w: %s", err, firstLine(c.log.String()))
	}
	c.addr = strings.TrimSpace(c.addr)
	return c, nil
}

func (c *child) stop() {
	c.killer.Stop()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // killed
}

// settle makes a server give back the memory that it does not need: a collection, or what malloc keeps.
func (c *child) settle() error {
	if _, err := io.WriteString(c.in, "gc\n"); err != nil {
		return err
	}
	_, err := c.out.ReadString('\n')
	return err
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return first
}

// errNothing says that a run was too short for the machine it ran on.
var errNothing = errors.New("nothing was answered in time")

// measure runs one server under load, for longer if that was too short.
func measure(ctx context.Context, p *peers, c *benchCase, server string, o *options) (figures, error) {
	f, err := measureOnce(ctx, p, c, server, o)
	if errors.Is(err, errNothing) && ctx.Err() == nil {
		longer := *o
		longer.time = 4 * max(o.time, time.Second)
		f, err = measureOnce(ctx, p, c, server, &longer)
	}
	return f, err
}

// loadOf is a case's load on a server that runs.
func loadOf(ch *child, s setting, cfg load.Config) load.Config {
	cfg.URL = &url.URL{Scheme: "ws", Host: ch.addr, Path: "/"}
	if s.Transport == "h1tls" {
		cfg.URL.Scheme = "wss"
		cfg.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	return cfg
}

func measureOnce(ctx context.Context, p *peers, c *benchCase, server string, o *options) (figures, error) {
	s, cfg := c.of(server)
	ch, err := start(p, s)
	if err != nil {
		return figures{}, err
	}
	defer ch.stop()
	cfg = loadOf(ch, s, cfg)
	cfg.Pid, cfg.Duration, cfg.Warmup, cfg.Timeout = ch.cmd.Process.Pid, o.time, o.warm, 10*time.Second
	if cfg.Mode == load.Idle {
		// What a first connection costs once, it costs before: buffers, pools, threads.
		warm := cfg
		warm.Mode, warm.Connections, warm.Streams, warm.Warmup, warm.Duration = load.Echo, min(10, cfg.Connections), min(10, cfg.Streams), 0, 200*time.Millisecond
		if _, err := load.Run(ctx, warm); err != nil {
			return figures{}, err
		}
		cfg.Duration = min(o.time, time.Second)
		cfg.Settle = ch.settle
		cfg.Connections = min(cfg.Connections, max(1, o.sockets/cfg.Streams))
		if cfg.Streams == 1 {
			cfg.Connections = min(cfg.Connections, descriptors())
		}
	}
	rep, err := load.Run(ctx, cfg)
	if err != nil {
		return figures{}, errors.Join(err, logged(ch))
	}
	f := figures{cpu: rep.Server.PerMessage, p50: rep.Latency.P50, p99: rep.Latency.P99, rate: rep.PerSecond, memory: rep.Server.PerSocketRSS,
		answer: rep.Answer, errors: rep.Failed}
	if rep.Messages > 0 {
		f.client = rep.Client * 1e6 / float64(rep.Messages)
	}
	switch {
	case rep.Failed > 0:
		return f, fmt.Errorf("%v", rep.Errors)
	case rep.Interrupted:
		return f, context.Cause(ctx)
	case rep.Messages == 0 && cfg.Mode != load.Idle:
		return f, errNothing
	}
	return f, nil
}

// logged is what a server complained of.
func logged(ch *child) error {
	if line := firstLine(ch.log.String()); line != "" {
		return errors.New(line)
	}
	return nil
}

// descriptors is how many connections this process may have, and a server.
func descriptors() int {
	var lim syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) != nil {
		return 1000
	}
	return int(min(lim.Max, 1<<20)) - 200
}
