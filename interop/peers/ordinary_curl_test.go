package peers

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// run runs a client and gives what it printed, and how it ended if not well.
func (s *site) run(stdin []byte, name string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	cmd := exec.CommandContext(bounded(s.t), name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.t.Errorf("%v; see interop/peers.sh for what must be installed", err)
	}
	return out.String(), faults.String(), cmd.ProcessState.ExitCode()
}

// curl runs curl and gives the head of each answer, the body, what -w says, and the exit code.
func (s *site) curl(stdin []byte, args ...string) string {
	how := "--http2-prior-knowledge"
	if s.secure {
		how = "--http2"
	}
	out, faults, code := s.run(stdin, "curl", append([]string{how, "-sS", "--insecure", "--max-time", "30"}, args...)...)
	text := strings.ReplaceAll(curlDate.ReplaceAllString(out, "date: _"), s.addr, "ADDR")
	text = curlHead.ReplaceAllStringFunc(strings.ReplaceAll(text, "\r\n", "\n"), func(head string) string {
		lines := strings.Split(strings.TrimSpace(head), "\n")
		slices.Sort(lines[1:]) // the order of fields with different names says nothing (RFC 9110, 5.3)
		return strings.Join(lines, "\n") + "\n\n"
	})
	if len(text) > 2000 {
		text = summary([]byte(text))
	}
	return fmt.Sprintf("%s exit %d %s", text, code, faults)
}

var (
	curlDate = regexp.MustCompile(`(?i)date: [^\r\n]*`)
	curlHead = regexp.MustCompile(`HTTP/[0-9.]+ [0-9].*\n(.+\n)*\n`)
)

// curlAct is one run of curl; the path is put behind the origin.
func curlAct(name, path string, stdin []byte, args ...string) act {
	return act{name: name, do: func(s *site) string { return s.curl(stdin, append(slices.Clone(args), s.origin+path)...) }}
}

// cutShort is an act with an early answer to an upload: curl gives up with error 92 if the
// RST_STREAM(NO_ERROR) behind it (RFC 9113, 8.1) is there before curl has read the answer. Which of
// the two it is is a matter of chance on both servers.
func cutShort(code string, a act) act {
	do := a.do
	a.do = func(s *site) string {
		got := do(s)
		if said := strings.Join(strings.Fields(got), " "); said == code+" exit 0" || strings.Contains(said, "000 exit 92 ") || strings.HasPrefix(said, code+" exit 92 ") {
			return "answered or cut short"
		}
		return got
	}
	return a
}

// without100 is an act whose answer may have a 100 before it: none is needed once some of the body
// is there (RFC 9110, 10.1.1), which is a matter of chance.
func without100(a act) act {
	do := a.do
	a.do = func(s *site) string { return strings.TrimPrefix(do(s), "HTTP/2 100\n\n") }
	return a
}

