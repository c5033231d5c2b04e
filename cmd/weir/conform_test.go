package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"weir/interop/conform"
	"weir/interop/conform/report"
	"weir/stream"
	"weir/websocket"
)

// fakeConform is `weir conform` with suites that ask nothing of anybody. The test program is it
// when its first argument is "conform".
func fakeConform(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{Use: "weir", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(conformCommand(fakeSuites(), fuzzing{fakeSuites()[:1], newFakeFuzzer}))
	return execute(root, args, stdout, stderr)
}

func fakeSuites() []report.Suite {
	ends := func(id, title string, o conform.Outcome) conform.Case {
		return conform.Case{ID: id, Title: title, Run: func(context.Context, *conform.Target, *conform.Log) conform.Outcome { return o }}
	}
	over := func(c conform.Case, t ...stream.Transport) conform.Case {
		c.Over = t
		return c
	}
	strict := ends("7.1", "one check more", conform.Pass())
	strict.Strict = true
	heavy := ends("9.1", "a large message", conform.Pass())
	heavy.Heavy = true
	return []report.Suite{
		{Name: "autobahn", Title: "Autobahn's catalogue", Groups: map[string]string{"1": "Framing"}, Cases: []conform.Case{
			ends("1.1.1", "an empty message", conform.Outcome{Body: conform.OK, Close: conform.OK, Code: new(1000)}),
			ends("1.1.2", "a short message", conform.Pass()),
			ends("2.1", "a late answer", conform.Outcome{Body: conform.NonStrict, Close: conform.OK, Why: "late"}),
			ends("3.1", "a question", conform.Outcome{Body: conform.Informational, Close: conform.Informational}),
			over(ends("5.1", "a frame nobody likes", conform.Fail("answered \x1b[2Jwith a frame")), stream.H1),
			over(ends("5.2", "a close nobody sees", conform.Outcome{Body: conform.OK, Close: conform.Unclean, Why: "no close frame"}), stream.H2C),
			strict,
			heavy,
			over(conform.Case{ID: "98.1", Title: "one that says how long it waits", Run: func(_ context.Context, t *conform.Target, _ *conform.Log) conform.Outcome {
				return conform.Outcome{Body: conform.NonStrict, Close: conform.OK, Why: "it waits for " + t.Pace.Scale(time.Second).String()}
			}}, stream.H1),
			over(conform.Case{ID: "99.1", Title: "one that waits", Limit: time.Hour, Run: func(ctx context.Context, _ *conform.Target, _ *conform.Log) conform.Outcome {
				<-ctx.Done()
				return conform.Fail("cut short")
			}}, stream.H1),
		}},
		{Name: "8441", Title: "WebSockets over HTTP/2", Cases: []conform.Case{
			over(ends("8441.settings.first", "the first SETTINGS", conform.Pass()), stream.H2C, stream.H2),
		}},
	}
}

// good are the cases that end, and none of which fails.
var good = []string{"--exclude", "5,98,99"}

// conformRun runs the fake program, in this process.
func conformRun(args ...string) result {
	var stdout, stderr strings.Builder
	code := fakeConform(append([]string{"conform"}, args...), &stdout, &stderr)
	return result{stdout.String(), stderr.String(), code}
}

// fakeCommand is the fake program as a process, for signals and terminals.
func fakeCommand(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(testContext(t), os.Args[0], append([]string{"conform"}, args...)...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// echoURLs are the two addresses of an echo.
func echoURLs(p *process) (clear, secure string) {
	return strings.Replace(p.http, "http", "ws", 1) + "/echo", strings.Replace(p.https, "http", "ws", 1) + "/echo"
}

// timeless is a table without its times.
func timeless(s string) string {
	return regexp.MustCompile(` +\d+\.\d+s`).ReplaceAllString(s, " T")
}

func TestConformPipe(t *testing.T) {
	clear, _ := echoURLs(start(t))
	r := conformRun("--agent", "mine", "--exclude", "98,99", clear)
	if r.code != exitFail || r.stderr != "mine over h1: 6 cases\nmine over h2c: 7 cases\nweir: 2 of 13 cases failed\n" {
		t.Errorf("exit code %d; standard error:\n%s", r.code, r.stderr)
	}
	want := `mine over h1
  group             OK  NON-STRICT  INFORMATIONAL  UNIMPLEMENTED  FAILED      time
  1 Framing          2           -              -              -       - T
  2                  -           1              -              -       - T
  3                  -           -              1              -       - T
  5                  -           -              -              -       1 T
  9                  1           -              -              -       - T
  all                3           1              1              -       1 T
  FAILED  5.1  a frame nobody likes: answered ␛[2Jwith a frame

mine over h2c
  group             OK  NON-STRICT  INFORMATIONAL  UNIMPLEMENTED  FAILED      time
  1 Framing          2           -              -              -       - T
  2                  -           1              -              -       - T
  3                  -           -              1              -       - T
  5                  -           -              -              -       1 T
  9                  1           -              -              -       - T
  8441.settings      1           -              -              -       - T
  all                4           1              1              -       1 T
  OK, close UNCLEAN  5.2  a close nobody sees: no close frame

13 cases, 2 failed, in T
`
	if got := timeless(r.stdout); got != want {
		t.Errorf("standard output:\n%s", got)
	}
}

func TestConformSelection(t *testing.T) {
	clear, secure := echoURLs(start(t))
	for _, test := range []struct {
		args string
		want string // the lines of -v, in order of one job
	}{
		{"--http 1.1 --cases 1.*", "1.1.1 h1, 1.1.2 h1"},
		{"--http 2 --cases 1.1.1,3.1", "1.1.1 h2c, 3.1 h2c"},
		{"--http 1.1,2 --cases 1.1.1", "1.1.1 h1, 1.1.1 h2c"},
		{"--http 1.1 --http 2 --cases 1.1.1", "1.1.1 h1, 1.1.1 h2c"},
		{"--http all --cases 1.1.1", "1.1.1 h1, 1.1.1 h2c"},
		{"--cases 1 --exclude 1.1.2", "1.1.1 h1, 1.1.1 h2c"},
		{"--suite 8441", "8441.settings.first h2c"},
		{"--suite 8441,autobahn --cases 8441.settings,2", "2.1 h1, 2.1 h2c, 8441.settings.first h2c"},
		{"--cases 7,9 --http 2", "9.1 h2c"},
		{"--cases 7,9 --http 2 --strict", "7.1 h2c, 9.1 h2c"},
		{"--cases 9,1.1.1 --http 2", "1.1.1 h2c, 9.1 h2c"}, // the heavy one alone, at the end
		{"--cases 1.1.1 -k --agent mine " + secure, "1.1.1 h1, 1.1.1 h2c, 1.1.1 h1tls, 1.1.1 h2"},
		{"--cases 99 --timeout 1ms", "99.1 h1"},
	} {
		t.Run(test.args, func(t *testing.T) {
			r := conformRun(append([]string{"-v", "--jobs", "1", clear}, strings.Fields(test.args)...)...)
			lines, _, _ := strings.Cut(r.stdout, "over h1\n")
			lines, _, _ = strings.Cut(lines, "over h2c\n")
			var ran []string
			for _, m := range regexp.MustCompile(`(?m)^(\d\S+) +\S+ over (\w+)  `).FindAllStringSubmatch(lines, -1) {
				ran = append(ran, m[1]+" "+m[2])
			}
			if got := strings.Join(ran, ", "); got != test.want {
				t.Errorf("ran %s, want %s; exit code %d, standard error:\n%s", got, test.want, r.code, r.stderr)
			}
		})
	}
}

func TestConformExit(t *testing.T) {
	p := start(t)
	clear, secure := echoURLs(p)
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // HTTP/1.1 alone
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_, _, _ = c.Read(r.Context()) // the end
			c.CloseNow()
		}
	}))
	defer old.Close()
	h1 := strings.Replace(old.URL, "http", "ws", 1)
	without := httptest.NewUnstartedServer(http.NotFoundHandler()) // HTTP/2 of net/http
	without.EnableHTTP2 = true
	without.StartTLS()
	defer without.Close()
	plain := strings.Replace(without.URL, "http", "ws", 1)
	const nobody = "ws://" + nobodyThere + "/"
	for _, test := range []struct {
		name string
		args []string
		code int
		says string // on standard error; empty: nothing
	}{
		{"nothing failed", append(good, clear), exitOK, ""},
		{"a body failed", []string{"--cases", "5.1", clear}, exitFail, "1 of 1 cases failed"},
		{"a close failed", []string{"--cases", "5.2", clear}, exitFail, "1 of 1 cases failed"},
		{"known", []string{"--cases", "5", "--known", "5.1=so it is", "--known", "5.2@h2c=so it is", clear}, exitOK, ""},
		{"known elsewhere", []string{"--cases", "5", "--known", "5.1=so it is", "--known", "5.2@h2=so it is", clear}, exitFail, "1 of 2 cases failed"},
		{"too late", []string{"--cases", "99", "--timeout", "1ms", clear}, exitFail, "1 of 1 cases failed"},
		{"unreachable", append(good, nobody), exitConnect, "connection refused"},
		{"one of two unreachable", append(good, clear, nobody), exitConnect, "connection refused"},
		{"certificate", append(good, secure), exitConnect, "-k takes any certificate"},
		{"HTTP/2 asked for", append(good, "--http", "2", h1), exitConnect, "not spoken here: HTTP/2"},
		{"HTTP/2 tried", append(good, h1), exitOK, ""},
		{"no WebSocket there", append(good, strings.Replace(clear, "/echo", "/bytes/1", 1)), exitConnect, "/bytes/1 over HTTP/1.1: no WebSocket here: answered 200 OK"},
		{"no such path", append(good, "--http", "2", strings.Replace(clear, "/echo", "/nothing", 1)), exitConnect, "/nothing over HTTP/2: no WebSocket here: answered 404"},
		{"no extended CONNECT", append(good, "-k", "--http", "2", plain), exitConnect, "not spoken here: the server does not offer extended CONNECT (RFC 8441, 3)"},
		{"no such host", append(good, "ws://host.invalid/"), exitConnect, "host.invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := conformRun(append([]string{"-q"}, test.args...)...)
			r.want(t, test.code, "", test.says)
		})
	}
	r := conformRun(append(good, "--cases", "1,8441", h1)...)
	if !strings.HasPrefix(r.stderr, "skipped: "+old.URL+"/ over HTTP/2: not spoken here: ") || r.code != exitOK || strings.Contains(r.stdout, "h2c") {
		t.Errorf("exit code %d, %q\n%s", r.code, r.stderr, r.stdout)
	}
}

