package h2_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
)

// slowHandler is a slog handler that waits, and then asks the server, whose locks must be free.
type slowHandler struct {
	gate chan struct{}
	seen chan slog.Record
	ask  func()
}

func (h *slowHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *slowHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *slowHandler) WithGroup(string) slog.Handler            { return h }

func (h *slowHandler) Handle(_ context.Context, r slog.Record) error {
	<-h.gate
	h.ask()
	h.seen <- r
	return nil
}

// TestSlowLog: a slog handler that hangs holds up neither the connection nor others, what waits for it is bounded, and
// what is lost is said.
func TestSlowLog(t *testing.T) {
	h := new(slowHandler)
	cfg := &h2.Config{Trace: slog.New(h)}
	bubble(t, cfg, func(http.ResponseWriter, *http.Request) {}, func(s *site) {
		h.gate, h.seen = make(chan struct{}), make(chan slog.Record, 20_000)
		h.ask = func() { s.h2.Stats() }
		p := s.dial()
		for range 3000 {
			p.Send("PING")
			synctest.Wait()
		}
		if _, err := p.Get("/"); err != nil {
			t.Fatal(err)
		}
		close(h.gate)
		p.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		close(h.seen)
		frames, lost := 0, int64(0)
		for r := range h.seen {
			if r.Message == "h2: frame" {
				frames++
				continue
			}
			r.Attrs(func(a slog.Attr) bool {
				if a.Key == "lost" {
					lost += a.Value.Int64()
				}
				return true
			})
		}
		st := s.h2.Stats()
		if total := st.FramesIn.Total() + st.FramesOut.Total(); frames < 4096 || lost == 0 || uint64(frames)+uint64(lost) != total {
			t.Errorf("%d frames were told of, %d lost, of %d", frames, lost, total)
		}
	})
}
