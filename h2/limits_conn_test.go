package h2_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream"

	"golang.org/x/net/http2"
)

func (s *site) dialWith(settings ...http2.Setting) *h2test.Peer {
	s.t.Helper()
	p := h2test.New(s.conn(), h2test.Options{Settings: settings})
	if _, err := p.Settings(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { p.Close() })
	return p
}

var noWindow = http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}

// textLog is a logger to a buffer, without times and addresses.
func textLog(to io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "remote" {
			return slog.Attr{}
		}
		return a
	}}))
}

// TestStallTimeout: an answer that the peer opens no window for is reset, whether its handler still
// writes or has returned; the connection lives, and the log says why.
func TestStallTimeout(t *testing.T) {
	var logged lockedBuffer
	result := make(chan error, 1)
	bubble(t, &h2.Config{StallTimeout: 20 * time.Second, Logger: textLog(&logged, slog.LevelWarn)}, func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write(make([]byte, map[string]int{"/short": 10, "/long": 1 << 20}[r.URL.Path]))
		if r.URL.Path == "/long" {
			if r.Context().Err() == nil {
				t.Error("the request's context lives on")
			}
			result <- err
		}
	}, func(s *site) {
		p := s.dialWith(noWindow)
		start := time.Now()
		for _, path := range []string{"/short", "/long"} {
			tn, err := p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tn.Response(10 * time.Second); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v", path, err)
			}
		}
		time.Sleep(20 * time.Second)
		if err := <-result; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %v", err)
		}
		if d := time.Since(start); d != 40*time.Second {
			t.Errorf("after %v", d)
		}
		if st := s.h2.Stats(); st.Streams != 0 || st.Conns != 1 || st.ResetsOut[h2.Cancel] != 2 || st.Limits[h2.LimitStall] != 2 || st.StreamsBlocked != 40*time.Second || st.ConnBlocked != 0 {
			t.Errorf("%+v", st)
		}
		synctest.Wait()
		if got := logged.String(); strings.Count(got, "level=WARN msg=\"h2: limit\" conn=1 limit=StallTimeout") != 2 {
			t.Errorf("logged %s", got)
		}
	})
}

// TestTunnelWriteTimeout (stream.Limits): of a tunnel on which nothing can be written, the sink
// hears os.ErrDeadlineExceeded; what gets through begins the time anew; negative waits for ever.
func TestTunnelWriteTimeout(t *testing.T) {
	for _, tt := range []struct {
		limit, update, want time.Duration
	}{
		{10 * time.Second, 0, 10 * time.Second},
		{10 * time.Second, 7 * time.Second, 17 * time.Second},
		{0, 0, stream.DefaultWriteTimeout},
		{-1, 0, 0},
	} {
		ts := newTunnels()
		ts.limits.WriteTimeout = tt.limit
		bubble(t, &h2.Config{StallTimeout: time.Second}, ts.ServeHTTP, func(s *site) {
			ts.open()
			p := s.dialWith(noWindow)
			s.connect(p, "/")
			sink := <-ts.sinks
			time.Sleep(time.Hour)
			start := time.Now()
			if n, err := sink.st.Send([][]byte{make([]byte, 100)}, false); n != 100 || err != nil {
				t.Fatal(n, err)
			}
			if tt.update > 0 {
				time.Sleep(tt.update)
				p.Send("WINDOW_UPDATE 1 1")
			}
			if tt.want == 0 {
				time.Sleep(24 * time.Hour)
				select {
				case <-sink.closed:
					t.Errorf("limit %v: %v", tt.limit, sink.err)
				default:
				}
				return
			}
			<-sink.closed
			if d := time.Since(start); d != tt.want || !errors.Is(sink.err, os.ErrDeadlineExceeded) {
				t.Errorf("limit %v: %v after %v, want it after %v", tt.limit, sink.err, d, tt.want)
			}
			if _, err := sink.st.Send([][]byte{{1}}, false); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Send afterwards: %v", err)
			}
			if s.h2.Conns() != 1 {
				t.Error("the connection has ended too")
			}
		})
	}
}