func TestConformPatience(t *testing.T) {
	clear, _ := echoURLs(start(t))
	for flags, want := range map[string]string{"": "it waits for 1s", "--patience 4": "it waits for 4s", "--patience 4 --timeout 1h": "it waits for 4s"} {
		r := conformRun(append(strings.Fields(flags), "-v", "--cases", "98", clear)...)
		if r.code != exitOK || !strings.Contains(r.stdout, want) {
			t.Errorf("%s: exit code %d\n%s", flags, r.code, r.stdout)
		}
	}
}

func TestConformInterrupted(t *testing.T) {
	clear, _ := echoURLs(start(t))
	folder := t.TempDir()
	page := filepath.Join(folder, "page.md")
	const untouched = "<!-- conform:autobahn -->\nas it was\n<!-- end of conform:autobahn -->\n"
	if err := os.WriteFile(page, []byte(untouched), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := fakeCommand(t, "-v", "--jobs", "1", "--cases", "1.1.1,99", "--http", "1.1", "--json", filepath.Join(folder, "index.json"), "--markdown", page, clear)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len("1.1.1"))
	if _, err := io.ReadFull(stdout, first); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(stdout)
	if err != nil {
		t.Fatal(err)
	}
	if cmd.Wait(); cmd.ProcessState.ExitCode() != exitAbnormal || !strings.Contains(string(rest), "\n1 case, interrupted, none failed, in ") || strings.Contains(string(rest), "99.1") {
		t.Errorf("%v\n%s", cmd.ProcessState, rest)
	}
	if !strings.HasSuffix(stderr.String(), "weir: interrupted: 1 cases have run, 0 failed\n") {
		t.Errorf("standard error:\n%s", stderr.String())
	}
	if b, err := os.ReadFile(filepath.Join(folder, "index.json")); err != nil || !strings.Contains(string(b), `"1.1.1"`) {
		t.Errorf("index.json: %v\n%s", err, b)
	}
	if b, err := os.ReadFile(page); err != nil || string(b) != untouched {
		t.Errorf("the page is written after half of a run: %v\n%s", err, b)
	}
}

