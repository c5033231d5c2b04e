package main

import (
	"time"

	"github.com/spf13/cobra"

	"weir/interop/conform/report"
)

const conformLong = `Runs conformance suites against WebSocket servers, over HTTP/1.1 and HTTP/2, and says what each case found.

URL is the address of an endpoint that echoes: ws, wss, http or https. Suites:

  autobahn   the cases that the field knows by their numbers, 1.1.1 to 13.7.18, over every transport (RFC 6455, RFC 7692)
  8441       what WebSockets over HTTP/2 add (RFC 8441, RFC 9113)

A case is OK; NON-STRICT, which is allowed, but not what is best; INFORMATIONAL, when there is no right and wrong;
UNIMPLEMENTED, when the server does not do what is asked about; or FAILED. How the connection was closed has a verdict of its
own, where it was not right: FAILED, UNCLEAN, WRONG CODE, FAILED BY CLIENT. Either makes the case count as failed.

The result is a table on standard output: by agent and transport, with the cases that failed under it. On a terminal
there is a progress bar on standard error. --html writes a report with the wire log of every case, --json one in the layout
of Autobahn's index.json, --markdown the tables into a page, between the lines <!-- conform:SUITE --> and
<!-- end of conform:SUITE -->.

--cases and --exclude take numbers and patterns: '6.4.1', '6.4' or '6.4.*' for all that begin so, '8441.settings'.

A failure that somebody has looked into is --known ID=WHY, or ID@TRANSPORT=WHY with h1, h1tls, h2c or h2: it is still shown, and
does not make the run fail.

Most cases give the peer a second. What the machine is late by while a case runs is allowed for by itself; a peer that is slow, or
far away, needs --patience.

Of cases about which the same is to be said it is said once, with their numbers.

h2spec stays the judge of plain HTTP/2. --h2spec takes what "h2spec -j FILE" wrote into the report, as the suite h2spec.

With --listen or --tls-listen it is the other way round: a server that runs the cases against the clients that come, in the way
of Autobahn's fuzzing server. A client asks /getCaseCount, then /runCase?case=N&agent=NAME for each N from 1, and then
/updateReports?agent=NAME&shutdownOnComplete=true, which ends the program; SIGINT does, too. The first line on standard output
is the event of weir serve that says where it listens.

With --client, weir's own client plays the cases of a fuzzing server, this one or Autobahn's, one at a time unless --jobs says otherwise.
What comes of them is in the server's reports; the exit code is 0 when all have been played. --shutdown asks the server to end then;
Autobahn's does so without an answer.

Exit codes:
  0  nothing failed, or nothing but what is --known
  1  a case failed, none was run, or a report could not be written
  2  the command line cannot be obeyed
  3  a server cannot be reached, does not speak a version of HTTP that --http names, or opens no WebSocket at that path; no
     case was run
  7  interrupted: what had run until then is reported; a second SIGINT ends the program at once`

const conformExample = `  weir conform ws://127.0.0.1:8080/echo                          HTTP/1.1 and HTTP/2, all suites
  weir conform --http 2 --cases '1.*,6.4,8441.*' ws://127.0.0.1:8080/echo
  weir conform -k --agent mine --exclude '9.*,12.*,13.*' --html report ws://127.0.0.1:8080/echo wss://127.0.0.1:8443/echo
  weir conform --json - -q ws://127.0.0.1:8080/echo | jq .
  weir conform --list --cases 6.4
  weir conform --listen 127.0.0.1:9001
  weir conform --client ws://127.0.0.1:9001 --shutdown

  weir serve --compress --max-frame-size 0                       a server that does all that is asked about
  h2spec -S -p 8080 -j h2spec.xml; weir conform --h2spec h2spec.xml ws://127.0.0.1:8080/echo`

// conformConfig is what the flags of `weir conform` say.
type conformConfig struct {
	suites  []report.Suite // that there are, for servers
	fuzzing fuzzing

	versions       []string
	only, but      []string
	names          []string // of suites
	strict         bool
	jobs           int
	timeout        time.Duration
	patience       int
	agents         []string
	tls            tlsFlags
	json           string
	html           string
	markdown       string
	h2spec         []string
	known          []string
	list           bool
	server         config // its listeners
	client         string
	clientJobs     int
	shutdown       bool
	color          string
	verbose, quiet bool
}

