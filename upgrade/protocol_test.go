package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/stream"
	"weir/upgrade"
)

// fakeProtocol notes what it was given.
type fakeProtocol struct {
	answer        string
	err           error
	handler, opts any
	calls         int
}

func (p *fakeProtocol) Upgrade(w http.ResponseWriter, r *http.Request, handler, opts any) error {
	p.calls++
	p.handler, p.opts = handler, opts
	if p.answer != "" {
		io.WriteString(w, p.answer+" "+r.Context().Value(http.ServerContextKey).(*http.Server).Addr)
		upgrade.Terminate(upgrade.Reason{Kind: upgrade.Stop}, upgrade.Partial(r, noStream), handler)
	}
	return p.err
}

// fakeHandler notes the reasons it was told.
type fakeHandler struct{ reasons []string }

func (h *fakeHandler) Terminate(r upgrade.Reason, p *upgrade.PartialRequest) {
	h.reasons = append(h.reasons, r.String()+" "+p.Path)
}

// TestHandle is the first chapter of the guide's sub protocols: init answers or switches (Cowboy
// guide, sub_protocols).
func TestHandle(t *testing.T) {
	type init func(w http.ResponseWriter, h *fakeHandler, p *fakeProtocol) (*upgrade.Switch, error)
	boom := errors.New("boom")
	for name, row := range map[string]struct {
		init   init
		fail   error // of Upgrade
		status int
		body   string
		calls  int
		told   string
		log    string
	}{
		"switch": {init: func(_ http.ResponseWriter, h *fakeHandler, p *fakeProtocol) (*upgrade.Switch, error) {
			p.answer = "mine"
			return &upgrade.Switch{Protocol: p, Handler: h}, nil
		}, status: 200, body: "mine the-server", calls: 1, told: "stop /x"},
		"answered": {init: func(w http.ResponseWriter, _ *fakeHandler, _ *fakeProtocol) (*upgrade.Switch, error) {
			w.WriteHeader(403)
			return nil, nil
		}, status: 403},
		"answered_with_handler": {init: func(w http.ResponseWriter, h *fakeHandler, _ *fakeProtocol) (*upgrade.Switch, error) {
			w.WriteHeader(403)
			return &upgrade.Switch{Handler: h}, nil
		}, status: 403, told: "normal /x"},
		"answered_and_switched": {init: func(w http.ResponseWriter, h *fakeHandler, p *fakeProtocol) (*upgrade.Switch, error) {
			w.WriteHeader(403)
			return &upgrade.Switch{Protocol: p, Handler: h}, nil
		}, status: 403, told: "normal /x"},
		"nothing": {init: func(http.ResponseWriter, *fakeHandler, *fakeProtocol) (*upgrade.Switch, error) { return nil, nil },
			status: 500, body: "Internal Server Error\n", log: "named no handler"},
		"error": {init: func(http.ResponseWriter, *fakeHandler, *fakeProtocol) (*upgrade.Switch, error) { return nil, boom },
			status: 500, body: "Internal Server Error\n", log: "boom"},
		"error_with_switch": {init: func(_ http.ResponseWriter, h *fakeHandler, p *fakeProtocol) (*upgrade.Switch, error) {
			return &upgrade.Switch{Protocol: p, Handler: h}, boom
		}, status: 500, body: "Internal Server Error\n", told: "crash:error /x", log: "boom"},
		"panic": {init: func(http.ResponseWriter, *fakeHandler, *fakeProtocol) (*upgrade.Switch, error) { panic("ouch") },
			status: 500, body: "Internal Server Error\n", log: "ouch"},
		"panic_behind_answer": {init: func(w http.ResponseWriter, _ *fakeHandler, _ *fakeProtocol) (*upgrade.Switch, error) {
			w.WriteHeader(202)
			panic("ouch")
		}, status: 202, log: "ouch"},
		"upgrade_refuses": {init: func(_ http.ResponseWriter, h *fakeHandler, p *fakeProtocol) (*upgrade.Switch, error) {
			return &upgrade.Switch{Protocol: p, Handler: h}, nil
		}, fail: &upgrade.HandshakeError{Status: 426, Msg: "no"}, status: 426, body: "no\n", calls: 1},
		"upgrade_given_up": {init: func(_ http.ResponseWriter, h *fakeHandler, p *fakeProtocol) (*upgrade.Switch, error) {
			return &upgrade.Switch{Protocol: p, Handler: h}, nil
		}, fail: fmt.Errorf("x: %w", &stream.ResetError{Code: stream.Cancel, Remote: true}), status: 500, body: "Internal Server Error\n", calls: 1},
		"upgrade_reset_here": {init: func(_ http.ResponseWriter, h *fakeHandler, p *fakeProtocol) (*upgrade.Switch, error) {
			return &upgrade.Switch{Protocol: p, Handler: h}, nil
		}, fail: &stream.ResetError{Code: stream.Cancel}, status: 500, body: "Internal Server Error\n", calls: 1, log: "CANCEL"},
		"upgrade_fails": {init: func(_ http.ResponseWriter, h *fakeHandler, p *fakeProtocol) (*upgrade.Switch, error) {
			return &upgrade.Switch{Protocol: p, Handler: h}, nil
		}, fail: boom, status: 500, body: "Internal Server Error\n", calls: 1, log: "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := new(fakeHandler), &fakeProtocol{err: row.fail}
			var logged strings.Builder
			srv := httptest.NewUnstartedServer(upgrade.Handle(func(w http.ResponseWriter, _ *http.Request) (*upgrade.Switch, error) {
				return row.init(w, h, p)
			}))
			srv.Config.ErrorLog = log.New(&logged, "", 0)
			srv.Config.Addr = "the-server"
			srv.Start()
			resp, err := http.Get(srv.URL + "/x")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			srv.Close()
			if resp.StatusCode != row.status || string(body) != row.body {
				t.Errorf("%d %q, want %d %q", resp.StatusCode, body, row.status, row.body)
			}
			if p.calls != row.calls {
				t.Errorf("upgraded %d times", p.calls)
			}
			if told := strings.Join(h.reasons, "; "); told != row.told {
				t.Errorf("told %q, want %q", told, row.told)
			}
			if !strings.Contains(logged.String(), row.log) || row.log == "" && logged.Len() > 0 {
				t.Errorf("logged %q, want %q", &logged, row.log)
			}
		})
	}
}