func TestConformFiles(t *testing.T) {
	clear, _ := echoURLs(start(t))
	folder := t.TempDir()
	page := filepath.Join(folder, "page.md")
	if err := os.WriteFile(page, []byte("<!-- conform:8441 -->\n<!-- end of conform:8441 -->\n<!-- conform:h2spec -->\n<!-- end of conform:h2spec -->\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	const h2spec = "../../interop/conform/report/testdata/h2spec.xml"
	r := conformRun(append(good, "--json", "-", "--html", filepath.Join(folder, "html"), "--markdown", page, "--h2spec", h2spec, "--h2spec", "h2="+h2spec,
		"--known", "h2spec=another's", "--exclude", "h2spec.http2.6.9", "--agent", "mine", clear)...)
	if r.code != exitOK || !strings.Contains(r.stderr, "FAILED  h2spec.http2.3.5.2  Sends invalid connection preface: Connection closed Error: unexpected EOF (known: another's)\n") {
		t.Errorf("exit code %d, standard error:\n%s", r.code, r.stderr)
	}
	var index map[string]map[string]struct {
		Behavior, BehaviorClose string
		Duration                int
		RemoteCloseCode         *int
		ReportFile              string
	}
	if err := json.Unmarshal([]byte(r.stdout), &index); err != nil {
		t.Fatalf("standard output is no JSON: %v\n%s", err, r.stdout)
	}
	if len(index) != 3 || len(index["mine-h1"]) != 5 || len(index["mine-h2c"]) != 6+4 || len(index["mine-h2"]) != 4 {
		t.Errorf("%d agents: %+v", len(index), index)
	}
	got := index["mine-h1"]["1.1.1"]
	if got.Behavior != "OK" || got.BehaviorClose != "OK" || got.RemoteCloseCode == nil || *got.RemoteCloseCode != 1000 || got.ReportFile != "case-1.1.1.html" {
		t.Errorf("%+v", got)
	}
	for _, name := range []string{"index.html", "index.json", "case-1.1.1.html", "case-8441.settings.first.html", "case-h2spec.generic.1.1.html"} {
		if _, err := os.Stat(filepath.Join(folder, "html", name)); err != nil {
			t.Error(err)
		}
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 8441.settings | 1 | 1 OK |\n", "| group | cases | mine-h2c | mine-h2 |\n", "| h2spec.generic HTTP/2 and HPACK in use | 1 | 1 OK | 1 OK |\n"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the page has no %q:\n%s", want, b)
		}
	}
	// A file that cannot be written.
	if err := os.WriteFile(page, []byte("no place"), 0o666); err != nil {
		t.Fatal(err)
	}
	conformRun(append(good, "-q", "--markdown", page, clear)...).want(t, exitFail, "", "no place for a table")
}