// TestSlow is ATTACKS.md, S12: 1 000 connections that drip, or say nothing, at every stage of the
// beginning. Each is closed in time, and meanwhile others are served.
func TestSlow(t *testing.T) {
	const preface = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	request := string(h2test.AppendFrame(nil, http2.FrameHeaders, 4, 1, new(h2test.Encoder).Block(":method", "GET", "x", "0123456789")))
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, hs: &http.Server{ReadHeaderTimeout: 10 * time.Second}} // the first 24 octets are net/http's
		s.start(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
		stages := []struct{ at, drip string }{
			{"", http2.ClientPreface},
			{http2.ClientPreface, preface},
			{http2.ClientPreface, ""},
			{http2.ClientPreface + preface, ""},
			{http2.ClientPreface + preface + "\x00\x00\x00\x04\x01\x00\x00\x00\x00", request},
		}
		var wg sync.WaitGroup
		for i := range 1000 {
			stage := stages[i%len(stages)]
			nc := s.conn()
			wg.Go(func() {
				start := time.Now()
				go io.Copy(io.Discard, nc) // ends with the connection
				_, err := io.WriteString(nc, stage.at)
				for i := 0; err == nil && time.Since(start) < time.Minute; i++ {
					time.Sleep(time.Second)
					if i < len(stage.drip) {
						_, err = io.WriteString(nc, stage.drip[i:i+1])
					} else {
						_, err = io.WriteString(nc, "")
						if s.h2.Conns() == 1 { // ours below
							err = io.EOF
						}
					}
				}
				nc.Close()
				if d := time.Since(start); d > 22*time.Second {
					t.Errorf("stage %q %q: open for %v", stage.at, stage.drip, d)
				}
			})
			if i%100 == 0 {
				synctest.Wait()
			}
		}
		p := s.dial()
		for range 30 {
			if r, err := p.Get("/"); err != nil || string(r.Body) != "hello" {
				t.Fatal(r, err)
			}
			time.Sleep(time.Second)
		}
		wg.Wait()
		if n := s.h2.Stats().Limits[h2.LimitHandshake]; n != 800 {
			t.Errorf("%d connections ran into HandshakeTimeout, want 800", n)
		}
		p.Close()
		s.h2.Close()
		s.hs.Close()
		synctest.Wait()
	})
}

// TestShutdownOfMany is ATTACKS.md, S28: of 1 000 tunnels 100 do not leave. All are gone when the
// time is up.
func TestShutdownOfMany(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.sinks = make(chan *fakeSink, 1000)
		var leaving []*h2test.Tunnel
		for range 4 {
			p := s.dial()
			for i := range 250 {
				if i%10 == 0 {
					s.connect(p, "/deaf")
				} else {
					leaving = append(leaving, s.connect(p, "/echo"))
				}
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		start := time.Now()
		stopped := make(chan error, 1)
		go func() { stopped <- s.h2.Shutdown(ctx) }() // ends with ctx
		time.Sleep(time.Second)
		for _, tn := range leaving {
			tn.CloseWrite()
		}
		synctest.Wait()
		if st := s.h2.Stats(); st.Tunnels != 100 {
			t.Errorf("%d tunnels stay, want 100", st.Tunnels)
		}
		if err := <-stopped; err != context.DeadlineExceeded || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		synctest.Wait()
		if st := s.h2.Stats(); st.Tunnels != 0 || st.TunnelsTotal != 1000 {
			t.Errorf("%d tunnels of %d are left", st.Tunnels, st.TunnelsTotal)
		}
	})
}

// TestStats counts what a connection does, while it is there and when it has gone.
func TestStats(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		if st := s.h2.Stats(); st != (h2.Stats{}) {
			t.Errorf("at first: %+v", st)
		}
		p := s.dial()
		tn := s.connect(p, "/echo")
		tn.Write([]byte("12345678"))
		readN(t, tn, 8)
		if _, err := p.Get("/"); err != nil {
			t.Fatal(err)
		}
		late := s.connect(p, "/")
		late.Reset(http2.ErrCodeCancel)
		p.Send("PING")
		p.Send("HEADERS 101 x=y")
		p.Send("RAW 32 0 0 00")
		synctest.Wait()
		st := s.h2.Stats()
		if st.Conns != 1 || st.ConnsTotal != 1 || st.Streams != 1 || st.StreamsTotal != 3 || st.Tunnels != 1 || st.TunnelsTotal != 2 {
			t.Errorf("%+v", st)
		}
		in := h2.FrameCounts{0: 1, 1: 4, 3: 1, 4: 2, 6: 1, 8: 4, 10: 1} // DATA HEADERS RST_STREAM SETTINGS PING WINDOW_UPDATE other
		if in[8] = st.FramesIn[8]; st.FramesIn != in {
			t.Errorf("in %v, want %v", st.FramesIn, in)
		}
		out := h2.FrameCounts{0: 2, 1: 4, 3: 1, 4: 2, 6: 1, 8: 1}
		if st.FramesOut != out || st.FramesOut.Total() != 11 {
			t.Errorf("out %v, want %v", st.FramesOut, out)
		}
		if st.ResetsIn[h2.Cancel] != 1 || st.ResetsIn.Total() != 1 || st.ResetsOut[h2.ProtocolError] != 1 || st.ResetsOut.Total() != 1 {
			t.Errorf("resets in %v, out %v", st.ResetsIn, st.ResetsOut)
		}
		p.Send("GOAWAY 0 ENHANCE_YOUR_CALM", "RAW 5 4 1 00000002")
		p.Wait(time.Minute)
		p.Close()
		synctest.Wait()
		time.Sleep(time.Minute)
		st = s.h2.Stats()
		if st.Conns != 0 || st.Streams != 0 || st.Tunnels != 0 || st.ConnsTotal != 1 || st.StreamsTotal != 3 || st.FramesIn.Total() < in.Total() ||
			st.GoAwaysIn[h2.EnhanceYourCalm] != 1 || st.GoAwaysOut[h2.ProtocolError] != 1 || st.GoAwaysIn.Total() != 1 || st.Limits.Total() != 0 {
			t.Errorf("at last: %+v", st)
		}
	})
}

