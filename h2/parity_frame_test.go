package h2_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// What differences that several cases show, or long ones, are about, and why.
const (
	whyGoAwayLast = "the highest that HEADERS have opened (RFC 9113, 6.8), be their block whole or not, " +
		"and no idle one"
	whyTwice = "the second counts: they are processed in order (RFC 9113, 6.5.3); net/http ends the " +
		"connection"
	whyLog = "is in Config.Logger, at Debug, and not in ErrorLog: whoever connects could fill that"
)

// nothing is a handler that does nothing.
func nothing(*play, http.ResponseWriter, *http.Request) {}

// wires sends each script on a connection of its own, and notes the frames that come back.
func (p *play) wires(scripts ...[]string) {
	for i, lines := range scripts {
		if i > 0 {
			p.note("wire", "next")
		}
		p.wire(lines...)
	}
}

// counted notes how many octets of DATA came, and how the stream ended.
func (p *play) counted(peer *h2test.Peer) {
	n, end := 0, "open"
	for f, err := peer.Next(); err == nil; f, err = peer.Next() {
		switch f.Type {
		case http2.FrameData:
			n += len(f.Data)
			if len(f.Data) > 16384 {
				p.note("wire", "a frame of %d", len(f.Data)) // the client's MAX_FRAME_SIZE is less
			}
			if f.Fin() {
				end = "END_STREAM"
			}
		case http2.FrameRSTStream, http2.FrameGoAway:
			end = f.String()
		}
	}
	p.note("wire", "%d %s", n, end)
}