func TestConformList(t *testing.T) {
	const all = "1.1.1     an empty message\n1.1.2     a short message\n2.1       a late answer\n3.1       a question\n5.1       a frame nobody likes (h1)\n" +
		"5.2       a close nobody sees (h2c)\n9.1       a large message\n98.1      one that says how long it waits (h1)\n99.1      one that waits (h1)\n8441.settings.first  the first SETTINGS (h2c, h2)\n"
	conformRun("--list").want(t, exitOK, all)
	conformRun("--list", "--strict", "--cases", "1.1.1,7").want(t, exitOK, "1.1.1     an empty message\n7.1       one check more (strict)\n")
}

func TestConformMisuse(t *testing.T) {
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage")
	if err := os.WriteFile(garbage, []byte("no report"), 0o666); err != nil {
		t.Fatal(err)
	}
	const url = "ws://127.0.0.1:1/"
	for _, test := range []struct {
		args string
		says string
	}{
		{"", "a URL is needed"},
		{"ftp://127.0.0.1/", "ws, wss, http or https"},
		{"ws://127.0.0.1/#x", "fragment"},
		{"--sing " + url, "--sing"},
		{"--http 3 " + url, "HTTP/3 is not in this build"},
		{"--http 1.1,3 " + url, "HTTP/3 is not in this build"},
		{"--http 4 " + url, "1.1, 2 or all"},
		{"--http= " + url, "1.1, 2 or all"},
		{"--cases 1.2.* " + url, `no case is called "1.2.*"`},
		{"--cases 1.1.1, " + url, `no case is called ""`},
		{"--exclude 10 " + url, `no case is called "10"`},
		{"--cases 1 --exclude 1 " + url, "no case is left"},
		{"--cases 7 " + url, "need --strict"},
		{"--suite h1spec " + url, "h1spec"},
		{"--suite 8441 --cases 1.1.1 " + url, `no case is called "1.1.1"`},
		{"--suite 8441 --http 1.1 " + url, "none of the cases is for HTTP/1.1"},
		{"--jobs 0 " + url, "1 or more"},
		{"--jobs many " + url, "many"},
		{"--timeout -1s " + url, "--timeout"},
		{"--color blue " + url, "auto, always or never"},
		{"-v -q " + url, "--verbose and --quiet"},
		{"--agent a --agent b " + url, "2 names for 1 URLs"},
		{"--agent= " + url, "a name"},
		{url + " " + url, "two servers are called 127.0.0.1:1 over h1"},
		{"--agent a " + url + " ws://127.0.0.1:2/", "two servers are called a over h1"},
		{"--cacert /nowhere " + url, "/nowhere"},
		{"--h2spec /nowhere " + url, "/nowhere"},
		{"--h2spec " + garbage + " " + url, "not a report of h2spec"},
		{"--h2spec h2=" + garbage + " " + url, "not a report of h2spec"},
		{"--known 5.1 " + url, "ID=WHY"},
		{"--markdown /nowhere " + url, "/nowhere"},
		{"--json /nowhere/index.json " + url, "/nowhere"},
		{"--html " + garbage + "/html " + url, garbage},
		{"--list " + url, "no URL"},
		{"--list --listen 127.0.0.1:0", "no --listen"},
		{"--listen 127.0.0.1:0 " + url, "no URL"},
		{"--listen 127.0.0.1:0 --suite 8441", "8441"},
		{"--client " + url + " " + url, "no URL"},
		{"--client " + url + " --listen 127.0.0.1:0", "no --listen"},
		{"--client " + url + " --list", "no --list"},
		{"--client " + url + " --cases 1", "the server chooses"},
		{"--client " + url + " --html x", "the server chooses"},
		{"--client " + url + " --http 1.1,2", "one of 1.1 and 2"},
		{"--client " + url + " --http 3", "HTTP/3 is not in this build"},
		{"--client " + url + " --agent a --agent b", "one --agent"},
		{"--client " + url + "?a=b", "the root of a fuzzing server"},
		{"--client ftp://127.0.0.1/", "ws, wss, http or https"},
		{"--shutdown " + url, "needs --client"},
		{"--patience 0 " + url, "1 or more"},
		{"--patience -1 " + url, "1 or more"},
		{"--client " + url + " --patience 2", "chooses the cases"},
		{"--listen 127.0.0.1:0 -k", "--insecure"},
		{"--listen 127.0.0.1:0 --agent a", "--agent"},
		{"--listen 127.0.0.1:0 --cert x", "--key"},
		{"--listen 127.0.0.1:0 --cert x --key y", "--tls-listen"},
	} {
		t.Run(test.args, func(t *testing.T) {
			conformRun(strings.Fields(test.args)...).want(t, exitUsage, "", test.says)
		})
	}
	conformRun("--listen", "127.0.0.1:http:x").want(t, exitFail, "", "127.0.0.1:http:x")
	conformRun("--tls-listen", "127.0.0.1:0", "--cert", garbage, "--key", garbage).want(t, exitFail, "", garbage)
}

