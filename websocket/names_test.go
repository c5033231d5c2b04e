package websocket_test

import (
	"net/http"
	"reflect"
	"slices"
	"testing"

	"weir/upgrade"
	"weir/websocket"
	"weir/websocket/websockettest"
)

// callbacks are the names that a handler's methods have for the stack.
var callbacks = []string{"Handle", "Init", "Info", "Drain", "Terminate"}

// A handler may embed what it works with. A method that is promoted must not have the name of a
// callback: the handler would seem to have it, or would hide it.
func TestNamesOfCallbacks(t *testing.T) {
	for _, i := range []any{
		(*websocket.Handler)(nil), (*websocket.Initer)(nil), (*websocket.Informer)(nil), (*websocket.Drainer)(nil), (*websocket.Terminator)(nil),
	} {
		if typ := reflect.TypeOf(i).Elem(); typ.NumMethod() != 1 || !slices.Contains(callbacks, typ.Method(0).Name) {
			t.Errorf("%s has a callback that is not on the list", typ)
		}
	}
	for _, v := range []any{
		(*websocket.Session)(nil), (*websocket.Conn)(nil), (*websocket.Group)(nil), (*websocket.Server)(nil), (*websocket.Dialer)(nil),
		(*websocket.Options)(nil), (*websocket.PartialRequest)(nil), (*websocket.Frame)(nil), (*http.Request)(nil), (*http.Server)(nil),
	} {
		typ := reflect.TypeOf(v)
		for m := range typ.Methods() {
			if slices.Contains(callbacks, m.Name) {
				t.Errorf("%s.%s has the name of a callback", typ, m.Name)
			}
		}
	}
}

// What a transport calls of a session is not its user's to call: it would be promoted, too.
func TestNamesOfSinks(t *testing.T) {
	typ := reflect.TypeFor[*websocket.Session]()
	for _, name := range []string{"Data", "Drained", "Closed", "Fill", "Turn"} {
		if _, ok := typ.MethodByName(name); ok {
			t.Errorf("%s.%s is the transport's", typ, name)
		}
	}
}

// embedding is a handler that embeds its session, as chat rooms like to.
type embedding struct {
	*websocket.Session
	told chan any
}

func (e *embedding) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	e.Session = s
	return append(out, websocket.Text(string(e.StreamInfo().Transport)))
}

func (e *embedding) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }

func (e *embedding) Info(msg any, out websocket.Commands) websocket.Commands {
	e.told <- msg
	return out
}

// A handler that embeds its session has both: its Info callback, and what the session says.
func TestEmbeddedSession(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		e := &embedding{told: make(chan any, 1)}
		p := websockettest.Open(t, tr, e, nil)
		p.WantText(tr.String())
		if err := e.Post("news"); err != nil {
			t.Error(err)
		}
		if got := <-e.told; got != "news" {
			t.Errorf("Info got %v", got)
		}
	})
}

// No callback of a LoopHandler has the name of a WebSocket's, so that one type may be both. (A
// Terminator it can only be for one of them.)
func TestNamesOfLoops(t *testing.T) {
	for _, i := range []any{(*upgrade.LoopHandler)(nil), (*upgrade.LoopDrainer)(nil), (*upgrade.TunnelHandler)(nil)} {
		for m := range reflect.TypeOf(i).Elem().Methods() {
			if slices.Contains(callbacks, m.Name) {
				t.Errorf("%s.%s has the name of a callback", reflect.TypeOf(i).Elem(), m.Name)
			}
		}
	}
}
