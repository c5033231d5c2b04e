package websocket_test

import (
	"strings"
	"testing"

	"weir/internal/pages"
)

// docsDeclared is what the code of docs/cowboy.md may name, besides what the page declares.
const docsDeclared = `
type hubType struct{}

func (hubType) init(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) { return nil, nil }

func chatInit(hubType) func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) { return nil }

var (
	hub        hubType
	mux        *http.ServeMux
	w          http.ResponseWriter
	r          *http.Request
	ctx        context.Context
	s          *websocket.Session
	conn       *websocket.Conn
	group      *websocket.Group
	server     *websocket.Server
	out        websocket.Commands
	frames     websocket.Commands
	f          websocket.Frame
	handler    websocket.Handler
	initer     websocket.Initer
	informer   websocket.Informer
	drainer    websocket.Drainer
	terminator websocket.Terminator
	prepared   *websocket.Prepared
	code       websocket.CloseCode
	reason     websocket.Reason
	req        *websocket.PartialRequest
	end        upgrade.Reason
	partial    *upgrade.PartialRequest
	loop       upgrade.LoopHandler
	queue      *upgrade.Queue
	tunnel     upgrade.TunnelHandler
	terminable upgrade.Terminator
	work       myHandler
	timer      *time.Timer
	parts      [][]byte
	buffer     bytes.Buffer
	data       []byte
	text       string
	msg, v     any
	err        error
	d          time.Duration
	n          int64
	on         bool
)

// initOf and initAny stand for an init of the page's.
func initOf(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) { return nil, nil }

func initAny(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) { return nil, nil }
`

// TestDocsCowboy: what docs/cowboy.md shows compiles, its blocks and the code of its rows.
func TestDocsCowboy(t *testing.T) {
	const expression, statement = "_ = %s", "%s"
	inInit := "_ = func() (websocket.Handler, *websocket.Options) { %s }"
	forms := map[string][]string{
		"Callbacks":               {statement, "init := initOf; _ = %s", "init := initOf; %s", expression, inInit, "var _ %s"},
		"Messages and processes":  {statement, "_ = %s", "%s; _ = err", "%s; _ = timer"},
		"What a callback returns": {"_ = func(out websocket.Commands) websocket.Commands { %s }"},
		"Commands":                {"out = append(out, %s)", "_ = Prepare[string]; _ = %s[string]"},
		"Frames":                  {"out = append(out, %s)", expression, "%s; _, _ = writer, err"},
		"Options":                 {"_ = Options{}.%s", "_ = Options{%s}"},
		"Terminate reasons":       {"_ = Reason{%s}"},
		"Sub protocols":           {expression, "_ = func() (*upgrade.Switch, error) { %s }", statement, "var _ %s", "%s; _ = result"},
	}
	page := &pages.Go{
		Imports: map[string]string{
			"bytes": "bytes", "context": "context", "http": "net/http", "io": "io", "time": "time",
			"upgrade": "weir/upgrade", "websocket": "weir/websocket", ".": "weir/websocket",
		},
		Declare: docsDeclared,
		Forms: func(section, column string) []string {
			if !strings.HasPrefix(column, "weir") {
				return nil
			}
			return forms[section]
		},
	}
	page.Check(t, "../docs/cowboy.md")
}

// TestReadme: what README.md shows of Go compiles.
func TestReadme(t *testing.T) {
	page := &pages.Go{
		Imports: map[string]string{"context": "context", "http": "net/http", "log": "log", "time": "time",
			"websocket": "weir/websocket"},
		Declare: "var (\n\tctx context.Context\n\tw http.ResponseWriter\n\tr *http.Request\n)\n",
	}
	page.Check(t, "../README.md")
}
