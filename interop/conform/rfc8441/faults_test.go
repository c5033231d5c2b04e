package rfc8441

import (
	"slices"
	"strings"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// says makes a fault of what the server says, hears one of what it hears.
func says(a alter) fault  { return func() (up, down alter) { return nil, a } }
func hears(a alter) fault { return func() (up, down alter) { return a, nil } }

// pass is a frame that goes on as it is.
func pass(fs ...h2test.Frame) []h2test.Frame { return fs }

// answers alters the final answers to extended CONNECT that open a tunnel.
func answers(change func(f *h2test.Frame)) fault {
	return says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameHeaders && f.Field(":status") == "200" && f.Field("content-type") == "" {
			f.Fields = slices.Clone(f.Fields)
			change(&f)
		}
		return pass(f)
	})
}

// status changes the status of an answer.
func status(code string) func(f *h2test.Frame) {
	return func(f *h2test.Frame) { f.Fields[0].Value = code }
}

// extra adds a field to an answer.
func extra(name, value string) func(f *h2test.Frame) {
	return func(f *h2test.Frame) { f.Fields = append(f.Fields, hpack.HeaderField{Name: name, Value: value}) }
}

// requests alters the header of what the server is asked.
func requests(change func(f *h2test.Frame)) fault {
	return hears(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Fields != nil {
			f.Fields = slices.Clone(f.Fields)
			change(&f)
		}
		return pass(f)
	})
}

// dropped takes frames away for which of says so.
func dropped(of func(f h2test.Frame) bool) alter {
	return func(_ *link, f h2test.Frame) []h2test.Frame {
		if of(f) {
			return nil
		}
		return pass(f)
	}
}

func is(kind http2.FrameType, flags http2.Flags) func(f h2test.Frame) bool {
	return func(f h2test.Frame) bool { return f.Type == kind && f.Flags&flags == flags }
}

// opened are the streams of a connection that the server answered 200.
type opened map[uint32]bool

func (o opened) note(f h2test.Frame) {
	if f.Type == http2.FrameHeaders && f.Field(":status") == "200" {
		o[f.Stream] = true
	}
}

// settles is says for a server that sends more SETTINGS than the one behind the relay knows of.
func settles(a alter) fault {
	return func() (up, down alter) {
		acks := 0
		return func(_ *link, f h2test.Frame) []h2test.Frame {
			if f.Type == http2.FrameSettings && f.Flags.Has(http2.FlagSettingsAck) {
				if acks++; acks > 1 {
					return nil
				}
			}
			return pass(f)
		}, a
	}
}

// larger is a server that sends nothing on a window of less than so many octets: it does not hear
// of what makes it no larger.
func larger(than uint32) fault {
	return func() (up, down alter) {
		held := map[uint32]uint32{0: 0}
		return func(_ *link, f h2test.Frame) []h2test.Frame {
			switch {
			case f.Type == http2.FrameHeaders:
				held[f.Stream] = 0
			case f.Type == http2.FrameSettings && len(f.Settings) > 0:
				ss := slices.Clone(f.Settings)
				for i := range ss {
					if ss[i].ID == http2.SettingInitialWindowSize && ss[i].Val < than {
						ss[i].Val = 0
					}
				}
				return pass(settings(ss...))
			case f.Type == http2.FrameWindowUpdate && f.Inc > 0:
				n, known := held[f.Stream]
				if known && n+f.Inc < than {
					held[f.Stream] = n + f.Inc
					return nil
				}
				if n > 0 {
					held[f.Stream] = 0
					return pass(increment(f.Stream, n), f)
				}
			}
			return pass(f)
		}, nil
	}
}

// brokenServer is a server that is broken in one way.
type brokenServer struct {
	name   string
	broken fault
	run    string // the groups that are run
	found  string // the cases that are not OK then; with ~ those that are not strict
}

