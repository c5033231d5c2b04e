package h2_test

import (
	"log"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// configured runs f with a server whose HTTP2 is c, in a bubble. The handler answers with a long field.
func configured(t *testing.T, c *http.HTTP2Config, f func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, hs: &http.Server{HTTP2: c}}
		s.hs.ErrorLog = log.New(&s.logged, "", 0)
		s.start(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Long", strings.Repeat("long", 50)) })
		defer func() {
			s.h2.Close()
			s.hs.Close()
			synctest.Wait()
		}()
		f(s)
	})
}

// TestHTTP2ConfigPing: SendPingTimeout and PingTimeout of http.Server.HTTP2 (RFC 9113, 6.7).
func TestHTTP2ConfigPing(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg  http.HTTP2Config
		ping time.Duration // 0: none in an hour
		end  time.Duration // if it is not answered
	}{
		"off":           {},
		"both":          {cfg: http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 3 * time.Second}, ping: 10 * time.Second, end: 13 * time.Second},
		"default":       {cfg: http.HTTP2Config{SendPingTimeout: 10 * time.Second}, ping: 10 * time.Second, end: 25 * time.Second},
		"no interval":   {cfg: http.HTTP2Config{PingTimeout: time.Second}},
		"negative ones": {cfg: http.HTTP2Config{SendPingTimeout: -1, PingTimeout: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			var counted []string
			var mu sync.Mutex
			tt.cfg.CountError = func(kind string) {
				mu.Lock()
				defer mu.Unlock()
				counted = append(counted, kind)
			}
			configured(t, &tt.cfg, func(s *site) {
				start := time.Now()
				p := h2test.New(s.conn(), h2test.Options{Manual: true})
				defer p.Close()
				p.Send("SETTINGS ACK")
				var asked time.Duration
				end := time.AfterFunc(time.Hour, func() { p.Close() })
				for f, err := p.Next(); err != nil || f.Type != http2.FrameGoAway; f, err = p.Next() {
					if time.Since(start) >= time.Hour || p.Err() != nil {
						break
					}
					if err == nil && f.Type == http2.FramePing && asked == 0 {
						asked = time.Since(start)
					}
				}
				ended := time.Since(start)
				if end.Stop(); asked != tt.ping || tt.ping > 0 && ended != tt.end || tt.ping == 0 && ended != time.Hour {
					t.Errorf("asked after %v, ended after %v", asked, ended)
				}
				synctest.Wait()
			})
			mu.Lock()
			defer mu.Unlock()
			if got := strings.Join(counted, " "); tt.ping > 0 && got != "conn_close_lost_ping" || tt.ping == 0 && got != "" {
				t.Errorf("counted %q", got)
			}
		})
	}
	configured(t, &http.HTTP2Config{SendPingTimeout: 10 * time.Second}, func(s *site) {
		p := s.dial() // it answers PING
		time.Sleep(time.Hour)
		if res, err := p.Get("/"); err != nil || res.Status != 200 {
			t.Errorf("a connection that answers PING: %v, %v", res, err)
		}
	})
}

// TestHTTP2ConfigTables: MaxDecoderHeaderTableSize and MaxEncoderHeaderTableSize of http.Server.HTTP2 (RFC 7541, 4.2).
func TestHTTP2ConfigTables(t *testing.T) {
	for _, tt := range []struct {
		decoder, encoder int
		setting          uint32 // SETTINGS_HEADER_TABLE_SIZE, 0: not sent
		indexed          bool   // a field that was sent is sent as an index of the table
	}{
		{0, 0, 0, true},
		{4096, 4096, 0, true},
		{65536, 65536, 65536, true},
		{100, 100, 100, false},
		{-1, -1, 0, true},
		{4 << 20, 4 << 20, 0, true},
	} {
		configured(t, &http.HTTP2Config{MaxDecoderHeaderTableSize: tt.decoder, MaxEncoderHeaderTableSize: tt.encoder}, func(s *site) {
			p := h2test.New(s.conn(), h2test.Options{Manual: true})
			defer p.Close()
			ss, err := p.Settings()
			if n, ok := ss[http2.SettingHeaderTableSize]; err != nil || n != tt.setting || ok != (tt.setting != 0) {
				t.Errorf("%+v: the setting is %d, %v", tt, n, err)
			}
			p.Send("SETTINGS ACK")
			var sizes []int
			for _, id := range []string{"1", "3"} {
				p.Send("HEADERS " + id + " END_STREAM :method=GET :scheme=http :authority=a :path=/")
				f, err := p.Next()
				for ; err == nil && f.Type != http2.FrameHeaders; f, err = p.Next() {
				}
				sizes = append(sizes, len(f.Payload))
			}
			if got := sizes[1] < sizes[0]/2; sizes[1] == 0 || got != tt.indexed {
				t.Errorf("%+v: HEADERS of %v octets", tt, sizes)
			}
		})
	}
}

// TestCountError: what it is told, that no lock of ours is held, and that neither a panic nor Goexit in it costs another call or
// the end of the connection.
func TestCountError(t *testing.T) {
	var mu sync.Mutex
	var told []string
	var s *site
	count := func(kind string) {
		s.h2.Stats() // takes every lock
		mu.Lock()
		told = append(told, kind)
		n := len(told)
		mu.Unlock()
		switch n {
		case 1:
			panic("broken metrics")
		case 2:
			runtime.Goexit()
		}
	}
	configured(t, &http.HTTP2Config{CountError: count}, func(started *site) {
		s = started
		p := s.dial()
		for range 3 {
			if tn, err := p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/", "X", "1"); err == nil {
				tn.Response(time.Second)
			}
			synctest.Wait()
		}
		p.Send("WINDOW_UPDATE 0 0")
		p.Wait(time.Minute)
		p.Close()
		time.Sleep(time.Minute)
		if s.h2.Conns() != 0 {
			t.Error("the connection has not ended")
		}
		if got := s.logged.String(); strings.Count(got, "broken metrics") != 1 {
			t.Errorf("logged %q", got)
		}
	})
	const stream = "stream_PROTOCOL_ERROR_rfc9113_8_2_1"
	if want := []string{stream, stream, stream, "conn_PROTOCOL_ERROR_rfc9113_6_9"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	own := 0
	cfg := &h2.Config{CountError: func(string) { own++ }}
	bubble(t, cfg, func(http.ResponseWriter, *http.Request) {}, func(s *site) {
		p := s.dial()
		p.Send("PING ACK 0000000000000000")
		p.Send("RAW 6 0 0 00")
		p.Wait(time.Minute)
		synctest.Wait()
	})
	if own != 1 {
		t.Errorf("Config.CountError was called %d times", own)
	}
}
