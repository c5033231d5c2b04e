package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"syscall"

	"weir/internal/reach"
	"weir/interop/conform/agent"
	"weir/websocket"
)

// visit has weir's own client play the cases of a fuzzing server, which writes the reports.
func (c *conformConfig) visit(out *conformOutput) error {
	o, err := c.agent()
	if err != nil {
		return err
	}
	defer o.Dialer.CloseIdle()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program
	visited := 0
	o.Visited = func(_, of int) {
		visited++
		out.visited(visited, of)
	}
	out.begin(0)
	err = agent.Echo(ctx, c.client, o)
	out.end()
	switch {
	case ctx.Err() != nil:
		return exitWith(exitAbnormal, "interrupted: %d cases have been played", visited)
	case err != nil && visited == 0:
		return exitWith(exitConnect, "%s: %w", reach.RedactURL(c.client), err)
	case err != nil:
		return &runError{fmt.Errorf("%s: %d cases have been played, and then: %w", reach.RedactURL(c.client), visited, err)}
	case visited == 0:
		return &runError{fmt.Errorf("%s: the server has no case", reach.RedactURL(c.client))}
	}
	if !c.quiet {
		fmt.Fprintf(out.text, "%d cases played as %s; the server has the reports\n", visited, reach.Line(o.Agent))
	}
	return nil
}

// agent makes the options of the client of the flags, or says what cannot be obeyed.
func (c *conformConfig) agent() (agent.Options, error) {
	o := agent.Options{Agent: "weir", Shutdown: c.shutdown, Jobs: c.clientJobs}
	o.Dial.Compress = true
	u, err := reach.ParseURL(c.client)
	switch {
	case err != nil:
		return o, err
	case u.Scheme != "ws" && u.Scheme != "wss" && u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" || u.RawQuery != "":
		return o, fmt.Errorf("--client %q: ws, wss, http or https, the root of a fuzzing server", reach.RedactURL(c.client))
	}
	var version websocket.HTTPVersion
	switch {
	case slices.Equal(c.versions, []string{"all"}):
		version = websocket.HTTPAuto
	case slices.Equal(c.versions, []string{"1.1"}):
		version = websocket.HTTP1
	case slices.Equal(c.versions, []string{"2"}):
		version = websocket.HTTP2
	case slices.Contains(c.versions, "3"):
		return o, errors.New("--http 3: HTTP/3 is not in this build")
	default:
		return o, errors.New("--http: with --client one of 1.1 and 2")
	}
	if len(c.agents) == 1 {
		o.Agent = c.agents[0]
	}
	cfg, err := c.tls.config()
	if err != nil {
		return o, err
	}
	o.Dialer = &websocket.Dialer{HTTP: version, TLS: cfg}
	return o, nil
}