// TestUpgradeFourAndFive: options that init did not give are nil, those it gave come as they are.
func TestUpgradeFourAndFive(t *testing.T) {
	for _, opts := range []any{nil, map[string]any{"timeout": 5000, "compress": true}, "hibernate"} {
		p := new(fakeProtocol)
		upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
			return &upgrade.Switch{Protocol: p, Handler: 7, Options: opts}, nil
		}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		if p.handler != 7 || p.calls != 1 {
			t.Errorf("handler %v, %d calls", p.handler, p.calls)
		}
		if m, ok := opts.(map[string]any); ok {
			if got, _ := p.opts.(map[string]any); got["timeout"] != m["timeout"] {
				t.Errorf("options %v", p.opts)
			}
		} else if p.opts != opts {
			t.Errorf("options %v, want %v", p.opts, opts)
		}
	}
}

// TestAbortHandlerGoesOn: http.ErrAbortHandler of init is net/http's.
func TestAbortHandlerGoesOn(t *testing.T) {
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("it was caught")
		}
	}()
	upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) { panic(http.ErrAbortHandler) }).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

// enderProtocol is an Ender: its handlers have no Terminator.
type enderProtocol struct {
	fakeProtocol
	ends []string
	do   func()
}

func (p *enderProtocol) End(r upgrade.Reason, req *upgrade.PartialRequest, handler any) {
	p.ends = append(p.ends, fmt.Sprint(r, " ", req.Path, " ", handler))
	if p.do != nil {
		p.do()
	}
}

// A protocol that is an Ender tells its handlers itself that it never had their request.
func TestEnder(t *testing.T) {
	for name, row := range map[string]struct {
		answers bool
		err     error
		do      func()
		want    string
	}{
		"answered": {answers: true, want: "normal /x 7"},
		"error":    {err: errors.New("boom"), want: "crash:error /x 7"},
		"panic":    {answers: true, do: func() { panic("in End") }, want: "normal /x 7"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &enderProtocol{do: row.do}
			h := upgrade.Handle(func(w http.ResponseWriter, _ *http.Request) (*upgrade.Switch, error) {
				if row.answers {
					io.WriteString(w, "answer")
				}
				return &upgrade.Switch{Protocol: p, Handler: 7}, row.err
			})
			var logged strings.Builder
			srv := &http.Server{ErrorLog: log.New(&logged, "", 0)}
			r := httptest.NewRequest("GET", "/x", nil)
			r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, srv))
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got := strings.Join(p.ends, "; "); got != row.want || p.calls != 0 {
				t.Errorf("told %q, upgraded %d times; want %q", got, p.calls, row.want)
			}
			if (row.do != nil) != strings.Contains(logged.String(), "in End") {
				t.Errorf("the log says %q", &logged)
			}
		})
	}
}
