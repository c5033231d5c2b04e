package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed servers
var sources embed.FS

// wsVersion is the version of Node's ws.
const wsVersion = "8.18.3"

// peers are the servers that are no Go, made ready once.
type peers struct {
	before  string            // the other build, see runAgainst
	folder  string            // of the sources, and of what is built
	ws      string            // a folder in which Node finds ws
	missing map[string]string // why a server cannot be run
}

// prepare builds what the cases need. What cannot be had is noted, not an error.
func prepare(ctx context.Context, cases []*benchCase) (*peers, error) {
	p := &peers{missing: map[string]string{}}
	var err error
	if p.folder, err = os.MkdirTemp("", "weir-bench-"); err != nil {
		return nil, err
	}
	if err := os.CopyFS(p.folder, sources); err != nil {
		return nil, err
	}
	p.folder = filepath.Join(p.folder, "servers")
	wanted := map[string]bool{}
	for _, c := range cases {
		for _, s := range c.servers {
			wanted[s] = true
		}
	}
	run := func(server, tool string, args ...string) {
		if !wanted[server] {
			return
		}
		if _, err := exec.LookPath(tool); err != nil {
			p.missing[server] = tool + " is not installed"
			return
		}
		cmd := exec.CommandContext(ctx, tool, args...)
		cmd.Dir = p.folder
		if out, err := cmd.CombinedOutput(); err != nil {
			first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
			p.missing[server] = fmt.Sprintf("%s: %v: %s", tool, err, first)
		}
	}
	run("floor", "gcc", "-O2", "-o", "floor", "floor.c", "-lpthread")
	run("lws", "gcc", "-O2", "-o", "lws", "lws.c", "-lwebsockets", "-lpthread")
	run("node-h2", "node", "--version")
	p.ws = filepath.Join(os.TempDir(), "weir-node-ws-"+wsVersion)
	if _, err := os.Stat(filepath.Join(p.ws, "node_modules", "ws")); err != nil {
		p.ws = p.folder
		run("node-ws", "npm", "install", "--prefix", p.folder, "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=20000", "ws@"+wsVersion)
	} else {
		run("node-ws", "node", "--version")
	}
	return p, nil
}

func (p *peers) remove() { os.RemoveAll(filepath.Dir(p.folder)) }

// command is what runs a server.
func (p *peers) command(s setting) (*exec.Cmd, error) {
	var words []string
	for word, on := range map[string]bool{"compress": s.Compress, "takeover": s.Takeover, "utf8": s.UTF8, "broadcast": s.Broadcast, "h2": s.Transport == "h2"} {
		if on {
			words = append(words, word)
		}
	}
	switch s.Server {
	case "floor":
		return exec.Command(filepath.Join(p.folder, "floor")), nil
	case "lws": // it does not tell which port it got
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		return exec.Command(filepath.Join(p.folder, "lws"), append([]string{fmt.Sprint(l.Addr().(*net.TCPAddr).Port)}, words...)...), nil
	case "node-ws":
		return exec.Command("node", append([]string{"--expose-gc", filepath.Join(p.folder, "node_ws.mjs"), p.ws}, words...)...), nil
	case "node-h2":
		return exec.Command("node", "--expose-gc", filepath.Join(p.folder, "node_h2.mjs")), nil
	}
	self, err := os.Executable()
	if s.Server == against {
		s.Server, self, err = "weir", p.before, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-serve", string(b))
	if s.Server == "x/net" {
		cmd.Env = append(os.Environ(), "GODEBUG=http2xconnect=1")
	}
	return cmd, nil
}
