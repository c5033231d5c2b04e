package peers

import (
	"testing"

	"weir/internal/pages"
)

// TestMigrating: what docs/migrating.md shows compiles, in its blocks and in its tables, with all
// the libraries that it speaks of.
func TestMigrating(t *testing.T) {
	values := []string{"%s", "_ = %s", "_, _ = %s", "_, _, _ = %s", "func() { %s }()"}
	page := &pages.Go{
		Imports: map[string]string{
			"coder": "github.com/coder/websocket", "context": "context", "errors": "errors", "fmt": "fmt",
			"gorilla": "github.com/gorilla/websocket", "gws": "github.com/lxzan/gws", "http": "net/http",
			"httptest": "net/http/httptest", "httputil": "net/http/httputil", "io": "io", "log": "log", "maps": "maps",
			"net": "net", "slices": "slices", "slog": "log/slog", "stream": "weir/stream", "testing": "testing", "time": "time", "tls": "crypto/tls",
			"upgrade": "weir/upgrade", "url": "net/url", "websocket": "weir/websocket",
			"websockettest": "weir/websocket/websockettest", "wsjson": "github.com/coder/websocket/wsjson",
		},
		Declare: `
var (
	ctx       context.Context
	r         *http.Request
	srv       *http.Server
	backend   *url.URL
	err       error
	v, msg    any
	n         int64
	t         time.Time
	d         time.Duration
	list      []string
	data      []byte
	check     func(*http.Request) bool
	answer    func(http.ResponseWriter, *http.Request, int, error)
	pool      gorilla.BufferPool
	h         func(string) error
	onClose   func(int, string) error
	onPing    func(context.Context, []byte) bool
	onPong    func(context.Context, []byte)
	hook      func([]byte)
	cfg       *tls.Config
	nc        net.Conn
	st        stream.Stream
	closed    *websocket.CloseError
	jar       http.CookieJar
	dialing   func(context.Context, string, string) (net.Conn, error)
	file      io.Reader
	authorize func(*http.Request, gws.SessionStorage) bool
	logger    *slog.Logger
	initial   func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options)
	handler   gws.Event
	f         websocket.Frame
	s         *websocket.Session
	conn      *websocket.Conn
	p         *websocket.Prepared
	out       websocket.Commands
	reason    websocket.Reason
	req       *websocket.PartialRequest
)

func work() {}
`,
		Forms: func(section, column string) []string {
			if section == "Origins" { // a library in each row
				return []string{"_ = %s", "_ = gorilla.Upgrader{}.%s", "_ = coder.AcceptOptions{}.%s", "_ = websocket.Options{}.%s", "_ = websocket.Options{%s}"}
			}
			var own []string
			begin := ""
			switch column {
			case "gorilla":
				begin = "var c *gorilla.Conn; var m *gorilla.PreparedMessage; dial := dialing; _, _, _ = c, m, dial\n"
				own = []string{"_ = gorilla.%s", "_ = (*gorilla.Conn).%s", "_ = gorilla.Upgrader{}.%s", "_ = gorilla.Dialer{}.%s"}
			case "coder":
				begin = "var c *coder.Conn; dial := dialing; _, _ = c, dial\n"
				own = []string{"_ = coder.%s", "_ = (*coder.Conn).%s", "_ = coder.AcceptOptions{}.%s"}
			case "gws":
				begin = "var c *gws.Conn; var m *gws.Message; _, _ = c, m\n"
			case "weir", "default", "weir: handlers", "ported to weir's `Handle`":
				begin = "var c *websocket.Conn; var h websocket.Handler; dial := dialing; " +
					"var Options websocket.Options; var Dialer websocket.Dialer; _, _, _, _, _ = c, h, dial, Options, Dialer\n"
				own = []string{"_ = websocket.%s", "_ = (*websocket.Conn).%s", "_ = websocket.Terminator(nil).%s"}
			case "":
				return nil
			}
			var forms []string
			for _, f := range append(own, values...) {
				forms = append(forms, begin+f)
			}
			return forms
		},
	}
	page.Check(t, "../../docs/migrating.md")
}