func TestConformHelp(t *testing.T) {
	stdout, _, code := runWeir(t, "conform", "--help")
	for _, want := range []string{"Exit codes:", "--cases", "8441", "NON-STRICT", "h2spec", "/updateReports", "Examples:"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d; the help does not speak of %s", code, want)
		}
	}
}

// fakeFuzzer is a fuzzing server that believes whatever it is told.
type fakeFuzzer struct {
	cases     []conform.Case
	pace      *conform.Pace
	result    func(conform.Result)
	completed func()

	mu      sync.Mutex
	results []conform.Result
}

func newFakeFuzzer(cases []conform.Case, pace *conform.Pace, result func(conform.Result), completed func()) (fuzzer, error) {
	return &fakeFuzzer{cases: cases, pace: pace, result: result, completed: completed}, nil
}

func (f *fakeFuzzer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.URL.Path {
	case "/runCase":
		over := stream.H1
		if r.ProtoMajor == 2 {
			over = stream.H2C
		}
		res := conform.Result{Case: f.cases[0], Agent: r.FormValue("agent"), Transport: over, Outcome: conform.Pass()}
		if f.pace.Patience != 1 {
			res.Outcome.Why = fmt.Sprint("patience ", f.pace.Patience)
		}
		if r.FormValue("fail") != "" {
			res.Outcome = conform.Fail("as it was told to")
		}
		f.results = append(f.results, res)
		f.result(res)
	case "/updateReports":
		f.completed()
		f.completed()
	}
}

