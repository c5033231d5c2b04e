package h3_test

import (
	"bytes"
	"cmp"
	"slices"
	"testing"
	"time"

	"weir/h3/h3test"
)

// Short names for the tables.
const (
	unexpected    = h3test.FrameUnexpected
	malformed     = h3test.MessageError
	decompression = h3test.DecompressionFailed
	creation      = h3test.StreamCreationError
	critical      = h3test.ClosedCriticalStream
	encoder       = h3test.StreamQPACKEncoder
	decoder       = h3test.StreamQPACKDecoder
)

// TestMalformedRequests: a malformed request is a stream error (RFC 9114, 4.1.2), and the
// connection and its other requests live.
func TestMalformedRequests(t *testing.T) {
	get := []string{":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/ok"}
	connect := []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https",
		":authority", "a", ":path", "/ws", "sec-websocket-version", "13"}
	with := func(base []string, more ...string) []string {
		return append(base[:len(base):len(base)], more...)
	}
	without := func(base []string, name string) (out []string) {
		for i := 0; i < len(base); i += 2 {
			if base[i] != name {
				out = append(out, base[i], base[i+1])
			}
		}
		return out
	}
	change := func(base []string, name, value string) []string {
		out := with(base)
		for i := 0; i < len(out); i += 2 {
			if out[i] == name {
				out[i+1] = value
			}
		}
		return out
	}
	rows := []struct {
		name   string
		fields []string
	}{
		{"9114-4.3.1/no_method", without(get, ":method")},
		{"9114-4.3.1/no_path", without(get, ":path")},
		{"9114-4.3.1/no_authority", without(get, ":authority")},
		{"9114-4.3.1/empty_path", change(get, ":path", "")},
		{"9114-4.3.1/path_without_slash", change(get, ":path", "ok")},
		{"9114-4.3.1/userinfo", change(get, ":authority", "u@a")},
		{"9114-4.3.1/host_differs", with(get, "host", "b")},
		{"9114-4.3.1/host_twice", with(get, "host", "a", "host", "a")},
		{"9114-4.3/unknown_pseudo", with(get[:2:2], append([]string{":x", "y"}, get[2:]...)...)},
		{"9114-4.3/status", with(get[:2:2], append([]string{":status", "200"}, get[2:]...)...)},
		{"9114-4.3/pseudo_twice", with(get[:2:2], append([]string{":path", "/x"}, get[2:]...)...)},
		{"9114-4.3/pseudo_behind_field", with(without(get, ":path"), "a", "b", ":path", "/ok")},
		{"9114-4.2/upper_case", with(get, "X-A", "b")},
		{"9114-4.2/bad_name", with(get, "a b", "c")},
		{"9114-4.2/empty_name", with(get, "", "c")},
		{"9114-4.2/connection", with(get, "connection", "close")},
		{"9114-4.2/transfer_encoding", with(get, "transfer-encoding", "chunked")},
		{"9114-4.2/upgrade", with(get, "upgrade", "websocket")},
		{"9114-4.2/keep_alive", with(get, "keep-alive", "1")},
		{"9114-4.2/te", with(get, "te", "gzip")},
		{"9114-10.3/value_with_newline", with(get, "x", "a\r\nb: c")},
		{"9114-10.3/value_with_nul", with(get, "x", "a\x00b")},
		{"9114-4.1.2/content_length_twice", with(get, "content-length", "1", "content-length", "2")},
		{"9114-4.1.2/content_length_no_number", with(get, "content-length", "x")},
		{"9220-3/protocol_on_get",
			with(get[:2:2], append([]string{":protocol", "websocket"}, get[2:]...)...)},
		{"9220-3/empty_protocol", change(connect, ":protocol", "")},
		{"9220-3/bad_protocol", change(connect, ":protocol", "web socket")},
		{"9220-3/no_scheme", without(connect, ":scheme")},
		{"9220-3/no_path", without(connect, ":path")},
		{"9220-3/no_authority", without(connect, ":authority")},
		{"9114-4.4/connect_with_path", without(connect, ":protocol")},
		{"9114-4.4/connect_without_authority", []string{":method", "CONNECT"}},
		{"9114-4.1/nothing", nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			attack(t, nil, func(x *target) {
				p := x.peer()
				beside := x.socket(p)
				tun, err := p.Open(row.fields...)
				if err != nil {
					t.Fatal(err)
				}
				x.wantReset(tun, malformed)
				x.alive(p)
				x.echoes(beside, "alive")
			})
		})
	}
}