func TestOrdinaryCurl(t *testing.T) {
	const told = "\n%{http_version} %{http_code} %{size_upload} up %{size_download} down %{num_redirects} redirects %{num_connects} connects"
	small, large := file(t, "small", "a=1"), file(t, "large", string(pattern(20<<20)))
	wide := []string{"-o", "/dev/null", "-w", "%{http_version} %{http_code}\n"}
	for _, letter := range []string{"a", "b", "c"} {
		wide = append(slices.Clip(wide), "-H", "X-"+letter+": "+strings.Repeat(letter, 3500))
	}
	narrow := func(a act) act {
		a.serve = func(hs *http.Server) { hs.MaxHeaderBytes = 8 << 10 }
		return a
	}
	acts := []act{
		curlAct("GET", "/saw?q=1", nil, "-i", "-H", "X-A: 1", "-H", "X-A: 2", "-b", "a=1; b=2"),
		curlAct("HEAD", "/declared?n=1000", nil, "-I"),
		curlAct("HEAD_of_a_stream", "/echo", nil, "-I"),
		curlAct("OPTIONS", "/saw", nil, "-i", "-X", "OPTIONS"),
		curlAct("POST", "/saw", nil, "-i", "-d", "a=1&b=2"),
		curlAct("POST_empty", "/upload", nil, "-i", "-d", ""),
		curlAct("POST_a_file", "/upload", nil, "-i", "--data-binary", "@"+small),
		curlAct("POST_a_form", "/form", nil, "-i", "-F", "a=1", "-F", "file=@"+large+";filename=name", "-H", "Expect:"),
		curlAct("upload_from_stdin", "/upload", pattern(300_000), "-i", "-T", "-"),
		curlAct("PUT_20_MiB", "/upload", nil, "-i", "-T", large, "-w", told),
		curlAct("GET_20_MiB", "/bytes?n=20971520", nil, "-o", "/dev/null", "-w", told),
		curlAct("echo_of_stdin", "/echo", pattern(1<<20), "-T", "-"),
		curlAct("trailers", "/trailers/only", nil, "-i").differs("Content-Length of an answer with trailers",
			"HTTP/2 200 \ncontent-length: 0\ndate: _\ntrailer: X-Announced\n\nx-announced: yes\n exit 0 ",
			"HTTP/2 200 \ndate: _\ntrailer: X-Announced\n\nx-announced: yes\n exit 0 "),
		curlAct("range", "/content", nil, "-i", "-r", "10-19"),
		curlAct("ranges", "/content", nil, "-o", "/dev/null", "-w", told, "-r", "0-1,5-6"),
		curlAct("range_beyond", "/content", nil, "-i", "-r", "200000-"),
		curlAct("resumed", "/content", nil, "-i", "-C", "99990", "-o", "-"),
		curlAct("not_modified", "/content", nil, "-i", "-H", `If-None-Match: "v1"`),
		curlAct("newer_only", "/content", nil, "-i", "-z", "Tue, 14 Nov 2023 22:13:20 GMT"),
		curlAct("redirects", "/redirect?code=302&to=/redirect%3Fcode%3D307%26to%3D/saw", nil, "-i", "-L", "-w", told),
		curlAct("POST_redirected_303", "/redirect?code=303&to=/saw", nil, "-L", "-d", "a=1", "-w", told),
		curlAct("POST_redirected_308", "/redirect?code=308&to=/saw", nil, "-L", "-d", "a=1", "-w", told),
		curlAct("redirects_without_end", "/redirect?code=302&to=/saw", nil, "-L", "--max-redirs", "0", "-o", "/dev/null", "-w", told),
		without100(curlAct("expect_continue", "/upload", nil, "-i", "-H", "Expect: 100-continue", "-T", large, "-w", told)),
		cutShort("417", curlAct("expect_refused", "/early?code=417", nil, "-o", "/dev/null", "-H", "Expect: 100-continue", "--expect100-timeout", "20", "-T", large, "-w", "%{http_code}")),
		curlAct("compressed", "/gzip", nil, "-i", "--compressed", "-w", told),
		curlAct("not_compressed", "/gzip", nil, "-i"),
		curlAct("early_hints", "/hints", nil, "-i"),
		cutShort("403", curlAct("early_answer", "/early?code=403", nil, "-o", "/dev/null", "-T", large, "-w", "%{http_code}")),
		cutShort("413", curlAct("413", "/limit", nil, "-o", "/dev/null", "-T", large, "-w", "%{http_code}")),
		curlAct("204", "/status?code=204", nil, "-i", "-w", told),
		curlAct("304", "/status?code=304", nil, "-i", "-w", told),
		curlAct("fail", "/status?code=500", nil, "--fail", "-w", told),
		curlAct("retry", "/status?code=503", nil, "--retry", "1", "--retry-delay", "1", "-w", told),
		curlAct("aborted_answer", "/abort", nil, "-o", "/dev/null"),
		curlAct("aborted_before", "/abort/first", nil, "-i"),
		curlAct("many_fields", "/fields?n=100", nil, "-i"),
		curlAct("cookies", "/fields?n=0", nil, "-i", "-c", "-"),
		curlAct("large_field", "/saw", nil, "-o", "-", "-H", "X-Large: "+strings.Repeat("x", 30_000), "-w", told),
		curlAct("user_and_password", "/saw", nil, "-u", "user:pass word"),
		curlAct("host_of_its_own", "/saw", nil, "-H", "Host: example.test"),
		curlAct("path_as_it_is", "/saw/../saw", nil, "-i", "--path-as-is"),
		curlAct("slow_reader", "/bytes?n=3000000", nil, "-o", "/dev/null", "--limit-rate", "1M", "-w", told),
		curlAct("slow_writer", "/upload", nil, "--limit-rate", "8M", "-T", large, "-w", told),
		narrow(curlAct("431_of_GET", "/saw", nil, wide...)),
		narrow(cutShort("2 431", curlAct("431_of_POST", "/saw", nil, append(slices.Clip(wide), "-d", "a=1")...))),
		narrow(cutShort("2 431", curlAct("431_of_an_upload", "/saw", nil, append(slices.Clip(wide), "--data-binary", "@"+large)...))),
		narrow(curlAct("431_of_HEAD", "/saw", nil, append(slices.Clip(wide), "--head")...)),
		{name: "upgrade_of_HTTP_1.1", do: func(s *site) string { // h2c: curl asks for it, and net/http stays with HTTP/1.1
			out, faults, code := s.run(nil, "curl", "--http2", "-sS", "--insecure", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", s.origin+"/saw")
			return fmt.Sprintf("%s exit %d %s", out, code, faults)
		}},
		{name: "many_URLs_on_a_connection", do: func(s *site) string {
			return s.curl(nil, "-w", told, s.origin+"/saw?n=[1-20]")
		}},
		{name: "in_parallel", secure: true, do: func(s *site) string {
			out := s.curl(nil, "-Z", "--no-progress-meter", "--parallel-max", "50", "-o", "/dev/null", "-w", "%{http_code} %{size_download}\n", s.origin+"/bytes?n=100000&i=[1-100]")
			return fmt.Sprintf("%d as wanted, %s", strings.Count(out, "200 100000\n"), out[strings.LastIndex(out, "exit"):])
		}, want: "100 as wanted, exit 0 "},
		{name: "uploads_in_parallel", secure: true, do: func(s *site) string {
			args := []string{"-Z", "--no-progress-meter"}
			for range 8 {
				args = append(args, "-T", small, s.origin+"/upload")
			}
			out := s.curl(nil, args...)
			return fmt.Sprint(strings.Count(out, "PUT of 3 said 3, "), out[strings.LastIndex(out, " exit"):])
		}, want: "8 exit 0 "},
		{name: "cut_by_the_client", do: func(s *site) string {
			out, _, code := s.run(nil, "curl", "--http2-prior-knowledge", "-sS", "--insecure", "--max-time", "1", "-o", "/dev/null", "-w", "%{http_code}", s.origin+"/wait")
			return fmt.Sprintf("%s exit %d, %s", out, code, s.noted(1))
		}, want: "200 exit 28, the client has gone: context canceled, read EOF"},
		{name: "output_that_is_closed", do: func(s *site) string { // curl … | head
			_, _, code := s.run(nil, "bash", "-c", fmt.Sprintf("curl --http2-prior-knowledge -sS --insecure --max-time 30 %s/endless | head -c 10000 | wc -c", s.origin))
			return fmt.Sprintf("exit %d, %s", code, s.noted(1))
		}, want: "exit 0, write failed: context canceled"},
		{name: "output_that_pauses", do: func(s *site) string { // curl … | less
			out, faults, code := s.run(nil, "bash", "-c", fmt.Sprintf("curl --http2-prior-knowledge -sS --insecure --max-time 30 '%s/bytes?n=10000000' | (sleep 2; wc -c)", s.origin))
			return fmt.Sprintf("%s exit %d %s", strings.TrimSpace(out), code, faults)
		}, want: "10000000 exit 0 "},
	}
	sameOnBoth(t, acts)
}
