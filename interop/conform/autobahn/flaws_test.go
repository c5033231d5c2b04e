package autobahn_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/interop/conform"
	"weir/stream"
)

// TestFlaws: for each thing that may be wrong with a server, exactly which of the cases say so.
// Most of it is waiting, for servers that say nothing, so many are asked at a time.
func TestFlaws(t *testing.T) {
	runs := make([]conform.Run, len(flawTable))
	results := make([][]conform.Result, len(flawTable))
	for i, test := range flawTable {
		runs[i] = conform.Run{Cases: idle(pick(t, test.cases, "")), Target: serve(t, stream.H1, test.flaws), Jobs: 32}
	}
	var wg sync.WaitGroup
	turns := make(chan struct{}, 8)
	for i := range runs {
		wg.Go(func() {
			turns <- struct{}{}
			results[i] = runs[i].Do(t.Context())
			<-turns
		})
	}
	wg.Wait()
	for i, test := range flawTable {
		t.Run(test.name, func(t *testing.T) {
			got := map[string][]string{}
			for _, r := range results[i] {
				if v := verdicts(r); v != "OK/OK" && v != "INFORMATIONAL/INFORMATIONAL" {
					got[v] = append(got[v], r.Case.ID)
				}
			}
			want := map[string][]string{}
			for v, patterns := range test.want {
				for _, c := range runs[i].Cases {
					if slices.ContainsFunc(strings.Fields(patterns), func(p string) bool { return conform.Match(p, c.ID) }) {
						want[v] = append(want[v], c.ID)
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the cases that say so are not those expected:\n got %v\nwant %v", got, want)
			}
			for _, r := range results[i] {
				if r.Bad() && r.Why == "" {
					t.Errorf("%s says %s, and not why", r.Case.ID, verdicts(r))
				}
			}
		})
	}
}

// TestFlawsCover: each group of the catalogue has a flaw that one of its cases finds. 7.13.* are
// informational for all.
func TestFlawsCover(t *testing.T) {
	var found []string
	for _, test := range flawTable {
		for _, patterns := range test.want {
			found = append(found, strings.Fields(patterns)...)
		}
	}
	covered := map[string]bool{"7.13": true}
	for _, c := range pick(t, "", "strict") {
		group := c.ID[:strings.LastIndexByte(c.ID, '.')]
		covered[group] = covered[group] || slices.ContainsFunc(found, func(p string) bool { return conform.Match(p, c.ID) })
	}
	for group, ok := range covered {
		if !ok {
			t.Errorf("no server fails a case of %s", group)
		}
	}
}

func verdicts(r conform.Result) string { return string(r.Body) + "/" + string(r.Close) }

// notUTF8 are the texts of 6.* that are none.
const notUTF8 = "6.3 6.4 6.6.1 6.6.3 6.6.4 6.6.6 6.6.8 6.6.10 6.8 6.10 6.11.5 6.12 6.13 6.14 6.15 6.16 6.17 6.18 6.19 6.20 6.21"

// closesWell are the cases of 7.* that end with a closing handshake.
const closesWell = "7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.1 7.3.3 7.3.4 7.3.5 7.7"

var flawTable = []struct {
	name  string
	flaws flaws
	cases string // what it is run with
	want  map[string]string
}{
	{"none", flaws{}, "1 2 3 4 5 6 7 10 9.1.1 9.2.1 9.3.5 9.7.2 12.1.4 12.2.4 13.3.4 13.7.2 strict", nil},
	{"UTF-8 is not checked", flaws{noUTF8: true}, "1.1.2 5.3 6 7.5 12.1.2 strict.deflate", map[string]string{"FAILED/FAILED": notUTF8 + " strict.deflate.utf8 strict.deflate.utf8_fragments"}},
	{"UTF-8 is checked at the end of a message", flaws{lateUTF8: true}, "5.3 6", map[string]string{"NON-STRICT/OK": "6.4"}},
	{"non-characters are refused", flaws{noNonCharacters: true}, "6", map[string]string{"FAILED/FAILED": "6.9.3 6.9.4 6.11.4 6.22 6.23.6 6.23.7"}},
	{"surrogates are taken", flaws{surrogates: true}, "6", map[string]string{"FAILED/FAILED": "6.3 6.20 6.21"}},
	{"a text may end within a character", flaws{openEnd: true}, "6", map[string]string{"FAILED/FAILED": "6.6.1 6.6.3 6.6.4 6.6.6 6.6.8 6.6.10 6.14.6 6.14.7"}},
	{"the reason of a close frame is not checked", flaws{reasonUnchecked: true}, "7 strict.close", map[string]string{"FAILED/WRONG CODE": "7.5.1 strict.close.reason_cut"}},
	{"faults have the code 1011", flaws{faultCode: 1011}, "1.1.1 2.5 3 4.1 5.18 6.3 7", map[string]string{
		"FAILED/WRONG CODE": "7.3.2 7.3.6 7.5.1 7.9", "OK/WRONG CODE": "2.5 3 4.1 5.18 6.3"}},
	{"faults have the code 1005", flaws{faultCode: 1005}, "1.1.1 2.5 3.1 6.3 7", map[string]string{
		"FAILED/FAILED": "6.3", "OK/FAILED": "2.5 3.1", "FAILED/WRONG CODE": "7.3.2 7.3.6 7.5.1 7.9"}},
	{"faults drop the connection", flaws{drops: true}, "1.1.1 2.5 3 4 5.1 5.9 5.15 5.18 6.3 6.4 6.8 7.3 7.5 7.9", nil},
	{"close frames are not answered", flaws{noCloseReply: true}, "1.1.1 2.1 3.1 6.3 7", map[string]string{"OK/UNCLEAN": "1.1.1 2.1 " + closesWell}},
	{"the connection stays open", flaws{staysOpen: true}, "1.1.1 2.1 3.1 7.3", map[string]string{
		"OK/FAILED BY CLIENT": "1.1.1 3.1 7.3", "OK/UNCLEAN": "2.1"}},
	{"what comes after the close frame is echoed", flaws{echoAfterClose: true}, "7.1 7.3.1", map[string]string{"FAILED/OK": "7.1.4 7.1.5"}},
	{"close codes are not checked", flaws{badCodes: true}, "7 strict.close", map[string]string{"FAILED/WRONG CODE": "7.9 strict.close.1015"}},
	{"close frames come back as they came", flaws{wholeClose: true, longControl: true}, "1.1.1 7", map[string]string{
		"FAILED/WRONG CODE": "7.3.6 7.5.1 7.9", "OK/FAILED BY CLIENT": "7.3.2"}},
	{"closing handshakes have the code 1001", flaws{replyCode: 1001}, "1.1.1 2.1 3.1 7", map[string]string{
		"OK/WRONG CODE": "1.1.1 2.1", "FAILED/WRONG CODE": "7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.3.1 7.3.3 7.3.4 7.3.5 7.7.1 7.7.3 7.7.4 7.7.5 7.7.6 7.7.7 7.7.8 7.7.9 7.7.10 7.7.11 7.7.12 7.7.13"}},
	{"close frames are answered without a code", flaws{noCode: true}, "1.1.1 7", nil},
	{"close frames are answered with a reason that is no UTF-8", flaws{badReason: true}, "1.1.1 7.1.1 7.3.1 7.3.2 7.7.1", map[string]string{"OK/UNCLEAN": "1.1.1 7.1.1 7.3.1 7.7.1"}},
	{"codes from 3000 on are refused", flaws{fewCodes: true}, "7.7", map[string]string{"FAILED/WRONG CODE": "7.7.10 7.7.11 7.7.12 7.7.13"}},
	{"a ping after the close frame is answered", flaws{pongAfterClose: true}, "7.1.2 7.1.3 7.1.4", map[string]string{"FAILED/OK": "7.1.3"}},
	{"a close frame of one octet is taken", flaws{closeOfOne: true}, "7.3 strict.close", map[string]string{"NON-STRICT/OK": "strict.close.one_octet"}},
	{"no pongs", flaws{noPong: true}, "1.1.1 2.1 2.2 2.3 2.4 2.7 2.9 5 strict.ping", map[string]string{"FAILED/OK": "2.1 2.2 2.3 2.4 2.9 5.6 5.7 5.8 5.19 5.20", "NON-STRICT/OK": "strict.ping"}},
	{"pongs with another payload", flaws{wrongPong: true}, "1.1.1 2.1 2.2 2.3 2.4 2.7 2.9 5 strict.ping", map[string]string{"FAILED/OK": "2.1 2.2 2.3 2.4 2.9 5.6 5.7 5.8 5.19 5.20 strict.ping"}},
	{"pongs wait for the end of the message", flaws{slowPong: true}, "2 5", map[string]string{"FAILED/OK": "5.6 5.7 5.8 5.19 5.20"}},
	{"pongs are answered with pongs", flaws{pongPong: true}, "2.1 2.7 2.8 2.9", map[string]string{"FAILED/OK": "2.7 2.8 2.9"}},
	{"pongs have the FIN of their pings", flaws{copies: true, fragmentedControl: true}, "2.1 5.1 5.2", map[string]string{"FAILED/FAILED": "5.1 5.2"}},
	{"there are pings nobody asked for", flaws{pings: true}, "1.1.2 5.3 6.2.1 7.1.1 9.1.1", nil},
	{"masks are not checked", flaws{noMaskCheck: true}, "1.1.2 strict.frame", map[string]string{
		"FAILED/FAILED": "strict.frame.unmasked_text strict.frame.unmasked_ping", "FAILED/WRONG CODE": "strict.frame.unmasked_close"}},
	{"RSV is ignored", flaws{ignoreRSV: true}, "1.1.1 3 4.1 strict.frame strict.deflate", map[string]string{
		"FAILED/FAILED":     "3.1 3.2 3.3 3.4 3.5 3.6 strict.frame.rsv_in_continuation strict.deflate.rsv1_ping strict.deflate.rsv1_continuation strict.deflate.rsv2",
		"FAILED/WRONG CODE": "strict.deflate.rsv1_late"}},
	{"RSV comes back", flaws{ignoreRSV: true, rsvEcho: true}, "3", map[string]string{"OK/FAILED": "3.1 3.5 3.6", "FAILED/FAILED": "3.2 3.3 3.4"}},
	{"reserved opcodes come back", flaws{ignoreOpcode: true, opcodeEcho: true}, "4", map[string]string{
		"OK/FAILED": "4.1.1 4.1.2 4.2.1 4.2.2", "FAILED/FAILED": "4.1.3 4.1.4 4.1.5 4.2.3 4.2.4 4.2.5"}},
	{"a fault loses the echo before it", flaws{lateEcho: true}, "1.1.1 3.2 4.1.3 4.1.4 4.2.3 4.2.4 5.3 5.15", map[string]string{"NON-STRICT/OK": "3.2 4.1.3 4.1.4 4.2.3 4.2.4 5.15"}},
	{"reserved opcodes are ignored", flaws{ignoreOpcode: true}, "3.1 4", map[string]string{
		"FAILED/FAILED": "4.1.3 4.1.4 4.1.5 4.2.3 4.2.4 4.2.5", "OK/FAILED": "4.1.1 4.1.2 4.2.1 4.2.2"}},
	{"control frames may be fragmented", flaws{fragmentedControl: true}, "5 strict.frame", map[string]string{
		"FAILED/FAILED": "5.1 5.2 5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17 strict.frame.ping_without_fin"}},
	{"control frames may be long", flaws{longControl: true}, "2 7.3", map[string]string{"FAILED/WRONG CODE": "7.3.6", "FAILED/FAILED": "2.5"}},
	{"continuations need no beginning", flaws{strayContinuation: true}, "5", map[string]string{"FAILED/FAILED": "5.9 5.10 5.11 5.12 5.13 5.14 5.15 5.16 5.17"}},
	{"each frame of a message comes back as a message", flaws{piecemeal: true}, "1.1.2 5.3 5.6 5.19 6.1.2 6.2.2 6.2.4", map[string]string{
		"FAILED/OK": "5.3 5.6 5.19 6.1.2 6.2.2", "FAILED/WRONG CODE": "6.2.4"}},
	{"messages may begin within messages", flaws{interleaved: true}, "5 strict.frame", map[string]string{"FAILED/FAILED": "5.18 strict.frame.binary_in_text"}},
	{"messages come back twice", flaws{twice: true}, "1.1.2 5.3 7.1.1 9.1.1 9.7.2 12.1.1", map[string]string{"FAILED/OK": "1 5 7 9 12"}},
	{"echoes lack an octet", flaws{shortEcho: true}, "1.1.1 1.1.2 2.1 5.3 6.2.1 7.1.1 9.1.1 9.4.7 9.5.6 9.6.6 9.7.2 9.8.2 13.3.4 strict.echo", map[string]string{
		"FAILED/OK": "5.3 6.2.1 9.1.1 9.4.7 9.5.6 9.6.6 9.7.2 9.8.2 13.3.4 strict.echo", "FAILED/WRONG CODE": "1.1.2 7.1.1"}},
	{"an octet of a long echo is another", flaws{changedEcho: true}, "1.1.5 9.1.1 9.2.1 12.2.5 strict.echo", map[string]string{"FAILED/OK": "12.2.5 strict.echo"}},
	{"large echoes are cut", flaws{truncated: 127}, "1.1.1 1.1.2 1.1.4 1.1.5 1.2.4 1.2.5 9.1.1 9.3.5 strict.echo", map[string]string{
		"FAILED/OK": "9.1.1 9.3.5 strict.echo", "FAILED/WRONG CODE": "1.1.5 1.2.5"}},
	{"text comes back as binary", flaws{otherKind: true}, "1.1.1 1.2.1 6.5.1 6.7.2 6.8.1 9.1.1 9.2.1 9.7.2 9.8.2 12.2.4 13.3.4", map[string]string{
		"FAILED/OK": "9.1.1 9.7.2 13.3.4", "FAILED/WRONG CODE": "1.1.1 6.5.1 6.7.2"}},
	{"frames are masked", flaws{maskedEcho: true}, "1.1 2.1 5.3 9.7.2 10 12.2.4", map[string]string{"FAILED/WRONG CODE": "1.1 5.3 9.7.2 10 12.2.4"}},
	{"all frames are masked", flaws{maskedAll: true}, "1.1.2 2.1 7.3.1 7.9.1", map[string]string{
		"FAILED/UNCLEAN": "1.1.2", "OK/UNCLEAN": "2.1 7.3.1", "OK/FAILED BY CLIENT": "7.9.1"}},
	{"messages of a megabyte are closed with 1009", flaws{limit: 1<<20 - 1}, "9.1.2 9.1.3 9.2.3 9.3.5 9.4.8", map[string]string{"FAILED/FAILED": "9.1.3 9.2.3 9.3.5 9.4.8"}},
	{"lengths are not in the shortest form", flaws{longForms: true}, "1.1 2.1 9.7.2 strict.frame", map[string]string{
		"FAILED/WRONG CODE": "1.1.1 1.1.2 1.1.3 1.1.4 1.1.5 1.1.6 9.7.2",
		"FAILED/FAILED":     "strict.frame.length_125_in_3 strict.frame.length_5_in_9 strict.frame.length_65535_in_9"}},
	{"there is no permessage-deflate", flaws{noDeflate: true}, "1.1.1 12.1.1 12.3.2 13.1.1 13.3.1 13.7.1", map[string]string{"UNIMPLEMENTED/OK": "12 13"}},
	{"what comes back is not compressed", flaws{uncompressed: true}, "12.1.1 12.2.1 13.3.1 13.5.1", nil},
	{"an extension with a parameter that nobody knows is answered", flaws{extension: "permessage-deflate; x=1"}, "1.1.1 2.1 7.13 12.1.1 13.3.1", map[string]string{"FAILED/FAILED": "1 2 12 13"}},
	{"an extension is answered twice", flaws{extension: "permessage-deflate, permessage-deflate"}, "12.1.1 13.7.1", map[string]string{"FAILED/FAILED": "12 13"}},
	{"answers have nothing of what was offered", flaws{plainAnswer: true}, "13.3.2 13.5.2 strict.deflate", map[string]string{
		"FAILED/OK":        "strict.deflate.answer_server_no_context_takeover strict.deflate.answer_server_max_window_bits_* strict.deflate.second_offer",
		"UNIMPLEMENTED/OK": "strict.deflate.window_8 strict.deflate.window_9"}},
	{"the window is not kept to", flaws{wideWindow: true}, "12.1.5 13.1.5 13.3.5 13.4.5 13.5.5 strict.deflate", map[string]string{
		"FAILED/OK": "strict.deflate.window_8 strict.deflate.window_9", "FAILED/WRONG CODE": "13.3.5 13.5.5"}},
	{"compressed messages are corrupt", flaws{corruptDeflate: true}, "1.1.1 12.1.1 12.2.4 12.3.1 12.4.1 12.5.1 13.1.1 13.2.1 13.3.4 13.4.1 13.5.1 13.6.1 13.7.1", map[string]string{"FAILED/WRONG CODE": "12 13"}},
	{"compressed messages refer to those before", flaws{lateTakeover: true}, "12.1.4 13.3.4", map[string]string{"FAILED/WRONG CODE": "12.1.4 13.3.4"}},
	{"RSV1 is on continuations, too", flaws{rsvOnAll: true}, "1.1.2 12.1.4 strict.deflate.example_one_block", map[string]string{"FAILED/WRONG CODE": "12.1.4 strict.deflate.example_one_block"}},
	{"what grows is cut", flaws{bombs: true}, "strict.deflate", map[string]string{"FAILED/OK": "strict.deflate.bomb"}},
	{"a subprotocol that was not offered is chosen", flaws{firstProtocol: true}, "1.1.1 strict.subprotocol", map[string]string{"FAILED/FAILED": "1.1.1 strict.subprotocol"}},
	{"handshakes are not checked", flaws{anyHandshake: true}, "1.1.1 strict.open", map[string]string{
		"FAILED/OK": "strict.open.post strict.open.http10 strict.open.no_upgrade strict.open.upgrade_other strict.open.no_connection strict.open.connection_other strict.open.no_key " +
			"strict.open.key_empty strict.open.key_twice strict.open.no_version strict.open.version_12 strict.open.version_99 strict.open.version_word",
		"NON-STRICT/OK": "strict.open.key_short strict.open.key_not_base64 strict.open.extensions_malformed"}},
}

// TestCodes: a close code is reported as the peer sent it, also one that may not be sent, and 0.
func TestCodes(t *testing.T) {
	cases := pick(t, "7.9 7.13", "")
	got := map[string]string{}
	for _, r := range (&conform.Run{Cases: cases, Target: serve(t, stream.H1, flaws{badCodes: true}), Jobs: 32}).Do(t.Context()) {
		got[r.Case.ID] = code(r)
	}
	for id, want := range map[string]string{"7.9.1": "0", "7.9.2": "999", "7.9.3": "1004", "7.9.4": "1005", "7.9.5": "1006", "7.9.6": "1016", "7.9.9": "2999", "7.13.1": "5000", "7.13.2": "65535"} {
		if got[id] != want {
			t.Errorf("%s: code %s, want %s", id, got[id], want)
		}
	}
}

// TestWhy: what is said of a server that has a limit is what has to be done about it.
func TestWhy(t *testing.T) {
	const why = "the peer closed with 1009: the message is over its limit (weir serve has none with --max-frame-size 0)"
	for id, want := range map[string]string{
		"9.1.1": why,
		"1.1.6": fmt.Sprintf("received [], expected [text of 65535 octets]: %s", why),
	} {
		for _, r := range (&conform.Run{Cases: pick(t, id, ""), Target: serve(t, stream.H1, flaws{limit: 60000})}).Do(t.Context()) {
			if r.Why != want || code(r) != "1009" {
				t.Errorf("%s: %s, code %s", r.Case.ID, r.Why, code(r))
			}
		}
	}
}