// faults are servers that are broken in one way each, and the cases that find it.
var faults = []brokenServer{
	{"sends no ENABLE_CONNECT_PROTOCOL", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameSettings && len(f.Settings) > 0 {
			return pass(settings(slices.DeleteFunc(f.Settings, func(s http2.Setting) bool { return s.ID == enableConnectProtocol })...))
		}
		return pass(f)
	}), "8441.settings,8441.connect,8441.answer", "settings.first"},
	{"sends ENABLE_CONNECT_PROTOCOL in a second SETTINGS", settles(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameSettings && len(f.Settings) > 0 {
			return pass(settings(), f)
		}
		return pass(f)
	}), "8441.settings,8441.connect", "settings.first"},
	{"takes ENABLE_CONNECT_PROTOCOL back", settles(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Field(":status") == "200" {
			return pass(f, settings(http2.Setting{ID: enableConnectProtocol, Val: 0}))
		}
		return pass(f)
	}), "8441.settings,8441.connect", "settings.kept"},
	{"refuses clients that do not send ENABLE_CONNECT_PROTOCOL", func() (up, down alter) {
		told := false
		return func(l *link, f h2test.Frame) []h2test.Frame {
			for _, s := range f.Settings {
				told = told || s.ID == enableConnectProtocol && s.Val == 1
			}
			if f.Fields != nil && f.Field(":protocol") != "" && !told {
				l.toClient(rst(f.Stream, http2.ErrCodeProtocol))
				f.Fields = slices.DeleteFunc(slices.Clone(f.Fields), func(h hpack.HeaderField) bool { return h.Name == ":protocol" })
			}
			return pass(f)
		}, nil
	}, "8441.settings", "settings.ack settings.client-zero settings.frame-size-value settings.kept settings.push settings.repeated settings.stream settings.table-zero settings.unknown settings.unsent"},
	{"does not acknowledge SETTINGS", says(dropped(is(http2.FrameSettings, http2.FlagSettingsAck))), "8441.settings", "settings.ack settings.kept settings.repeated settings.table-zero settings.unknown"},
	{"says ENABLE_PUSH=1", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if len(f.Settings) > 0 {
			return pass(settings(append(f.Settings, http2.Setting{ID: http2.SettingEnablePush, Val: 1})...))
		}
		return pass(f)
	}), "8441.settings", "settings.push"},

	{"answers 201", answers(status("201")), "8441.answer,8441.connect,8441.negotiate", "answer.status"},
	{"answers 204 with END_STREAM", answers(func(f *h2test.Frame) { status("204")(f); f.Flags |= http2.FlagHeadersEndStream }), "8441.answer", "answer.names answer.once answer.open answer.status"},
	{"answers 101", answers(status("101")), "8441.answer", "answer.accept answer.connection-fields answer.content-length answer.names answer.once answer.open answer.status"},
	{"sends Sec-WebSocket-Accept", answers(extra("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")), "8441.answer,8441.connect", "answer.accept"},
	{"sends Upgrade", answers(extra("upgrade", "websocket")), "8441.answer,8441.connect", "answer.connection-fields"},
	{"sends Content-Length", answers(extra("content-length", "0")), "8441.answer,8441.connect", "answer.content-length"},
	{"sends capitals", answers(extra("Sec-WebSocket-Capital", "1")), "8441.answer,8441.connect", "answer.names"},
	{"sends an extension that nobody offered", answers(extra("sec-websocket-extensions", "permessage-bzip2")), "8441.negotiate", "negotiate.both negotiate.deflate negotiate.deflate-bad negotiate.deflate-client-bits negotiate.deflate-context negotiate.deflate-corrupt negotiate.deflate-cut negotiate.deflate-echo negotiate.deflate-fallback negotiate.deflate-server-bits negotiate.deflate-server-takeover negotiate.nothing negotiate.unknown"},
	{"sends a subprotocol that nobody offered", answers(extra("sec-websocket-protocol", "mqtt")), "8441.negotiate", "negotiate.both negotiate.nothing negotiate.subprotocol"},
	{"agrees to too many bits", answers(func(f *h2test.Frame) {
		for i, h := range f.Fields {
			f.Fields[i].Value = strings.Replace(h.Value, "server_max_window_bits=10", "server_max_window_bits=11", 1)
		}
	}), "8441.negotiate", "negotiate.deflate-server-bits"},

	{"knows :protocol with its own case alone", requests(func(f *h2test.Frame) {
		for i, h := range f.Fields {
			if h.Name == ":protocol" && h.Value != "websocket" && strings.EqualFold(h.Value, "websocket") {
				f.Fields[i].Value = "other"
			}
		}
	}), "8441.connect,8441.refuse", "connect.protocol-case"},
	{"takes every :protocol for websocket", requests(func(f *h2test.Frame) {
		for i, h := range f.Fields {
			if h.Name == ":protocol" {
				f.Fields[i].Value = "websocket"
			}
		}
	}), "8441.connect,8441.refuse,8441.answer,8441.many.second,8441.many.bad-one,8441.many.two", "answer.length answer.names many.bad-one many.second refuse.answer-ends refuse.protocol-empty refuse.protocol-http refuse.protocol-octets refuse.protocol-token refuse.protocol-unknown"},
	{"takes a CONNECT with END_STREAM", hears(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Field(":method") == "CONNECT" {
			f.Flags &^= http2.FlagHeadersEndStream
		}
		return pass(f)
	}), "8441.connect,8441.refuse,8441.end", "refuse.end-stream"},
	{"takes connection-specific fields and other fields that are none", requests(func(f *h2test.Frame) {
		f.Fields = slices.DeleteFunc(f.Fields, func(h hpack.HeaderField) bool {
			return !strings.HasPrefix(h.Name, ":") && !strings.HasPrefix(h.Name, "sec-") && h.Name != "content-length"
		})
	}), "8441.connect,8441.refuse", "refuse.connection-fields refuse.host-differs refuse.names refuse.te refuse.values"},
	{"takes pseudo fields twice, late, unknown", requests(func(f *h2test.Frame) {
		seen := map[string]bool{}
		f.Fields = slices.DeleteFunc(f.Fields, func(h hpack.HeaderField) bool {
			twice := seen[h.Name]
			seen[h.Name] = strings.HasPrefix(h.Name, ":")
			return twice || h.Name == ":status" || h.Name == ":unknown"
		})
		regular := slices.DeleteFunc(slices.Clone(f.Fields), func(h hpack.HeaderField) bool { return h.Name[0] == ':' })
		f.Fields = append(slices.DeleteFunc(f.Fields, func(h hpack.HeaderField) bool { return h.Name[0] != ':' }), regular...)
	}), "8441.refuse,8441.connect", "refuse.pseudo-late refuse.pseudo-twice refuse.pseudo-unknown"},
	{"does without :path", requests(func(f *h2test.Frame) {
		if f.Field(":protocol") != "" && f.Field(":path") == "" {
			f.Fields = slices.Insert(slices.DeleteFunc(f.Fields, func(h hpack.HeaderField) bool { return h.Name == ":path" }), 0, hpack.HeaderField{Name: ":path", Value: "/echo"})
		}
	}), "8441.refuse", "refuse.no-path refuse.path-empty"},
	{"does without a version", requests(func(f *h2test.Frame) {
		for i, h := range f.Fields {
			if h.Name == "sec-websocket-version" {
				f.Fields[i].Value = "13"
				return
			}
		}
		f.Fields = append(f.Fields, hpack.HeaderField{Name: "sec-websocket-version", Value: "13"})
	}), "8441.refuse", "refuse.version-missing refuse.version-text refuse.version-unknown"},
	{"chokes on content-length: 0", requests(func(f *h2test.Frame) {
		if f.Field("content-length") == "0" {
			f.Fields = append(f.Fields, hpack.HeaderField{Name: "upgrade", Value: "x"})
		}
	}), "8441.connect", "connect.content-length-zero"},
	{"tells an error of the connection for each of a stream", says(func(l *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameRSTStream && f.Code != http2.ErrCodeNo {
			l.toClient(h2test.Frame{Type: http2.FrameGoAway, Payload: []byte{0, 0, 0, 0, 0, 0, 0, byte(f.Code)}})
			l.close()
		}
		return pass(f)
	}), "8441.refuse,8441.control,8441.many.bad-one,8441.many.limit", "control.headers control.headers-open many.bad-one many.limit refuse.connection-fields refuse.host-differs refuse.names refuse.no-authority refuse.no-method refuse.no-path refuse.no-protocol refuse.no-scheme refuse.path-empty refuse.path-relative refuse.protocol-empty refuse.protocol-get refuse.protocol-octets refuse.protocol-token refuse.pseudo-late refuse.pseudo-twice refuse.pseudo-unknown refuse.te refuse.values"},
	{"ends the connection when a stream is reset", hears(func(l *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameRSTStream {
			l.close()
		}
		return pass(f)
	}), "8441.reset,8441.end,8441.many.second,8441.many.bad-one,8441.many.two", "end.credit many.bad-one many.second reset.after-theirs reset.answered reset.at-once reset.closed reset.closing reset.codes reset.control reset.echoing reset.fragment reset.header reset.idle reset.idle-stream reset.key reset.message reset.payload reset.stalled"},

	{"takes padding for octets of the WebSocket", hears(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameData && f.Flags.Has(http2.FlagDataPadded) {
			return pass(data(f.Stream, f.Fin(), f.Payload))
		}
		return pass(f)
	}), "8441.frames,8441.end,8441.flow.balance,8441.flow.padding,8441.flow.message", "flow.balance flow.padding frames.padded frames.padding-only"},
	{"gives no credit for padding", func() (up, down alter) {
		debt := map[uint32]uint32{}
		return func(_ *link, f h2test.Frame) []h2test.Frame {
				if f.Type == http2.FrameData {
					pad := uint32(len(f.Payload) - len(f.Data))
					debt[f.Stream] += pad
					debt[0] += pad
				}
				return pass(f)
			}, func(_ *link, f h2test.Frame) []h2test.Frame {
				if f.Type == http2.FrameWindowUpdate {
					n := min(f.Inc, debt[f.Stream])
					debt[f.Stream] -= n
					if f.Inc == n {
						return nil
					}
					return pass(increment(f.Stream, f.Inc-n))
				}
				return pass(f)
			}
	}, "8441.frames,8441.flow.balance,8441.flow.padding,8441.flow.message", "flow.padding"},
	{"gives no credit for the connection", says(dropped(func(f h2test.Frame) bool { return f.Type == http2.FrameWindowUpdate && f.Stream == 0 })), "8441.flow,8441.many.large-beside-small", "flow.closed-credit flow.echo flow.message flow.overrun flow.padding flow.refused-credit flow.reset-credit flow.stalled flow.stalled-many many.large-beside-small"},
	{"gives no credit for a stream", says(dropped(func(f h2test.Frame) bool { return f.Type == http2.FrameWindowUpdate && f.Stream != 0 })), "8441.flow,8441.many.large-beside-small", "flow.echo flow.message flow.overrun flow.padding many.large-beside-small"},
	{"takes each window for twice as wide", hears(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameWindowUpdate && f.Inc > 0 && f.Inc < 1<<29 {
			return pass(increment(f.Stream, 2*f.Inc))
		}
		return pass(f)
	}), "8441.windows", "windows.connection-one windows.negative windows.one-by-one"},
	{"does not hear of INITIAL_WINDOW_SIZE", hears(func(_ *link, f h2test.Frame) []h2test.Frame {
		if len(f.Settings) > 0 {
			return pass(settings(slices.DeleteFunc(f.Settings, func(s http2.Setting) bool { return s.ID == http2.SettingInitialWindowSize })...))
		}
		return pass(f)
	}), "8441.windows,8441.end", "end.data end.headers end.queued windows.all-streams windows.close-waits windows.fair windows.large windows.negative windows.one-by-one windows.overflow-setting windows.overflow-shift windows.raised windows.zero"},
	{"ignores WINDOW_UPDATE 0 and overflows", hears(dropped(func(f h2test.Frame) bool {
		return f.Type == http2.FrameWindowUpdate && (f.Inc == 0 || f.Inc == 1<<31-1)
	})), "8441.windows,8441.reset,8441.goaway,8441.many.bad-one", "goaway.last many.bad-one reset.after-theirs windows.overflow windows.overflow-connection windows.zero-increment windows.zero-increment-connection"},

	{"loses DATA of one octet", hears(dropped(func(f h2test.Frame) bool { return f.Type == http2.FrameData && len(f.Payload) == 1 && !f.Fin() })), "8441.frames", "frames.cut frames.cut-length frames.empty frames.octets frames.utf8-cut"},
	{"takes empty DATA for the end", hears(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameData && len(f.Data) == 0 {
			f.Flags |= http2.FlagDataEndStream
		}
		return pass(f)
	}), "8441.frames", "frames.cut frames.empty frames.padding-only"},
	{"takes frames that are not masked", hears(func(_ *link, f h2test.Frame) []h2test.Frame {
		if string(f.Data) == "\x81\x08unmasked" {
			return pass(data(f.Stream, f.Fin(), []byte("\x81\x88\x00\x00\x00\x00unmasked")))
		}
		return pass(f)
	}), "8441.frames,8441.many.bad-one", "frames.unmasked many.bad-one"},
	{"masks its frames", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameData && len(f.Data) > 2 && f.Data[0] == 0x81 && f.Data[1] < 126 {
			return pass(data(f.Stream, f.Fin(), slices.Concat([]byte{0x81, f.Data[1] | 0x80, 0, 0, 0, 0}, f.Data[2:])))
		}
		return pass(f)
	}), "8441.frames", "frames.continuation frames.cut frames.empty frames.fragments frames.interrupted frames.joined frames.joined-close frames.joined-cut frames.octets frames.opcode frames.order frames.padded frames.padding-only frames.padding-over frames.rsv frames.text frames.too-large-data frames.unmasked frames.unmasked-server frames.utf8-bad frames.utf8-cut"},
	{"waits for 64 octets of window before it sends", larger(64), "8441.windows", "windows.all-streams~ windows.connection-one~ windows.negative~ windows.one-by-one~ windows.raised~"},
	{"answers no HTTP/2 PING", says(dropped(is(http2.FramePing, http2.FlagPingAck))), "8441.control", "control.http2-ping control.priority control.priority-update"},
	{"gives up at frames of unknown types", hears(func(l *link, f h2test.Frame) []h2test.Frame {
		if f.Type > 0x10 {
			l.close()
		}
		return pass(f)
	}), "8441.control", "control.unknown-frame"},
	{"takes no notice of HEADERS on a tunnel", hears(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Field("x-trailer") != "" || f.Field("x-late") != "" {
			return nil
		}
		return pass(f)
	}), "8441.control,8441.end", "control.headers control.headers-open end.headers"},

	{"sends no END_STREAM behind its close frame", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameData && f.Fin() {
			f.Flags &^= http2.FlagDataEndStream
		}
		return pass(f)
	}), "8441.close", "close.again close.before close.behind close.code-bad close.codes close.cut close.empty close.end-later close.end-never close.end-stream close.fragmented close.one-octet close.reason-bad close.reason-long"},
	{"resets in place of END_STREAM", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameData && f.Fin() {
			f.Flags &^= http2.FlagDataEndStream
			return pass(f, rst(f.Stream, http2.ErrCodeCancel))
		}
		return pass(f)
	}), "8441.close,8441.end", "close.again close.before close.behind close.code-bad close.codes close.cut close.empty close.end-later close.end-never close.end-stream close.fragmented close.one-octet close.reason-bad close.reason-long end.control end.credit end.fragment end.header end.idle end.key end.message end.padded end.payload end.queued end.with-message"},
	{"drops its close frames", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameData && len(f.Data) >= 2 && f.Data[0] == 0x88 {
			return pass(data(f.Stream, f.Fin(), nil))
		}
		return pass(f)
	}), "8441.close", "close.again close.behind close.code-bad close.codes close.cut close.empty close.end-later close.end-never close.end-stream close.fragmented close.one-octet close.reason-bad close.reason-long"},
	{"does not hear END_STREAM", hears(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameData {
			f.Flags &^= http2.FlagDataEndStream
		}
		return pass(f)
	}), "8441.end,8441.close", "end.control end.data end.fragment end.header end.headers end.idle end.key end.message end.padded end.payload end.queued end.with-message"},
	{"does not hear RST_STREAM", hears(dropped(func(f h2test.Frame) bool { return f.Type == http2.FrameRSTStream && len(f.Payload) == 4 })), "8441.reset,8441.many.second", "reset.echoing reset.idle-stream"},
	{"answers RST_STREAM with RST_STREAM", hears(func(l *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameRSTStream {
			l.toClient(rst(f.Stream, http2.ErrCodeCancel))
		}
		return pass(f)
	}), "8441.reset", "reset.answered reset.echoing reset.idle-stream"},
	{"goes on after END_STREAM", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameData && f.Fin() {
			return pass(f, data(f.Stream, false, []byte("\x81\x00")))
		}
		return pass(f)
	}), "8441.close", "close.again close.behind close.code-bad close.codes close.cut close.end-later close.end-never close.end-stream close.one-octet close.reason-bad close.reason-long"},
	{"ends the connection at GOAWAY", hears(func(l *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameGoAway {
			l.close()
		}
		return pass(f)
	}), "8441.goaway", "goaway.closes goaway.connect goaway.live goaway.stream goaway.twice goaway.unknown-code"},
	{"opens more streams than it says", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if len(f.Settings) > 0 {
			ss := slices.Clone(f.Settings)
			for i := range ss {
				if ss[i].ID == http2.SettingMaxConcurrentStreams {
					ss[i].Val = 20
				}
			}
			return pass(settings(ss...))
		}
		return pass(f)
	}), "8441.many", "many.limit"},
	{"opens a second WebSocket never", func() (up, down alter) {
		asked := 0
		return func(l *link, f h2test.Frame) []h2test.Frame {
			if f.Field(":protocol") != "" {
				if asked++; asked > 1 {
					l.toClient(rst(f.Stream, http2.ErrCodeInternal))
				}
			}
			return pass(f)
		}, nil
	}, "8441.many,8441.close", "close.again close.behind close.code-bad close.codes close.cut close.end-later close.end-never close.end-stream close.one-octet close.reason-bad close.reason-long many.bad-one many.fifty many.id-gap many.id-lower many.interleaved many.large-beside-small many.limit many.second many.two"},
	{"leaves ordinary requests without an answer", func() (up, down alter) {
		o := opened{}
		return nil, func(_ *link, f h2test.Frame) []h2test.Frame {
			o.note(f)
			if (f.Type == http2.FrameHeaders || f.Type == http2.FrameData) && !o[f.Stream] {
				return nil
			}
			return pass(f)
		}
	}, "8441.plain", "plain.get plain.head plain.many plain.post plain.upgrade-get"},
	{"ends no answer to an ordinary request", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameHeaders || f.Type == http2.FrameData && len(f.Data) != 0 && f.Data[0] < 128 {
			f.Flags &^= http2.FlagDataEndStream
		}
		return pass(f)
	}), "8441.plain", "plain.get plain.head plain.many plain.post plain.upgrade-get"},
	{"ends the tunnel with its answer", answers(func(f *h2test.Frame) { f.Flags |= http2.FlagHeadersEndStream }), "8441.answer", "answer.names answer.once answer.open"},
	{"says a wrong length", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Field(":status") == "501" {
			f.Fields = append(slices.DeleteFunc(slices.Clone(f.Fields), func(h hpack.HeaderField) bool { return h.Name == "content-length" }), hpack.HeaderField{Name: "content-length", Value: "999"})
		}
		return pass(f)
	}), "8441.answer", "answer.length"},
	{"answers twice", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Field(":status") == "200" {
			return pass(f, f)
		}
		return pass(f)
	}), "8441.answer", "answer.accept answer.connection-fields answer.content-length answer.names answer.once answer.open answer.status"},
	{"closes with 1000 whatever it was", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameData && len(f.Data) == 4 && f.Data[0] == 0x88 {
			return pass(data(f.Stream, f.Fin(), []byte{0x88, 2, 3, 232}))
		}
		return pass(f)
	}), "8441.close,8441.frames", "close.code-bad close.one-octet close.reason-bad close.reason-long frames.continuation frames.interrupted frames.opcode frames.rsv frames.unmasked frames.utf8-bad"},
	{"closes with the code that it was sent, whatever it is", func() (up, down alter) {
		sent := map[uint32][]byte{}
		return func(_ *link, f h2test.Frame) []h2test.Frame {
				if b := f.Data; len(b) >= 8 && b[0] == 0x88 && b[1] >= 0x82 {
					sent[f.Stream] = []byte{0x88, 2, b[6] ^ b[2], b[7] ^ b[3]}
				}
				return pass(f)
			}, func(_ *link, f h2test.Frame) []h2test.Frame {
				if b := f.Data; len(b) == 4 && b[0] == 0x88 && sent[f.Stream] != nil {
					return pass(data(f.Stream, f.Fin(), sent[f.Stream]))
				}
				return pass(f)
			}
	}, "8441.close", "close.code-bad close.reason-bad close.reason-long"},
	{"talks on behind its close frame", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameData && len(f.Data) > 1 && f.Data[0] == 0x88 {
			return pass(data(f.Stream, f.Fin(), slices.Concat(f.Data, []byte("\x81\x04more"))))
		}
		return pass(f)
	}), "8441.close", "close.again close.behind close.code-bad close.codes close.cut close.empty close.end-later close.end-never close.end-stream close.fragmented close.one-octet close.reason-bad close.reason-long"},
	{"names no stream in GOAWAY", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameGoAway {
			f.Payload = append([]byte{0, 0, 0, 0}, f.Payload[4:]...)
		}
		return pass(f)
	}), "8441.goaway", "goaway.last"},
	{"ends connections without GOAWAY", says(dropped(is(http2.FrameGoAway, 0))), "8441.control,8441.many.data-stream-0,8441.many.end-headers-stream-0,8441.many.id-again,8441.many.id-even,8441.many.id-lower,8441.refuse.hpack,8441.settings", "control.continuation control.http2-ping-stream control.interleaved control.push many.data-stream-0 many.end-headers-stream-0 many.id-again many.id-even many.id-lower refuse.hpack settings.client-two settings.frame-size-value settings.push-value settings.stream"},
	{"says MAX_FRAME_SIZE=100", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if len(f.Settings) > 0 {
			return pass(settings(append(f.Settings, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 100})...))
		}
		return pass(f)
	}), "8441.settings", "settings.values"},
	{"answers pings late", func() (up, down alter) {
		var held []h2test.Frame
		return nil, func(_ *link, f h2test.Frame) []h2test.Frame {
			if len(f.Data) > 1 && f.Data[0] == 0x8a {
				held = append(held, f)
				return nil
			}
			out := append([]h2test.Frame{f}, held...)
			held = nil
			return out
		}
	}, "8441.control", "control.ping control.ping-between control.ping-cut"},
	{"cuts characters out of text that it got in parts", hears(func(_ *link, f h2test.Frame) []h2test.Frame {
		if n := len(f.Data); f.Type == http2.FrameData && n == 7 && f.Data[0]&0x8f == 0x80 {
			return nil
		}
		return pass(f)
	}), "8441.frames", "frames.utf8-cut"},
	{"pushes", says(func(_ *link, f h2test.Frame) []h2test.Frame {
		if f.Type == http2.FrameSettings && f.Flags.Has(http2.FlagSettingsAck) {
			return pass(f, h2test.Frame{Type: http2.FramePushPromise, Flags: 4, Stream: 1, Payload: []byte{0, 0, 0, 2, 0x82}})
		}
		return pass(f)
	}), "8441.settings", "settings.ack settings.client-one settings.client-zero settings.frame-size-value settings.kept settings.push settings.repeated settings.stream settings.table-zero settings.unknown settings.unsent"},
}