// TestMalformedFrames: what comes in the wrong place, or is cut, is an error of its connection
// (RFC 9114, 7), or of its stream.
func TestMalformedFrames(t *testing.T) {
	frame := h3test.AppendFrame
	section := func(pairs ...string) []byte {
		return frame(nil, h3test.FrameHeaders, h3test.AppendSection(nil, h3test.Fields(pairs...)...))
	}
	get := section(":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/read")
	post := section(":method", "POST", ":scheme", "https", ":authority", "a", ":path", "/read",
		"content-length", "5")
	socket := section(":method", "CONNECT", ":protocol", "websocket", ":scheme", "https",
		":authority", "a", ":path", "/ws", "sec-websocket-version", "13")
	settings := func() []byte { return h3test.AppendSettings(nil) }
	data := func(s string) []byte { return frame(nil, h3test.FrameData, []byte(s)) }
	join := func(bs ...[]byte) []byte { return bytes.Join(bs, nil) }
	rows := []struct {
		name   string
		send   []byte
		fin    bool
		conn   h3test.Code // that the connection ends with; 0: it lives
		stream h3test.Code // that the stream is reset with; 0: it is answered
		status int         // 0: 200
	}{
		{name: "9114-4.1/data_first", send: data("x"), conn: unexpected},
		{name: "9114-7.2.4/settings_on_a_request", send: settings(), conn: unexpected},
		{name: "9114-7.2.6/goaway_on_a_request", send: frame(nil, 7, []byte{0}), conn: unexpected},
		{name: "9114-7.2.8/reserved_2", send: frame(nil, 2, nil), conn: unexpected},
		{name: "9114-7.2.8/reserved_6", send: frame(nil, 6, nil), conn: unexpected},
		{name: "9114-7.2.8/reserved_8", send: frame(nil, 8, nil), conn: unexpected},
		{name: "9114-7.2.8/reserved_9", send: frame(nil, 9, nil), conn: unexpected},
		{name: "9114-7.2.8/unknown_first", send: join(frame(nil, 0x21, []byte("a")), get), fin: true},
		{name: "9114-4.1/fin_first", fin: true, stream: h3test.RequestIncomplete},
		{name: "9114-4.1/fin_in_headers", send: get[:5], fin: true, stream: h3test.RequestIncomplete},
		{name: "9204-2.2.3/dynamic_table", send: frame(nil, 1, []byte{5, 0, 0x80}),
			stream: decompression},
		{name: "9204-2.2/index_out_of_range", send: frame(nil, 1, []byte{0, 0, 0xff, 99}),
			stream: decompression},
		{name: "9204-2.2/section_cut", send: frame(nil, 1, []byte{0, 0, 0x51, 0x7f}),
			stream: decompression},
		{name: "9204-2.2/empty_section", send: frame(nil, 1, nil), stream: decompression},
		{name: "9114-4.1.2/body_too_long", send: join(post, data("123456")), fin: true,
			stream: malformed},
		{name: "9114-4.1.2/body_too_short", send: join(post, data("1234")), fin: true,
			status: 400}, // the handler is told
		{name: "9114-4.1/body_fits", send: join(post, data("12"), data(""), data("345")), fin: true},
		{name: "9114-7.1/data_cut_on_a_tunnel", send: join(socket, []byte("\x00\x0a1234")),
			fin: true, conn: h3test.FrameError},
		{name: "9114-4.4/headers_on_a_tunnel", send: join(socket, section("a", "b")), conn: unexpected},
		{name: "9114-4.4/settings_on_a_tunnel", send: join(socket, settings()), conn: unexpected},
		{name: "9114-4.4/push_promise_on_a_tunnel", send: join(socket, frame(nil, 5, []byte{0})),
			conn: unexpected},
		{name: "9114-7.2.8/reserved_on_a_tunnel", send: join(socket, frame(nil, 6, nil)),
			conn: unexpected},
		{name: "9114-9/unknown_on_a_tunnel", send: join(socket, frame(nil, 0x21, make([]byte, 5000)),
			data(string(clientFrame(8, []byte("\x03\xe8"))))), fin: true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			attack(t, nil, func(x *target) {
				p := x.peer()
				if row.conn == 0 {
					defer x.echoes(x.socket(p), "alive")
				}
				tun, err := p.Stream()
				if err == nil {
					err = tun.Raw(row.send)
				}
				if err == nil && row.fin {
					err = tun.CloseWrite()
				}
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case row.conn != 0:
					x.wantClosed(p, row.conn)
					x.alive(x.peer())
				case row.stream != 0:
					_, err := tun.Rest(10 * time.Second)
					if got, ok := h3test.CloseCode(err); !ok || got != row.stream {
						t.Errorf("RESET_STREAM %v (%v), want %v", got, err, row.stream)
					}
				default:
					want := cmp.Or(row.status, 200)
					if err := tun.Answer(10 * time.Second); err != nil || tun.Status != want {
						t.Errorf("status %d, %v", tun.Status, err)
					}
					if _, err := tun.Rest(10 * time.Second); err != nil {
						t.Errorf("the answer ends with %v", err)
					}
				}
			})
		})
	}
}

