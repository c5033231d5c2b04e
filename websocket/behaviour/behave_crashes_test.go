package behaviour_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"weir/websocket"
)

// BEHAVIOUR 4: crashes.

func TestCrashes(t *testing.T) {
	boom := errors.New("boom")
	for _, r := range []struct {
		id, name string
		crash    func()
		reason   string
		value    any
	}{
		{"4.crash.throw", "value", func() { panic("thrown") }, "crash:throw", "thrown"},
		{"4.crash.error", "error", func() { panic(boom) }, "crash:error", boom},
		{"4.crash.error", "runtime", func() { var p *websocket.Frame; _ = p.Type }, "crash:error", nil},
		{"4.crash.exit", "goexit", runtime.Goexit, "crash:exit", nil},
	} {
		for _, where := range []string{"init", "handle", "info", "drain"} {
			t.Run(r.name+"_in_"+where, func(t *testing.T) {
				row(t, r.id, all, func(h *house) {
					other := h.open(new(actor), nil)
					a := new(drainer)
					log := new(lockedBuilder)
					g := new(websocket.Group)
					a.crashIn(where, r.crash)
					c := h.open(a, &websocket.Options{Logger: slog.New(slog.NewJSONHandler(log, nil)), Group: g})
					switch where {
					case "handle":
						c.send(text("fine"), text("crash"), text("never"))
						c.wantText("what was before it is answered", "fine")
					case "info":
						a.session().Post("crash")
					case "drain":
						go g.Shutdown(context.Background()) // ends with the session
					}
					c.wantClose("a crash is 1011", 1011, "")
					got := h.wantReason(&a.actor, r.reason)
					if r.name != "runtime" && got.Value != r.value {
						h.Fatalf("value %v", got.Value)
					}
					if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), `"ERROR"`) || !strings.Contains(log.String(), "_test.go") {
						h.Fatalf("log %.300s", log)
					}
					other.send(text("alive"))
					other.wantText("others do not notice", "alive")
					c.wire.CloseWrite()
				})
			})
		}
	}
}

// crashIn has one callback crash: Handle at the text "crash".
func (d *drainer) crashIn(where string, crash func()) {
	switch where {
	case "init":
		d.onInit = func(*websocket.Session, websocket.Commands) websocket.Commands { crash(); return nil }
	case "handle":
		d.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if string(f.Payload) == "crash" {
				crash()
			}
			return append(out, f.Reply())
		}
	case "info":
		d.onInfo = func(any, websocket.Commands) websocket.Commands { crash(); return nil }
	case "drain":
		d.atDrain = crash
	}
}

// A crash is logged once, with its stack where it has one, to the session's Logger alone.
func TestCrashIsLogged(t *testing.T) {
	for name, r := range map[string]struct {
		cmds  websocket.Commands
		crash func()
		stack bool
	}{
		"panic":          {crash: func() { panic("thrown") }, stack: true},
		"goexit":         {crash: runtime.Goexit, stack: true},
		"cannot_be_sent": {cmds: websocket.Commands{websocket.Close(1, "")}},
	} {
		t.Run(name, func(t *testing.T) {
			row(t, "4.crash.logged", all, func(h *house) {
				for _, quiet := range []bool{false, true} {
					log := new(lockedBuilder)
					o := new(websocket.Options)
					if !quiet {
						o.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					}
					a := &actor{onInfo: func(any, websocket.Commands) websocket.Commands {
						if r.crash != nil {
							r.crash()
						}
						return r.cmds
					}}
					c := h.open(a, o)
					a.session().Post("crash")
					c.wantClose("a crash", 1011, "")
					c.wire.CloseWrite()
					synctest.Wait() // nobody waits for a log
					got := log.String()
					if quiet {
						if got += h.log.String(); got != "" {
							h.Fatalf("log %.300s", got)
						}
						continue
					}
					if strings.Count(got, "\n") != 1 || !strings.Contains(got, `"level":"ERROR"`) || !strings.Contains(got, `"callback":"Info"`) {
						h.Fatalf("log %.300s", got)
					}
					if stack := strings.Contains(got, "TestCrashIsLogged"); stack != r.stack {
						h.Fatalf("stack %v in the log %s", stack, got)
					}
				}
			})
		})
	}
}

// A panic or Goexit in Terminate is caught.
func TestCrashInTerminate(t *testing.T) {
	for name, crash := range map[string]func(){"panic": func() { panic("late") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			row(t, "4.terminate.crash", all, func(h *house) {
				log := new(lockedBuilder)
				c := h.open(&crasher{crash: crash}, &websocket.Options{Logger: slog.New(slog.NewJSONHandler(log, nil))})
				c.send(closing(1000, ""))
				c.wantClose("the close was handed over before", 1000, "")
				c.wire.CloseWrite()
				synctest.Wait()
				if !strings.Contains(log.String(), `"callback":"Terminate"`) {
					h.Fatalf("log %.300s", log)
				}
				c = h.open(new(actor), nil)
				c.send(text("alive"))
				c.wantText("others do not notice", "alive")
			})
		})
	}
}

type crasher struct{ crash func() }

func (*crasher) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }
func (c *crasher) Terminate(websocket.Reason, *websocket.PartialRequest)             { c.crash() }