// parityFrames are about frames of ordinary clients, and those of odd ones.
var parityFrames = []parityCase{
	{
		name:    "9113-6.2/padding_and_priority",
		handler: readAll,
		client: func(p *play) {
			p.wire("HEADERS 1 END_STREAM PAD=17 PRIORITY=0 GET", "HEADERS 3 PAD=0 POST",
				"DATA 3 END_STREAM PAD=3", "PRIORITY 9 1")
			p.notes["wire"] = []string{fmt.Sprint(len(p.notes["wire"]))}
			slices.Sort(p.notes["handler"])
		},
		want: `handler: length=-1 read=0 ok; length=0 read=0 ok | wire: 2`,
	},
	{
		name:    "9113-6.10/CONTINUATION",
		handler: showHeader,
		client: func(p *play) {
			p.wire("HEADERS 1 END_STREAM NO_END_HEADERS GET",
				"CONTINUATION 1 NO_END_HEADERS a=1 b=2", "CONTINUATION 1 NO_END_HEADERS",
				"CONTINUATION 1 c=3")
		},
		want: `handler: A=["1"] B=["2"] C=["3"] | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "9113-6.10/CONTINUATION_of_trailers",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			p.note("handler", "%q %s %s", b, fault(err), headerText(r.Trailer))
		},
		client: func(p *play) {
			p.wire("HEADERS 1 POST trailer=a,b", `DATA 1 "body"`,
				"HEADERS 1 END_STREAM NO_END_HEADERS a=1", "CONTINUATION 1 b=2")
		},
		want: `handler: "body" ok A=["1"] B=["2"] | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-5.5/unknown_frames_and_settings_are_ignored",
		handler: readAll,
		client: func(p *play) {
			p.wire("RAW 0x42 0xff 0 0102", "SETTINGS 0xf0f0=1", "HEADERS 1 POST",
				"RAW 0xbe 0x01 1 03", "RAW 0x0a 0 1", "DATA 1 END_STREAM")
		},
		want: `handler: length=-1 read=0 ok | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-5.3/PRIORITY_of_any_stream",
		handler: nothing,
		client: func(p *play) {
			p.wire("PRIORITY 1 0", "PRIORITY 7 3", "HEADERS 1 END_STREAM GET", "PRIORITY 1 0",
				"PRIORITY 100 1")
		},
		want: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-6.3/PRIORITY_of_the_wrong_length",
		handler: nothing,
		client:  func(p *play) { p.wire("RAW 2 0 3 01020304", "HEADERS 5 END_STREAM GET") },
		want:    `wire: GOAWAY 0 FRAME_SIZE_ERROR`,
	},
	{
		name:    "9113-6.9.2/INITIAL_WINDOW_SIZE_of_zero",
		handler: writes("hello"),
		client: func(p *play) {
			peer := p.manual(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.frames(peer)
			p.send(peer, "WINDOW_UPDATE 1 3")
			p.frames(peer)
			p.send(peer, "WINDOW_UPDATE 1 100")
			p.frames(peer)
		},
		want: `wire: HEADERS 1 :status=200 content-length=5 "content-type=text/plain; ` +
			`charset=utf-8" date=now; DATA 1 "hel"; DATA 1 END_STREAM "lo"`,
	},
	{
		name:    "9113-6.9.2/empty_answers_need_no_window",
		handler: nothing,
		client: func(p *play) {
			peer := p.manual(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			p.send(peer, "HEADERS 1 END_STREAM GET", "HEADERS 3 END_STREAM HEAD")
			p.frames(peer)
			p.notes["wire"] = []string{fmt.Sprint(len(p.notes["wire"]))}
		},
		want: `wire: 2`,
	},
	{
		name: "9113-6.9.2/INITIAL_WINDOW_SIZE_changes_midway",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.Copy(w, zeros(50_000))
		},
		client: func(p *play) {
			peer := p.manual(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10_000})
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.counted(peer)
			p.send(peer, "SETTINGS INITIAL_WINDOW_SIZE=15000")
			p.counted(peer)
			p.send(peer, "SETTINGS INITIAL_WINDOW_SIZE=5000") // the window is negative
			p.counted(peer)
			p.send(peer, "WINDOW_UPDATE 1 10000") // and is 0
			p.counted(peer)
			p.send(peer, "WINDOW_UPDATE 1 7")
			p.counted(peer)
			p.send(peer, "SETTINGS INITIAL_WINDOW_SIZE=100000")
			p.counted(peer)
		},
		want: `wire: 10000 open; 5000 open; 0 open; 0 open; 7 open; 34993 END_STREAM`,
	},
	{
		name: "9113-6.9.1/window_of_the_connection",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			io.Copy(w, zeros(100_000))
		},
		client: func(p *play) {
			peer := p.manual(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.counted(peer)
			p.send(peer, "WINDOW_UPDATE 0 1")
			p.counted(peer)
			p.send(peer, "WINDOW_UPDATE 0 1000000")
			p.counted(peer)
		},
		want: `wire: 65535 open; 1 open; 34464 END_STREAM`,
	},
	{
		name: "9113-6.9/windows_of_a_client_that_gives_little",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Write(bytes.Repeat([]byte("x"), 40))
		},
		client: func(p *play) {
			peer := p.manual(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
			p.send(peer, "HEADERS 1 END_STREAM GET")
			for range 39 {
				p.send(peer, "WINDOW_UPDATE 1 1")
				synctest.Wait()
			}
			p.counted(peer)
		},
		want: `wire: 40 END_STREAM`,
	},
	{
		name:    "9113-6.9.1/largest_windows",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) { io.Copy(w, zeros(1<<20)) },
		client: func(p *play) {
			peer := p.manual(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
			p.send(peer, fmt.Sprint("WINDOW_UPDATE 0 ", 1<<31-1-65535), "HEADERS 1 END_STREAM GET")
			p.counted(peer)
		},
		want: `wire: 1048576 END_STREAM`,
	},
	{
		name: "9113-6.9.1/a_stream_window_over_the_maximum",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.frames(peer)
			p.send(peer, "WINDOW_UPDATE 1 2147483647", "HEADERS 3 END_STREAM GET")
			synctest.Wait()
			p.send(peer, "RST_STREAM 3 CANCEL")
			p.frames(peer)
		},
		want: `wire: HEADERS 1 :status=200 date=now; RST_STREAM 1 FLOW_CONTROL_ERROR; ` +
			`HEADERS 3 :status=200 date=now`,
	},
	{
		name:    "9113-6.9.1/a_connection_window_over_the_maximum",
		handler: nothing,
		client:  func(p *play) { p.wire("WINDOW_UPDATE 0 2147483647") },
		want:    `wire: GOAWAY 0 FLOW_CONTROL_ERROR`,
	},
	{
		name: "9113-6.9/an_increment_of_zero",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.frames(peer)
			p.send(peer, "WINDOW_UPDATE 1 0")
			p.frames(peer)
			p.send(peer, "WINDOW_UPDATE 0 0")
			p.frames(peer)
		},
		want: `wire: HEADERS 1 :status=200 date=now; RST_STREAM 1 PROTOCOL_ERROR; ` +
			`GOAWAY 1 PROTOCOL_ERROR`,
	},
	{
		name:    "9113-6.9/updates_of_streams_that_are_gone",
		handler: nothing,
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.frames(peer)
			p.send(peer, "WINDOW_UPDATE 1 100", "RST_STREAM 1 CANCEL", "PRIORITY 1 0",
				"HEADERS 3 END_STREAM GET")
			p.frames(peer)
		},
		want: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now; ` +
			`HEADERS 3 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-6.9/an_update_of_an_idle_stream",
		handler: nothing,
		client:  func(p *play) { p.wire("WINDOW_UPDATE 5 100") },
		what:    "the last stream that a GOAWAY for a fault names",
		why:     whyGoAwayLast,
		nethttp: `wire: GOAWAY 5 PROTOCOL_ERROR`,
		weir:    `wire: GOAWAY 0 PROTOCOL_ERROR`,
	},
	{
		name:    "9113-6.4/RST_STREAM_of_an_idle_stream",
		handler: nothing,
		client:  func(p *play) { p.wire("RST_STREAM 5 CANCEL") },
		what:    "the last stream that a GOAWAY for a fault names",
		why:     whyGoAwayLast,
		nethttp: `wire: GOAWAY 5 PROTOCOL_ERROR`,
		weir:    `wire: GOAWAY 0 PROTOCOL_ERROR`,
	},
	{
		name: "9113-4.2/MAX_FRAME_SIZE_of_the_client",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, 60_000))
		},
		client: func(p *play) {
			p.send(p.manual(), "HEADERS 1 END_STREAM GET")
			peer := p.manual(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16384})
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.counted(peer)
		},
		want: `wire: 60000 END_STREAM`,
	},
	{
		name:    "9113-6.5.2/settings_that_are_wrong",
		handler: nothing,
		client: func(p *play) {
			p.wires([]string{"SETTINGS ENABLE_PUSH=2"},
				[]string{"SETTINGS INITIAL_WINDOW_SIZE=2147483648"},
				[]string{"SETTINGS MAX_FRAME_SIZE=16383"},
				[]string{"SETTINGS MAX_FRAME_SIZE=16777216"})
		},
		want: `wire: GOAWAY 0 PROTOCOL_ERROR; next; GOAWAY 0 FLOW_CONTROL_ERROR; next; ` +
			`GOAWAY 0 PROTOCOL_ERROR; next; GOAWAY 0 PROTOCOL_ERROR`,
	},
	{
		name:    "9113-6.5/SETTINGS_frames_that_are_wrong",
		handler: nothing,
		client: func(p *play) {
			p.wires([]string{"RAW 4 0 0 0001"}, []string{"RAW 4 0 1"},
				[]string{"RAW 4 1 0 000100000000"})
		},
		want: `wire: GOAWAY 0 FRAME_SIZE_ERROR; next; GOAWAY 0 PROTOCOL_ERROR; next; ` +
			`GOAWAY 0 FRAME_SIZE_ERROR`,
	},
	{
		name: "9113-6.5.2/small_tables_and_lists_of_the_client",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("l", 70))
		},
		client: func(p *play) {
			peer := p.manual(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0},
				http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 100},
				http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 0})
			for _, id := range []string{"1", "3"} {
				p.send(peer, "HEADERS "+id+" END_STREAM GET")
				p.frames(peer)
			}
		},
		want: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now ` +
			`x-long=llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll; ` +
			`HEADERS 3 END_STREAM :status=200 content-length=0 date=now ` +
			`x-long=llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll`,
	},
	{
		name:    "9113-6.5.3/SETTINGS_are_acknowledged",
		handler: nothing,
		client: func(p *play) {
			peer := p.manual()
			for _, l := range []string{"SETTINGS", "SETTINGS INITIAL_WINDOW_SIZE=5"} {
				synctest.Wait()
				p.send(peer, l)
			}
			n := 0
			for f, err := peer.Next(); err == nil; f, err = peer.Next() {
				if f.Type == http2.FrameSettings && f.Flags.Has(http2.FlagSettingsAck) {
					n++
				}
			}
			p.note("wire", "%d", n)
		},
		want: `wire: 3`,
	},
	{
		name:    "9113-6.5.3/a_setting_twice",
		handler: writes("hello"),
		client: func(p *play) {
			p.wire("SETTINGS INITIAL_WINDOW_SIZE=1 INITIAL_WINDOW_SIZE=2",
				"HEADERS 1 END_STREAM GET")
		},
		what:    "a setting that a SETTINGS frame has twice",
		why:     whyTwice,
		nethttp: `wire: GOAWAY 0 PROTOCOL_ERROR`,
		weir: `wire: HEADERS 1 :status=200 content-length=5 "content-type=text/plain; ` +
			`charset=utf-8" date=now; DATA 1 "he"`,
	},
	{
		name:    "net/http/ErrorLog_and_faults_of_a_peer",
		handler: nothing,
		client: func(p *play) {
			p.wire("DATA 0")
			p.logged("server connection error")
		},
		what:    "a connection that ends for a fault of its peer",
		why:     whyLog,
		nethttp: `log: 1 server connection error | wire: GOAWAY 0 PROTOCOL_ERROR`,
		weir:    `log: 0 server connection error | wire: GOAWAY 0 PROTOCOL_ERROR`,
	},
	{
		name:    "9113-6.7/PING_frames_that_are_wrong",
		handler: nothing,
		client: func(p *play) {
			p.wires([]string{"RAW 6 0 0 01020304"}, []string{"RAW 6 0 1 0102030405060708"},
				[]string{"PING ACK 0102030405060708", "HEADERS 1 END_STREAM GET"})
		},
		want: `wire: GOAWAY 0 FRAME_SIZE_ERROR; next; GOAWAY 0 PROTOCOL_ERROR; next; ` +
			`HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-5.1.1/stream_identifiers",
		handler: nothing,
		client: func(p *play) {
			p.wires([]string{"HEADERS 2 END_STREAM GET"}, []string{"HEADERS 0 END_STREAM GET"},
				[]string{"HEADERS 2147483647 END_STREAM GET"})
			p.note("wire", "next")
			peer := p.manual()
			p.send(peer, "HEADERS 5 END_STREAM GET")
			p.frames(peer)
			p.send(peer, "HEADERS 3 END_STREAM GET")
			p.frames(peer)
		},
		what: "the last stream that a GOAWAY for a fault names",
		why:  whyGoAwayLast,
		nethttp: `wire: GOAWAY 2 PROTOCOL_ERROR; next; GOAWAY 0 PROTOCOL_ERROR; next; ` +
			`HEADERS 2147483647 END_STREAM :status=200 content-length=0 date=now; next; ` +
			`HEADERS 5 END_STREAM :status=200 content-length=0 date=now; GOAWAY 5 PROTOCOL_ERROR`,
		weir: `wire: GOAWAY 0 PROTOCOL_ERROR; next; GOAWAY 0 PROTOCOL_ERROR; next; ` +
			`HEADERS 2147483647 END_STREAM :status=200 content-length=0 date=now; next; ` +
			`HEADERS 5 END_STREAM :status=200 content-length=0 date=now; GOAWAY 5 PROTOCOL_ERROR`,
	},
	{
		name:    "9113-5.1/frames_of_an_idle_stream",
		handler: nothing,
		client: func(p *play) {
			p.wires([]string{`DATA 1 "x"`}, []string{"CONTINUATION 1 a=b"}, []string{"DATA 0"})
		},
		what: "the last stream that a GOAWAY for a fault names",
		why:  whyGoAwayLast,
		nethttp: `wire: GOAWAY 1 PROTOCOL_ERROR; next; GOAWAY 0 PROTOCOL_ERROR; next; ` +
			`GOAWAY 0 PROTOCOL_ERROR`,
		weir: `wire: GOAWAY 0 PROTOCOL_ERROR; next; GOAWAY 0 PROTOCOL_ERROR; next; ` +
			`GOAWAY 0 PROTOCOL_ERROR`,
	},
	{
		name:    "9113-6.6/PUSH_PROMISE_of_a_client",
		handler: waitsForContext,
		client:  func(p *play) { p.wire("HEADERS 1 POST", "RAW 5 4 1 00000002") },
		want:    `handler: / context canceled context canceled | wire: GOAWAY 1 PROTOCOL_ERROR`,
	},
	{
		name:    "9113-6.10/a_block_interrupted",
		handler: nothing,
		client: func(p *play) {
			p.wires([]string{"HEADERS 1 NO_END_HEADERS GET", "PING"},
				[]string{"HEADERS 1 NO_END_HEADERS GET", "CONTINUATION 3 a=b"})
		},
		what:    "the last stream that a GOAWAY for a fault names",
		why:     whyGoAwayLast,
		nethttp: `wire: GOAWAY 0 PROTOCOL_ERROR; next; GOAWAY 0 PROTOCOL_ERROR`,
		weir:    `wire: GOAWAY 1 PROTOCOL_ERROR; next; GOAWAY 1 PROTOCOL_ERROR`,
	},
	{
		name:    "9113-4.3/a_block_that_cannot_be_decoded",
		handler: nothing,
		client:  func(p *play) { p.wire("RAW 1 5 1 ffffffffffff") },
		want:    `wire: GOAWAY 1 COMPRESSION_ERROR`,
	},
	{
		name:    "9113-4.2/frames_of_the_wrong_length",
		handler: waitsQuietly,
		client: func(p *play) {
			for _, l := range []string{"RAW 3 0 1 0000", "RAW 8 0 1 000000", "RAW 8 0 0 0000000001",
				"RAW 7 0 0 00000000"} {
				peer := p.manual()
				p.send(peer, "HEADERS 1 END_STREAM GET")
				synctest.Wait()
				p.send(peer, l)
				p.frames(peer)
			}
		},
		want: `wire: GOAWAY 1 FRAME_SIZE_ERROR; GOAWAY 1 FRAME_SIZE_ERROR; GOAWAY 1 ` +
			`FRAME_SIZE_ERROR; ` +
			`GOAWAY 1 FRAME_SIZE_ERROR`,
	},
	{
		name:    "9113-6.1/padding_longer_than_the_frame",
		handler: waitsQuietly,
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 POST")
			synctest.Wait()
			p.send(peer, "RAW 0 8 1 0500")
			p.frames(peer)
		},
		want: `wire: GOAWAY 1 PROTOCOL_ERROR`,
	},
	{
		name:    "9113-6.8/GOAWAY_on_a_stream",
		handler: nothing,
		client:  func(p *play) { p.wire("RAW 7 0 1 0000000000000000") },
		want:    `wire: GOAWAY 0 PROTOCOL_ERROR`,
	},
	{
		name:    "9113-6.8/GOAWAY_with_an_error_of_the_client",
		handler: writes("answer"),
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 END_STREAM GET")
			p.frames(peer)
			p.send(peer, "GOAWAY 0 INTERNAL_ERROR")
			synctest.Wait()
			time.Sleep(time.Minute)
			p.note("wire", "%s", broken(peer.Err()))
		},
		want: `wire: HEADERS 1 :status=200 content-length=6 "content-type=text/plain; ` +
			`charset=utf-8" date=now; DATA 1 END_STREAM "answer"; error`,
	},
	{
		name:    "9113-8.1/requests_behind_GOAWAY_of_the_client",
		handler: echo,
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 POST", "GOAWAY 0 NO_ERROR")
			synctest.Wait()
			p.send(peer, "DATA 1 END_STREAM")
			for f, err := peer.Next(); err == nil; f, err = peer.Next() {
				if f.Stream == 1 && f.Type != http2.FrameWindowUpdate {
					p.note("wire", "%v %s%s", f.Type, f.Field(":status"), f.Data)
				}
			}
			p.note("wire", "%s", broken(peer.Err()))
		},
		want: `handler: EOF | wire: HEADERS 200; error`,
	},
	{
		name:    "7541-4.2/a_table_size_over_the_limit",
		handler: nothing,
		client:  func(p *play) { p.wire("RAW 1 5 1 3fe2ff03") },
		want:    `wire: GOAWAY 1 COMPRESSION_ERROR`,
	},
	{
		name:    "7541-6.2/literals_that_are_never_indexed",
		handler: showHeader,
		client: func(p *play) {
			peer := p.manual()
			b := []byte{0x82, 0x84, 0x87, 0x01, 0x01, 'a', 0x10, 0x03, 'x', '-', 's', 0x01, 's',
				0x00, 0x03, 'x', '-', 'l', 0x01, 'l'}
			if !p.secure {
				b[2] = 0x86
			}
			peer.WriteRaw(h2test.AppendFrame(nil, http2.FrameHeaders, 5, 1, b))
			p.frames(peer)
		},
		want: `handler: X-L=["l"] X-S=["s"] | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-4.2/a_frame_that_is_too_large",
		handler: nothing,
		client: func(p *play) {
			peer := p.manual()
			peer.WriteRaw(h2test.AppendFrame(nil, http2.FramePing, 0, 0, make([]byte, 1<<24-1)))
			p.frames(peer)
		},
		want: `wire: GOAWAY 0 FRAME_SIZE_ERROR`,
	},
	{
		name:    "9113-8.3/pseudo_fields_that_are_wrong",
		handler: nothing,
		client: func(p *play) {
			p.wires([]string{"HEADERS 1 END_STREAM GET :method=GET"},
				[]string{"HEADERS 1 END_STREAM GET :odd=x"},
				[]string{"HEADERS 1 END_STREAM GET :status=200"},
				[]string{"HEADERS 1 END_STREAM a=b GET"},
				[]string{"HEADERS 1 END_STREAM GET :path="})
		},
		what:    "a malformed request",
		nethttp: "wire: " + strings.Repeat("RST_STREAM 1 PROTOCOL_ERROR; next; ", 4) + "RST_STREAM 1 PROTOCOL_ERROR",
		weir:    "wire: " + strings.Repeat(refused400+"; next; ", 4) + refused400,
		why:     refused400Why,
	},
	{
		name:    "9113-5.1/DATA_after_END_STREAM",
		handler: func(_ *play, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		client:  func(p *play) { p.wire("HEADERS 1 END_STREAM POST", `DATA 1 "x"`) },
		want:    `wire: RST_STREAM 1 STREAM_CLOSED`,
	},
	{
		name:    "9113-5.1/HEADERS_after_END_STREAM",
		handler: func(_ *play, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		client:  func(p *play) { p.wire("HEADERS 1 END_STREAM POST", "HEADERS 1 END_STREAM a=b") },
		want:    `wire: RST_STREAM 1 STREAM_CLOSED`,
	},
	{
		name: "9113-5.1/DATA_after_a_reset_of_the_server",
		handler: func(_ *play, _ http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				panic(http.ErrAbortHandler)
			}
		},
		client: func(p *play) {
			peer := p.manual()
			p.send(peer, "HEADERS 1 POST")
			p.frames(peer)
			p.send(peer, `DATA 1 "in flight"`, "HEADERS 1 END_STREAM a=b",
				"HEADERS 3 END_STREAM GET")
			p.frames(peer)
		},
		what: "frames of a stream that the server has reset",
		why:  "ignored: they were under way (RFC 9113, 5.1)",
		nethttp: `wire: RST_STREAM 1 INTERNAL_ERROR; RST_STREAM 1 STREAM_CLOSED; GOAWAY 1 ` +
			`PROTOCOL_ERROR`,
		weir: `wire: RST_STREAM 1 INTERNAL_ERROR; ` +
			`HEADERS 3 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-6.9/more_DATA_than_the_window",
		handler: func(_ *play, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		server: func(_ *play, hs *http.Server) {
			hs.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 65535,
				MaxReceiveBufferPerConnection: 1 << 20}
		},
		client: func(p *play) {
			lines := []string{"HEADERS 1 POST"}
			for range 4 {
				lines = append(lines, "DATA 1 LEN=16384")
			}
			p.wire(lines...)
		},
		want: `wire: RST_STREAM 1 FLOW_CONTROL_ERROR`,
	},
	{
		name:    "9113-6.8/GOAWAY_and_new_streams",
		handler: nothing,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			tn := p.open(peer, true, "GET", "/")
			p.told(tn)
			p.hs.Shutdown(p.t.Context())
			_, err := peer.Wait(patient)
			p.note("client", "%v %v", peer.GoAway(), err)
		},
		want: `client: 200; GOAWAY 1 NO_ERROR <nil>`,
	},
	{
		name:    "9113-3.4/no_preface",
		handler: nothing,
		secure:  true,
		client: func(p *play) {
			nc := p.conn()
			defer nc.Close()
			io.WriteString(nc, strings.Repeat("GET / HTTP/1.1\r\n", 10))
			nc.SetReadDeadline(time.Now().Add(patient))
			_, err := io.Copy(io.Discard, nc)
			p.note("client", "%s", fault(err))
		},
		want: `client: ok`,
	},
	{
		name:    "9113-3.4/the_first_frame_is_no_SETTINGS",
		handler: nothing,
		client: func(p *play) {
			nc := p.conn()
			peer := h2test.New(nc, h2test.Options{Manual: true, NoPreface: true})
			defer peer.Close()
			peer.WriteRaw([]byte(http2.ClientPreface))
			peer.Send("PING")
			p.frames(peer)
		},
		want: `wire: GOAWAY 0 PROTOCOL_ERROR`,
	},
}
