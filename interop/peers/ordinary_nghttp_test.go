package peers

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// nghttp runs nghttp verbosely. What it saw are the frames of each stream that it received, in
// order and without lengths: how answers are cut into DATA frames, and in which order streams come,
// is the server's own.
func (s *site) nghttp(args ...string) string {
	out, faults, code := s.run(nil, "nghttp", append([]string{"--verbose", "--no-verify-peer", "--timeout=30"}, args...)...)
	streams := map[string]map[string]int{}
	of := func(id string) map[string]int {
		if streams[id] == nil {
			streams[id] = map[string]int{}
		}
		return streams[id]
	}
	for _, m := range nghttpField.FindAllStringSubmatch(out, -1) {
		if m[2] != "date" {
			of(m[1])[m[2]+": "+strings.ReplaceAll(m[3], s.addr, "ADDR")]++
		}
	}
	ends := map[string]int{}
	for _, m := range nghttpFrame.FindAllStringSubmatch(out, -1) {
		if m[1] != "DATA" || strings.Contains(m[2], "0x01") {
			ends[m[1]+strings.TrimSuffix(strings.TrimSpace(m[3]), "(0x00)")]++
		}
	}
	seen := map[string]int{}
	for _, fields := range streams {
		seen[fmt.Sprint(fields)]++
	}
	var lines []string
	for line, n := range seen {
		lines = append(lines, fmt.Sprintf("%d× %s", n, line))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%s, %v, exit %d %s", strings.Join(lines, "; "), ends, code, strings.ReplaceAll(faults, s.addr, "ADDR"))
}

var (
	nghttpField = regexp.MustCompile(`recv \(stream_id=(\d+)\) ([^ ]+): (.*)`)
	nghttpFrame = regexp.MustCompile(`recv (DATA|RST_STREAM|GOAWAY) frame <length=\d+, flags=(0x..), stream_id=\d+>((?:\s+\(error_code=\w+\(0x..\))?)`)
)

func nghttpAct(name string, args []string, paths ...string) act {
	return act{name: name, do: func(s *site) string {
		all := slices.Clone(args)
		for _, path := range paths {
			all = append(all, s.origin+path)
		}
		return s.nghttp(all...)
	}}
}

func TestOrdinaryNghttp(t *testing.T) {
	small, large := file(t, "small", "a=1"), file(t, "large", string(pattern(5<<20)))
	acts := []act{
		nghttpAct("GET", []string{"-n"}, "/saw?q=1"),
		nghttpAct("fields", []string{"-n", "-HX-A: 1", "-HX-A: 2", "-Hcookie: a=1; b=2"}, "/saw"),
		nghttpAct("HEAD", []string{"-n", "-H:method: HEAD"}, "/declared?n=1000"),
		nghttpAct("several", []string{"-n"}, "/saw", "/bytes?n=100000", "/status?code=404", "/content"),
		nghttpAct("many_at_once", []string{"-n", "-m100"}, "/bytes?n=10000"),
		nghttpAct("upload", []string{"-d", small, "-H:method: POST"}, "/upload"),
		nghttpAct("large_upload", []string{"-n", "-d", large}, "/upload"),
		nghttpAct("upload_and_echo", []string{"-n", "-d", large}, "/echo"),
		nghttpAct("uploads_at_once", []string{"-n", "-m20", "-d", small}, "/upload"),
		nghttpAct("upload_without_length", []string{"-n", "--no-content-length", "-d", large}, "/upload"),
		nghttpAct("trailer", []string{"-n", "-d", small, "--trailer", "X-Sent: later"}, "/echo"),
		nghttpAct("padding", []string{"-n", "-b255", "-d", large}, "/upload"),
		nghttpAct("padding_of_requests", []string{"-n", "-b100", "-m50"}, "/bytes?n=1000"),
		nghttpAct("small_windows", []string{"-n", "-w12", "-W12"}, "/bytes?n=300000"),
		nghttpAct("large_windows", []string{"-n", "-w30", "-W30"}, "/bytes?n=5000000"),
		nghttpAct("small_frames", []string{"-n", "--max-concurrent-streams=1", "-m10"}, "/bytes?n=40000"),
		nghttpAct("weight", []string{"-n", "-p1"}, "/bytes?n=1000"),
		nghttpAct("weights_and_idle_streams", []string{"-n", "-p256", "-m10"}, "/bytes?n=1000"),
		nghttpAct("without_priorities", []string{"-n", "--no-dep"}, "/bytes?n=1000"),
		nghttpAct("no_push", []string{"-n", "--no-push"}, "/bytes?n=1000"),
		nghttpAct("small_header_table", []string{"-n", "-c0", "-m10"}, "/fields?n=3"),
		nghttpAct("header_table_that_shrinks", []string{"-n", "-c4096", "-c100", "-m10"}, "/fields?n=3"),
		nghttpAct("encoder_without_table", []string{"-n", "--encoder-header-table-size=0", "-m10"}, "/saw"),
		nghttpAct("expect_continue", []string{"-n", "--expect-continue", "-d", small}, "/upload"),
		nghttpAct("early_hints", []string{"-n"}, "/hints"),
		nghttpAct("early_answer", []string{"-n", "-d", large}, "/early?code=403"),
		nghttpAct("aborted_answer", []string{"-n"}, "/abort"),
		nghttpAct("204", []string{"-n"}, "/status?code=204"),
		nghttpAct("304", []string{"-n"}, "/status?code=304"),
		nghttpAct("gzip", []string{"-n", "-Haccept-encoding: gzip"}, "/gzip"),
		{name: "431", serve: func(hs *http.Server) { hs.MaxHeaderBytes = 8 << 10 }, do: func(s *site) string {
			var seen []string
			for _, how := range [][]string{{"-H:method: GET"}, {"-H:method: HEAD"}, {"-d", small}} {
				args := append([]string{"--verbose", "--no-verify-peer", "--timeout=30", "-n"}, how...)
				for _, letter := range []string{"a", "b", "c"} {
					args = append(args, "-HX-"+letter+": "+strings.Repeat(letter, 3500))
				}
				out, _, code := s.run(nil, "nghttp", append(args, s.origin+"/saw")...)
				m := regexp.MustCompile(`:status: (\d+)`).FindStringSubmatch(out)
				seen = append(seen, fmt.Sprint(m, code))
			}
			return strings.Join(seen, ", ")
		}, want: "[:status: 431 431] 0, [:status: 431 431] 0, [:status: 431 431] 0"},
	}
	sameOnBoth(t, acts)
}