func conformCommand(suites []report.Suite, f fuzzing) *cobra.Command {
	c := &conformConfig{suites: suites, fuzzing: f}
	cmd := &cobra.Command{
		Use:     "conform URL [URL…]",
		Short:   "Run conformance suites against WebSocket servers and clients",
		Long:    conformLong,
		Example: conformExample,
		RunE: func(cmd *cobra.Command, urls []string) error {
			out := newConformOutput(c, cmd.OutOrStdout(), cmd.ErrOrStderr())
			if c.clientJobs = 1; cmd.Flags().Changed("jobs") {
				c.clientJobs = c.jobs
			}
			if c.client != "" {
				if err := c.check(urls); err != nil {
					return err
				}
				return c.visit(out)
			}
			p, err := c.prepare(urls)
			if err != nil {
				return err
			}
			switch {
			case c.list:
				return c.writeList(p, cmd.OutOrStdout())
			case c.listens():
				return c.fuzz(p, out)
			}
			return c.run(p, out)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&c.versions, "http", []string{"all"}, "`version` of HTTP: 1.1, 2 (in cleartext with prior knowledge), or all that the server speaks; repeatable")
	flags.StringSliceVar(&c.only, "cases", nil, "run these alone, a `pattern`; repeatable")
	flags.StringSliceVar(&c.but, "exclude", nil, "leave these out, a `pattern`; repeatable")
	flags.StringSliceVar(&c.names, "suite", nil, "run the cases of this suite alone, a `name`: autobahn or 8441; repeatable")
	flags.BoolVar(&c.strict, "strict", false, "run the additional checks, too, which ask for more than the catalogue does")
	flags.IntVarP(&c.jobs, "jobs", "j", 8, "cases at a time; those that are heavy run alone, at the end")
	flags.DurationVar(&c.timeout, "timeout", 0, "a case that takes longer has failed (default: what the case says, mostly 30s)")
	flags.IntVar(&c.patience, "patience", 1, "so many `times` the time that the cases give a peer, and --timeout")
	flags.StringArrayVar(&c.agents, "agent", nil, "what reports call the server, a `name`: once for all URLs, or once for each (default the URL's host)")
	c.tls.add(cmd)
	flags.StringVar(&c.json, "json", "", "write a report in Autobahn's layout, a `file`; - is standard output, and the table goes to standard error")
	flags.StringVar(&c.html, "html", "", "write a report with every wire log, a `folder`")
	flags.StringVar(&c.markdown, "markdown", "", "write the tables into a page, a `file`")
	flags.StringArrayVar(&c.h2spec, "h2spec", nil, "add what h2spec -j wrote, a `file`, or h2=FILE where it ran over TLS; repeatable")
	flags.StringArrayVar(&c.known, "known", nil, "a failure that somebody has looked into, `ID=WHY`; repeatable")
	flags.BoolVar(&c.list, "list", false, "list the cases, and run none")
	flags.StringArrayVar(&c.server.listen, "listen", nil, "serve clients in cleartext on this `address`; repeatable; port 0 picks one; unix:PATH")
	flags.StringVar(&c.server.tlsListen, "tls-listen", "", "serve clients over TLS on this `address`")
	flags.StringVar(&c.server.cert, "cert", "", "certificate, a PEM `file`; without it one for localhost is made in memory")
	flags.StringVar(&c.server.key, "key", "", "its key, a PEM `file`")
	flags.StringVar(&c.client, "client", "", "be a client of the fuzzing server at this `URL`")
	flags.BoolVar(&c.shutdown, "shutdown", false, "with --client: ask the server to end when all is done")
	flags.StringVar(&c.color, "color", "auto", "`when` to use colours: auto (on a terminal), always or never")
	flags.BoolVarP(&c.verbose, "verbose", "v", false, "a line for each case as it ends")
	flags.BoolVarP(&c.quiet, "quiet", "q", false, "no progress and no table")
	return cmd
}
