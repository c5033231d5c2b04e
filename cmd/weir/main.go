// Command weir is the command line of the weir WebSocket stack: `weir serve` is its test server,
// what httpbin is to HTTP, for WebSockets over HTTP/1.1, HTTP/2 and HTTP/3; `weir connect` is a
// client, `weir bridge` puts the WebSockets of HTTP/1.1 clients on one HTTP/2 connection, `weir
// conform` runs conformance suites, and `weir bench` measures a server under load.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"weir/internal/reach"
)

// Exit codes.
const (
	exitOK    = 0
	exitFail  = 1 // something went wrong while running: a taken port, a bad certificate, a session cut by the drain deadline
	exitUsage = 2 // the command line cannot be obeyed
)

// runError is an error of a command that had been understood. All other errors that reach main are
// of usage.
type runError struct{ err error }

func (e *runError) Error() string { return e.err.Error() }
func (e *runError) Unwrap() error { return e.err }

func main() {
	// Who reads standard output may leave: a server goes on, and a client ends as it should.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run obeys one command line and gives the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	return execute(rootCommand(), args, stdout, stderr)
}

// execute runs a command. Whatever goes wrong is one line on stderr.
func execute(root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return exitOK
	}
	code, text := exitUsage, reach.Text(err.Error()) // cobra's suggestions have lines
	if e, ok := errors.AsType[*exitError](err); ok {
		code, text = e.code, reach.Line(err.Error())
	} else if _, ok := errors.AsType[*runError](err); ok {
		code, text = exitFail, reach.Line(err.Error())
	}
	if hint := certificateHint(err); !strings.Contains(text, hint) {
		text += hint
	}
	fmt.Fprintf(stderr, "weir: %s\n", text)
	return code
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "weir",
		Short:         "WebSockets over HTTP/1.1 and HTTP/2",
		Long:          "weir is a WebSocket stack for Go. This is its command line.",
		Version:       readVersion().line(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(serveCommand(), connectCommand(), bridgeCommand(), conformCommand(conformSuites(), conformFuzzing()), benchCommand(), versionCommand())
	return root
}