// TestTrace: one record a frame, in order, with what its type carries; values of fields only if
// asked for.
func TestTrace(t *testing.T) {
	for _, values := range []bool{false, true} {
		var logged lockedBuffer
		bubble(t, &h2.Config{Trace: textLog(&logged, slog.LevelDebug), TraceValues: values}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", "then")
			w.Header().Set("Set-Cookie", "secret=1")
			io.Copy(io.Discard, r.Body)
		}, func(s *site) {
			p := h2test.New(s.conn(), h2test.Options{Manual: true})
			synctest.Wait()
			for _, f := range []string{"SETTINGS ACK", "HEADERS 1 NO_END_HEADERS :method=POST :scheme=http :path=/a?token=1", "CONTINUATION 1 :authority=b cookie=secret=2",
				"DATA 1 LEN=5", "DATA 1 END_STREAM", "PING", "RAW 32 1 7 00", "WINDOW_UPDATE 0 77", "HEADERS 3 :method=GET", "RST_STREAM 3 CANCEL", "GOAWAY 0 NO_ERROR"} {
				p.Send(f)
				synctest.Wait()
			}
			p.Wait(time.Minute)
			p.Close()
			synctest.Wait()
		})
		fields := `fields=":method: POST, :scheme: http, :path, :authority, cookie"`
		answer := `fields=":status: 200, content-length, date, set-cookie"`
		refusal := `fields=":status: 400, content-length, date"`
		if values {
			fields = `fields=":method: POST, :scheme: http, :path: /a?token=1, :authority: b, cookie: secret=2"`
			answer = `fields=":status: 200, content-length: 0, date: then, set-cookie: secret=1"`
			refusal = `fields=":status: 400, content-length: 0, date: Sat, 01 Jan 2000 00:00:00 GMT"`
		}
		var want bytes.Buffer
		for _, l := range []string{
			`out type=SETTINGS stream=0 flags="" len=36 MAX_CONCURRENT_STREAMS=250 INITIAL_WINDOW_SIZE=65535 MAX_FRAME_SIZE=16384 MAX_HEADER_LIST_SIZE=65536 ENABLE_CONNECT_PROTOCOL=1 NO_RFC7540_PRIORITIES=1`,
			`out type=WINDOW_UPDATE stream=0 flags="" len=4 inc=983041`,
			`in type=SETTINGS stream=0 flags="" len=0`,
			`out type=SETTINGS stream=0 flags=ACK len=0`,
			`in type=SETTINGS stream=0 flags=ACK len=0`,
			`in type=HEADERS stream=1 flags="" len=12`,
			`in type=CONTINUATION stream=1 flags=END_HEADERS len=11 ` + fields,
			`out type=WINDOW_UPDATE stream=1 flags="" len=4 inc=983041`,
			`in type=DATA stream=1 flags="" len=5`,
			`in type=DATA stream=1 flags=END_STREAM len=0`,
			`out type=HEADERS stream=1 flags=END_STREAM|END_HEADERS len=17 ` + answer,
			`in type=PING stream=0 flags="" len=8 data="\x00\x00\x00\x00\x00\x00\x00\x00"`,
			`out type=PING stream=0 flags=ACK len=8 data="\x00\x00\x00\x00\x00\x00\x00\x00"`,
			`in type=UNKNOWN_FRAME_TYPE_32 stream=7 flags="" len=1`,
			`in type=WINDOW_UPDATE stream=0 flags="" len=4 inc=77`,
			`in type=HEADERS stream=3 flags=END_HEADERS len=1 fields=":method: GET"`,
			`out type=HEADERS stream=3 flags=END_STREAM|END_HEADERS len=26 ` + refusal,
			`out type=RST_STREAM stream=3 flags="" len=4 code=PROTOCOL_ERROR`,
			`in type=RST_STREAM stream=3 flags="" len=4 code=CANCEL`,
			`in type=GOAWAY stream=0 flags="" len=8 last=0 code=NO_ERROR text=""`,
			`out type=GOAWAY stream=0 flags="" len=8 last=3 code=NO_ERROR text=""`,
		} {
			want.WriteString(`level=DEBUG msg="h2: frame" conn=1 dir=` + l + "\n")
		}
		if got := logged.String(); got != want.String() {
			t.Errorf("values %v:\n%s\nwant\n%s", values, got, want.String())
		}
	}
}