func (f *fakeFuzzer) Results() []conform.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.results
}

// startFuzzer starts the fake fuzzing server; end waits for it and gives what it showed behind the
// listening event.
func startFuzzer(t *testing.T, args ...string) (cmd *exec.Cmd, url string, end func() result) {
	t.Helper()
	cmd = fakeCommand(t, append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	urls, end := startFuzzing(t, cmd)
	return cmd, urls[0], end
}

// startFuzzing starts a fuzzing server, and gives the URLs it listens on.
func startFuzzing(t *testing.T, cmd *exec.Cmd) (urls []string, end func() result) {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(stdout)
	var e listeningEvent
	if err := d.Decode(&e); err != nil || len(e.Addresses) == 0 {
		t.Fatalf("%v; standard error:\n%s", err, stderr.String())
	}
	for _, a := range e.Addresses {
		urls = append(urls, a.URL)
	}
	return urls, func() result {
		rest, err := io.ReadAll(io.MultiReader(d.Buffered(), stdout))
		if err != nil {
			t.Error(err)
		}
		cmd.Wait() // the exit code is ProcessState's
		return result{strings.TrimPrefix(string(rest), "\n"), stderr.String(), cmd.ProcessState.ExitCode()}
	}
}

func TestConformListen(t *testing.T) {
	_, url, end := startFuzzer(t, "-v", "--tls-listen", "127.0.0.1:0")
	for _, h2 := range []bool{false, true} {
		fetch(t, client(t, h2), "GET", url+"/runCase?case=1&agent=a", nil)
	}
	fetch(t, client(t, false), "GET", url+"/updateReports?agent=a&shutdownOnComplete=true", nil)
	r := end()
	if r.code != exitOK || r.stderr != "" || !strings.HasPrefix(r.stdout, "1.1.1    a over h1  OK  0.00s\n1.1.1    a over h2c  OK  0.00s\na over h1\n") || !strings.Contains(r.stdout, "\n2 cases, none failed, in ") {
		t.Errorf("%+v", r)
	}
	t.Run("failed", func(t *testing.T) {
		cmd, url, end := startFuzzer(t)
		fetch(t, client(t, false), "GET", url+"/runCase?case=1&agent=a&fail=1", nil)
		cmd.Process.Signal(syscall.SIGINT)
		if r := end(); r.code != exitFail || r.stderr != "weir: 1 of 1 cases failed\n" || !strings.Contains(r.stdout, "as it was told to") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("patience", func(t *testing.T) {
		cmd, url, end := startFuzzer(t, "-v", "--patience", "7")
		fetch(t, client(t, false), "GET", url+"/runCase?case=1&agent=a", nil)
		cmd.Process.Signal(syscall.SIGINT)
		if r := end(); r.code != exitOK || !strings.Contains(r.stdout, "  patience 7\n") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("nobody came", func(t *testing.T) {
		cmd, _, end := startFuzzer(t)
		cmd.Process.Signal(syscall.SIGTERM)
		if r := end(); r.code != exitFail || r.stderr != "weir: no case was run\n" || r.stdout != "" {
			t.Errorf("%+v", r)
		}
	})
}
