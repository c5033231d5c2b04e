package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/upgrade"
)

// What makes a Switch of types fills it as one would by hand; nil options are none.
func TestTypedSwitches(t *testing.T) {
	loop, loopOptions := ticks{}, &upgrade.LoopOptions{Backlog: 1}
	tunnel := upgrade.Tunnel{Token: "t"}
	echo, tunnelOptions := upgrade.TunnelFunc(func(net.Conn, *upgrade.PartialRequest) {}), &upgrade.TunnelOptions{Window: 1}
	told := new(fakeHandler)
	for name, r := range map[string]struct {
		got           *upgrade.Switch
		protocol      upgrade.Protocol
		handler, opts any
	}{
		"loop":            {upgrade.LoopSwitch(loop, loopOptions), upgrade.Loop, loop, loopOptions},
		"loop, default":   {upgrade.LoopSwitch(loop, nil), upgrade.Loop, loop, nil},
		"tunnel":          {tunnel.Switch(echo, tunnelOptions), tunnel, echo, tunnelOptions},
		"tunnel, default": {tunnel.Switch(echo, nil), tunnel, echo, nil},
		"answered":        {upgrade.Answered(told), nil, told, nil},
	} {
		t.Run(name, func(t *testing.T) {
			sameFunc := reflect.TypeOf(r.got.Handler) == reflect.TypeOf(r.handler)
			if r.got.Protocol != r.protocol || !sameFunc || r.got.Options != r.opts {
				t.Errorf("%+v", r.got)
			}
		})
	}
}

// pause is what the options of a typed protocol are here.
type pause struct{ d time.Duration }

var typed = upgrade.ProtocolFunc[fmt.Stringer, pause](func(w http.ResponseWriter, _ *http.Request, h fmt.Stringer, o *pause) error {
	if h.String() == "0s" {
		return errors.New("refused")
	}
	fmt.Fprint(w, h, " ", o)
	return nil
})

// A ProtocolFunc gets what its types say, and nothing else reaches it.
func TestProtocolFunc(t *testing.T) {
	for name, r := range map[string]struct {
		sw     *upgrade.Switch
		status int
		body   string
		log    string
	}{
		"options":          {sw: typed.Switch(time.Second, &pause{5}), status: 200, body: "1s &{5}"},
		"no options":       {sw: typed.Switch(time.Second, nil), status: 200, body: "1s <nil>"},
		"options, a value": {sw: &upgrade.Switch{Protocol: typed, Handler: time.Second, Options: pause{6}}, status: 200, body: "1s &{6}"},
		"an error":         {sw: typed.Switch(time.Duration(0), nil), status: 500, log: "refused"},
		"handler":          {sw: &upgrade.Switch{Protocol: typed, Handler: 7}, status: 500, log: "a handler is a int, not a fmt.Stringer"},
		"wrong options":    {sw: &upgrade.Switch{Protocol: typed, Handler: time.Second, Options: 7}, status: 500, log: "options are a int, not a upgrade_test.pause"},
	} {
		t.Run(name, func(t *testing.T) {
			var logged strings.Builder
			h := upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) { return r.sw, nil })
			w, req := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
			srv := &http.Server{ErrorLog: log.New(&logged, "", 0)}
			h.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), http.ServerContextKey, srv)))
			if w.Code != r.status || r.body != "" && w.Body.String() != r.body || !strings.Contains(logged.String(), r.log) {
				t.Errorf("%d %q, log %q", w.Code, w.Body, &logged)
			}
		})
	}
}

// otherTerminate has a Terminate that is none of upgrade.Terminator.
type otherTerminate struct{ ticks }

func (otherTerminate) Terminate(string) {}

// A handler whose Terminate nobody would call is refused, and the log says so.
func TestOtherTerminate(t *testing.T) {
	tunnel := upgrade.Tunnel{Token: "t"}
	for name, sw := range map[string]*upgrade.Switch{
		"loop":   upgrade.LoopSwitch(otherTerminate{}, nil),
		"tunnel": tunnel.Switch(otherTunnel{}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			var logged strings.Builder
			h := upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) { return sw, nil })
			w, req := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
			srv := &http.Server{ErrorLog: log.New(&logged, "", 0)}
			h.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), http.ServerContextKey, srv)))
			if w.Code != 500 || !strings.Contains(logged.String(), "not that of upgrade.Terminator") {
				t.Errorf("%d, log %q", w.Code, &logged)
			}
		})
	}
}

type otherTunnel struct{ otherTerminate }

func (otherTunnel) ServeTunnel(net.Conn, *upgrade.PartialRequest) {}