// TestMalformedControl: faults on the control stream and on other streams of the client's are
// errors of the connection (RFC 9114, 6.2 and 7.2). Where a comment has another code, the row has
// quic-go's.
func TestMalformedControl(t *testing.T) {
	frame, settings := h3test.AppendFrame, h3test.AppendSettings
	control := func(b ...byte) []byte { return append([]byte{h3test.StreamControl}, b...) }
	good := slices.Clip(settings(control()))
	rows := []struct {
		name string
		send [][]byte    // each on a unidirectional stream of its own
		end  h3test.Code // the first of them ends so; 0: it stays open, 1: FIN
		want h3test.Code // 0: the connection lives
	}{
		{"9114-6.2.1/no_settings_first", [][]byte{frame(control(), 7, []byte{0})}, 0,
			h3test.MissingSettings},
		{"9114-6.2.1/second_control_stream", [][]byte{good, good}, 0, creation},
		{"9114-6.2.1/control_fin", [][]byte{good}, 1, critical},
		{"9114-6.2.1/control_reset", [][]byte{good}, h3test.NoError, critical},
		{"9114-6.2.2/push_stream", [][]byte{good, {h3test.StreamPush, 0}}, 0, creation},
		{"9204-4.2/second_encoder", [][]byte{good, {encoder}, {encoder}}, 0, creation},
		{"9204-4.2/second_decoder", [][]byte{good, {decoder}, {decoder}}, 0, creation},
		{"9114-6.2.3/reserved_stream", [][]byte{good, {0x21, 1, 2, 3}}, 0, 0},
		{"9114-7.2.4/second_settings", [][]byte{settings(good)}, 0, unexpected},
		// H3_SETTINGS_ERROR in the RFC:
		{"9114-7.2.4/same_setting_twice", [][]byte{settings(control(), 8, 1, 8, 1)}, 0,
			h3test.FrameError},
		{"9220-3/connect_protocol_2", [][]byte{settings(control(), 8, 2)}, 0, h3test.FrameError},
		{"9114-7.2.4.1/unknown_setting", [][]byte{settings(control(), 0x21, 7)}, 0, 0},
		{"9114-7.2.1/data", [][]byte{frame(good, 0, []byte("x"))}, 0, unexpected},
		{"9114-7.2.2/headers", [][]byte{frame(good, 1, nil)}, 0, unexpected},
		{"9114-7.2.8/reserved", [][]byte{frame(good, 6, nil)}, 0, unexpected},
		{"9114-7.2.8/unknown", [][]byte{frame(good, 0x21, make([]byte, 10000))}, 0, 0},
		{"9114-7.1/settings_cut", [][]byte{append(control(), 4, 3, 1)}, 1, critical},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			attack(t, nil, func(x *target) {
				p := x.peer(h3test.Options{Bare: true})
				for i, b := range row.send {
					s, err := p.Uni(b)
					if err == nil && i == 0 && row.end == 1 {
						err = s.CloseWrite()
					} else if err == nil && i == 0 && row.end != 0 {
						time.Sleep(100 * time.Millisecond)
						err = s.Reset(uint64(row.end))
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if row.want != 0 {
					x.wantClosed(p, row.want)
				} else {
					x.alive(p)
				}
				x.alive(x.peer())
			})
		})
	}
}

// TestLenient: what RFC 9114 takes for malformed and quic-go does not. docs/http3.md has the list.
func TestLenient(t *testing.T) {
	t.Run("9114-4.3.1/no_scheme", func(t *testing.T) {
		attack(t, nil, func(x *target) {
			p := x.peer()
			tun, err := p.Open(":method", "GET", ":authority", "a", ":path", "/ok")
			if err == nil {
				err = tun.CloseWrite()
			}
			if err == nil {
				err = tun.Answer(10 * time.Second)
			}
			if err != nil || tun.Status != 200 {
				t.Errorf("%+v, %v: quic-go has become strict", tun, err)
			}
		})
	})
	control := []byte{h3test.StreamControl}
	for name, b := range map[string][]byte{
		"9114-6.2.1/max_push_id_before_settings": h3test.AppendSettings(
			h3test.AppendFrame(control, 0xd, []byte{1})),
		"9114-7.2.4.1/reserved_setting": h3test.AppendSettings(control, 2, 1),
		"9114-7.2.7/max_push_id_falls": h3test.AppendFrame(h3test.AppendFrame(
			h3test.AppendSettings(control), 0xd, []byte{2}), 0xd, []byte{1}),
		"9114-7.2.3/cancel_push_of_nothing": h3test.AppendFrame(
			h3test.AppendSettings(control), 3, []byte{9}),
		"9114-5.2/goaway_grows": h3test.AppendFrame(h3test.AppendFrame(
			h3test.AppendSettings(control), 7, []byte{1}), 7, []byte{5}),
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, nil, func(x *target) {
				p := x.peer(h3test.Options{Bare: true})
				if err := p.Control(b); err != nil {
					t.Fatal(err)
				}
				if err := p.Wait(time.Second); p.Err() != nil {
					t.Errorf("%v: quic-go has become strict", err)
				}
				x.alive(p)
			})
		})
	}
}
